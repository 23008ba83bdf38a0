"""Whether a mouth moves by itself, and whether a whole picture stands. Pure.

A photograph held up, a still with a zoom, a frozen camera with its noise: the lips of these move with the head and keep
their form, and their look changes by no more than where they lie, their light and noise. Two things are therefore
measured over the last moments, and neither alone is enough: landmarks tremble with the noise of a small face, and the
look of a mouth changes when a picture of it is turned.

- form: how far the lips open and how wide they are drawn, in distances between the eyes, in the head's own frame;
- look: the mouth's picture in 81 parts, less what a shift, a turn, another size, light or contrast of it explain.

A mouth is still if either hardly varied: a noisy still trembles in its landmarks only, a photograph in a hand looks
different only.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice

import numpy as np

from monitor.face.geometry import SPEECH_LANDMARKS, canonical
from monitor.types import BoolArray, ByteArray, FloatArray
from monitor.window.grid import GRID_HZ

# For so long a mouth is watched before it is still, and so often it is measured: what that tells lies further back.
MOUTH_SECONDS = 2.4
MEASURED_STEPS = 5
# Standard deviations below which form and look are those of a still, for a face of 100 pixels: noise is larger in
# smaller ones. What they cost and leave: `monitor/lab/evaluate/stillness.py`, docs/detection.md.
STILL_FORM, FORM_RANGE = 0.010, (0.85, 1.15)
STILL_LOOK, LOOK_RANGE = 0.055, (0.8, 1.8)
# A picture stands that did not change for so long.
PICTURE_SECONDS = 0.4

# Inner lips, outer lips, corners of the mouth: between these the form of the lips is measured.
_PAIRS = ((13, 14), (0, 17), (61, 291))
_FROM, _TO = (np.array([SPEECH_LANDMARKS.index(pair[side]) for pair in _PAIRS]) for side in (0, 1))
_BETWEEN = canonical()[[pair[0] for pair in _PAIRS]] - canonical()[[pair[1] for pair in _PAIRS]]
# Parts of the mouth's picture a side; the outermost are not measured.
_PARTS = 9
# A contrast in grey levels under which a mouth is flat.
_FLAT = 1.0
_Y, _X = (np.mgrid[:_PARTS, :_PARTS] - (_PARTS - 1) / 2).astype(np.float32)
_EVEN = np.ones((_PARTS, _PARTS), np.float32)
# Keeps the fit to a flat picture, which has no direction, from being singular.
_RIDGE = np.eye(6, dtype=np.float32) * np.float32(1e-3)
# Views that are kept: half of them are longer than `MOUTH_SECONDS` at 60 frames a second.
_CAPACITY = 300
MIN_SAMPLES = 5
# The share of the span that must have been seen.
MIN_SHARE = 0.7

# Points of a picture that are compared.
_ROWS, _COLUMNS = 24, 32
# Mean squares of grey levels: a picture that changed by no more is shown again.
SAME = 0.05
# Noise makes pictures that lie apart as unlike as neighbours; movement, more than so many times.
NOISE_RATIO = 1.7


def lip_form(shape: FloatArray) -> FloatArray:
    """Measure how far inner and outer lips are open and how wide the mouth is: (..., 168) to (..., 3).

    `shape` is that of `monitor.face.geometry.speech_shape`.
    """
    points = shape.reshape(*shape.shape[:-1], -1, 3)
    between = points[..., _FROM, :] - points[..., _TO, :] + _BETWEEN
    return np.asarray(np.sqrt(np.einsum("...c,...c->...", between, between)), np.float32)


def mouth_look(mouth: ByteArray) -> FloatArray:
    """Bring pictures of a mouth, square (..., S, S), to 9 x 9 parts (..., 81) of mean 0, in units of their contrast."""
    side, several = mouth.shape[-1] // _PARTS, mouth.shape[:-2]
    whole = mouth[..., : side * _PARTS, : side * _PARTS].astype(np.float32)
    blocks = whole.reshape(*several, _PARTS, side, _PARTS, side)
    parts = np.einsum("...aibj->...ab", blocks).reshape(*several, -1) / np.float32(side * side)
    parts -= parts.mean(-1, keepdims=True)
    contrast = np.sqrt(np.einsum("...p,...p->...", parts, parts) / np.float32(parts.shape[-1]))
    return np.asarray(parts / (contrast + np.float32(_FLAT))[..., None], np.float32)


@dataclass(frozen=True, slots=True)
class Movement:
    """How much a mouth moved: standard deviations of form (eye distances) and look (contrast)."""

    form: float
    look: float

    def is_below(self, size_px: float, times: float = 1.0) -> bool:
        """Whether either is below `times` what noise makes of a still of a face so many pixels high."""
        smaller = 100.0 / max(size_px, 1.0)
        form, look = (
            level * min(max(smaller, low), high)
            for level, (low, high) in ((STILL_FORM, FORM_RANGE), (STILL_LOOK, LOOK_RANGE))
        )
        return self.form < times * form or self.look < times * look


class MouthMovement:
    """How much one mouth moved lately; fed with every view of it, which are measured together when that is asked."""

    def __init__(self) -> None:
        self._times = np.full(_CAPACITY, -np.inf)
        self._forms = np.zeros((_CAPACITY, len(_PAIRS)), np.float32)
        self._looks = np.zeros((_CAPACITY, _PARTS * _PARTS), np.float32)
        self._waiting: list[tuple[FloatArray, ByteArray]] = []
        self._end = 0

    def push(self, time: float, shape: FloatArray, mouth: ByteArray) -> None:
        """Take the next view, at `time` in seconds, with its `shape` (168,) and `mouth` (36, 36)."""
        if self._end == _CAPACITY:
            self._measure()
            self._end = _CAPACITY // 2
            for ring in (self._times, self._forms, self._looks):
                ring[: self._end] = ring[-self._end :]
        self._times[self._end] = time
        self._waiting.append((shape, mouth))
        self._end += 1

    def _measure(self) -> None:
        if self._waiting:
            newest = slice(self._end - len(self._waiting), self._end)
            self._forms[newest] = lip_form(np.stack([shape for shape, _ in self._waiting]))
            self._looks[newest] = mouth_look(np.stack([mouth for _, mouth in self._waiting]))
            self._waiting.clear()

    def over(self, seconds: float) -> Movement | None:
        """Give the movement over the last `seconds`; None where too little was seen."""
        times = self._times[: self._end]
        begin = int(np.searchsorted(times, times[-1] - seconds)) if len(times) else 0
        if self._end - begin < MIN_SAMPLES or times[-1] - times[begin] < MIN_SHARE * seconds:
            return None
        self._measure()
        form = float(self._forms[begin : self._end].std(0).mean())
        return Movement(form, _look_change(self._looks[begin : self._end]))


def _look_change(looks: FloatArray) -> float:
    """Measure how much looks (T, 81) vary beyond what moving the whole mouth and its light explains."""
    mean = looks.mean(0)
    change = looks - mean
    directions = _by_hand(mean)
    weights = np.linalg.solve(directions.T @ directions + _RIDGE, directions.T @ change.T)
    change -= (directions @ weights).T
    inner = change.reshape(-1, _PARTS, _PARTS)[:, 1:-1, 1:-1]
    return float(np.sqrt(np.mean(inner * inner)))


def _by_hand(look: FloatArray) -> FloatArray:
    """Give the directions (81, 6) in which a picture changes that is moved, turned, drawn larger or lit."""
    picture = look.reshape(_PARTS, _PARTS)
    down, right = np.empty_like(picture), np.empty_like(picture)
    down[1:-1], right[:, 1:-1] = (picture[2:] - picture[:-2]) / 2, (picture[:, 2:] - picture[:, :-2]) / 2
    down[0], down[-1] = picture[1] - picture[0], picture[-1] - picture[-2]
    right[:, 0], right[:, -1] = picture[:, 1] - picture[:, 0], picture[:, -1] - picture[:, -2]
    directions = (right, down, right * _X + down * _Y, down * _X - right * _Y, picture, _EVEN)
    return np.stack(directions, -1).reshape(-1, len(directions))


def still_steps(shapes: FloatArray, mouths: ByteArray, seen: BoolArray, size_px: float) -> BoolArray:
    """Tell which steps (T,) of a 25 Hz grid lie in a span of `MOUTH_SECONDS` in which the mouth was still.

    `shapes` (T, 168), `mouths` (T, 36, 36), `seen` (T,), of a face `size_px` pixels high.
    """
    still = np.zeros(len(seen), np.bool_)
    for end in np.flatnonzero(still_ends(shapes, mouths, seen, size_px)):
        still[max(end + 1 - round(MOUTH_SECONDS * GRID_HZ), 0) : end + 1] = True
    return still


def still_ends(shapes: FloatArray, mouths: ByteArray, seen: BoolArray, size_px: float) -> BoolArray:
    """Tell at which steps (T,) a span of `MOUTH_SECONDS` ends in which the mouth was still; see `still_steps`."""
    mouth, ends = MouthMovement(), np.zeros(len(seen), np.bool_)
    for step in np.flatnonzero(seen):
        mouth.push(step / GRID_HZ, shapes[step], mouths[step])
        # As often as a session measures.
        now = mouth.over(MOUTH_SECONDS) if step % MEASURED_STEPS == 0 else None
        ends[step] = now is not None and now.is_below(size_px)
    return ends


class StandingPicture:
    """Whether a whole picture stands: shown again and again, or with new noise on it; some 800 points are compared."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, FloatArray, float]] = deque(maxlen=64)
        self.is_same = self.is_noise = False

    def push(self, time: float, luma: ByteArray) -> None:
        """Take the next picture's luma (H, W).

        Then `is_same` says whether it is that of `PICTURE_SECONDS` before, and `is_noise` whether only noise differs.
        """
        points = _points(luma)
        if self._seen and self._seen[0][1].shape != points.shape:
            self._seen.clear()
        step = _unlike(points, self._seen[-1][1]) if self._seen else 0.0
        self._seen.append((time, points, step))
        while len(self._seen) > 1 and time - self._seen[1][0] >= PICTURE_SECONDS:
            self._seen.popleft()
        began, first, _ = self._seen[0]
        whole, steps = _unlike(points, first), [step for _, _, step in islice(self._seen, 1, None)]
        known = time - began >= PICTURE_SECONDS
        self.is_same = known and whole < SAME
        self.is_noise = known and whole < max(NOISE_RATIO * sum(steps) / max(len(steps), 1), SAME)


def _points(luma: ByteArray) -> FloatArray:
    """Pick points spread over the picture."""
    step_y, step_x = max(luma.shape[0] // _ROWS, 1), max(luma.shape[1] // _COLUMNS, 1)
    return np.asarray(luma[step_y // 2 :: step_y, step_x // 2 :: step_x], np.float32)


def _unlike(points: FloatArray, others: FloatArray) -> float:
    """Mean squared difference in grey levels."""
    change = points - others
    return float(np.vdot(change, change)) / change.size
