"""A view of a face as the lip encoder takes it."""

from __future__ import annotations

import numpy as np

from monitor.face.track import FaceView
from monitor.types import ByteArray, FloatArray
from monitor.window.grid import Sample


def sample_of(view: FaceView, picture: ByteArray | None = None) -> Sample:
    """Take of one view, and of another picture cut for it, what the lip encoder wants."""
    return Sample(view.shape, view.mouth if picture is None else picture, view.quality.problem is None)


def unit(mouth: ByteArray) -> FloatArray:
    """Map mouth pictures to [0, 1], as the lip encoder wants them."""
    return mouth.astype(np.float32) * np.float32(1 / 255)
