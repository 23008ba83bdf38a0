"""Faces as evaluation sees them: a clip by itself as DiffFake published it, and a clip against its person's own.

Both read the clip again for its faces: the features that are kept for lips and voice hold no crops.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from engines.base import MODELS, EngineError
from engines.load import load_engine
from engines.packs import load_pack
from monitor.detectors.packs import PackLoader, home
from monitor.detectors.pairwise.detector import PairwiseDetector
from monitor.detectors.pairwise.entry import ARTEFACTS, IDENTITY, load_face_encoders, load_population
from monitor.detectors.pairwise.measures import MIN_LOOKS
from monitor.detectors.pairwise.population import FILE, Population
from monitor.detectors.pairwise.reference import PairwiseReference, Rung, build_reference
from monitor.face.encoders import FaceEncoders
from monitor.face.vectors import FaceVectors
from monitor.identity.enrolment.condition_ladder import Moment, make_rungs
from monitor.lab.corpus.face_shots import MAX_SHOTS, moments_of
from monitor.lab.corpus.speech_features import ClipFeatures
from monitor.lab.evaluate.clip_detector import CACHED_REFERENCES, SCORING, Job
from monitor.lab.evaluate.outcomes import Outcome
from monitor.lab.studies.paired_forgeries import difffake_score
from monitor.session.input_spec import DEFAULT, InputSpec
from monitor.session.models import DETECTOR, LANDMARKS
from monitor.tap.replay import read_clip
from monitor.types import Reason


@dataclass(frozen=True, slots=True)
class _FaceClips:
    """What both ways of judging faces have in common: their packs, and that they read the clip themselves."""

    packs: Path = MODELS
    name: str = ""

    @property
    def key(self) -> str:
        """A digest of the packs, the population and the settings."""
        folders = [home(pack, self.packs) / pack for pack in (ARTEFACTS, IDENTITY, DETECTOR, LANDMARKS)]
        hashes = [load_pack(folder).manifest.sha256 for folder in folders if (folder / "manifest.json").exists()]
        people = folders[0] / FILE
        hashes.append(hashlib.sha256(people.read_bytes()).hexdigest() if people.exists() else "")
        return hashlib.sha256(json.dumps([self.name, SCORING, hashes, MAX_SHOTS]).encode()).hexdigest()[:32]

    @property
    def input_spec(self) -> InputSpec:
        """Nothing special: features of lips and voice are not looked at."""
        return DEFAULT


@dataclass(frozen=True, slots=True)
class DiffFakeClips(_FaceClips):
    """DiffFake's published form: minus the mean log-likelihood of 30 random pairs within the clip; no p-value."""

    name: str = "difffake"

    def load(self) -> DiffFakeScorer:
        """Load the encoders; raises `EngineError`."""
        return DiffFakeScorer(self.packs)


@dataclass(frozen=True, slots=True)
class PairwiseClips(_FaceClips):
    """Clips against the person of their `reference` column, enrolled on the spot; abstains where that is empty."""

    name: str = "pairwise"

    def load(self) -> PairwiseScorer:
        """Load the encoders; raises `EngineError`."""
        return PairwiseScorer(self.packs)


class _Faces:
    """What both scorers have: engines of a folder of packs, and its population."""

    def __init__(self, packs: Path) -> None:
        self._detector, self._landmarks = (
            load_engine(name, models=home(name, packs)) for name in (DETECTOR, LANDMARKS)
        )
        self.encode, self.population = _loaded(packs)

    def moments(self, job: Job) -> list[Moment]:
        """Pick moments of a clip, changed where the job says so; raises `SourceError`."""
        items = read_clip(job.row.path)
        return moments_of(job.change(items) if job.change else items, self._detector, self._landmarks)

    def looks(self, job: Job) -> FaceVectors | None:
        """Encode looks at the clip's face; None where there are too few."""
        shots = [moment.shot for moment in self.moments(job)]
        return self.encode(shots) if len(shots) >= MIN_LOOKS else None


class DiffFakeScorer(_Faces):
    """See `DiffFakeClips`."""

    def __call__(self, job: Job, features: ClipFeatures) -> Outcome:
        """Score one clip; see `Scorer`."""
        looks = self.looks(job)
        return (
            Outcome(None, Reason.LOW_QUALITY.value)
            if looks is None
            else Outcome(difffake_score(looks, self.population))
        )


class PairwiseScorer(_Faces):
    """See `PairwiseClips`."""

    def __init__(self, packs: Path) -> None:
        super().__init__(packs)
        self._judge = PairwiseDetector(self.population, recent=MAX_SHOTS)
        self._enrolled = lru_cache(CACHED_REFERENCES)(self._enrol)

    def __call__(self, job: Job, features: ClipFeatures) -> Outcome:
        """Score one clip; see `Scorer`."""
        if not job.row.reference:
            return Outcome(None, Reason.NOT_ENROLLED.value)
        reference = self._enrolled(job.row.reference)
        looks = self.looks(job) if reference is not None else None
        if looks is None:
            return Outcome(None, Reason.LOW_QUALITY.value)
        score = self._judge.score(looks, None, reference, self.encode.key, once=True)
        return Outcome(score.value, score.reason.value if score.value is None and score.reason else None, score.p_value)

    def _enrol(self, clips: Sequence[Path]) -> PairwiseReference | None:
        """Make a reference of clips, without the questions that an enrolment asks; None where little is seen."""
        moments_by_clip = [moments_of(read_clip(clip), self._detector, self._landmarks) for clip in clips]
        moments = [moment for clip_moments in moments_by_clip for moment in clip_moments]
        if len(moments) < MIN_LOOKS:
            return None
        rungs = [Rung(name, self.encode(shots)) for name, shots in make_rungs(moments)]
        recording = np.repeat(np.arange(len(clips)), [len(clip_moments) for clip_moments in moments_by_clip])
        return build_reference("", self.encode.key, recording, rungs, self.population)


def _loaded(packs: Path) -> tuple[FaceEncoders, Population]:
    encode, population = load_face_encoders(PackLoader(packs)), load_population(PackLoader(packs))
    if encode is None or population is None or not population.fits(encode.key):
        raise EngineError(f"{packs} has no {ARTEFACTS} with a {FILE} of its own: run `sidewitness train pairs`")
    return encode, population
