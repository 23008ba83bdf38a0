"""Frames of a participant made into rows of motion in the session's window."""

from __future__ import annotations

import numpy as np

from monitor.face.expression import ExpressionBasis, motion_rows
from monitor.face.track import FaceView
from monitor.types import FloatArray, VideoFrame
from monitor.window.grid import GridSample, Resampler, Sample, runs_of
from monitor.window.window import WindowBuffer

# So many frames are computed together: one by one they cost several times as much.
TOGETHER = 16
_NO_PICTURE = np.zeros((0, 0), np.uint8)


class MotionRows:
    """Sees the frames of a participant and puts rows of motion into the window, some frames together.

    Call `settle` before the window is read.
    """

    def __init__(self, basis: ExpressionBasis, window: WindowBuffer) -> None:
        self._basis, self._window = basis, window
        self._resample = Resampler()
        # Time, landmarks, size of the picture, and whether they can be used, of each frame.
        self._waiting: list[tuple[float, FloatArray, tuple[int, int], bool]] = []

    def observe(self, frame: VideoFrame, view: FaceView | None, crowded: bool) -> None:
        """Take the face off a frame; nobody's while it is unclear whose."""
        if view is None:
            return
        usable = view.quality.problem is None and not crowded
        self._waiting.append((frame.stamp.media, view.landmarks, (frame.width, frame.height), usable))
        if len(self._waiting) >= TOGETHER:
            self.settle()

    def settle(self) -> None:
        """Let nothing wait any longer."""
        if not self._waiting:
            return
        times, landmarks, sizes, usables = zip(*self._waiting, strict=True)
        self._waiting.clear()
        rows = motion_rows(np.stack(landmarks), self._basis, np.array(sizes, np.float64))
        steps: list[GridSample] = []
        for at, row, usable in zip(times, rows, usables, strict=True):
            steps += self._resample.push(at, Sample(row, _NO_PICTURE, usable))
        for run in runs_of(steps):
            shapes = np.stack([step.sample.shape for step in run])
            self._window.push_motion(run[0].index, shapes, np.array([step.sample.usable for step in run]))
