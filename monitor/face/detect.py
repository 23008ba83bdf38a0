"""Finding faces: MediaPipe's short-range detector over the whole picture and over tiles, for small faces too.

The detector sees 128 x 128 pixels and misses faces smaller than about a sixth of that. `SearchPlan` therefore walks
through ever smaller squares, a few a frame, until something is found: a 60 px face in 1280 x 720 turns up within about
half a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from engines.base import Engine
from monitor.face.crops import Region, cut, luma
from monitor.face.geometry import overlap
from monitor.types import FloatArray, VideoFrame

INPUT_PX = 128
_KEYPOINTS = 6
# The detector finds faces down to the square's side divided by this.
DETECTED_SHARE = 6
SECOND_FACE_SHARE = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """A face: box (x0, y0, x1, y1), keypoints (6, 2) (eyes, nose, mouth, ears) in pixels, and a score in [0, 1]."""

    box: FloatArray
    keypoints: FloatArray
    score: float

    @property
    def region(self) -> Region:
        """The square that the landmark model takes: 1.5 times the longer side, rotated so that the eyes are level."""
        right, left = self.keypoints[0], self.keypoints[1]
        angle = float(np.arctan2(left[1] - right[1], left[0] - right[0]))
        side = 1.5 * float(max(self.box[2] - self.box[0], self.box[3] - self.box[1]))
        return Region(float(self.box[0] + self.box[2]) / 2, float(self.box[1] + self.box[3]) / 2, side, angle)


@cache
def anchors() -> FloatArray:
    """Centres of the 896 anchors in units of the input side, (896, 2): strides 8, 16, 16, 16, two anchors a layer."""
    centres = []
    for cells, count in ((16, 2), (8, 6)):
        centres_1d = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        grid = np.stack(np.meshgrid(centres_1d, centres_1d), axis=-1).reshape(-1, 2)
        centres.append(np.repeat(grid, count, axis=0))
    return np.concatenate(centres)


def decode(boxes: FloatArray, logits: FloatArray, region: Region, threshold: float = 0.5) -> list[Detection]:
    """Decode outputs (896, 16) and (896, 1) of the detector to detections in pixels, best first, overlaps merged."""
    scores = 1 / (1 + np.exp(-np.clip(logits[:, 0], -80, 80)))
    keep = np.flatnonzero(scores >= threshold)
    keep = keep[np.argsort(-scores[keep])]
    detections = []
    for index in keep:
        raw = boxes[index] / INPUT_PX
        centre = raw[:2] + anchors()[index]
        corners = np.stack([centre - raw[2:4] / 2, centre + raw[2:4] / 2])
        points = region.to_picture(raw[4:].reshape(_KEYPOINTS, 2) + anchors()[index])
        detections.append(Detection(region.to_picture(corners).reshape(-1), points, float(scores[index])))
    return suppress(detections)


def suppress(detections: list[Detection], limit: float = 0.3) -> list[Detection]:
    """Greedy non-maximum suppression at an overlap (IoU) of `limit`, best first."""
    selected: list[Detection] = []
    for candidate in sorted(detections, key=lambda d: -d.score):
        if all(overlap(candidate.box, other.box) < limit for other in selected):
            selected.append(candidate)
    return selected


def squares(width: int, height: int, side: int) -> list[Region]:
    """Half-overlapping squares of `side` pixels that cover the picture, the middle ones first."""
    centres = [Region(x, y, side) for y in _centres(height, side) for x in _centres(width, side)]
    return sorted(centres, key=lambda r: abs(r.x - width / 2) / width + abs(r.y - height / 2) / height)


def _centres(length: int, side: int) -> list[float]:
    if side >= length:
        return [length / 2]
    count = int(np.ceil((length - side) / (side / 2))) + 1
    return [float(c) for c in np.linspace(side / 2, length - side / 2, count)]


class SearchPlan:
    """An endless sequence of squares to search: the whole picture, then squares of its height, a half and a third."""

    def __init__(self, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._order = self._regions()

    def __iter__(self) -> Iterator[Region]:
        return self

    def __next__(self) -> Region:
        """Give the next square; endless."""
        try:
            return next(self._order)
        except StopIteration:
            self._order = self._regions()
            return next(self._order)

    def _regions(self) -> Iterator[Region]:
        short, long = sorted((self._width, self._height))
        yield Region(self._width / 2, self._height / 2, long)
        for side in (short, short // 2, short // 3):
            if side >= INPUT_PX or side == short:
                yield from squares(self._width, self._height, side)


class RescanPlan:
    """Where to look for others beside a face that is followed: turn about the whole picture and a piece of it.

    The pieces are squares in which a face of `SECOND_FACE_SHARE` of the followed one's height is large enough to be
    seen; they go round the picture.
    """

    def __init__(self, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._whole = Region(width / 2, height / 2, max(width, height))
        self._pieces: list[Region] = []
        self._turn = 0

    def next(self, face_height: float) -> Region:
        """Give the next square to search beside a face so many pixels high."""
        self._turn += 1
        if self._turn % 2:
            return self._whole
        if not self._pieces:
            side = max(round(SECOND_FACE_SHARE * face_height * DETECTED_SHARE), INPUT_PX)
            self._pieces = squares(self._width, self._height, min(side, self._width, self._height))
        return self._pieces.pop()


def is_same_face(box: FloatArray, other: FloatArray) -> bool:
    """Whether two boxes (x0, y0, x1, y1) are of one face: they overlap, or the middle of one lies in the other."""
    return overlap(box, other) >= 0.2 or _holds(box, other) or _holds(other, box)


def _holds(box: FloatArray, other: FloatArray) -> bool:
    x, y = (other[0] + other[2]) / 2, (other[1] + other[3]) / 2
    return bool(box[0] < x < box[2] and box[1] < y < box[3])


class FaceDetector:
    """The detector over one square of the picture."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __call__(self, frame: VideoFrame, region: Region) -> list[Detection]:
        """Faces in `region`, best first. A detection cut by the square's edge is left to a neighbouring square."""
        piece = luma(cut(frame.y, region, INPUT_PX), frame.full_range) * 2 - 1
        out = self._engine.run({"image": np.broadcast_to(piece[None, :, :, None], (1, INPUT_PX, INPUT_PX, 3))})
        return decode(out["boxes"][0], out["logits"][0], region)
