"""Three seconds of a face in motion beside the voice that belongs to them: what the models of movement take. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engines.base import MOTION_WINDOW_STEPS
from monitor.face.expression import neutral_of
from monitor.types import BoolArray, FloatArray
from monitor.window.grid import GRID_HZ

WINDOW_STEPS = MOTION_WINDOW_STEPS
MIN_VALID_SHARE = 0.8
MIN_SPEECH_SECONDS = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class MotionWindow:
    """One window: `motion` (75, M) less its recording's neutral, zero where masked; `voice` (75, D), zero there too.

    `mask` (75,) marks valid steps and `speech` (75,) those with somebody speaking; `start` is in seconds.
    """

    motion: FloatArray
    voice: FloatArray
    mask: BoolArray
    speech: BoolArray
    start: float

    @property
    def seconds(self) -> float:
        """Seconds of speech in it."""
        return float(self.speech.sum()) / GRID_HZ


def counts(valid: BoolArray, speech: BoolArray) -> bool:
    """Say whether a window of these steps (75,) can be judged: enough of it seen, and enough of that speech."""
    return bool(valid.mean() >= MIN_VALID_SHARE and (speech & valid).sum() >= round(MIN_SPEECH_SECONDS * GRID_HZ))


def windows_of(
    motion: FloatArray,
    valid: BoolArray,
    voice: FloatArray,
    speech: BoolArray,
    hop: int,
    neutral: FloatArray | None = None,
    start: float = 0.0,
) -> list[MotionWindow]:
    """Cut the windows that count from a recording, `hop` steps apart: motion (T, M), the rest (T, ...).

    `neutral` (M,) is what the motion is told from, that of the recording itself by default; `start` is the time of the
    first step in seconds.
    """
    neutral = neutral_of(motion, valid) if neutral is None else neutral
    windows = []
    for first in range(0, len(motion) - WINDOW_STEPS + 1, hop):
        steps = slice(first, first + WINDOW_STEPS)
        if counts(valid[steps], speech[steps]):
            windows.append(
                _window(motion[steps] - neutral, valid[steps], voice[steps], speech[steps], start + first / GRID_HZ)
            )
    return windows


def _window(motion: FloatArray, valid: BoolArray, voice: FloatArray, speech: BoolArray, start: float) -> MotionWindow:
    shown = valid[:, None]
    return MotionWindow(
        np.where(shown, motion, 0).astype(np.float32),
        np.where(shown, voice, 0).astype(np.float32),
        valid.copy(),
        np.asarray(speech & valid, np.bool_),
        start,
    )
