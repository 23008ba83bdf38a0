"""Audio blocks onto the 25 Hz grid: what the voice encoder takes, whole grid steps at a time.

Blocks whose stamps jitter are taken as continuous; a hole is filled with silence that is marked unusable; after a long
hole or a step back the stream starts anew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from monitor.types import SAMPLE_RATE_HZ, AudioBlock, BoolArray, FloatArray
from monitor.voice.activity import VoiceActivity
from monitor.voice.fronts import FRONTS, SoundFront
from monitor.voice.logmel import HOP
from monitor.window.grid import GRID_HZ

STEP = SAMPLE_RATE_HZ // GRID_HZ
PER_STEP = STEP // HOP
JITTER = int(0.03 * SAMPLE_RATE_HZ)
MAX_HOLE = 2 * SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True, eq=False)
class VoiceChunk:
    """Grid steps first..first+n: log-mel (n, 4, 80), speech (n,), and whether real audio lies under each step (n,).

    `mel` holds the features of another front (`monitor.voice.fronts`) where the encoder wants that. `restarted` says
    that the chunk does not continue the one before.
    """

    first: int
    mel: FloatArray
    speech: BoolArray
    usable: BoolArray
    restarted: bool


class VoiceStream:
    """Feed it the audio of one participant in order; `sound` names the features that its chunks hold."""

    def __init__(self, sound: str = "mel80") -> None:
        self._sound = sound
        self._expected: int | None = None
        self._skip = 0
        self._reset(0)

    def _reset(self, first: int) -> None:
        self._front: SoundFront = FRONTS[self._sound]()
        self._activity = VoiceActivity()
        self._first, self._done = first, 0
        self._rows: FloatArray = self._front(np.zeros(0, np.float32))
        self._flags: BoolArray = np.zeros(0, np.bool_)
        self._real: BoolArray = np.zeros(0, np.bool_)
        self._restarted = True

    def push(self, block: AudioBlock) -> VoiceChunk | None:
        """Give the grid steps that this block completes, or None."""
        start, samples = round(block.stamp.media * SAMPLE_RATE_HZ), block.samples
        real = np.ones(len(samples), np.bool_)
        hole = None if self._expected is None else start - self._expected
        if hole is None or abs(hole) > MAX_HOLE:
            self._reset(math.ceil(start / STEP))
            self._expected, self._skip = start, self._first * STEP - start
        elif hole < -JITTER:
            # The same moments once more (a repeated or reordered block): nothing new in it.
            return None
        elif hole > JITTER:
            samples = np.concatenate([np.zeros(hole, np.float32), samples])
            real = np.concatenate([np.zeros(hole, np.bool_), real])
        self._expected = (self._expected or 0) + len(samples)
        skip = min(self._skip, len(samples))
        self._skip -= skip
        return self._absorb(samples[skip:], real[skip:])

    def _absorb(self, samples: FloatArray, real: BoolArray) -> VoiceChunk | None:
        self._rows = np.concatenate([self._rows, self._front(samples)])
        self._flags = np.concatenate([self._flags, self._activity(samples)])
        self._real = np.concatenate([self._real, real])
        count = min(len(self._rows) // self._front.per_step, len(self._flags) // PER_STEP)
        if count == 0:
            return None
        frames, used, rows = count * PER_STEP, count * STEP, count * self._front.per_step
        usable: BoolArray = np.asarray(self._real[:used].reshape(count, STEP).all(1), np.bool_)
        speech: BoolArray = (self._flags[:frames].reshape(count, PER_STEP).sum(1) >= PER_STEP // 2) & usable
        mel = self._front.steps(self._rows[:rows].reshape(count, self._front.per_step, -1))
        chunk = VoiceChunk(self._first + self._done, mel, speech, usable, self._restarted)
        self._rows, self._flags, self._real = self._rows[rows:], self._flags[frames:], self._real[used:]
        self._done += count
        self._restarted = False
        return chunk
