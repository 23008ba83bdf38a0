"""By how much a participant's voice lags their face, steadily, and whether nobody else on the same path shows it.

Pure. A voice that is converted in real time comes later than the lips that it was spoken with, by a steady amount; so
does the voice of a wireless headset, and a path may delay the sound of everybody. So a lag is compared with those of
the others who came by the same way into the same call, and told where it stands out of all of them. It is shown and is
no bet: it raises no suspicion, and among genuine people a headset is the likelier cause.

What is measured is read of the detector that looks at lips: the offsets of the segments of the past in which lips and
voice clearly met (`monitor.detectors.synchrony.offset`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from monitor.decision.decide import Decision
from monitor.types import Aspect, Score

# Segments of two seconds, one each half second: these rest on eight seconds of speech, and four share each moment.
MIN_SEGMENTS = 13
SEGMENTS_A_MOMENT = 4
# A lag is steady where so many of the segments lie within a frame of their median.
FRAME_SECONDS = 0.04
MIN_STEADY_SHARE = 0.8
# A segment's offset is a whole number of frames.
ROUNDING_SECONDS = FRAME_SECONDS / math.sqrt(12)
# Half of a 95 % interval, in standard errors.
WIDTH = 1.96
# Of so many others something is known before anything is said of one.
MIN_OTHERS = 2
# A lag of others is theirs until they leave, but not for ever: they may have changed the headset.
RECENT_SECONDS = 600.0
# So far beyond all others a lag must lie for sure, and for so long. Genuine people's devices differ by less: beside two
# others of their source 1.8 % of 88 lie so far out, 6.8 % by half of it (`python -m monitor.lab.evaluate.lags`).
MIN_BEYOND_SECONDS = 0.12
HOLD_SECONDS = 10.0
# Of the evidence of the detector that looks at lips.
SHOWN = "lag"


@dataclass(frozen=True, slots=True)
class Lag:
    """By how many seconds a voice lags its face, negative where it is ahead; it lies within `margin` of that, 95 %."""

    seconds: float
    margin: float

    @property
    def low(self) -> float:
        """The least that it may be."""
        return self.seconds - self.margin

    @property
    def high(self) -> float:
        """The most that it may be."""
        return self.seconds + self.margin


@dataclass(frozen=True, slots=True)
class Lagging:
    """A lag that nobody else on the path shows: seconds from their first hop on, and the `others` who were compared."""

    at: float
    lag: Lag
    others: tuple[float, ...]

    def as_json(self) -> dict[str, Any]:
        """Give JSON values."""
        return {
            "at": round(self.at, 1),
            "ms": round(1000 * self.lag.seconds),
            "margin_ms": round(1000 * self.lag.margin),
            "others_ms": [round(1000 * bound(self.others)) for bound in (min, max)],
            "others": len(self.others),
        }


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one participant: when they `began`, their newest lag and its time, and whether it stands out.

    `since` is from when on it has stood out, `told` what is said of them.
    """

    began: float
    lag: Lag | None = None
    measured: float = -math.inf
    since: float | None = None
    told: Lagging | None = None


@dataclass(frozen=True, slots=True)
class Lags:
    """Everybody who came into a call by one way, by their name; times are seconds on one clock."""

    people: Mapping[str, Standing] = field(default_factory=dict)

    def told(self, who: str) -> Lagging | None:
        """Give what is said of somebody."""
        standing = self.people.get(who)
        return standing.told if standing is not None else None

    def without(self, who: str) -> Lags:
        """Let go of somebody who left."""
        return Lags({name: one for name, one in self.people.items() if name != who})


def lag_of(path_seconds: Sequence[float], uncertainty: float = 0.0) -> Lag | None:
    """Estimate a steady lag from the offsets (seconds) of the past's clear segments; None where there is none.

    The mean of those within a frame of their median. Segments overlap, so they say as much as a quarter of them would;
    rounding to frames and the clocks' `uncertainty` (s) are in the margin.
    """
    path = np.asarray(path_seconds, np.float64)
    if len(path) < MIN_SEGMENTS:
        return None
    steady = path[np.abs(path - np.median(path)) <= FRAME_SECONDS * 1.01]
    if len(steady) < MIN_STEADY_SHARE * len(path):
        return None
    spread = max(float(steady.std()), ROUNDING_SECONDS)
    return Lag(float(steady.mean()), WIDTH * spread / math.sqrt(len(steady) / SEGMENTS_A_MOMENT) + uncertainty)


def measured(scores: Iterable[Score], uncertainty: float, is_mapped: bool) -> Lag | None:
    """Read a lag of what the detector of lips says; None where it says nothing, or where the clocks are not known."""
    if not is_mapped:
        return None
    for score in scores:
        past = score.evidence.get("accumulated")
        if score.aspect is Aspect.LIPS and score.value is not None and past and "paired_by" not in score.evidence:
            return lag_of([offset / 1000 for offset in past["path_ms"]], uncertainty)
    return None


def stands_out(lag: Lag, others: Sequence[Lag], beyond_seconds: float = MIN_BEYOND_SECONDS) -> bool:
    """Whether a lag lies so far beyond those of all others, of whom there are enough."""
    return len(others) >= MIN_OTHERS and lag.low - max(other.high for other in others) >= beyond_seconds


def follow(lags: Lags, who: str, time: float, lag: Lag | None) -> Lags:
    """Take what was measured of somebody at `time`, None where nothing was."""
    standing = lags.people.get(who, Standing(time))
    if lag is not None:
        others = [
            one.lag
            for name, one in lags.people.items()
            if name != who and one.lag is not None and time - one.measured <= RECENT_SECONDS
        ]
        standing = _taken(replace(standing, lag=lag, measured=time), time, lag, others)
    return Lags({**lags.people, who: standing})


def _taken(standing: Standing, time: float, lag: Lag, others: Sequence[Lag]) -> Standing:
    if not stands_out(lag, others):
        return replace(standing, since=None)
    since = time if standing.since is None else standing.since
    if time - since < HOLD_SECONDS:
        return replace(standing, since=since)
    told = Lagging(since - standing.began, lag, tuple(other.seconds for other in others))
    return replace(standing, since=since, told=told)


def shown(decision: Decision, told: Lagging | None) -> Decision:
    """Put what is said of a lag into the evidence of the detector that looks at lips; of a finding's changes, too."""
    if told is None:
        return decision
    said = {SHOWN: told.as_json()}
    scores = tuple(
        replace(score, evidence={**score.evidence, **said}) if score.aspect is Aspect.LIPS else score
        for score in decision.scores
    )
    evidence = dict(decision.evidence)
    if decision.transition is not None:
        names = [score.detector for score in scores if score.aspect is Aspect.LIPS]
        evidence |= {name: {**evidence.get(name, {}), **said} for name in names}
    return replace(decision, scores=scores, evidence=evidence)


def words(told: Mapping[str, Any]) -> str:
    """Say what `Lagging.as_json` gave as a sentence."""
    low, high = told["others_ms"]
    others = f"{low}" if low == high else f"{low} to {high}"
    return f"The voice lags its face by {told['ms']} ms, the others' by {others}."
