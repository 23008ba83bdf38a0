"""How people move as evaluation sees it: a clip against the person of its `reference` column, enrolled on the spot."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from engines.base import MODELS, EngineError
from engines.load import load_engine
from engines.packs import load_pack
from monitor.detectors.packs import PackLoader, home
from monitor.detectors.persona.detector import FILE, PersonaDetector, PersonaReference, usual_distance
from monitor.detectors.persona.entry import MOTION, PERSONA, load_people, load_persona
from monitor.detectors.persona.movement import HOP_STEPS, learn
from monitor.detectors.persona.personalise import PersonaliseConfig
from monitor.detectors.persona.windows import MotionWindow
from monitor.detectors.synchrony.entry import VOICE
from monitor.face.coefficients import find_coefficients
from monitor.lab.corpus.manifest import Row
from monitor.lab.corpus.motion_features import MOTION_VERSION, ClipMotion, cached_motion, motion_of
from monitor.lab.corpus.speech_features import Change, ClipFeatures
from monitor.lab.evaluate.clip_detector import SCORING, Job
from monitor.lab.evaluate.outcomes import Outcome
from monitor.lab.studies.persona.recordings import ENROL_HOP_STEPS, Footage, Part
from monitor.session.input_spec import DEFAULT, InputSpec
from monitor.session.models import DETECTOR, LANDMARKS, MOVEMENT_VOICE, movement_voice_home
from monitor.tap.media.digest import digest
from monitor.types import Reason
from monitor.window.grid import GRID_HZ

# References in memory: evaluation goes through people in turn. They are small.
CACHED_REFERENCES = 16
CACHE = Path(".cache")


@dataclass(frozen=True, slots=True)
class PersonaClips:
    """Clips against the person of their `reference` column; abstains where that is empty, or too little is said.

    What is found of clips, and who was enrolled, is kept in `cache`: every process would do it anew.
    """

    packs: Path = MODELS
    cache: Path = CACHE
    name: str = "persona"

    @property
    def key(self) -> str:
        """A digest of the packs, the population and the settings."""
        folders = [home(pack, self.packs) / pack for pack in (PERSONA, MOTION, VOICE, DETECTOR, LANDMARKS)]
        hashes = [load_pack(folder).manifest.sha256 for folder in folders if (folder / "manifest.json").exists()]
        people = folders[0] / FILE
        hashes.append(hashlib.sha256(people.read_bytes()).hexdigest() if people.exists() else "")
        settings = [self.name, SCORING, MOTION_VERSION, hashes, HOP_STEPS, asdict(PersonaliseConfig())]
        return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:32]

    @property
    def input_spec(self) -> InputSpec:
        """Nothing special: features of lips and voice are not looked at."""
        return DEFAULT

    def load(self) -> PersonaScorer:
        """Load the engines; raises `EngineError`."""
        return PersonaScorer(self.packs, self.cache)


class PersonaScorer:
    """See `PersonaClips`."""

    def __init__(self, packs: Path, cache: Path) -> None:
        # The models of movement listen by the encoder that they learnt by.
        learnt = movement_voice_home(packs)
        voice = (VOICE, home(VOICE, packs)) if learnt is None else (MOVEMENT_VOICE, learnt)
        self._voice = load_engine(voice[0], models=voice[1])
        self._detector, self._landmarks = (
            load_engine(name, models=home(name, packs)) for name in (DETECTOR, LANDMARKS)
        )
        loader = PackLoader(packs, voice=self._voice.manifest.sha256)
        engines, people = load_persona(loader), load_people(loader)
        if engines is None or people is None or people.key != engines.key:
            raise EngineError(f"{packs} has no {PERSONA} with a {FILE} of its own: run `sidewitness train people`")
        self._engines, self._people, self._packs, self._cache = engines, people, packs, cache
        self._enrolled = lru_cache(CACHED_REFERENCES)(self._enrol)

    def __call__(self, job: Job, features: ClipFeatures) -> Outcome:
        """Score one clip; see `Scorer`."""
        row = job.row
        if not row.reference:
            return Outcome(None, Reason.NOT_ENROLLED.value)
        sounds = row.reference_sounds or (None,) * len(row.reference)
        reference = self._enrolled(tuple(zip(row.reference, sounds, strict=True)))
        if reference is None:
            return Outcome(None, Reason.NOT_ENROLLED.value)
        part = self._analyse(row, job.change)
        if part.footage.motion.name != self._engines.basis.name:
            return Outcome(None, Reason.NOT_CALIBRATED.value)
        windows = self._windows(part, HOP_STEPS)
        if not windows:
            return Outcome(None, Reason.TOO_LITTLE_SPEECH.value)
        measured, end = self._engines.measure(windows, reference), part.last / GRID_HZ
        judge = PersonaDetector(self._people, judged_seconds=end + 1)
        score = judge.score(measured, end, part.speech, reference, self._engines.key, once=True)
        reason = score.reason.value if score.value is None and score.reason else None
        return Outcome(score.value, reason, score.p_value)

    def _analyse(self, row: Row, change: Change | None = None) -> Part:
        """Analyse a clip, or find it analysed; what was changed is looked at once and not kept."""
        if change is None:
            motion = ClipMotion.load(cached_motion(row, self._cache / "motion", None, self._packs))
        else:
            motion = motion_of(row.path, self._detector, self._landmarks, self._voice, change, row.sound)
        return Part.whole(Footage(row, motion, ""))

    def _windows(self, part: Part, hop: int) -> list[MotionWindow]:
        return part.windows(self._engines.basis, hop)

    def _enrol(self, clips: Sequence[tuple[Path, Path | None]]) -> PersonaReference | None:
        """Learn the person of clips, without the questions that an enrolment asks; None where they speak too little."""
        settings = [self._engines.key, ENROL_HOP_STEPS, asdict(PersonaliseConfig()), [digest(*clip) for clip in clips]]
        file = self._cache / "persons" / f"{hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:32]}.npz"
        if file.exists():
            with np.load(file, allow_pickle=False) as stored:
                arrays = dict(stored)
            return self._with_usual_distance(PersonaReference.from_arrays(arrays)) if arrays else None
        rows = [
            Row(path, path.name, "real", "real", "", sound=sound, coefficients=find_coefficients(path))
            for path, sound in clips
        ]
        usable = [part for part in map(self._analyse, rows) if part.footage.motion.name == self._engines.basis.name]
        parts = [self._windows(part, ENROL_HOP_STEPS) for part in usable]
        reference = learn(parts, self._engines, self._people)
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(f".{os.getpid()}.part.npz")
        np.savez(unfinished, allow_pickle=False, **(reference.arrays() if reference else {}))
        unfinished.replace(file)
        return reference

    def _with_usual_distance(self, reference: PersonaReference) -> PersonaReference:
        """Tell where a kept person's distances lie by the people of today."""
        location, scale = usual_distance(reference.own_distances, reference.clip, self._people)
        return replace(reference, location=location, scale=scale)
