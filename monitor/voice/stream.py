"""Audio blocks on the 25 Hz grid: the voice encoder's features and speech activity, whole grid steps at a time.

Blocks whose stamps jitter are taken as continuous; a gap is filled with silence that is marked unusable; after a long
gap or a step back the stream restarts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from engines.base import Engine
from monitor.types import SAMPLE_RATE_HZ, AudioBlock, BoolArray, FloatArray
from monitor.voice.activity import VoiceActivity
from monitor.voice.fronts import FRONTS, SoundFront
from monitor.voice.logmel import HOP_SAMPLES
from monitor.voice.near import NearVoice
from monitor.voice.presence import speech_presence
from monitor.window.grid import GRID_HZ

STEP_SAMPLES = SAMPLE_RATE_HZ // GRID_HZ
FRAMES_PER_STEP = STEP_SAMPLES // HOP_SAMPLES
MAX_JITTER_SAMPLES = int(0.03 * SAMPLE_RATE_HZ)
MAX_GAP_SAMPLES = 2 * SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True, eq=False)
class VoiceChunk:
    """Grid steps first..first+n: log-mel (n, 4, 80), and whether real audio lies under each step (n,).

    `samples` (n, 640) are the sound itself.

    `sound` (n,) is true where WebRTC's detector hears speech, which it does of much that is none, and `heard` (n,)
    where a second, independent condition hears it as well, near the microphone; `monitor.window.spoken` says from both
    what is speech. `mel`
    holds the features of another front end (`monitor.voice.fronts`) where the encoder takes those. `restarted`: the
    chunk does not continue the one before.
    """

    first: int
    mel: FloatArray
    sound: BoolArray
    heard: BoolArray
    usable: BoolArray
    restarted: bool
    samples: FloatArray = field(default_factory=lambda: np.zeros((0, STEP_SAMPLES), np.float32))


class VoiceStream:
    """Takes the audio of one participant in order; `sound` names the front end of its chunks.

    `presence` is the model that hears whether somebody speaks; without it a simpler, stricter condition does. What is
    made of sound costs by the call as much as by its length: with `join_seconds` so much of it is collected first, and
    what comes out is the same however the stream is cut.
    """

    def __init__(self, sound: str = "mel80", presence: Engine | None = None, join_seconds: float = 0.0) -> None:
        self._sound, self._presence_model = sound, presence
        self._join = round(join_seconds * SAMPLE_RATE_HZ)
        self._collected: list[tuple[FloatArray, BoolArray]] = []
        self._near = NearVoice()
        self._expected: int | None = None
        self._skip = 0
        self._reset(0)

    def _reset(self, first: int) -> None:
        self._front: SoundFront = FRONTS[self._sound]()
        self._activity = VoiceActivity()
        self._presence = speech_presence(self._presence_model)
        self._samples: FloatArray = np.zeros(0, np.float32)
        self._first, self._emitted = first, 0
        self._rows: FloatArray = self._front(np.zeros(0, np.float32))
        self._flags: BoolArray = np.zeros(0, np.bool_)
        self._is_real: BoolArray = np.zeros(0, np.bool_)
        self._restarted = True

    def push(self, block: AudioBlock) -> VoiceChunk | None:
        """Return the grid steps that this block completes, or None; where sound is collected, see `take`."""
        chunks = self.take(block)
        return chunks[-1] if chunks else None

    def take(self, block: AudioBlock) -> list[VoiceChunk]:
        """Take a block; return the grid steps that are complete, of the timeline before a restart as well."""
        start, samples = round(block.stamp.media * SAMPLE_RATE_HZ), block.samples
        real = np.ones(len(samples), np.bool_)
        gap = None if self._expected is None else start - self._expected
        done: list[VoiceChunk] = []
        if gap is None or abs(gap) > MAX_GAP_SAMPLES:
            done = self.settle()
            self._reset(math.ceil(start / STEP_SAMPLES))
            self._expected, self._skip = start, self._first * STEP_SAMPLES - start
        elif gap < -MAX_JITTER_SAMPLES:
            # A repeated or reordered block: nothing new in it.
            return []
        elif gap > MAX_JITTER_SAMPLES:
            samples = np.concatenate([np.zeros(gap, np.float32), samples])
            real = np.concatenate([np.zeros(gap, np.bool_), real])
        self._expected = (self._expected or 0) + len(samples)
        skip = min(self._skip, len(samples))
        self._skip -= skip
        self._collected.append((samples[skip:], real[skip:]))
        enough = sum(len(collected) for collected, _ in self._collected) >= self._join
        return [*done, *(self.settle() if enough else [])]

    def settle(self) -> list[VoiceChunk]:
        """Return the grid steps that what was collected completes."""
        collected, self._collected = self._collected, []
        if not collected:
            return []
        chunk = self._append(*(np.concatenate(part) for part in zip(*collected, strict=True)))
        return [] if chunk is None else [chunk]

    def _append(self, samples: FloatArray, real: BoolArray) -> VoiceChunk | None:
        self._rows = np.concatenate([self._rows, self._front(samples)])
        self._flags = np.concatenate([self._flags, self._activity(samples)])
        self._is_real = np.concatenate([self._is_real, real])
        self._samples = np.concatenate([self._samples, samples])
        count = min(len(self._rows) // self._front.per_step, len(self._flags) // FRAMES_PER_STEP)
        if count == 0:
            return None
        frames = count * FRAMES_PER_STEP
        samples_used = count * STEP_SAMPLES
        rows = count * self._front.per_step
        usable: BoolArray = np.asarray(self._is_real[:samples_used].reshape(count, STEP_SAMPLES).all(1), np.bool_)
        active_frames = self._flags[:frames].reshape(count, FRAMES_PER_STEP).sum(1)
        sound: BoolArray = (active_frames >= FRAMES_PER_STEP // 2) & usable
        steps = self._samples[:samples_used].reshape(count, STEP_SAMPLES)
        heard = self._near(steps, self._presence(steps, sound))
        mel = self._front.steps(self._rows[:rows].reshape(count, self._front.per_step, -1))
        chunk = VoiceChunk(self._first + self._emitted, mel, sound, heard, usable, self._restarted, steps)
        self._rows, self._flags = self._rows[rows:], self._flags[frames:]
        self._is_real, self._samples = self._is_real[samples_used:], self._samples[samples_used:]
        self._emitted += count
        self._restarted = False
        return chunk
