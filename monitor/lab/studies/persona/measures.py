"""Every probe against every enrolment by the models of movement: numbers of windows, kept on disk as they come.

An enrolment takes up to a minute and a window some milliseconds, so both are kept by all that determines them: a run
that was stopped goes on where it was, and another way to look at the numbers measures nothing again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monitor.detectors.persona.companion import MotionReference
from monitor.detectors.persona.companion import enrol as enrol_motion
from monitor.detectors.persona.detector import PersonaPeople, PersonaReference
from monitor.detectors.persona.engines import PersonaEngines
from monitor.detectors.persona.windows import MotionWindow
from monitor.identity.enrolment.movement import learn, thin
from monitor.identity.enrolment.personalise import PersonaliseConfig
from monitor.lab.studies.persona.recordings import ENROL_HOP, HOP, Part, Trial
from monitor.types import FloatArray

# Raised whenever the same clips and packs would give other numbers.
MEASURED = 1
# The distance, logarithms of the error with and without tokens, and how far the companion finds a window.
COLUMNS = ("gap", "with", "without", "companion")
GAP, WITH, WITHOUT, COMPANION = range(len(COLUMNS))

Doubles = NDArray[np.float64]
Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True, eq=False)
class Enrolled:
    """One side of a trial as an enrolment learns it; `location` and `scale` of the reference say nothing yet.

    `plain` (R,) are the logarithms of the errors without tokens of the windows that `reference.own` is of.
    """

    key: str
    reference: PersonaReference
    plain: Doubles


@dataclass(slots=True, eq=False)
class Measurer:
    """The engines of one set of packs, and the folder where what they found is kept."""

    engines: PersonaEngines
    folder: Path
    config: PersonaliseConfig = field(default_factory=PersonaliseConfig)
    _windows: dict[tuple[str, int], list[MotionWindow]] = field(default_factory=dict)
    _embeddings: dict[tuple[str, int], FloatArray] = field(default_factory=dict)

    @property
    def alone(self) -> PersonaEngines:
        """The model without its companion, which takes milliseconds and is asked anew each time."""
        known = self.engines
        return PersonaEngines(known.persona, known.basis, known.tokens, fit=known.fit)

    def windows(self, part: Part, hop: int = HOP) -> list[MotionWindow]:
        """Windows of a part, cut once."""
        known = part.key, hop
        if known not in self._windows:
            self._windows[known] = part.windows(self.engines.basis, hop)
        return self._windows[known]

    def enrol(self, trial: Trial, progress: Progress) -> Enrolled | None:
        """Learn the enrolled side of a trial; None where that is too little. Raises `EngineError`."""
        alone = self.alone
        about = [MEASURED, alone.key, ENROL_HOP, asdict(self.config), [part.key for part in trial.enrolled]]
        key = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:32]
        kept = self.folder / f"{key}.npz"
        if not kept.exists():
            self._learn(trial, kept, alone, progress)
        with np.load(kept, allow_pickle=False) as held:
            arrays = dict(held)
        if "tokens" not in arrays:
            return None
        reference = replace(PersonaReference.of(arrays), motion=self._companion(trial))
        return Enrolled(key, reference, arrays["plain"])

    def measure(self, enrolled: Enrolled, part: Part) -> Doubles:
        """Numbers (N, 4) of the windows of a part, in the order of `COLUMNS`; NaN without the companion."""
        windows = self.windows(part)
        name = hashlib.sha256(f"{part.key} {HOP}".encode()).hexdigest()[:16]
        kept = self.folder / f"{enrolled.key}-{name}.npz"
        if not kept.exists():
            values = np.full((len(windows), len(COLUMNS)), np.nan)
            if windows:
                found = self.engines.distances(windows, enrolled.reference.tokens)
                values[:, GAP], values[:, WITH], values[:, WITHOUT] = found.gap, np.log(found.own), np.log(found.plain)
            self._write(kept, {"values": values})
        with np.load(kept, allow_pickle=False) as held:
            known: Doubles = held["values"]
        if enrolled.reference.motion is not None and windows:
            known[:, COMPANION] = enrolled.reference.motion.distances(self._embedded(part, HOP))
        return known

    def _learn(self, trial: Trial, kept: Path, alone: PersonaEngines, progress: Progress) -> None:
        parts = [self.windows(part, ENROL_HOP) for part in trial.enrolled]
        reference = learn(parts, alone, _nobody(alone.key), progress, self.config)
        if reference is None:
            self._write(kept, {})
            return
        plain = np.log(alone.distances(thin(parts)[0], reference.tokens).plain.astype(np.float64))
        self._write(kept, reference.arrays() | {"plain": plain})

    def _companion(self, trial: Trial) -> MotionReference | None:
        """Make the companion's reference of the same windows; None without that pack."""
        if self.engines.population is None or not self.engines.has_companion:
            return None
        parts = [self.windows(part, ENROL_HOP) for part in trial.enrolled]
        clip = np.repeat(np.arange(len(parts)), [len(own) for own in parts]).astype(np.int64)
        start = np.array([window.start for own in parts for window in own], np.float64)
        embeddings = [self._embedded(part, ENROL_HOP) for part, own in zip(trial.enrolled, parts, strict=True) if own]
        return enrol_motion(np.concatenate(embeddings), clip, start, self.engines.population)

    def _embedded(self, part: Part, hop: int) -> FloatArray:
        known = part.key, hop
        if known not in self._embeddings:
            self._embeddings[known] = self.engines.embed(self.windows(part, hop))
        return self._embeddings[known]

    def _write(self, path: Path, arrays: dict[str, NDArray[np.generic]]) -> None:
        """Write whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part.npz")
        with part.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        part.replace(path)


def _nobody(key: str) -> PersonaPeople:
    """Make what an enrolment is told of people while nothing is known of them."""
    empty = np.zeros(0)
    return PersonaPeople(key, 0.0, 1.0, 0.0, np.zeros((0, 2)), empty, empty.astype(np.int64))
