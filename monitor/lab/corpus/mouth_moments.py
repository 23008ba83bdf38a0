"""Moments of the face of a recorded clip, two pictures that follow each other at each; kept by content."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from engines.base import Engine
from engines.errors import SidewitnessError
from engines.load import load_engine
from monitor.face.crops import cut_rgb
from monitor.face.track import FaceTracker, FaceView, face_region
from monitor.lab.corpus.manifest import Row
from monitor.lab.corpus.npz import write_npz
from monitor.session.models import DETECTOR, LANDMARKS
from monitor.tap.media.digest import digest
from monitor.tap.replay import read_clip
from monitor.types import ByteArray, FloatArray, VideoFrame

# Raised whenever the moments of a clip would change.
VERSION = 1
PICTURE_PIXELS = 224
MOMENTS = 5
SECONDS = 2.5
# From one moment to the next at least, and faces that are smaller are not looked at.
_SECONDS_BETWEEN, _MIN_FACE_PIXELS = 0.4, 60.0


@dataclass(frozen=True, slots=True, eq=False)
class MouthMoments:
    """M moments of one face: `pictures` (M, 2, 224, 224, 3) uint8 RGB, `landmarks` (M, 2, 468, 2) in their pixels.

    `size` (M,) is the face's height in pixels of the recording.
    """

    pictures: ByteArray
    landmarks: FloatArray
    size: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.size)


def load_moments(
    rows: Sequence[Row], cache_folder: Path, done: Callable[[str | None], None]
) -> Iterator[tuple[Row, MouthMoments]]:
    """Give the moments of each clip that has at least two; `done` is told of each, and why one gives none."""
    for row in rows:
        try:
            kept = cache_folder / "mouths" / f"{digest(row.path)}-{VERSION}.npz"
            if not kept.exists():
                found = find_moments(row.path, *_engines())
                write_npz(kept, {"pictures": found.pictures, "landmarks": found.landmarks, "size": found.size})
            with np.load(kept, allow_pickle=False) as file:
                moments = MouthMoments(file["pictures"], file["landmarks"], file["size"])
        except (SidewitnessError, OSError, av.FFmpegError) as error:
            done(f"{row.name}: {type(error).__name__}, left out")
            continue
        done(None if len(moments) > 1 else f"{row.name}: no face that is large enough, left out")
        if len(moments) > 1:
            yield row, moments


def find_moments(path: Path, detector: Engine, landmarks: Engine) -> MouthMoments:
    """Look at the largest face in the first seconds of a clip; raises `SourceError`."""
    tracker = FaceTracker(detector, landmarks)
    found: list[tuple[ByteArray, FloatArray, float]] = []
    before: tuple[VideoFrame, FaceView] | None = None
    due = 0.2
    for item in read_clip(path):
        if not isinstance(item, VideoFrame):
            continue
        if item.stamp.media > SECONDS or len(found) == MOMENTS:
            break
        views = tracker(item)
        view = max(views, key=lambda view: view.quality.size, default=None)
        follows = before is not None and view is not None and before[1].track == view.track
        if follows and before is not None and view is not None and item.stamp.media >= due:
            moment = _moment(before, (item, view))
            if moment is not None:
                found.append(moment)
                due = item.stamp.media + _SECONDS_BETWEEN
                # Its pictures are not used twice.
                view = None
        before = (item, view) if view is not None else None
    return MouthMoments(
        np.array([pictures for pictures, _, _ in found], np.uint8).reshape(-1, 2, PICTURE_PIXELS, PICTURE_PIXELS, 3),
        np.array([points for _, points, _ in found], np.float32).reshape(-1, 2, 468, 2),
        np.array([size for _, _, size in found], np.float64),
    )


def _moment(
    before: tuple[VideoFrame, FaceView], now: tuple[VideoFrame, FaceView]
) -> tuple[ByteArray, FloatArray, float] | None:
    """Cut the same place of two pictures; None where the face cannot be judged."""
    views = before[1], now[1]
    size = min(view.quality.size for view in views)
    if size < _MIN_FACE_PIXELS or any(view.quality.problem is not None for view in views):
        return None
    region = face_region(before[1].box)
    corner = np.array([region.x - region.side / 2, region.y - region.side / 2], np.float32)
    scale = np.float32(PICTURE_PIXELS / region.side)
    pictures = np.stack([cut_rgb(frame, region, PICTURE_PIXELS) for frame, _ in (before, now)])
    return pictures, np.stack([(view.landmarks[:, :2] - corner) * scale for view in views]), size


@cache
def _engines() -> tuple[Engine, Engine]:
    return load_engine(DETECTOR), load_engine(LANDMARKS)
