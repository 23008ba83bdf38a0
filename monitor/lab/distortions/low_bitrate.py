"""A clip as a very small and very coarse call: 240 lines of H.264 at a constant rate factor of 40, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from monitor.lab.distortions.perturbations import Compression
from monitor.types import ByteArray, MediaItem, VideoFrame


@dataclass(frozen=True, slots=True)
class LowBitrateCall:
    """A `speech_features.Change`: pictures of more lines are shrunk to `lines`, then coded; sound stays."""

    lines: int = 240
    level: int = 5

    @property
    def name(self) -> str:
        """Part of the features' key."""
        return f"h264crf{Compression(self.level).value:g}x{self.lines}"

    def __call__(self, items: Iterable[MediaItem]) -> Iterator[MediaItem]:
        """Return the items in their order, with their own stamps."""
        small = (shrunk(item, self.lines) if isinstance(item, VideoFrame) else item for item in items)
        return Compression(self.level)(small)


def shrunk(frame: VideoFrame, lines: int) -> VideoFrame:
    """Shrink a picture to so many lines and an even width; one that has no more stays as it is."""
    if frame.height <= lines:
        return frame
    width = max(round(frame.width * lines / frame.height / 2) * 2, 2)
    y, (u, v) = _sized(frame.y, width, lines), (_sized(p, width // 2, lines // 2) for p in (frame.u, frame.v))
    return replace(frame, y=y, u=u, v=v)


def _sized(plane: ByteArray, width: int, height: int) -> ByteArray:
    return np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BOX), np.uint8)
