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
        self._times: list[float] = []
        self._landmarks: list[FloatArray] = []
        self._frames: list[tuple[int, int]] = []
        self._usable: list[bool] = []

    def observe(self, frame: VideoFrame, view: FaceView | None, crowded: bool) -> None:
        """Take the face off a frame; nobody's while it is unclear whose."""
        if view is None:
            return
        self._times.append(frame.stamp.media)
        self._landmarks.append(view.landmarks)
        self._frames.append((frame.width, frame.height))
        self._usable.append(view.quality.problem is None and not crowded)
        if len(self._times) >= TOGETHER:
            self.settle()

    def settle(self) -> None:
        """Let nothing wait any longer."""
        if not self._times:
            return
        rows = motion_rows(np.stack(self._landmarks), self._basis, np.array(self._frames, np.float64))
        steps: list[GridSample] = []
        for at, row, usable in zip(self._times, rows, self._usable, strict=True):
            steps += self._resample.push(at, Sample(row, _NO_PICTURE, usable))
        for run in runs_of(steps):
            shapes = np.stack([step.sample.shape for step in run])
            self._window.push_motion(run[0].index, shapes, np.array([step.sample.usable for step in run]))
        for waiting in (self._times, self._landmarks, self._frames, self._usable):
            waiting.clear()
