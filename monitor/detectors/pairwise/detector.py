"""Is this the enrolled person, shown as cameras show them? Recent looks against that person's own recordings.

After DiffFake (Stamnas and Sanchez 2025), with the enrolled gallery in place of other frames of the same video. Two
things are told apart: the distance to the person's identity vectors (another face), and the anomaly of the pair
features and of the backbone's answer (a face that was worked on). Both are read against the rung of the ladder of call
conditions that looks most like the call, and against what this person's own recordings are to each other. Change since
this call's own verified start is shown beside them. Without a reference there is no score: absolute levels differ from
source to source more than forgeries do (`docs/detection.md`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.decision.turns import changed
from monitor.detectors.pairwise.measures import (
    IDENTITY,
    LOGIT,
    MIN_LOOKS,
    NEAREST_LOOKS,
    PAIRS,
    Norm,
    identity_distances,
    measure,
)
from monitor.detectors.pairwise.pair_features import partners
from monitor.detectors.pairwise.population import COMPONENTS, WITHIN, Population
from monitor.detectors.pairwise.reference import PairwiseReference
from monitor.face.outline import outline
from monitor.face.vectors import FaceVectors
from monitor.types import Reason, Score

# Looks that are scored at most: the newest.
RECENT_LOOKS = 20
# Condition medians farther from every rung than this, in spreads, are not compared: genuine probes of the people that
# were measured lie within 1.2 of a rung of their own, recordings of anybody else within 2.3.
MAX_RUNG_DISTANCE = 2.5
# Beyond this the line changed since the call's start, and nothing is known of the face.
MAX_CONDITION_CHANGE = 1.2
# What a suspicion is called, not whether there is one: of 84 people in research recordings 1 % of pairs of two people
# lie nearer than this, and one person of 14 with several recordings farther. A face that was worked on moves less.
ANOTHER_FACE_DISTANCE = 0.3

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PairwiseDetector:
    """Scores recent looks against a reference; `population` is None where the packs have none, and nothing is told.

    With `count_change` the change within the call counts too. It is shown in any case, and left out by default: a face
    that is forged from the first second does not change, and what the change adds to a takeover the gallery sees too
    (`docs/detection.md`).
    """

    population: Population | None
    recent: int = RECENT_LOOKS
    count_change: bool = False
    name: str = "pairwise"
    one_sided: bool = False

    def score(
        self,
        live: FaceVectors,
        start: FaceVectors | None,
        reference: PairwiseReference | None,
        key: str,
        once: bool = False,
    ) -> Score:
        """Score the newest of the live looks; higher is more suspicious.

        `start` are looks at this call's own verified start, none of which is among the live ones; `key` is that of the
        encoders that made all of them; `once` is for a recording judged as a whole. Abstains without a reference
        (`not_enrolled`; the change within the call is still shown), with one of other encoders
        (`reference_outdated`), without a population (`not_calibrated`), and on too few looks (`warming_up`).
        """
        if self.population is None or not self.population.fits(key):
            return self._abstain(Reason.NOT_CALIBRATED, {})
        if len(live) < MIN_LOOKS:
            return self._abstain(Reason.WARMING_UP, {"shots": len(live)})
        live = live.take(slice(-self.recent, None))
        change = within_call(live, start, self.population)
        if reference is None or reference.key != key:
            reason = Reason.NOT_ENROLLED if reference is None else Reason.REFERENCE_OUTDATED
            return self._abstain(reason, {"shots": len(live), "within_call": self._shown(change, once)})
        rung, rung_distance = nearest_rung(live, reference, self.population)
        if rung_distance > MAX_RUNG_DISTANCE:
            return self._abstain(Reason.LOW_QUALITY, {"shots": len(live), "rung_distance": round(rung_distance, 2)})
        gallery = reference.rungs[rung].vectors
        raw = measure(live, gallery, reference.mixture)
        parts = np.array([*components(raw, reference.norms[rung]), np.nan if change is None else change])
        counted = counted_of(parts, self.count_change)
        value, p_value = self.population.value(parts, counted), self.population.p_value(parts, counted, once)
        evidence = {
            "shots": len(live),
            "identity": self._part(parts, 0, once) | {"distance": _rounded(raw[IDENTITY])},
            "artefact": self._part(parts, 1, once) | {"logit": _rounded(raw[LOGIT]), "pairs": _rounded(raw[PAIRS])},
            "within_call": self._shown(change, once),
            "rung": reference.rungs[rung].name,
            "rung_distance": round(rung_distance, 2),
            "made": reference.made,
            "worst_pair": worst_pair(live, gallery, reference),
        }
        is_another_face = raw[IDENTITY] >= ANOTHER_FACE_DISTANCE and self.population.value(parts, [0]) >= 1
        since = np.array([np.nan, np.nan, np.nan if change is None else change])
        turned = None if change is None else changed(self.population.p_value(since, [WITHIN]))
        cause = Reason.IDENTITY_MISMATCH if is_another_face else Reason.FACE_CHANGES_UNNATURALLY
        unknown = Reason.NOT_CALIBRATED if p_value is None else None
        return Score(self.name, value, unknown, p_value, evidence=evidence, cause=cause, changed=turned)

    def _part(self, parts: Doubles, number: int, once: bool) -> dict[str, Any]:
        if not np.isfinite(parts[number]) or self.population is None:
            return {"value": None, "p_value": None}
        p_value = self.population.p_value(parts, [number], once)
        return {"value": _rounded(parts[number]), "p_value": None if p_value is None else round(p_value, 4)}

    def _shown(self, change: float | None, once: bool) -> dict[str, Any] | None:
        return None if change is None else self._part(np.array([np.nan, np.nan, change]), WITHIN, once)

    def _abstain(self, reason: Reason, evidence: dict[str, Any]) -> Score:
        return Score(self.name, None, reason, one_sided=self.one_sided, evidence=evidence)


def counted_of(parts: Doubles, count_change: bool = False) -> list[int]:
    """Say which of the components (3,) are known and count."""
    return [n for n in range(len(COMPONENTS)) if np.isfinite(parts[n]) and (n != WITHIN or count_change)]


def components(raw: Doubles, norm: Norm) -> tuple[float, float]:
    """Standardise measures (M,) into identity and artefact, each in standard deviations of this person.

    The backbone's answer is shown and not counted: it moves with the picture's quality more than with most forgeries.
    """
    z = norm.standardise(raw)
    return float(z[IDENTITY]), float(z[PAIRS])


def within_call(live: FaceVectors, start: FaceVectors | None, population: Population) -> float | None:
    """Say how much the face has changed since the call's start, in standard deviations of genuine people's change.

    None without a start, or when the picture itself has changed: then the line changed, and nothing is known.
    """
    if start is None or len(start) < MIN_LOOKS:
        return None
    if _condition_distance(live, start, population) > MAX_CONDITION_CHANGE:
        return None
    raw = measure(live, start, population.mixture)
    identity, artefact = components(raw, Norm(population.location, population.scale, 0))
    return float(np.nanmax([identity, artefact]))


def nearest_rung(live: FaceVectors, reference: PairwiseReference, population: Population) -> tuple[int, float]:
    """Find the rung whose conditions are nearest those of the live looks, and how far it is, in spreads."""
    distances = [_condition_distance(live, rung.vectors, population) for rung in reference.rungs]
    best = int(np.argmin(distances))
    return best, distances[best]


def _condition_distance(a: FaceVectors, b: FaceVectors, population: Population) -> float:
    gap = (np.median(a.condition, axis=0) - np.median(b.condition, axis=0)) / population.condition
    return float(np.sqrt((gap**2).mean()))


def worst_pair(live: FaceVectors, gallery: FaceVectors, reference: PairwiseReference) -> dict[str, Any] | None:
    """Show the live look that is least likely beside its nearest in pose: outlines only, no picture, no vector."""
    _, columns = partners(live, gallery, NEAREST_LOOKS)
    expected = gallery.artefacts[columns].reshape(len(live), -1, gallery.artefacts.shape[1]).mean(1)
    worst = int(np.argmin(reference.mixture.log_likelihood(live.artefacts - expected)))
    a, b = worst, int(columns.reshape(len(live), -1)[worst, 0])
    distance = identity_distances(live.take(slice(a, a + 1)), gallery.take(slice(b, b + 1)))
    return {
        "live": outline(live.landmarks[a]),
        "reference": outline(gallery.landmarks[b]),
        "age_seconds": round(float(live.time[-1] - live.time[a]), 2),
        "distance": _rounded(distance[0, 0]) if distance.shape[1] else None,
    }


def _rounded(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
