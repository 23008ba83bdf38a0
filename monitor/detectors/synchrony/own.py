"""How well an enrolled person's own lips and voice agree, and how a score is judged by that. Pure.

People differ in how well their lips and voice agree far more than one person's windows do, so whoever is measured by
people in general is either accused for speaking behind a beard or forged freely for speaking clearly. Of an enrolled
person more is known. The model is a normal one of three layers, all in agreement (minus the score):

    a person's own level   mu      ~ Normal(level of people, (1 - SESSION_SHARE) * between^2)
    a recording or a call  mu + s,  s ~ Normal(0, SESSION_SHARE * between^2)
    a window of it         mu + s + e,  e ~ Normal(0, within^2)

`between` and `within` are read off the calibration by moments: windows of one person overlap, so n of them count as
1 + (n - 1) / OVERLAP. Enrolment keeps the mean of n windows that share no speech, whose variance about mu is
v = SESSION_SHARE * between^2 + within^2 / n: all clips together count as one recording, since nothing says that two are
of two days, and more windows of one day do not tell how another day would be. By Bayes' rule mu given that mean has

    variance  post = 1 / (1 / prior + 1 / v),  prior = (1 - SESSION_SHARE) * between^2
    mean      level + deviation,  deviation = post / v * (own mean - level)

so few windows lean on people in general. What is left unknown of a call's level is the session and `post`: of the
deviation between people it is the share

    unknown = sqrt((session + post) / between^2),  1 where nothing was learnt

The normal law is not believed in the tail, where accusations are made. So the calibration's people stay what the person
is compared with, but as if each had been enrolled as well as this person was: their own means are drawn towards the
level of people until `unknown` of what they differ by is left. A mean of n windows is partly noise, which no enrolment
takes away: it is drawn by sqrt((unknown^2 between^2 + within^2 / n) / (between^2 + within^2 / n)). Windows lie round
the means as they did; for a person whose own windows swing more they are spread as much more, their own spread being
drawn towards `within` as if SPREAD_WINDOWS windows of people in general had been seen. In this table the score, less
the person's deviation, has its p-value: with the tail that people have, valid over the least favourable tenth of them
where it is added up, never below 1 / (people + 1), and exactly that of anybody where nothing was learnt.

A poor line costs agreement. Enrolment shows the same windows on the rungs of the ladder of call conditions; a person is
judged by the rung that costs most, whatever line they are on: a bad line accuses nobody.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.decision.calibration import Calibration, Table
from monitor.detectors.reference import TemplateError, pack_arrays, unpack_arrays
from monitor.detectors.synchrony.fingerprint import Fingerprint

RECORDED = "as recorded"
# Hops in a window: windows of one hop each overlap, and so many of them are worth one.
OVERLAP = 10
# Of the variance between people, that which another recording of the same person shows. Measured .18 [.01-.39] on the
# 13 people of whom several recordings were at hand (docs/detection.md); taken from the upper half of that.
SESSION_SHARE = 1 / 3
SPREAD_WINDOWS = 10
# Below these the person is judged like anybody: 20 s of whole speech, and people enough to tell their variances.
MIN_WINDOWS = 4
MIN_PEOPLE = 20
# Tables of people are made in steps of this share of deviation.
STEP = 0.05
# What rounding leaves of no variance at all.
NO_VARIANCE = 1e-12
# Speech in a window of five seconds that is taken at enrolment; the calibration's longest window.
FULL_SPEECH_SECONDS = 4.0

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class People:
    """Agreement of people in general: their mean `level`, and the variances `between` them and `within` one."""

    level: float
    between: float
    within: float


@lru_cache(maxsize=32)
def people_in(table: Table) -> People:
    """Read the variances off the genuine scores of a calibration, by moments (Searle, Variance Components, 1992)."""
    agreement, subjects = -table.scores, table.subjects
    counts = np.bincount(subjects).astype(np.float64)
    means = np.bincount(subjects, agreement) / counts
    squares = np.bincount(subjects, (agreement - means[subjects]) ** 2) / counts
    effective = 1.0 + (counts - 1.0) / OVERLAP
    freedom = float((effective - 1.0).sum())
    within = float((squares * effective).sum() / freedom) if freedom > 0.0 else 0.0
    between = max(float(means.var(ddof=1)) - within * float((1.0 / effective).mean()), 0.0)
    return People(float(means.mean()), between, within)


@lru_cache(maxsize=64)
def people_known(table: Table, unknown: float, swing: float) -> Table:
    """Make the table of the same people, `unknown` of whose deviation is left, and whose windows swing so much more."""
    people, subjects = people_in(table), table.subjects
    counts = np.bincount(subjects).astype(np.float64)
    means = np.bincount(subjects, table.scores) / counts
    noise = people.within / (1.0 + (counts - 1.0) / OVERLAP)
    whole = np.maximum(people.between + noise, NO_VARIANCE)
    drawn = np.sqrt((unknown**2 * people.between + noise) / whole)
    moved = -people.level + drawn * (means + people.level)
    return Table(table.seconds, moved[subjects] + swing * (table.scores - means[subjects]), subjects, table.share)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is expected of a person in a call, against people in general.

    `deviation` of the level of agreement; `unknown`, the share of people's deviation that is left; `swing`, by how much
    more the person's windows vary, 1 at the least; `windows` of the enrolment that it rests on, and the `rung` of call
    conditions.
    """

    deviation: float
    unknown: float
    swing: float
    windows: int
    rung: str

    def p_value(self, value: float, table: Table, once: bool = False) -> float:
        """Give the p-value of a score; see `Calibration.p_value`."""
        known = table if self.unknown == self.swing == 1.0 else people_known(table, self.unknown, self.swing)
        return float(known.p_values(np.asarray(value + self.deviation, np.float64), once))

    def shifted(self, value: float, table: Table, slope: float) -> float:
        """Give the p-value among people in general of a score that rises by `slope` with minus the agreement."""
        return float(table.p_values(np.asarray(value + slope * self.deviation, np.float64)))

    def as_json(self) -> dict[str, Any]:
        """Give JSON values: all that it takes to make the p-value again."""
        return {**asdict(self), "deviation": round(self.deviation, 6)}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Standing:
        """Read what `as_json` gave."""
        return cls(**{field.name: raw[field.name] for field in fields(cls)})


@dataclass(frozen=True, slots=True)
class Rung:
    """Agreement on one rung of call conditions: mean `level` and standard deviation `spread` over `windows`."""

    name: str
    level: float
    spread: float
    windows: int


@dataclass(frozen=True, slots=True)
class OwnAgreement:
    """A person's own agreement by rung, the first as recorded; `encoders` names those of lips and voice."""

    encoders: str
    rungs: tuple[Rung, ...]

    @property
    def windows(self) -> int:
        """Windows as recorded, which share no speech."""
        return self.rungs[0].windows

    def standing(self, calibration: Calibration, seconds: float = FULL_SPEECH_SECONDS) -> Standing | None:
        """Say what is expected of this person; None where too little is known of them or of people."""
        fitting = [table for table in calibration.tables if table.seconds <= seconds + 1e-6]
        if self.windows < MIN_WINDOWS or not fitting or fitting[-1].people < MIN_PEOPLE:
            return None
        people, recorded = people_in(fitting[-1]), self.rungs[0]
        session = SESSION_SHARE * people.between
        prior, seen = people.between - session, session + people.within / recorded.windows
        post = prior * seen / (prior + seen) if prior else 0.0
        deviation = post / seen * (recorded.level - people.level) if post else 0.0
        poorest = min(self.rungs, key=lambda rung: rung.level)
        freedom = recorded.windows - 1
        spread = max(rung.spread for rung in (recorded, poorest)) ** 2
        own = (SPREAD_WINDOWS * people.within + freedom * spread) / (SPREAD_WINDOWS + freedom)
        left = ((session + post) / people.between) ** 0.5 if post else 1.0
        swing = (own / people.within) ** 0.5 if people.within else 1.0
        return Standing(
            deviation + poorest.level - recorded.level,
            min(_up(left), 1.0),
            max(_up(swing), 1.0),
            recorded.windows,
            poorest.name,
        )

    def arrays(self) -> dict[str, Any]:
        """Give what is kept in a reference."""
        numbers = [[rung.level, rung.spread, rung.windows] for rung in self.rungs]
        return {
            "own_encoders": np.array(self.encoders),
            "own_rungs": np.array([rung.name for rung in self.rungs]),
            "own_numbers": np.array(numbers, np.float64),
        }

    @classmethod
    def from_bytes(cls, part: bytes) -> OwnAgreement | None:
        """Read it from a part of a reference, None where enrolment kept none; raises `TemplateError`."""
        try:
            return cls._read(unpack_arrays(part))
        except Exception as error:
            # A damaged archive raises whatever its parts raise: zip, zlib, tokenizer, arrays.
            raise TemplateError(
                f"the agreement of lips and voice cannot be read ({type(error).__name__}): enrol the person again"
            ) from None

    @classmethod
    def _read(cls, arrays: Mapping[str, Any]) -> OwnAgreement | None:
        if "own_numbers" not in arrays:
            return None
        rows = zip(arrays["own_rungs"], arrays["own_numbers"], strict=True)
        rungs = [Rung(str(name), float(row[0]), float(row[1]), int(row[2])) for name, row in rows]
        if not rungs or not np.isfinite(arrays["own_numbers"]).all():
            raise ValueError("rungs")
        return cls(str(arrays["own_encoders"]), tuple(rungs))


def own_agreement(windows: Sequence[Mapping[str, float]], encoders: str) -> OwnAgreement | None:
    """Make it of the agreement of each window by rung, `RECORDED` among them; None without any window.

    A rung is shown a part of the windows: its level is that of all windows as recorded, moved by what the rung changed
    in those that it was shown.
    """
    if not windows:
        return None
    recorded = np.array([window[RECORDED] for window in windows])
    rungs = [Rung(RECORDED, float(recorded.mean()), _spread(recorded), len(recorded))]
    for name in dict.fromkeys(name for window in windows for name in window if name != RECORDED):
        shown = np.array([(window[name], window[RECORDED]) for window in windows if name in window])
        shift = float((shown[:, 0] - shown[:, 1]).mean())
        rungs.append(Rung(name, rungs[0].level + shift, _spread(shown[:, 0]), len(shown)))
    return OwnAgreement(encoders, tuple(rungs))


def sealed_part(fingerprint: Fingerprint, own: OwnAgreement | None) -> bytes:
    """Write what a reference keeps of lips and voice: readers of the fingerprint alone go on reading it."""
    return pack_arrays({**fingerprint.arrays(), **(own.arrays() if own is not None else {})})


def _up(share: float) -> float:
    """Round up, so that few tables are made, and none that knows more than is known."""
    return round(math.ceil(share / STEP - 1e-9) * STEP, 6)


def _spread(values: Doubles) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0
