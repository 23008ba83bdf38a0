"""What frames go over between a gateway and one host: a Unix socket here; other ways keep to `Channel`."""

from __future__ import annotations

import asyncio
import socket
from typing import Protocol

from monitor.host.cluster.frames import HEADER_BYTES, header_of, length_of

# What may wait in the process to be written, beyond which `send` waits: the kernel has as much besides.
HIGH_WATER_BYTES = 1 << 20


class Channel(Protocol):
    """Frames in both directions, in order; to be used on one event loop."""

    async def send(self, frame: bytes) -> None:
        """Give a frame, and wait until there is room for more; raises `OSError` where nobody reads any more."""
        ...

    async def receive(self) -> bytes | None:
        """Wait for the next frame; None when there will be none. Raises `FrameError`."""
        ...

    async def close(self) -> None:
        """Let go; safe to call twice."""
        ...


class StreamChannel:
    """Frames over a stream socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def over(cls, end: socket.socket) -> StreamChannel:
        """Take a connected socket of this process."""
        end.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=end)
        writer.transport.set_write_buffer_limits(HIGH_WATER_BYTES)
        return cls(reader, writer)

    async def send(self, frame: bytes) -> None:
        """Write a frame behind its length."""
        self._writer.write(header_of(frame) + frame)
        await self._writer.drain()

    async def receive(self) -> bytes | None:
        """Read a frame; what is left of one that the other end did not finish is no frame."""
        try:
            header = await self._reader.readexactly(HEADER_BYTES)
            return await self._reader.readexactly(length_of(header))
        except (asyncio.IncompleteReadError, OSError):
            return None

    async def close(self) -> None:
        """Close the socket."""
        self._writer.close()
