"""Every probe against every enrolment by the models of movement: numbers of windows, kept on disk as they come.

An enrolment takes up to a minute and a window some milliseconds, so both are kept by all that determines them: a run
that was stopped goes on where it was, and another way to look at the numbers measures nothing again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monitor.detectors.persona.companion import MotionReference
from monitor.detectors.persona.companion import enrol as enrol_motion
from monitor.detectors.persona.detector import PersonaPeople, PersonaReference
from monitor.detectors.persona.engines import PersonaEngines
from monitor.detectors.persona.movement import learn, thin
from monitor.detectors.persona.personalise import PersonaliseConfig
from monitor.detectors.persona.windows import MotionWindow
from monitor.lab.corpus.npz import write_npz
from monitor.lab.studies.persona.recordings import ENROL_HOP_STEPS, HOP_STEPS, MotionTrial, Part
from monitor.types import FloatArray

# Raised whenever the same clips and packs would give other numbers.
MEASURES_VERSION = 1
# The distance, logarithms of the error with and without tokens, and how far the companion finds a window.
COLUMNS = ("gap", "with", "without", "companion")
GAP, WITH, WITHOUT, COMPANION = range(len(COLUMNS))

Doubles = NDArray[np.float64]
Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True, eq=False)
class Enrolled:
    """One side of a trial as an enrolment learns it; `location` and `scale` of the reference say nothing yet.

    `plain` (R,) are the logarithms of the errors without tokens of the windows that `reference.own_distances` is of.
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
    def persona_only(self) -> PersonaEngines:
        """The model without its companion, which takes milliseconds and is asked anew each time."""
        engines = self.engines
        return PersonaEngines(engines.persona, engines.basis, engines.tokens, fit=engines.fit)

    def windows(self, part: Part, hop: int = HOP_STEPS) -> list[MotionWindow]:
        """Windows of a part, cut once."""
        key = part.key, hop
        if key not in self._windows:
            self._windows[key] = part.windows(self.engines.basis, hop)
        return self._windows[key]

    def enrol(self, trial: MotionTrial, progress: Progress) -> Enrolled | None:
        """Learn the enrolled side of a trial; None where that is too little. Raises `EngineError`."""
        persona_only = self.persona_only
        settings = [
            MEASURES_VERSION,
            persona_only.key,
            ENROL_HOP_STEPS,
            asdict(self.config),
            [part.key for part in trial.enrolled],
        ]
        key = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:32]
        path = self.folder / f"{key}.npz"
        if not path.exists():
            self._learn(trial, path, persona_only, progress)
        with np.load(path, allow_pickle=False) as data:
            arrays = dict(data)
        if "tokens" not in arrays:
            return None
        reference = replace(PersonaReference.from_arrays(arrays), motion=self._companion(trial))
        return Enrolled(key, reference, arrays["plain"])

    def measure(self, enrolled: Enrolled, part: Part) -> Doubles:
        """Numbers (N, 4) of the windows of a part, in the order of `COLUMNS`; NaN without the companion."""
        windows = self.windows(part)
        name = hashlib.sha256(f"{part.key} {HOP_STEPS}".encode()).hexdigest()[:16]
        path = self.folder / f"{enrolled.key}-{name}.npz"
        if not path.exists():
            values = np.full((len(windows), len(COLUMNS)), np.nan)
            if windows:
                distances = self.engines.distances(windows, enrolled.reference.tokens)
                values[:, GAP], values[:, WITH], values[:, WITHOUT] = (
                    distances.gap,
                    np.log(distances.with_tokens),
                    np.log(distances.without_tokens),
                )
            write_npz(path, {"values": values})
        with np.load(path, allow_pickle=False) as data:
            values_of_windows: Doubles = data["values"]
        if enrolled.reference.motion is not None and windows:
            values_of_windows[:, COMPANION] = enrolled.reference.motion.distances(self._embedded(part, HOP_STEPS))
        return values_of_windows

    def _learn(self, trial: MotionTrial, path: Path, persona_only: PersonaEngines, progress: Progress) -> None:
        parts = [self.windows(part, ENROL_HOP_STEPS) for part in trial.enrolled]
        reference = learn(parts, persona_only, _nobody(persona_only.key), progress, self.config)
        if reference is None:
            write_npz(path, {})
            return
        plain = np.log(persona_only.distances(thin(parts)[0], reference.tokens).without_tokens.astype(np.float64))
        write_npz(path, reference.arrays() | {"plain": plain})

    def _companion(self, trial: MotionTrial) -> MotionReference | None:
        """Make the companion's reference of the same windows; None without that pack."""
        if self.engines.population is None or not self.engines.has_companion:
            return None
        parts = [self.windows(part, ENROL_HOP_STEPS) for part in trial.enrolled]
        clip = np.repeat(np.arange(len(parts)), [len(part_windows) for part_windows in parts]).astype(np.int64)
        start = np.array([window.start for part_windows in parts for window in part_windows], np.float64)
        embeddings = [
            self._embedded(part, ENROL_HOP_STEPS)
            for part, part_windows in zip(trial.enrolled, parts, strict=True)
            if part_windows
        ]
        return enrol_motion(np.concatenate(embeddings), clip, start, self.engines.population)

    def _embedded(self, part: Part, hop: int) -> FloatArray:
        key = part.key, hop
        if key not in self._embeddings:
            self._embeddings[key] = self.engines.embed(self.windows(part, hop))
        return self._embeddings[key]


def _nobody(key: str) -> PersonaPeople:
    """Make a population of nobody, for an enrolment before there is one."""
    empty = np.zeros(0)
    return PersonaPeople(key, 0.0, 1.0, 0.0, np.zeros((0, 2)), empty, empty.astype(np.int64))
