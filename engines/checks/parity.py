"""Comparison of engines: how far apart the outputs of two lie, and what becomes of the answers that are made of them.

A tensor may differ in the fourth digit and change nothing, or in the sixth where it decides. So the same seeded inputs
go through both engines (`differences`), and then the same cases go through everything that makes a score of an encoder
(`score_drift`): scores, p-values and verdicts are compared, detector by detector. What a case or a detector is, this
module does not know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engines.base import Arrays, Engine, FloatArray, Manifest, example_length
from engines.errors import SidewitnessError
from engines.metrics import auc

TOLERANCE = 1e-3
# What no engine passes with, whatever its scores: more than any lower precision of these networks costs on noise.
COARSE = 0.25
# Scores that all lie within this are one score: their own spread says nothing of how far apart two engines may be.
MIN_SPREAD = 0.05


def seeded(manifest: Manifest, batch: int = 2, seed: int = 0, length: int | None = None) -> dict[str, FloatArray]:
    """Make uniform inputs in the manifest's `preprocessing.range` (default -1 to 1), the same for the same seed.

    Free axes get `length`, by default the manifest's `example_length`.
    """
    low, high = manifest.preprocessing.get("range", (-1.0, 1.0))
    draw = np.random.default_rng(seed)
    length = example_length(manifest) if length is None else length
    return {
        spec.name: draw.uniform(low, high, (batch, *(length if n == -1 else n for n in spec.shape))).astype(np.float32)
        for spec in manifest.inputs
    }


def differences(reference: Engine, other: Engine, inputs: Arrays) -> dict[str, float]:
    """Run both and return the `distance` of each output.

    An output with a NaN, or of another shape, is infinitely far.
    """
    expected, actual = reference.run(inputs), other.run(inputs)
    return {name: distance(expected[name], actual[name]) for name in expected}


def distance(expected: FloatArray, actual: FloatArray) -> float:
    """Return max |want - got| / max(1, max |want|), infinity for other shapes or NaN."""
    if expected.shape != actual.shape or not (np.isfinite(expected).all() and np.isfinite(actual).all()):
        return float("inf")
    return float(np.abs(expected - actual).max() / max(1.0, float(np.abs(expected).max())))


class DriftError(SidewitnessError):
    """Two runs cannot be compared; the message is one line."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One detector's answer in one case; `score` is None where it abstained, `forged` says what is true."""

    forged: bool
    score: float | None
    p_value: float | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """One case as one engine judged it: the verdict, and the outcome of each detector by name."""

    case: str
    verdict: str
    outcomes: Mapping[str, Outcome]


@dataclass(frozen=True, slots=True)
class Limits:
    """How far an engine may drift; no detector may fall silent or speak up.

    `flips` is the share of cases whose verdict changes, at most; `shift` is of one case's score and `mean_shift` of all
    scores on average, as shares of the standard deviation of the reference's scores over the cases; `auc` is of the
    area under the ROC curve and `p_value` of one case's p-value. `docs/engines.md` argues each.
    """

    flips: float = 0.05
    shift: float = 0.15
    mean_shift: float = 0.03
    auc: float = 0.02
    p_value: float = 0.1


@dataclass(frozen=True, slots=True)
class DetectorDrift:
    """How far one detector's answers moved over the `scored` cases in which both engines gave a score.

    `abstentions` counts the cases in which only one gave a score, or a p-value. `auc` and `auc_other` are nan without a
    forged and a genuine case; `shift`, `mean_shift` (of the spread) and `p_change` are 0 where nothing is compared.
    """

    detector: str
    scored: int
    forged: int
    abstentions: int
    auc: float
    auc_other: float
    shift: float
    mean_shift: float
    p_change: float

    def problems(self, limits: Limits) -> list[str]:
        """Say which limits are passed, each in one line; none for an engine that may be used."""
        area = abs(self.auc_other - self.auc)
        problems = []
        if self.abstentions:
            problems.append(f"{self.detector}: one of the two abstains in {_cases(self.abstentions)}")
        # Not `>`: a NaN is no score that an engine may give.
        if not self.shift <= limits.shift:
            problems.append(
                f"{self.detector}: a score moves by {self.shift:.3f} of their spread, over {limits.shift:g}"
            )
        if not self.mean_shift <= limits.mean_shift:
            problems.append(
                f"{self.detector}: on average scores move by {self.mean_shift:.3f} of their spread, "
                f"over {limits.mean_shift:g}"
            )
        if area > limits.auc + 1e-9:
            problems.append(f"{self.detector}: the AUC moves by {area:.3f}, over {limits.auc:g}")
        if not self.p_change <= limits.p_value:
            problems.append(f"{self.detector}: a p-value moves by {self.p_change:.3f}, over {limits.p_value:g}")
        return problems


@dataclass(frozen=True, slots=True)
class ScoreDrift:
    """How far one engine's answers lie from another's over `cases` cases.

    `flips` are the cases whose verdict changed: (case, verdict of the reference, verdict of the other).
    """

    cases: int
    flips: tuple[tuple[str, str, str], ...]
    detectors: tuple[DetectorDrift, ...]

    @property
    def turns(self) -> list[str]:
        """Say which verdicts changed, a line each."""
        return [f"the verdict on {case} turns from {was} to {now}" for case, was, now in self.flips]

    def problems(self, limits: Limits | None = None) -> list[str]:
        """Say why the engine does not pass, a line each; nothing where it does."""
        limits = limits or Limits()
        many = len(self.flips) > limits.flips * self.cases
        return (self.turns if many else []) + [line for drift in self.detectors for line in drift.problems(limits)]


def score_drift(reference: Sequence[Judged], other: Sequence[Judged]) -> ScoreDrift:
    """Compare two runs over the same cases in the same order; raises `DriftError` where they are not that."""
    pairs = list(zip(reference, other, strict=False))
    if len(reference) != len(other) or any(a.case != b.case or set(a.outcomes) != set(b.outcomes) for a, b in pairs):
        raise DriftError("the two runs are not of the same cases and detectors: run both anew")
    flips = tuple((a.case, a.verdict, b.verdict) for a, b in pairs if a.verdict != b.verdict)
    names = sorted({name for judged in reference for name in judged.outcomes})
    return ScoreDrift(len(pairs), flips, tuple(_of_detector(name, pairs) for name in names))


def _of_detector(name: str, pairs: Sequence[tuple[Judged, Judged]]) -> DetectorDrift:
    both = [(a.outcomes[name], b.outcomes[name]) for a, b in pairs if name in a.outcomes]
    scored = [(a, b) for a, b in both if a.score is not None and b.score is not None]
    forged = np.array([a.forged for a, _ in scored], np.bool_)
    was, now = (np.array([pair[side].score for pair in scored], np.float64) for side in (0, 1))
    moved = np.abs(now - was) / max(float(was.std()), MIN_SPREAD) if len(scored) else np.zeros(1)
    changes = [abs(b.p_value - a.p_value) for a, b in scored if a.p_value is not None and b.p_value is not None]
    unlike = sum(_answers(a) != _answers(b) for a, b in both)
    areas = [auc(values[forged], values[~forged]) for values in (was, now)]
    moves = float(moved.max()), float(moved.mean()), max(changes, default=0.0)
    return DetectorDrift(name, len(scored), int(forged.sum()), unlike, areas[0], areas[1], *moves)


def _answers(outcome: Outcome) -> tuple[bool, bool]:
    return outcome.score is not None, outcome.p_value is not None


def _cases(count: int) -> str:
    return "1 case" if count == 1 else f"{count} cases"
