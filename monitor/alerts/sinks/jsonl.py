"""The sink `jsonl`: appends findings to a file, one JSON object a line, each the message of the WebSocket.

A delivery opens the file, locks it, writes and waits for the disk, so that nothing is lost with a file that was moved
or deleted in between. A line that a crash has torn was never accepted: it is cut off, and its finding comes again.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import Field, field_validator

from engines.documents import absolute_path
from monitor.alerts.plain import encode
from monitor.alerts.sinks.base import Item, SinkError, SinkOptions, SinkSpec, item_message

FIRST_BYTES = b'{"type":"'
# Far more than one finding takes.
MAX_LINE_BYTES = 1 << 20


class JsonlOptions(SinkOptions):
    """Options of the sink: the file, which is made readable by its owner only; its folder must be there."""

    path: Path = Field()

    @field_validator("path")
    @classmethod
    def _path_is_absolute(cls, value: Path) -> Path:
        return absolute_path(value)


class JsonlSink:
    """Appends to one file, in a thread of its own: a file system that hangs holds up nobody else."""

    def __init__(self, options: JsonlOptions) -> None:
        self._path = options.path
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="jsonl")

    async def deliver(self, items: Sequence[Item]) -> None:
        """Append a line an item and wait until they are on disk."""
        lines = "".join(encode(item_message(item)) + "\n" for item in items).encode()
        try:
            await asyncio.get_running_loop().run_in_executor(self._writer, append, self._path, lines)
        except OSError as error:
            raise SinkError(_why(error)) from None

    async def close(self) -> None:
        """Release the thread."""
        self._writer.shutdown(wait=False, cancel_futures=True)


def append(path: Path, lines: bytes) -> None:
    """Append whole lines, durably; raises `OSError`, or `SinkError` for a file that is not one of ours."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise SinkError("the path of the sink is no file: name one that may be written")
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        size = os.fstat(descriptor).st_size
        whole = size - len(_torn_line(descriptor, size))
        if whole < size:
            os.ftruncate(descriptor, whole)
        rest = memoryview(lines)
        while rest:
            rest = rest[file.write(rest) :]
        os.fsync(descriptor)
    if size == 0:
        _sync_folder(path.parent)


def _torn_line(descriptor: int, size: int) -> bytes:
    """Return what stands behind the last line break; raises `SinkError` where it was not written by us."""
    tail = os.pread(descriptor, MAX_LINE_BYTES, max(0, size - MAX_LINE_BYTES))
    torn = tail[tail.rfind(b"\n") + 1 :]
    # A power cut may leave zeros where the length reached the disk and the bytes did not.
    written = torn.rstrip(b"\0")
    ours = written.startswith(FIRST_BYTES) or FIRST_BYTES.startswith(written)
    if not ours or len(torn) == MAX_LINE_BYTES:
        raise SinkError("the file of the sink ends in something else than a finding: name another file")
    return torn


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _why(error: OSError) -> str:
    if error.errno in (errno.EAGAIN, errno.EACCES) and isinstance(error, BlockingIOError):
        return "another process writes the file of the sink: give each its own"
    return f"the file of the sink cannot be written ({error.strerror}): correct its path, permissions or disk"


SPEC = SinkSpec("jsonl", JsonlOptions, JsonlSink)
