"""Frames that bear no witness, since it is in doubt whether the mouth in view is the one that speaks. Pure.

A doubt is known only after a while: that a mouth was still, or a picture stood, is seen when it has been so for some
tenths of a second. Each frame therefore says how many frames up to it are in doubt, and these are set aside in every
window and memory that holds them, and no others.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

import numpy as np

from monitor.types import ByteArray, FloatArray, Reason


class Doubt(IntEnum):
    """Why a frame is set aside; of several reasons the highest counts."""

    NONE = 0
    STILL_MOUTH = 1
    PICTURE_FROZEN = 2
    SEVERAL_FACES = 3


REASONS: Mapping[Doubt, Reason] = {
    Doubt.STILL_MOUTH: Reason.STILL_MOUTH,
    Doubt.PICTURE_FROZEN: Reason.PICTURE_FROZEN,
    Doubt.SEVERAL_FACES: Reason.SEVERAL_FACES,
}


def doubts_of(reaches: FloatArray) -> ByteArray:
    """Give the `Doubt` (T,) of each frame from how many frames up to each are in doubt, (T, 3).

    Column d - 1 is that of doubt d; 0 says that there is none.
    """
    doubts = np.zeros(len(reaches), np.uint8)
    for doubt in REASONS:
        ends = np.flatnonzero(reaches[:, doubt - 1])
        # How many spans begin less how many end before each frame: those that hold it.
        change = np.zeros(len(reaches) + 1, np.int64)
        np.add.at(change, np.maximum(ends + 1 - reaches[ends, doubt - 1].astype(np.int64), 0), 1)
        np.add.at(change, ends + 1, -1)
        doubts[np.cumsum(change[:-1]) > 0] = doubt
    return doubts


def commonest(doubts: ByteArray) -> Reason | None:
    """Give the reason that sets most frames aside, None where no frame is."""
    counts = np.bincount(doubts, minlength=len(Doubt))[1:]
    return REASONS[Doubt(int(np.argmax(counts)) + 1)] if counts.any() else None
