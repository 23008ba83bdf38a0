"""Detectors as evaluation sees them: a clip in, one score for the whole clip out, or the reason why there is none.

The seam is `monitor.lab.evaluate.clip_detector`: settings that can be sent to a worker process, which loads the
engines there once. Every detector of `monitor.detectors.registry` can be evaluated through the session that judges
calls; `DETECTORS` are those that are quicker, because they read cached features, and those of papers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from engines.base import MODELS
from monitor.decision.calibration import Calibration
from monitor.detectors.registry import infos
from monitor.detectors.synchrony.clip import clip_value
from monitor.detectors.synchrony.detector import SynchronyDetector
from monitor.detectors.synchrony.entry import CALIBRATION, LIPS, load_calibration
from monitor.lab.corpus.manifest import Row
from monitor.lab.corpus.speech_features import ClipFeatures
from monitor.lab.evaluate.clip_detector import SCORING, WINDOW_SECONDS, ClipDetector, Job, Scorer
from monitor.lab.evaluate.faces import DiffFakeClips, PairwiseClips
from monitor.lab.evaluate.outcomes import Outcome
from monitor.lab.evaluate.persona import PersonaClips
from monitor.lab.evaluate.session_clips import SessionClips
from monitor.lab.evaluate.voice_mismatch import EncodedClip
from monitor.lab.training.synchrony_background import encode_features, windows
from monitor.session.input_spec import InputSpec
from monitor.session.models import load_speech, presence_key, speech_input_spec, speech_key
from monitor.types import Reason
from monitor.window.grid import GRID_HZ

# With less speech than this a clip is called silent.
MIN_SPEECH_SECONDS = SynchronyDetector().min_speech_seconds


@dataclass(frozen=True, slots=True)
class SynchronyClips:
    """Agreement of lips and voice by the packs of a folder: the mean over the windows with the most speech."""

    packs: Path = MODELS
    name: str = "synchrony"

    @property
    def key(self) -> str:
        """A digest of the packs, the calibration and the settings."""
        hashes = speech_key(self.packs)
        table = _calibration(self.packs)
        settings = [
            self.name,
            SCORING,
            presence_key(),
            hashes,
            WINDOW_SECONDS,
            table.to_json() if table else load_calibration().lengths,
        ]
        return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:32]

    @property
    def input_spec(self) -> InputSpec:
        """What the encoders of the packs take as input."""
        return speech_input_spec(self.packs)

    def load(self) -> SynchronyScorer:
        """Load both towers; raises `EngineError`."""
        return SynchronyScorer(self.packs)


class SynchronyScorer:
    """Both towers and the calibration of a folder of packs."""

    def __init__(self, packs: Path) -> None:
        speech = load_speech(packs)
        self._lips, self._voice = speech.lips, speech.voice
        self._calibration = _calibration(packs)
        self._lengths = (self._calibration or load_calibration()).lengths

    def __call__(self, job: Job, features: ClipFeatures) -> Outcome:
        """Score one clip; see `Scorer`."""
        hops = list(windows(encode_features(features, self._lips, self._voice), WINDOW_SECONDS))
        if not hops:
            return Outcome(None, _obstacle(features).value)
        value, speech, _ = clip_value([(hop.whole, hop.whole_speech) for hop in hops], self._lengths)
        p_value = self._calibration.p_value(value, speech, once=True) if self._calibration else None
        return Outcome(value, None, p_value)

    def encode(self, row: Row, features: ClipFeatures) -> EncodedClip:
        """Vectors of lips and voice of a whole clip."""
        encoded = encode_features(features, self._lips, self._voice)
        return EncodedClip(row.name, row.subject, *encoded, features.sound)


DETECTORS: Mapping[str, Callable[[Path], ClipDetector]] = {
    "synchrony": SynchronyClips,
    "difffake": DiffFakeClips,
    "pairwise": PairwiseClips,
    "persona": PersonaClips,
}


def detector_names() -> list[str]:
    """Name every detector that can be evaluated."""
    return [*DETECTORS, *(info.name for info in infos() if info.name not in DETECTORS)]


def clip_detector(name: str, packs: Path = MODELS) -> ClipDetector:
    """Give a detector by its name: its own scorer on cached features, else the session that judges calls."""
    return DETECTORS[name](packs) if name in DETECTORS else SessionClips(name, packs)


def trim(features: ClipFeatures) -> tuple[ClipFeatures, float]:
    """Drop what lies before the first speech, and give the seconds dropped; without speech nothing is dropped.

    In some published data sets a short leading silence tells forged from genuine (FakeAVCeleb, AV-Deepfake1M): a score
    must not be able to see it.
    """
    start = int(np.argmax(features.speech)) if features.speech.any() else 0
    if start == 0:
        return features, 0.0
    cut = replace(
        features,
        shape=features.shape[start:],
        mouth=features.mouth[start:],
        face=features.face[start:],
        mel=features.mel[start:],
        speech=features.speech[start:],
        sound=None if features.sound is None else features.sound[start:],
    )
    return cut, start / GRID_HZ


def unusable(features: ClipFeatures) -> str | None:
    """Say why no detector can judge a clip, None where one can."""
    if features.faces > 1:
        return Reason.SEVERAL_FACES.value
    return None if features.face.any() else Reason.NO_FACE.value


@cache
def loaded(detector: ClipDetector) -> Scorer:
    """Load a detector once in each process."""
    return detector.load()


def judge(job: Job, features: ClipFeatures, detector: ClipDetector) -> Outcome:
    """Score one clip's features by one detector, leading silence dropped."""
    trimmed, dropped = trim(features)
    reason = unusable(trimmed)
    outcome = Outcome(None, reason) if reason else loaded(detector)(job, trimmed)
    return replace(outcome, seconds=len(features) / GRID_HZ, trimmed=dropped)


def _obstacle(features: ClipFeatures) -> Reason:
    """Say why no window of a clip can be judged."""
    sound = features.speech if features.sound is None else features.sound
    if sound.sum() < MIN_SPEECH_SECONDS * GRID_HZ:
        return Reason.SILENCE
    return Reason.NO_SPEECH if features.speech.sum() < MIN_SPEECH_SECONDS * GRID_HZ else Reason.LOW_QUALITY


def _calibration(packs: Path) -> Calibration | None:
    return load_calibration(packs) if (packs / LIPS / CALIBRATION).exists() else None
