"""Speech of one participant, pauses left out, in pieces of the length that the voice encoder takes. Pure.

What is speech is known by what lies around it (`monitor.window.spoken`), and so a second late. A piece never spans a
long pause: what lies behind one may be another person's turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from monitor.types import BoolArray, FloatArray
from monitor.voice.mel40 import PIECE_SAMPLES
from monitor.window.grid import GRID_HZ
from monitor.window.spoken import AROUND_FRAMES, spoken

if TYPE_CHECKING:
    from monitor.voice.stream import VoiceChunk

STEP_SAMPLES = 640
# Whole grid steps that hold a piece.
PIECE_STEPS = -(-PIECE_SAMPLES // STEP_SAMPLES)
# Speech from one piece to the next: half of it is new.
HOP_STEPS = 20
MAX_PAUSE_STEPS = 3 * GRID_HZ


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Speech (PIECE_SAMPLES,) of the grid steps `first` to `last`, without the pauses between."""

    first: int
    last: int
    samples: FloatArray


class SpeechCutter:
    """Takes the sound of one participant in order and gives its pieces of speech, `hop` steps of speech apart."""

    def __init__(self, hop: int = HOP_STEPS) -> None:
        self._hop = hop
        self._begin(0)

    def _begin(self, first: int) -> None:
        self._first = self._judged = first
        self._samples: FloatArray = np.zeros((0, STEP_SAMPLES), np.float32)
        self._heard: BoolArray = np.zeros(0, np.bool_)
        self._sound: BoolArray = np.zeros(0, np.bool_)
        self._speech: FloatArray = self._samples
        self._steps = np.zeros(0, np.int64)

    @property
    def judged(self) -> int:
        """Grid step up to which it is known what is speech."""
        return self._judged

    def push(self, chunk: VoiceChunk) -> list[Piece]:
        """Take steps and give the pieces that they complete; what does not continue the last begins anew."""
        if chunk.restarted or chunk.first != self._first + len(self._heard):
            self._begin(chunk.first)
        self._samples = np.concatenate([self._samples, chunk.samples])
        self._heard = np.concatenate([self._heard, chunk.heard])
        self._sound = np.concatenate([self._sound, chunk.sound])
        return self._judge(AROUND_FRAMES)

    def finish(self) -> list[Piece]:
        """Give the pieces that end within the last second: nothing comes after it."""
        return self._judge(0)

    def _judge(self, later: int) -> list[Piece]:
        """Judge all steps but the newest `later`."""
        until = self._first + len(self._heard) - later
        if until <= self._judged:
            return []
        fresh = slice(self._judged - self._first, until - self._first)
        speaks = np.flatnonzero(spoken(self._heard, self._sound)[fresh]) + fresh.start
        self._speech = np.concatenate([self._speech, self._samples[speaks]])
        self._steps = np.concatenate([self._steps, speaks + self._first])
        self._judged = until
        self._forget(max(until - AROUND_FRAMES, self._first))
        return list(self._cut())

    def _forget(self, first: int) -> None:
        """Let go of what neither has to be judged nor lies around what has."""
        gone = first - self._first
        self._samples, self._heard, self._sound = self._samples[gone:], self._heard[gone:], self._sound[gone:]
        self._first = first

    def _cut(self) -> Iterator[Piece]:
        while True:
            pauses = np.flatnonzero(np.diff(self._steps[:PIECE_STEPS]) > MAX_PAUSE_STEPS)
            if len(pauses):
                self._drop(int(pauses[-1]) + 1)
            elif len(self._steps) < PIECE_STEPS:
                return
            else:
                samples = self._speech[:PIECE_STEPS].reshape(-1)[:PIECE_SAMPLES]
                yield Piece(int(self._steps[0]), int(self._steps[PIECE_STEPS - 1]), samples.copy())
                self._drop(self._hop)

    def _drop(self, steps: int) -> None:
        self._speech, self._steps = self._speech[steps:], self._steps[steps:]
