"""What the process that decodes a clip says to the one that asked: a header of fixed size, then bytes. Pure.

The reader trusts nothing of it: a decoder that was taken over speaks here too. There are no objects to unpickle, sizes
are bounded before memory is taken, and times go forward and stay within what a clip may last.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

from monitor.tap.clip_time import stamp_at
from monitor.types import AudioBlock, ByteArray, MediaItem, Reason, TrackFault, TrackKind, VideoFrame

# Kind, full range, width and height of the picture, seconds, bytes that follow.
HEADER = struct.Struct("=BBHHdI")
MAX_TEXT_BYTES = 1 << 16
MAX_SOUND_BYTES = 1 << 16
# A block of sound may begin a little before a picture that came first, and a recording a little before 0.
_SLACK_SECONDS = 2.0


class Kind(IntEnum):
    """What a message is."""

    INFO = 1
    PICTURE = 2
    SOUND = 3
    FAULT = 4
    REFUSED = 5
    END = 6


class WireError(Exception):
    """What was said makes no sense."""


@dataclass(frozen=True, slots=True)
class Head:
    """The header of a message; `size` is the bytes that follow."""

    kind: Kind
    full_range: bool
    width: int
    height: int
    capture: float
    size: int


def text(kind: Kind, told: Mapping[str, Any]) -> list[bytes]:
    """Render a message of JSON."""
    body = json.dumps(told).encode()
    return [HEADER.pack(kind, 0, 0, 0, 0.0, len(body)), body]


def render(item: MediaItem) -> list[bytes | memoryview]:
    """Render an item as the pieces of its message."""
    if isinstance(item, TrackFault):
        told = {"track": item.track, "reason": item.reason.value, "detail": item.detail, "arrival": item.arrival}
        return [*text(Kind.FAULT, told)]
    if isinstance(item, AudioBlock):
        samples = np.ascontiguousarray(item.samples, np.float32).view(np.uint8)
        return [HEADER.pack(Kind.SOUND, 0, 0, 0, item.stamp.capture, samples.size), samples.data]
    planes = [np.ascontiguousarray(plane).reshape(-1) for plane in (item.y, item.u, item.v)]
    size = sum(plane.size for plane in planes)
    head = HEADER.pack(Kind.PICTURE, item.full_range, item.width, item.height, item.stamp.capture, size)
    return [head, *(plane.data for plane in planes)]


def read_text(body: bytes) -> dict[str, Any]:
    """Read the body of a message of JSON; raises `WireError`."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise WireError from None
    if not isinstance(told, dict):
        raise WireError
    return told


def one_line(told: Mapping[str, Any], key: str) -> str:
    """Return what is said under a key as one line of printable characters."""
    line = "".join(letter if letter.isprintable() else " " for letter in str(told.get(key)))
    return line[:500]


class Listener:
    """Reads the messages of one clip and holds them to its limits: pixels of a picture, seconds of media."""

    def __init__(self, max_pixels: int, max_seconds: float) -> None:
        self._max_pixels, self._max_seconds = max_pixels, max_seconds
        self._latest: float | None = None

    def head(self, raw: bytes) -> Head:
        """Read a header; raises `WireError`."""
        kind, full_range, width, height, capture, size = HEADER.unpack(raw)
        try:
            head = Head(Kind(kind), bool(full_range), width, height, capture, size)
        except ValueError:
            raise WireError from None
        if head.kind is Kind.PICTURE:
            fits = 0 < width * height <= self._max_pixels and size == width * height + 2 * _half(width) * _half(height)
        elif head.kind is Kind.SOUND:
            fits = 0 < size <= MAX_SOUND_BYTES and size % 4 == 0
        else:
            fits = size <= MAX_TEXT_BYTES
        if not fits:
            raise WireError
        return head

    def item(self, head: Head, body: ByteArray) -> MediaItem:
        """Read an item from the bytes that followed its header; raises `WireError`."""
        if head.kind is Kind.FAULT:
            return self._fault(read_text(body.tobytes()))
        stamp = stamp_at(self._place(head.capture))
        if head.kind is Kind.SOUND:
            samples = body.view(np.float32)
            # One that is no number would make no number of every window that it is in.
            if not np.isfinite(samples).all():
                raise WireError
            return AudioBlock(stamp, samples)
        y, u, v = _planes(head, body)
        return VideoFrame(stamp, y, u, v, head.full_range)

    def _fault(self, told: Mapping[str, Any]) -> TrackFault:
        track: TrackKind = "video" if told.get("track") == "video" else "audio"
        try:
            reason, arrival = Reason(str(told["reason"])), float(told["arrival"])
        except (KeyError, TypeError, ValueError, OverflowError):
            raise WireError from None
        if not math.isfinite(arrival):
            raise WireError
        return TrackFault(track, reason, one_line(told, "detail"), arrival)

    def _place(self, capture: float) -> float:
        earliest = -_SLACK_SECONDS if self._latest is None else self._latest
        if not math.isfinite(capture) or not earliest <= capture <= self._max_seconds + _SLACK_SECONDS:
            raise WireError
        self._latest = capture
        return capture


def _planes(head: Head, body: ByteArray) -> Sequence[ByteArray]:
    body.flags.writeable = False
    rows, columns = _half(head.height), _half(head.width)
    luma, chroma = head.width * head.height, rows * columns
    return (
        body[:luma].reshape(head.height, head.width),
        body[luma : luma + chroma].reshape(rows, columns),
        body[luma + chroma :].reshape(rows, columns),
    )


def _half(length: int) -> int:
    """Rows or columns of the planes of colour, 4:2:0."""
    return (length + 1) // 2
