"""Frames of a link: a length, then a JSON list of messages, which are taken together or not at all. Pure.

What is put into one frame is one fact. A host that is killed while it writes leaves a part of a frame behind, which
nobody reads.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from engines.errors import SidewitnessError

# Of the messages and of the types that they carry: both ends must have the same one.
VERSION = 3
# Of one frame. The largest thing that crosses is an enrolled person's reference, of less than a tenth of this.
MAX_FRAME_BYTES = 32 << 20
HEADER_BYTES = 4

Message = dict[str, Any]


class FrameError(SidewitnessError):
    """A frame cannot be read, or would be too large; the link that it came by is of no use any more."""


def frame_of(messages: Sequence[Message]) -> bytes:
    """Return one frame without its header; raises `FrameError` where it would be too large, or is no strict JSON."""
    try:
        data = json.dumps(messages, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise FrameError(f"messages cannot be written ({type(error).__name__})") from None
    if len(data) > MAX_FRAME_BYTES:
        raise FrameError(f"messages are too large: {len(data)} bytes of at most {MAX_FRAME_BYTES}")
    return data


def messages_of(frame: bytes) -> list[Message]:
    """Return the messages of a frame; raises `FrameError`."""
    try:
        read = json.loads(frame)
    except (ValueError, RecursionError):
        raise FrameError("a frame is not JSON") from None
    if not isinstance(read, list) or not all(isinstance(message, dict) for message in read):
        raise FrameError("a frame is no list of messages")
    return read


def header_of(frame: bytes) -> bytes:
    """Return what goes before a frame on a stream."""
    return len(frame).to_bytes(HEADER_BYTES, "big")


def length_of(header: bytes) -> int:
    """Return how long the frame behind a header is; raises `FrameError` where that is too long."""
    length = int.from_bytes(header, "big")
    if length > MAX_FRAME_BYTES:
        raise FrameError(f"a frame is too large: {length} bytes of at most {MAX_FRAME_BYTES}")
    return length
