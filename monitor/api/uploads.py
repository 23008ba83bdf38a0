"""Clips that were sent to be enrolled: streamed into a private folder, bounded, and gone when the work is done.

Nothing of an upload outlives its use: the folder goes with the `Upload`, and what a crash left goes at the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import secrets
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import structlog

from monitor.api.form import ClipBegins, ClipData, Event, Field, FormError, FormReader
from monitor.config import ConfigError

IDLE_SECONDS = 30.0
# However steadily they come, clips hold a place in the queue.
UPLOAD_SECONDS = 3600.0
FLUSH_BYTES = 1 << 20
DISK_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

# Is given the fields before anything is written, and raises what refuses them.
Check = Callable[[Mapping[str, str]], None]


@dataclass(frozen=True, slots=True)
class Upload:
    """What was sent: `clips` lie in `folder` until `delete`."""

    folder: Path
    clips: tuple[Path, ...]

    def delete(self) -> None:
        """Delete every clip; safe to call twice."""
        _remove(self.folder)


class Uploads:
    """Receives uploads of at most `max_bytes` each into subfolders of `folder`, which only its owner can read."""

    def __init__(self, folder: Path, max_bytes: int, idle_seconds: float = IDLE_SECONDS) -> None:
        self._folder = folder
        self._idle = idle_seconds
        self.max_bytes = max_bytes

    def open(self) -> int:
        """Make the folder, or delete everything that is in it; returns how much was. Raises `ConfigError`.

        One server uses one state directory: whatever lies here was left by a crash.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._folder.chmod(0o700)
            left = list(self._folder.iterdir())
            for path in left:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        except OSError as error:
            raise ConfigError(f"{self._folder} cannot be emptied ({error.strerror}): correct its permissions") from None
        return len(left)

    async def receive(self, content_type: str, body: AsyncIterator[bytes], check: Check) -> Upload:
        """Write the clips of a form; raises `FormError`, or what `check` raises.

        Whatever ends this early, a client that has gone included, leaves nothing behind.
        """
        reader, writer = FormReader(content_type), _Writer(self._folder / secrets.token_hex(8), check)
        try:
            await self._read(reader, body, writer)
        except BaseException as error:
            await asyncio.shield(asyncio.to_thread(writer.abandon))
            if isinstance(error, OSError):
                raise _write_error(error) from None
            raise
        return Upload(writer.folder, tuple(writer.clips))

    async def _read(self, reader: FormReader, body: AsyncIterator[bytes], writer: _Writer) -> None:
        read, end = 0, asyncio.get_running_loop().time() + UPLOAD_SECONDS
        while (chunk := await self._next(body, end)) is not None:
            read += len(chunk)
            if read > self.max_bytes:
                raise FormError(413, f"an upload may have at most {self.max_bytes} bytes: send shorter clips")
            writer.take(reader.feed(chunk))
            if writer.waiting >= FLUSH_BYTES:
                await asyncio.to_thread(writer.flush)
        reader.close()
        await asyncio.to_thread(writer.flush)

    async def _next(self, body: AsyncIterator[bytes], end: float) -> bytes | None:
        idle = asyncio.get_running_loop().time() + self._idle
        try:
            async with asyncio.timeout_at(min(idle, end)):
                return await anext(body, None)
        except TimeoutError:
            raise FormError(408, "the upload came too slowly: try again") from None


@dataclass(slots=True)
class _Writer:
    """Gathers a form's events and writes them in another thread: a slow disk must not hold up the calls."""

    folder: Path
    check: Check
    fields: dict[str, str] = field(default_factory=dict)
    clips: list[Path] = field(default_factory=list)
    waiting: int = 0
    _events: list[Event] = field(default_factory=list)
    _file: BinaryIO | None = None
    _abandoned: bool = False
    # A flush may still run, or only begin, when the one who waited for it was cancelled.
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, events: Iterable[Event]) -> None:
        """Keep the fields, and the clips until the next flush."""
        for event in events:
            if isinstance(event, Field):
                self.fields[event.name] = event.text
                continue
            if isinstance(event, ClipBegins) and not self.clips and not self._events:
                self.check(self.fields)
            self._events.append(event)
            self.waiting += len(event.data) if isinstance(event, ClipData) else 0

    def flush(self) -> None:
        """Write what was taken; raises `OSError`."""
        with self._lock:
            for event in () if self._abandoned else self._events:
                if isinstance(event, ClipBegins):
                    self._begin(event.name)
                elif self._file is not None and isinstance(event, ClipData):
                    self._file.write(event.data)
                elif self._file is not None:
                    self._file.close()
            self._events, self.waiting = [], 0

    def abandon(self) -> None:
        """Delete everything; what is flushed later is not written."""
        with self._lock:
            self._abandoned = True
            with contextlib.suppress(OSError):
                if self._file is not None:
                    self._file.close()
            _remove(self.folder)

    def _begin(self, name: str) -> None:
        # A folder for each clip: they may have the same name, and refusals name it.
        place = self.folder / str(len(self.clips) + 1)
        place.mkdir(parents=True)
        path = place / name
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")
        self.clips.append(path)


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        pass
    except OSError:
        structlog.stdlib.get_logger("uploads").exception(
            "an upload could not be deleted: delete the folder `uploads` by hand"
        )


def _write_error(error: OSError) -> FormError:
    if error.errno in DISK_FULL_ERRNOS:
        return FormError(507, "there is no room left for uploads on the server's disk")
    return FormError(503, "the upload cannot be written on the server's disk: try again later")
