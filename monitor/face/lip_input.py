"""The input of the lip encoder, from a view of a face."""

from __future__ import annotations

import numpy as np

from monitor.face.track import FaceView
from monitor.types import ByteArray, FloatArray
from monitor.window.grid import Sample


def sample_of(view: FaceView, picture: ByteArray | None = None) -> Sample:
    """Make the lip encoder's sample of a view; `picture`, cut for another encoder, replaces the view's own mouth."""
    return Sample(view.shape, view.mouth if picture is None else picture, view.quality.problem is None)


def unit(mouth: ByteArray) -> FloatArray:
    """Scale mouth pictures, uint8, to float32 in [0, 1]."""
    return mouth.astype(np.float32) * np.float32(1 / 255)
