"""Genuine windows scored by encoders that never saw their speakers: what calibration is built from.

The scores are made by the very window and detector that judge live calls. With one set of packs for each fold, every
speaker is scored by the set whose training left that fold out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from engines.base import Engine
from engines.load import load_engine
from monitor.corpus import Row, load_features, workers_here
from monitor.detectors.synchrony import SynchronyDetector
from monitor.encode import StreamEncoder
from monitor.features import ClipFeatures, unit
from monitor.grid import RATE
from monitor.models import LIPS, VOICE
from monitor.types import BoolArray, ClockState, FloatArray, Stamp
from monitor.window import WindowBuffer

LENGTHS = (2.0, 2.5, 3.0, 3.5, 4.0, 7.0)
HOP = 0.5
CHUNK = 25


def encode_features(
    features: ClipFeatures, lips: Engine, voice: Engine
) -> tuple[FloatArray, BoolArray, FloatArray, BoolArray]:
    """Stream a clip's features through the encoders: lips (T, D), usable (T,), voice (T, D), speech (T,)."""
    # The stream answers late: a tail of held steps, marked unusable, brings the last real ones out.
    tail = CHUNK * 2
    shape = np.concatenate([features.shape, np.repeat(features.shape[-1:], tail, 0)])
    mouth = unit(np.concatenate([features.mouth, np.repeat(features.mouth[-1:], tail, 0)]))
    mel = np.concatenate([features.mel, np.repeat(features.mel[-1:], tail, 0)])
    length = len(features)
    pad = np.zeros(tail, np.bool_)
    seen = _stream(lips, {"shape": shape, "mouth": mouth}, np.concatenate([features.face, pad]), length)
    heard = _stream(voice, {"mel": mel}, np.concatenate([features.speech, pad]), length)
    return *seen, *heard


def _stream(
    engine: Engine, inputs: dict[str, FloatArray], flags: BoolArray, length: int
) -> tuple[FloatArray, BoolArray]:
    done = StreamEncoder(engine, CHUNK).push(0, inputs, flags)
    return np.concatenate([d.vectors for d in done])[:length], np.concatenate([d.flags for d in done])[:length]


def windows(
    encoded: tuple[FloatArray, BoolArray, FloatArray, BoolArray], seconds: float, hop: float = HOP
) -> Iterator[tuple[float, float]]:
    """Score and usable speech seconds of each window of a clip; windows on which the detector abstains are left out."""
    lips, face, voice, speech = encoded
    detector = SynchronyDetector()
    buffer = WindowBuffer(seconds, keep_seconds=max(30.0, 2 * seconds))
    stamp = Stamp(0.0, 0.0, 0.0, ClockState.MAPPED, 0.0)
    buffer.mark("video", stamp)
    buffer.mark("audio", stamp)
    step = round(hop * RATE)
    for start in range(0, len(face), step):
        piece = slice(start, start + step)
        buffer.push_lips(start, lips[piece], face[piece])
        buffer.push_voice(start, voice[piece], speech[piece])
        window = buffer.window()
        score = detector.score(window)
        if score.value is not None:
            yield score.value, window.speech_seconds


def background(
    rows: Sequence[Row], packs: Sequence[tuple[Path, str]], cache: Path
) -> dict[float, list[tuple[float, str]]]:
    """Genuine scores by seconds of usable speech: {length: [(score, subject), ...]}.

    A window counts for the longest length that its speech fills. Windows of 5 s serve the lengths up to 4, windows of
    10 s the rest.
    """
    found: dict[float, list[tuple[float, str]]] = {}
    for folder, fold in packs:
        lips, voice = load_engine(LIPS, models=folder), load_engine(VOICE, models=folder)
        chosen = [row for row in rows if row.fold == fold]
        for row, features in load_features(chosen, cache, workers_here(), lambda _: None):
            if isinstance(features, str) or features.faces > 1 or len(features) < RATE:
                continue
            encoded = encode_features(features, lips, voice)
            for seconds in (5.0, 10.0):
                for score, speech in windows(encoded, seconds):
                    length = max(n for n in LENGTHS if n <= speech + 1e-6)
                    if (length <= 5.0) == (seconds == 5.0):
                        found.setdefault(length, []).append((score, row.subject))
    return found
