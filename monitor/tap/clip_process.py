"""A recorded clip read in a process that may not touch anything else, seen from the process that wants its items.

Whoever makes a clip chooses what its decoder is fed. Here only what was decoded arrives; a decoder that takes too much
memory or time, or breaks, takes no more with it than the reading of this clip.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from io import BufferedReader
from pathlib import Path
from typing import Any, Self

import numpy as np

from monitor.tap.clip_file import ClipInfo, OpenFile, TrackChoice, close_files, open_files
from monitor.tap.clip_wire import HEADER, Head, Kind, Listener, WireError, one_line, read_text
from monitor.tap.media.config import ClipLimits
from monitor.tap.media.source import SourceError
from monitor.tap.sandbox.workers import Ending, Worker, WorkerError, Workers
from monitor.types import ByteArray, MediaItem

# One for each track: they are read beside each other, each from a place of its own.
_FILES = 2
_workers = Workers("monitor.tap.clip_worker")


def prepare() -> None:
    """Start what the decoding processes are forked from, while something else is loaded; does not wait."""
    _workers.prepare()


class ClipProcess:
    """A clip that is being read by a process. To be closed, which ends the process.

    Raises `SourceError` where there is no such file, or no process for it; without `items` only the header is read.
    """

    def __init__(
        self, path: Path, limits: ClipLimits | None = None, choice: TrackChoice | None = None, items: bool = True
    ) -> None:
        self._name, self._limits = path.name, limits or ClipLimits()
        files = open_files(path, _FILES)
        try:
            file_bytes = os.fstat(files[0].descriptor).st_size
            self._worker = _begin(files, _request(path.name, self._limits, choice, items), self._limits)
        finally:
            close_files(files)
        self._stream: BufferedReader = self._worker.connection.makefile("rb")
        self._listener = Listener(self._limits.max_pixels, self._limits.media_seconds(file_bytes))

    def header(self) -> ClipInfo:
        """Return what the header says, first and once; raises `SourceError` where it cannot be read."""
        head, body = self._next()
        try:
            if head.kind is Kind.INFO:
                return ClipInfo.of_json(read_text(body.tobytes()))
        except (WireError, KeyError, TypeError, ValueError, OverflowError):
            pass
        raise self._broken()

    def items(self) -> Iterator[MediaItem]:
        """Yield the items that follow the header; raises `SourceError` when it cannot go on."""
        while True:
            head, body = self._next()
            if head.kind is Kind.END:
                return
            try:
                yield self._listener.item(head, body)
            except WireError:
                raise self._broken() from None

    def close(self) -> None:
        """End the process, wherever it is; safe to call twice."""
        self._stream.close()
        self._worker.close()

    def end(self) -> Ending:
        """Say how the process ended, after all items were read; kills one that has not."""
        self._stream.close()
        return self._worker.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _next(self) -> tuple[Head, ByteArray]:
        """Read a message."""
        try:
            head = self._listener.head(self._read(HEADER.size).tobytes())
            body = self._read(head.size)
            if head.kind is Kind.REFUSED:
                raise SourceError(one_line(read_text(body.tobytes()), "why"))
        except TimeoutError:
            seconds = self._limits.stall_seconds
            raise SourceError(f"{self._name} was given up: no more of it was decoded in {seconds:g} s") from None
        except (WireError, OSError):
            raise self._broken() from None
        return head, body

    def _read(self, size: int) -> ByteArray:
        block: ByteArray = np.empty(size, np.uint8)
        if size and self._stream.readinto(block.data) < size:
            raise WireError
        return block

    def _broken(self) -> SourceError:
        """Say why the process has ended in the middle, or speaks nonsense."""
        ended_by = self.end().signal
        if ended_by == signal.SIGXCPU:
            return SourceError(f"{self._name} takes more time to decode than a clip of its size may: export it again")
        if ended_by == signal.SIGKILL:
            return SourceError(f"{self._name} takes more memory than there is: scale it down, or try again later")
        return SourceError(f"{self._name} broke its decoder and was given up: export it again")


def try_out() -> dict[str, Any]:
    """Say how decoding is confined here: what is in force, and under `refused` what was tried in vain.

    Raises `WorkerError`.
    """
    limits = ClipLimits()
    worker = _begin([], _request("", limits, None, items=False), limits)
    with worker.connection.makefile("rb") as stream:
        size = HEADER.unpack(stream.read(HEADER.size))[-1]
        told: dict[str, Any] = json.loads(stream.read(size))
    return {**told, "resident_bytes": worker.end().resident_bytes}


def _begin(files: list[OpenFile], request: bytes, limits: ClipLimits) -> Worker:
    try:
        worker = _workers.begin([file.descriptor for file in files])
    except WorkerError as error:
        raise SourceError(str(error)) from None
    worker.connection.settimeout(limits.stall_seconds)
    try:
        worker.connection.sendall(request)
    except OSError:
        worker.close()
        raise SourceError("the process that decodes clips ended before it began: try again") from None
    return worker


def _request(name: str, limits: ClipLimits, choice: TrackChoice | None, items: bool) -> bytes:
    request = {
        "name": name,
        "limits": asdict(limits),
        "choice": asdict(choice or TrackChoice()),
        "items": items,
        "niceness": _niceness(),
    }
    return json.dumps(request).encode() + b"\n"


def _niceness() -> int:
    """Of this thread: work that yields to live calls is decoded by a process that does."""
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id() if sys.platform == "linux" else 0)
