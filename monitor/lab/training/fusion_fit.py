"""The rule that fuses what agreement shows: fitted to people's own voices against others' by logistic regression."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.training.clips import TrainingError
from monitor.detectors.synchrony.fusion import MEASURES, Fusion, Moment
from monitor.lab.corpus.manifest import Row
from monitor.lab.training.synchrony_background import Encoded, dubbed, encoded_clips, skew_of, skewed, windows

# Of all that the rule is fitted to, each person having the same share of a kind.
SHARES = {"own": 0.3, "skewed": 0.2, "other": 0.5}
# So many windows of one person are worth as much as one that shares nothing with the others.
WINDOWS_PER_PERSON = 10.0
OTHER_VOICES = 2
MIN_PEOPLE = 10
# The strength of scikit-learn's L2 penalty, inverted, on standardised measures.
INVERSE_PENALTY = 1.0
WINDOW_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Sample:
    """A moment of a person's lips with their own voice, with that skewed, or with another's."""

    kind: str
    person: str
    moment: Moment


@dataclass(slots=True)
class MomentNote:
    """Notes every moment that a detector asks about."""

    moments: list[Moment] = field(default_factory=list)
    slope: float = 1.0

    def log_odds(self, moment: Moment) -> float:
        """Note the moment."""
        self.moments.append(moment)
        return 0.0


def moments_of(encoded: Encoded) -> list[Moment]:
    """Give every moment of a clip at which a call would be judged, once as a call begins and once as it has lasted."""
    note = MomentNote()
    for _ in windows(encoded, WINDOW_SECONDS, fusion=note):
        pass
    return note.moments


def samples(
    rows: Sequence[Row], packs: Sequence[tuple[Path, str]], cache: Path, done: Callable[[int], None]
) -> Iterator[Sample]:
    """Give moments of genuine clips, each fold by its packs: with the own voice, that skewed, and voices of others."""
    for folder, fold in packs:
        chosen = [row for row in rows if row.fold == fold]
        encoded = list(encoded_clips(chosen, folder, cache))
        done(len(chosen) - len(encoded))
        for number, (row, own) in enumerate(encoded):
            kinds = [("own", own), ("skewed", skewed(own, skew_of(row.name)))]
            others = (*encoded[number + 1 :], *encoded[:number])
            strangers = [voice for other, voice in others if other.subject != row.subject][:OTHER_VOICES]
            kinds += [("other", dubbed(own, voice)) for voice in strangers]
            for kind, one in kinds:
                yield from (Sample(kind, row.subject, moment) for moment in moments_of(one))
            done(1)


def fit_fusion(found: Sequence[Sample]) -> Fusion:
    """Fit the rule; every person has the same weight in each kind. Raises `TrainingError` for too few people."""
    from sklearn.linear_model import LogisticRegression

    people = {sample.person for sample in found}
    kinds = {sample.kind for sample in found}
    if len(people) < MIN_PEOPLE or not {"own", "other"} <= kinds:
        raise TrainingError(f"{len(people)} people are too few to fit a fusion to: give clips of {MIN_PEOPLE} and more")
    measures = np.array([astuple(sample.moment) for sample in found], np.float64)
    weights = _weights(found) * WINDOWS_PER_PERSON * len(people)
    mean = np.average(measures, axis=0, weights=weights)
    scale = np.sqrt(np.average((measures - mean) ** 2, axis=0, weights=weights)) + 1e-9
    strange = [sample.kind == "other" for sample in found]
    rule = LogisticRegression(C=INVERSE_PENALTY, max_iter=1000)
    rule.fit((measures - mean) / scale, strange, sample_weight=weights)
    slopes = rule.coef_[0] / scale
    bias = float(rule.intercept_[0] - slopes @ mean)
    return Fusion(tuple(round(float(slope), 5) for slope in slopes), round(bias, 5))


def described(fusion: Fusion, found: Sequence[Sample]) -> str:
    """Say in lines what the rule is, and how far it tells the moments that it was fitted to."""
    odds = np.array([fusion.log_odds(sample.moment) for sample in found])
    strange = np.array([sample.kind == "other" for sample in found])
    lines = [f"{name}: {weight:+.2f}" for name, weight in zip(MEASURES, fusion.weights, strict=True)]
    own, other = np.median(odds[~strange]), np.median(odds[strange])
    return "\n".join([*lines, f"log odds, median: own voice {own:+.1f}, another's {other:+.1f}"])


def _weights(found: Sequence[Sample]) -> NDArray[np.float64]:
    """Weights of samples, 1 together."""
    counts: dict[tuple[str, str], int] = {}
    for sample in found:
        counts[sample.kind, sample.person] = counts.get((sample.kind, sample.person), 0) + 1
    people = {kind: sum(k == kind for k, _ in counts) for kind in SHARES}
    weights = np.array([SHARES[s.kind] / people[s.kind] / counts[s.kind, s.person] for s in found])
    return np.asarray(weights / weights.sum(), np.float64)
