"""Calls made of a face that was analysed once and of any sound: lip vectors are shared, the sound is pushed anew.

What hears, watches the mouth, encodes, scores and decides is what judges live calls; only pictures are not read again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engines.base import Arrays, Engine, Manifest
from monitor.decision.decide import Decision, DecisionConfig, advance, initial
from monitor.detectors.base import MEMORY_SECONDS, Hop
from monitor.detectors.synchrony.info import INFO
from monitor.detectors.synchrony.live import LoadedSynchrony
from monitor.face.lip_input import unit
from monitor.face.stillness import MOUTH_SECONDS, still_ends
from monitor.lab.corpus.speech_features import ClipFeatures
from monitor.session.sound import SoundTrack
from monitor.session.warm_later import Later
from monitor.types import SAMPLE_RATE_HZ, BoolArray, FloatArray, Verdict
from monitor.window.doubts import REASONS, Doubt
from monitor.window.grid import GRID_HZ
from monitor.window.stream_encoder import StreamEncoder
from monitor.window.window import WindowBuffer
from tests.monitor.frames import block, stamp

BLOCK = 320
HOP_SECONDS = 0.5
# How far lip vectors lag behind what is seen, as in a session: the encoder's reach and a chunk.
LAG_STEPS = 13


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """Lip vectors (T, 128) of a face, whether each can be used (T,), and how far back each tells of a doubt (T, 3)."""

    lips: FloatArray
    usable: BoolArray
    doubts: FloatArray


def face_of(features: ClipFeatures, lips: Engine, seconds: float, still: bool = False) -> Face:
    """The face of a clip, forwards and backwards for as long as it takes; or its first good moment, held still."""
    steps, length = len(features), round(seconds * GRID_HZ)
    if still:
        order = np.full(length, int(np.argmax(features.face)))
    else:
        there_and_back = np.concatenate([np.arange(steps), np.arange(steps)[::-1]])
        order = np.resize(there_and_back, length)
    encoder = StreamEncoder(lips, GRID_HZ)
    tail = np.repeat(order[-1:], 2 * GRID_HZ)
    order = np.concatenate([order, tail])
    shape = features.shape[order]
    if still:
        # Landmarks of a face that does not move still shake, by about a thousandth of the eyes' distance.
        shape = shape + np.random.default_rng(0).normal(0, 1e-3, shape.shape).astype(np.float32)
    mouths, seen = features.mouth[order], features.face[order]
    inputs = {"shape": shape, "mouth": unit(mouths)}
    done = encoder.push(0, {name: inputs[name] for name in encoder.names}, seen)
    vectors, flags = np.concatenate([d.vectors for d in done]), np.concatenate([d.flags for d in done])
    doubts = np.zeros((length, len(REASONS)), np.float32)
    ends = still_ends(shape, mouths, seen, features.size)[:length]
    doubts[ends, Doubt.STILL_MOUTH - 1] = round(MOUTH_SECONDS * GRID_HZ)
    return Face(vectors[:length], flags[:length], doubts)


class Remembered:
    """An engine that computes nothing twice: both conditions that hear speech hear the same sounds."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._outputs = engine, dict[bytes, dict[str, FloatArray]]()

    @property
    def manifest(self) -> Manifest:
        """That of the engine."""
        return self._engine.manifest

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        """Give what the engine gives, for inputs of one shape a name."""
        key = hashlib.blake2b(b"".join(inputs[name].tobytes() for name in sorted(inputs)), digest_size=16).digest()
        if key not in self._outputs:
            self._outputs[key] = self._engine.run(inputs)
        return {name: output.copy() for name, output in self._outputs[key].items()}

    def warm_up(self) -> None:
        """Run the engine once."""
        self._engine.warm_up()


class _Windows(WindowBuffer):
    """Hands what is heard to the windows of several faces: a sound is encoded once for all of them."""

    def __init__(self, windows: Sequence[WindowBuffer]) -> None:
        super().__init__()
        self._windows = windows

    def push_voice(
        self, first_index: int, vectors: FloatArray, speech: BoolArray, sound: BoolArray | None = None
    ) -> None:
        for window in self._windows:
            window.push_voice(first_index, vectors, speech, sound)


def calls(
    faces: Mapping[str, Face], sound: FloatArray, voice: Engine, presence: Engine | None, synchrony: LoadedSynchrony
) -> dict[str, list[Decision]]:
    """The decisions of calls in which each of the faces is seen and the sound is heard, hop by hop."""
    windows = {name: WindowBuffer() for name in faces}
    live = {name: synchrony.live(5.0, Later()) for name in faces}
    config = DecisionConfig()
    states = {name: initial(config) for name in faces}
    decisions: dict[str, list[Decision]] = {name: [] for name in faces}
    hearing, ears = SoundTrack(voice, presence=presence), _Windows(list(windows.values()))
    pushed, seen = 0, 0
    for hop in range(1, int(len(sound) / SAMPLE_RATE_HZ / HOP_SECONDS) + 1):
        now = hop * HOP_SECONDS
        while pushed + BLOCK <= now * SAMPLE_RATE_HZ:
            hearing.push(block(sound[pushed : pushed + BLOCK], pushed / SAMPLE_RATE_HZ), ears)
            pushed += BLOCK
        newest = max(seen, int(now * GRID_HZ) - LAG_STEPS)
        for name, face in faces.items():
            window = windows[name]
            window.mark("video", stamp(now))
            window.mark("audio", stamp(now))
            window.push_lips(seen, face.lips[seen:newest], face.usable[seen:newest])
            window.push_doubts(seen, face.doubts[seen:newest])
            score = INFO.stamp(live[name].score(Hop(window.recall(MEMORY_SECONDS))))
            states[name], decision = advance(states[name], now, [score])
            decisions[name].append(decision)
        seen = newest
    return decisions


def worst(decisions: Sequence[Decision]) -> Verdict:
    """The worst verdict of a call."""
    order = (Verdict.INCONCLUSIVE, Verdict.BONA_FIDE, Verdict.SUSPECT, Verdict.ALERT)
    return max((decision.verdict for decision in decisions), key=order.index)


def reasons(decisions: Sequence[Decision], after_seconds: float = 10.0) -> set[str]:
    """Why nothing was said, once the window is full."""
    return {
        decision.reason.value
        for hop, decision in enumerate(decisions, 1)
        if decision.reason is not None and hop * HOP_SECONDS > after_seconds
    }


def judged(decisions: Sequence[Decision]) -> int:
    """How many hops were judged."""
    return sum(decision.scores[0].value is not None for decision in decisions)


def clip_path(data: Path, name: str) -> Path:
    """A genuine clip of the research data."""
    return data / "clips" / "real" / f"{name}.mp4"
