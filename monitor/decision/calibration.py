"""Conformal p-values of scores against the genuine scores of a calibration set, by subject.

The scores of genuine people vary more between subjects than between the windows of one subject, and a stream repeats
its subject's offset at every window. A p-value that is valid only on average over subjects would let the evidence
against an atypical genuine person grow without bound. The invariant here: every subject has the same weight however
many windows they gave; p-values fall as scores rise, count ties conservatively, and never go below 1 / (subjects + 1),
for only subjects are independent samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engines.errors import SidewitnessError
from monitor.types import BriefScore, Reason, Score

SCHEMA = 1
MIN_SUBJECTS = 5
# The share of least favourable people for whom a sequential p-value must hold. Simulated with person effects of 30,
# 60 and 85 % of the variance, normal and heavy-tailed, and 25 and 60 subjects: at 0.1 false alerts per hour, p-values
# averaged over all people gave 0.2 to 0.45, these 0.02 to 0.08. The price is 0 to 10 s of delay and 0 to 10 % of
# forgeries missed within six minutes in most cases, and more (a minute, 13 %) where a few genuine people in the
# calibration look like forgeries.
LEAST_FAVOURABLE_SHARE = 0.1
# The share for brief windows, in which what moves from window to window is more of a score and the person less.
BRIEF_SHARE = 0.3

Doubles = NDArray[np.float64]


class CalibrationError(SidewitnessError, ValueError):
    """Calibration data cannot be used; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Genuine scores (N,) of windows with `seconds` of usable speech, and their subjects (N,) as indices from 0.

    Its sequential p-values hold for the least favourable `share` of people.
    """

    seconds: float
    scores: Doubles
    subjects: NDArray[np.int64]
    share: float = LEAST_FAVOURABLE_SHARE
    levels: Doubles = field(init=False)
    once: Doubles = field(init=False)
    sequential: Doubles = field(init=False)

    def __post_init__(self) -> None:
        """Compute the p-values of every distinct score once: they form a step function."""
        levels, above = exceedance(self.scores, self.subjects)
        once = (1.0 + above.sum(axis=1)) / (1.0 + above.shape[1])
        object.__setattr__(self, "levels", levels)
        object.__setattr__(self, "once", once)
        object.__setattr__(self, "sequential", np.maximum(once, tail_mean(above, self.share)))

    @property
    def people(self) -> int:
        """Number of subjects."""
        return int(self.subjects.max()) + 1

    def p_values(self, values: Doubles, once: bool = False) -> Doubles:
        """P-values in (0, 1] of scores, any shape."""
        steps = self.once if once else self.sequential
        return np.asarray(steps[np.searchsorted(self.levels, values, side="left")], np.float64)

    def without(self, subject: int) -> Table:
        """Build the same table from the other subjects."""
        keep = self.subjects != subject
        _, subjects = np.unique(self.subjects[keep], return_inverse=True)
        return replace(self, scores=self.scores[keep], subjects=subjects.astype(np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """One detector's tables, by rising window length. Scores are those of genuine people only.

    `brief` are the tables of brief windows, None for a detector that has none.
    """

    tables: tuple[Table, ...]
    brief: Calibration | None = None

    @classmethod
    def build(
        cls,
        scores_by_length: Mapping[float, tuple[ArrayLike, Sequence[str]]],
        share: float = LEAST_FAVOURABLE_SHARE,
        brief: Calibration | None = None,
    ) -> Calibration:
        """Build from {seconds of usable speech: (scores (N,), subject labels (N,))}; labels are not kept.

        Raises `CalibrationError` for empty, unequal or non-finite input, or when a length has under `MIN_SUBJECTS`
        subjects.
        """
        if not scores_by_length:
            raise CalibrationError("calibration needs scores of at least one window length: none were given")
        lengths = sorted(scores_by_length)
        return cls(tuple(_table(seconds, *scores_by_length[seconds], share) for seconds in lengths), brief)

    @property
    def lengths(self) -> tuple[float, ...]:
        """Window lengths in seconds of usable speech, rising."""
        return tuple(table.seconds for table in self.tables)

    def table(self, seconds: float) -> Table:
        """Pick the longest table that `seconds` of usable speech fill; raises `CalibrationError` below the shortest."""
        fitting = [table for table in self.tables if table.seconds <= seconds + 1e-6]
        if not fitting:
            raise CalibrationError(f"no calibration for {seconds:g} s of speech: give at least {self.lengths[0]:g} s")
        return fitting[-1]

    def p_value(self, value: float, seconds: float, once: bool = False) -> float:
        """How often a genuine person scores at least `value` on `seconds` of speech: in (0, 1], low is suspicious.

        By default the p-value is fit for adding up over a stream: it holds on average over the least favourable tenth
        of people (at each score, the mean of the largest tenth of the subjects' exceedance fractions), thus for every
        group of at least a tenth of them, and is never below the other kind. With `once`, for a single judgement such
        as a recorded clip, it is the conformal p-value over subjects: (1 + sum of the subjects' fractions at or above
        `value`) / (1 + subjects).

        Raises `CalibrationError` when `value` is not finite or `seconds` is below the shortest length.
        """
        if not np.isfinite(value):
            raise CalibrationError(f"a score must be finite, not {value}: let the detector abstain instead")
        return float(self.table(seconds).p_values(np.asarray(value, np.float64), once))

    def apply(self, score: Score, seconds: float, once: bool = False) -> Score:
        """Fill in the p-value; a score on less speech than the shortest table becomes an abstention for low quality.

        Without any table the score stays, with the reason why it has no p-value.
        """
        if score.value is None:
            return score
        if not self.tables:
            return replace(score, reason=Reason.NOT_CALIBRATED)
        if seconds + 1e-6 < self.lengths[0]:
            return replace(score, value=None, reason=Reason.LOW_QUALITY)
        return replace(score, p_value=self.p_value(score.value, seconds, once), brief=self._apply_brief(score.brief))

    def _apply_brief(self, score: BriefScore | None) -> BriefScore | None:
        """Fill in the p-value of a brief window, where there is a table that its speech fills."""
        if self.brief is None or score is None:
            return None
        if score.value is None or score.seconds + 1e-6 < self.brief.lengths[0]:
            return BriefScore()
        return replace(score, p_value=self.brief.p_value(score.value, score.seconds))

    def leave_one_out(self, seconds: float, once: bool = False) -> tuple[Doubles, NDArray[np.int64]]:
        """Compute the p-values (N,) of all windows, calibrated on the other subjects, and the subjects (N,)."""
        table = self.table(seconds)
        p_values = np.empty(len(table.scores))
        for subject in range(table.people):
            held_out = table.subjects == subject
            p_values[held_out] = table.without(subject).p_values(table.scores[held_out], once)
        return p_values, table.subjects

    def to_json(self) -> dict[str, Any]:
        """Plain lists and numbers, without subject labels."""
        tables = [
            {"seconds": t.seconds, "scores": t.scores.tolist(), "subjects": t.subjects.tolist()} for t in self.tables
        ]
        share = {} if not self.tables else {"share": self.tables[0].share}
        brief = {} if self.brief is None else {"brief": self.brief.to_json()}
        return {"schema": SCHEMA, "tables": tables, **share, **brief}

    @classmethod
    def from_json(cls, raw: object) -> Calibration:
        """Read what `to_json` wrote; raises `CalibrationError` for anything else."""
        if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
            raise CalibrationError(
                f"this is not a calibration of schema {SCHEMA}: build it again or update sidewitness"
            )
        try:
            tables = {float(t["seconds"]): (t["scores"], [str(s) for s in t["subjects"]]) for t in raw["tables"]}
            share = float(raw.get("share", LEAST_FAVOURABLE_SHARE))
        except (KeyError, TypeError, ValueError) as error:
            raise CalibrationError(f"the calibration lacks or garbles {error}: build it again") from None
        if not 0.0 < share <= 1.0:
            raise CalibrationError(f"the calibration's share of people is {share:g}, not in (0, 1]: build it again")
        return cls.build(tables, share, cls.from_json(raw["brief"]) if "brief" in raw else None)


def exceedance(scores: Doubles, subjects: NDArray[np.int64]) -> tuple[Doubles, Doubles]:
    """Compute which fraction of each subject's windows lies at or above each distinct score.

    Returns the distinct scores, rising, (U,), and the fractions, (U + 1, people); the last row, for anything above the
    highest score, is zero.
    """
    levels = np.unique(scores)
    above = np.zeros((len(levels) + 1, int(subjects.max()) + 1))
    for subject in range(above.shape[1]):
        subject_scores = np.sort(scores[subjects == subject])
        above[:-1, subject] = 1.0 - np.searchsorted(subject_scores, levels, side="left") / len(subject_scores)
    return levels, above


def tail_mean(above: Doubles, share: float) -> Doubles:
    """Mean over the `share` of subjects with the largest fractions, row by row: (U, people) -> (U,).

    A subject may count in part; a share of less than one subject gives the largest fraction.
    """
    count = share * above.shape[1]
    weights = np.clip(count - np.arange(above.shape[1]), 0.0, 1.0)
    return np.asarray(np.minimum(1.0, -np.sort(-above, axis=1) @ weights / count), np.float64)


def _table(seconds: float, scores: ArrayLike, labels: Sequence[str], share: float) -> Table:
    where = f"calibration at {seconds:g} s"
    if not seconds > 0.0:
        raise CalibrationError(f"{where}: give a positive length in seconds")
    try:
        values = np.asarray(scores, np.float64)
    except (TypeError, ValueError):
        raise CalibrationError(f"{where}: scores must be numbers") from None
    if values.ndim != 1 or len(values) != len(labels):
        raise CalibrationError(
            f"{where}: {values.shape} scores and {len(labels)} subjects, give one subject for each score"
        )
    if not np.isfinite(values).all():
        raise CalibrationError(f"{where}: scores must be finite, leave abstentions out")
    names, subjects = np.unique(np.asarray(labels, np.str_), return_inverse=True)
    if len(names) < MIN_SUBJECTS:
        raise CalibrationError(
            f"{where}: {len(names)} subjects are too few, give windows of at least {MIN_SUBJECTS} people"
        )
    return Table(float(seconds), values, subjects.astype(np.int64), share)
