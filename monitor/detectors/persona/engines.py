"""The models of movement at the edge: windows of motion and voice in, how far they lie from an enrolled person out.

What comes before (`monitor.face.expression`) and after (`monitor.detectors.persona.detector`) is pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from engines.base import Engine
from monitor.detectors.persona.companion import MotionPopulation
from monitor.detectors.persona.detector import COMPANION, DISTANCE, MEASURES, Measured, PersonaReference
from monitor.detectors.persona.reconstruction import Distances, Plan, Tokens, batch, distances
from monitor.detectors.persona.windows import MotionWindow
from monitor.face.expression import ExpressionBasis, with_velocity
from monitor.types import FloatArray

# Windows in one call of an engine: live it is one.
BATCH_WINDOWS = 8

T = TypeVar("T")


class PersonaEngines:
    """The model that tokens make a person's, with what lies beside it, and its companion where that is installed.

    `fit` loads the pack that personalises, which only enrolment needs.
    """

    def __init__(
        self,
        persona: Engine,
        basis: ExpressionBasis,
        tokens: Tokens,
        companion: Engine | None = None,
        population: MotionPopulation | None = None,
        fit: Callable[[], Engine] | None = None,
    ) -> None:
        self.persona, self.basis, self.tokens, self.population = persona, basis, tokens, population
        self.plan = Plan.from_preprocessing(persona.manifest.preprocessing)
        self.fit = cache(fit) if fit is not None else None
        self._companion = companion if population is not None else None
        packs = (persona, self._companion)
        self._key = "-".join(engine.manifest.sha256[:16] if engine else "" for engine in packs)

    @property
    def key(self) -> str:
        """Digests of both packs, nothing after the dash without the second: only what is of one key is compared."""
        return self._key

    @property
    def has_companion(self) -> bool:
        """Whether the companion is there: without it that measure is missing."""
        return self._companion is not None

    def through(self, wrap: Callable[[Engine], Engine]) -> PersonaEngines:
        """Give the same models with each engine wrapped, but for the one that personalises."""
        companion = wrap(self._companion) if self._companion else None
        return PersonaEngines(wrap(self.persona), self.basis, self.tokens, companion, self.population, self.fit)

    def distances(self, windows: Sequence[MotionWindow], tokens: FloatArray) -> Distances:
        """Give the reconstruction distances of at least one window to tokens (P, d); raises `EngineError`."""
        parts = [self._distances(part, tokens) for part in _batches(windows)]
        return Distances(*(np.concatenate([getattr(part, n) for part in parts]) for n in Distances.__slots__))

    def embed(self, windows: Sequence[MotionWindow]) -> FloatArray:
        """Embed at least one window for the companion: (N, E); no columns without it."""
        if self._companion is None:
            return np.zeros((len(windows), 0), np.float32)
        embeddings = [self._companion.run(_motion_inputs(part))["embedding"] for part in _batches(windows)]
        return np.concatenate(embeddings)

    def measure(self, windows: Sequence[MotionWindow], reference: PersonaReference) -> Measured:
        """Say how far each of at least one window lies from an enrolled person; raises `EngineError`."""
        values = np.full((len(windows), len(MEASURES)), np.nan)
        gaps = self.distances(windows, reference.tokens).gap
        values[:, DISTANCE] = reference.standardise(gaps.astype(np.float64))
        if reference.motion is not None and self.has_companion:
            values[:, COMPANION] = reference.motion.distances(self.embed(windows))
        return Measured(np.array([window.start for window in windows], np.float64), values)

    def _distances(self, windows: Sequence[MotionWindow], tokens: FloatArray) -> Distances:
        error = self.persona.run(batch(windows, tokens, self.tokens.null, self.plan))["error"]
        return distances(error, windows, self.plan)


def _motion_inputs(windows: Sequence[MotionWindow]) -> dict[str, FloatArray]:
    motion = np.stack([with_velocity(window.motion, window.mask) for window in windows])
    mask: NDArray[np.float32] = np.stack([window.mask for window in windows]).astype(np.float32)
    return {"motion": motion.astype(np.float32), "mask": mask}


def _batches(windows: Sequence[T]) -> list[Sequence[T]]:
    return [windows[at : at + BATCH_WINDOWS] for at in range(0, len(windows), BATCH_WINDOWS)]
