"""Any detector of the registry as evaluation sees it: a clip through the very session that judges calls.

Slower than a scorer that reads cached features, and right for every detector. Whoever compares with an identity is
given the person of the row's `reference` column, enrolled on the spot for this detector alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from engines.base import MODELS
from monitor.detectors.packs import PackLoader
from monitor.detectors.reference import Reference
from monitor.detectors.registry import find
from monitor.identity.enrolment.config import EnrolConfig
from monitor.identity.enrolment.enrol import EnrolmentRefused, enrol
from monitor.lab.corpus.separate_tracks import read_media
from monitor.lab.corpus.speech_features import ClipFeatures
from monitor.lab.evaluate.clip_detector import CACHED_REFERENCES, SCORING, Job
from monitor.lab.evaluate.outcomes import Outcome
from monitor.session.clip import ClipJudge
from monitor.session.input_spec import InputSpec
from monitor.session.models import load_models, speech_input_spec, speech_key
from monitor.types import Reason

# Evaluation asks of a reference nothing but that it can be made.
UNDEMANDING = EnrolConfig(min_face_seconds=0.0, min_speech_seconds=0.0, require_identity=False)
IDENTITY = "of interest"


@dataclass(frozen=True, slots=True)
class SessionClips:
    """One detector by its name, with the packs of a folder."""

    name: str
    packs: Path = MODELS

    @property
    def key(self) -> str:
        """A digest of the packs, of what the detector is installed as, and of the settings."""
        installed = [(check.name, check.state, check.detail) for check in find(self.name).check(self.packs)]
        settings = [self.name, SCORING, speech_key(self.packs), installed]
        return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:32]

    @property
    def input_spec(self) -> InputSpec:
        """What the speech encoders take: the features tell which clips can be judged at all."""
        return speech_input_spec(self.packs)

    def load(self) -> SessionScorer:
        """Load the engines; raises `EngineError`."""
        return SessionScorer(self.name, self.packs)


class SessionScorer:
    """The models of a session with one detector."""

    def __init__(self, name: str, packs: Path) -> None:
        models, detector = load_models(folder=packs), find(name)
        loader = PackLoader(packs, voice=models.voice.manifest.sha256)
        self._models, self._info = replace(models, detectors=(detector.load(loader),)), detector.info
        self._enrolled = lru_cache(CACHED_REFERENCES)(self._enrol)

    def __call__(self, job: Job, features: ClipFeatures) -> Outcome:
        """Score one clip; see `monitor.lab.evaluate.clip_detector.Scorer`."""
        reference = None
        if self._info.needs_identity:
            if not job.row.reference:
                return Outcome(None, Reason.NOT_ENROLLED.value)
            reference = self._enrolled(job.row.reference)
            if reference is None:
                return Outcome(None, Reason.LOW_QUALITY.value)
        judge = ClipJudge(self._models, identity=IDENTITY if reference else None, reference=reference)
        items = read_media(job.row.path, job.row.sound)
        for item in job.change(items) if job.change else items:
            judge.push(item)
        (score,) = judge.judge(job.row.path).scores
        reason = score.reason.value if score.value is None and score.reason else None
        return Outcome(score.value, reason, score.p_value)

    def _enrol(self, clips: Sequence[Path]) -> Reference | None:
        try:
            return enrol(clips, self._models, UNDEMANDING).reference
        except EnrolmentRefused:
            return None
