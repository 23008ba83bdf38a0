"""What genuine speech sounds like to the voice encoder: the table by which unusual sound is not judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from engines.base import Engine
from engines.training.clips import TrainingError
from monitor.detectors.synchrony.detector import SynchronyDetector
from monitor.detectors.synchrony.familiar import FamiliarSpeech, describe_speech
from monitor.session.sound import SoundTrack
from monitor.types import AudioBlock, FloatArray
from monitor.window.window import WindowBuffer

AXES = 96
# The share of genuine windows, of people that the table did not see, that are judged.
JUDGED_SHARE = 0.995
PARTS = 5
HOP_SECONDS = 1.0


def describe_clip(
    blocks: Iterable[AudioBlock], voice: Engine, presence: Engine | None, seconds: float = 5.0
) -> Iterator[FloatArray]:
    """Describe a clip's windows with enough speech to be judged, one each second."""
    kind = str(voice.manifest.preprocessing.get("sound", "mel80"))
    track, buffer, due = SoundTrack(voice, kind, presence), WindowBuffer(seconds), seconds
    least = SynchronyDetector().min_speech_seconds
    for block in blocks:
        track.push(block, buffer)
        if block.stamp.media < due:
            continue
        due += HOP_SECONDS
        window = buffer.window()
        if np.count_nonzero(window.voice_mask & window.speech) >= least * window.rate:
            yield describe_speech(window)


def fit_familiar(rows: FloatArray, people: Sequence[str], encoder: str, axes: int = AXES) -> FamiliarSpeech:
    """Fit a table to descriptions (n, M) of windows and whose each is; raises `TrainingError` when they are too few.

    The limit is that of people left out, in five parts, so that `JUDGED_SHARE` of their windows are judged.
    """
    names = sorted(set(people))
    if len(rows) < 4 * axes or len(names) < PARTS:
        raise TrainingError(f"{len(rows)} windows of {len(names)} people are too few: take {4 * axes} of {PARTS}")
    part_of = {name: number % PARTS for number, name in enumerate(names)}
    parts = np.array([part_of[name] for name in people])
    distances = np.zeros(len(rows))
    for part in range(PARTS):
        distances[parts == part] = _fit(rows[parts != part], axes, 0.0, encoder).distance(rows[parts == part])
    return _fit(rows, axes, float(np.quantile(distances, JUDGED_SHARE)), encoder)


def _fit(rows: FloatArray, axes: int, limit: float, encoder: str) -> FamiliarSpeech:
    mean = rows.mean(0, dtype=np.float64)
    variances, vectors = np.linalg.eigh(np.cov((rows - mean).T.astype(np.float64)))
    variances, vectors = np.maximum(variances[::-1], 1e-12), vectors[:, ::-1]
    rest = float(variances[axes:].mean())
    first = variances[:axes].astype(np.float32), vectors[:, :axes].astype(np.float32)
    return FamiliarSpeech(mean.astype(np.float32), first[1], first[0], rest, limit, encoder)
