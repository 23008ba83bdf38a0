"""Frames of a participant made into rows of motion in the session's window."""

from __future__ import annotations

import numpy as np

from monitor.face.expression import ExpressionBasis, motion_row
from monitor.face.track import FaceView
from monitor.types import VideoFrame
from monitor.window.grid import Resampler, Sample
from monitor.window.window import WindowBuffer

_NO_PICTURE = np.zeros((0, 0), np.uint8)


class MotionRows:
    """Sees the frames of a participant and puts rows of motion into the window."""

    def __init__(self, basis: ExpressionBasis, window: WindowBuffer) -> None:
        self._basis, self._window = basis, window
        self._resample = Resampler()

    def observe(self, frame: VideoFrame, view: FaceView | None, crowded: bool) -> None:
        """Take the face off a frame; nobody's while it is unclear whose."""
        if view is None:
            return
        row = motion_row(view.landmarks, self._basis, (frame.width, frame.height))
        usable = view.quality.problem is None and not crowded
        for step in self._resample.push(frame.stamp.media, Sample(row, _NO_PICTURE, usable)):
            self._window.push_motion(step.index, step.sample.shape[None], np.array([step.sample.usable]))
