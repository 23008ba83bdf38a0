"""Who is not judged while the machine cannot judge everybody, and when they are taken back. Pure.

`advance(state, now, readings, strain)` is asked a few times a second. What it does: when at least two participants have
been late for two seconds, or lost media, as many are shed as the machine was too slow for, those without a claimed
identity first, and of these whoever joined last; nobody under suspicion before anybody else; never the last one, and
nobody who sends nothing. One at a time is taken back, in the reverse order, after a calm that doubles with every
relapse, and is longer where the cores seem to have no room for one more. Two invariants: nobody is shed or taken back
within `settle` of the last change, and in a steady load relapses come at intervals that double up to `calm_most`.

Who is shed follows from load and from what was decided before, never from media that were not judged: to the sequential
decision a shed participant is one whose windows are not looked at.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class SheddingConfig:
    """When to shed; seconds, and shares of the cores.

    `behind` is added to the age of a score, which is 0.7 s without it and may be 1.0: later than this is too late, and
    `ease` is what a busy machine may need. `late` is the same of the event loop and `waited` of the batches. Pressure
    must add up to `hold` before somebody is shed: a shorter one only makes scores later, and a shed costs somebody ten
    seconds. Without `room` calm must last for `doubt`: a neighbour who uses what is free would give way. A shed within
    `probation` of a return is a relapse.
    """

    behind: float = 0.3
    ease: float = 0.2
    late: float = 0.2
    waited: float = 0.1
    hold: float = 2.0
    settle: float = 1.0
    calm: float = 5.0
    calm_most: float = 320.0
    doubt: float = 30.0
    probation: float = 30.0
    room: float = 0.85


# A lag that falls by less than this, in seconds a second, stands.
FALL = 0.1
# Over which the fall and the growth of the lag are read.
TREND_SECONDS = 1.0
# Over which the share of the cores in use is averaged.
BUSY_SECONDS = 2.0
# Of those who are judged, at once.
MOST_SHARE = 0.75
# A longer time without a reading is a machine that slept, or was stopped.
MOST_STEP = 2.0


@dataclass(frozen=True, slots=True)
class Reading:
    """How one participant has fared since the last reading.

    `joined` is lower for who came earlier. `lag` is how many seconds judging is behind arrival. `taken` counts items
    that were judged, `dropped` those that were lost because the machine was too slow.
    """

    place: Place
    joined: int
    lag: float = 0.0
    taken: int = 0
    dropped: int = 0
    claimed: bool = False
    suspected: bool = False

    @property
    def weighs(self) -> bool:
        """Whether there was anything to judge."""
        return bool(self.lag or self.taken or self.dropped)


@dataclass(frozen=True, slots=True)
class Strain:
    """How the machine has fared since the last reading.

    `busy` is the share of the cores in use, `late` by how many seconds the event loop was, `waited` the 95th
    percentile in seconds of what requests wait in the batcher, `refused` how many of them it dropped.
    """

    busy: float = 0.0
    late: float = 0.0
    waited: float = 0.0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """Who is to be shed and who is to be judged again; mostly nobody."""

    shed: tuple[Place, ...] = ()
    back: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class _Toll:
    """What was judged and lost while there was pressure, which has added up to `seconds`; how late it was at first."""

    seconds: float = 0.0
    taken: int = 0
    dropped: int = 0
    at: float = 0.0
    lag: float = 0.0


@dataclass(frozen=True, slots=True)
class Shedding:
    """Everything remembered between readings.

    `wait` is how long calm must last before somebody is taken back, `tried` how long it had to when somebody last was,
    `busy` the share of the cores in use of late.
    """

    config: SheddingConfig = field(default_factory=SheddingConfig)
    shed: frozenset[Place] = frozenset()
    at: float | None = None
    lags: tuple[tuple[float, float], ...] = ()
    toll: _Toll = field(default_factory=_Toll)
    calm: float = 0.0
    busy: float = 0.0
    wait: float = 5.0
    tried: float = 0.0
    shed_at: float = -math.inf
    back_at: float = -math.inf

    @property
    def full(self) -> bool:
        """Whether nobody new is to be let in: somebody is shed, or is about to be."""
        return bool(self.shed) or self.toll.seconds >= self.config.hold / 2

    def without(self, place: Place) -> Shedding:
        """Forget one who left: there is more room than there was, so that the others need not wait for long."""
        return replace(self, shed=self.shed - {place}, wait=self.config.calm)


def initial(config: SheddingConfig | None = None) -> Shedding:
    """Begin with everybody judged."""
    chosen = config or SheddingConfig()
    return Shedding(chosen, wait=chosen.calm)


def advance(state: Shedding, now: float, readings: Sequence[Reading], strain: Strain) -> tuple[Shedding, Change]:
    """Take the readings of everybody who is here, at `now` (monotonic seconds), and say who is shed or taken back."""
    judged = [each for each in readings if each.weighs and each.place not in state.shed]
    idle = [each for each in readings if each.place in state.shed]
    state = _weigh(state, now, judged, strain)
    if now - max(state.shed_at, state.back_at) < state.config.settle:
        return state, Change()
    if state.toll.seconds >= state.config.hold and len(judged) > 1:
        return _shed(state, now, judged)
    patience = _patience(state, len(judged))
    if idle and state.calm >= patience:
        return _take_back(state, now, idle, patience)
    return state, Change()


def _weigh(state: Shedding, now: float, judged: Sequence[Reading], strain: Strain) -> Shedding:
    """Add this reading to the pressure or to the calm; it counts as neither while a change works itself out."""
    config, lag = state.config, _lag(judged)
    step = 0.0 if state.at is None else min(max(now - state.at, 0.0), MOST_STEP)
    recent = tuple(each for each in state.lags if each[0] >= now - TREND_SECONDS - 1e-6)
    state = replace(state, at=now, lags=(*recent, (now, lag)))
    if now - max(state.shed_at, state.back_at) < config.settle:
        return state
    lost = sum(each.dropped > 0 for each in judged) > 1 or strain.refused > 0
    slow = strain.late >= config.late or strain.waited >= config.waited
    if lost or slow or (lag >= config.behind and _slope(*state.lags[0], now, lag) > -FALL):
        taken, dropped = sum(each.taken for each in judged), sum(each.dropped for each in judged)
        was = state.toll if state.toll.seconds else _Toll(at=now, lag=lag)
        toll = replace(was, seconds=was.seconds + step, taken=was.taken + taken, dropped=was.dropped + dropped)
        return replace(state, toll=toll, calm=0.0, busy=0.0)
    left = max(0.0, state.toll.seconds - step)
    toll = replace(state.toll, seconds=left) if left else _Toll()
    if left or _worst(judged) > config.ease:
        return replace(state, toll=toll)
    calm = state.calm + step
    weight = step / max(step, min(calm, BUSY_SECONDS)) if calm else 0.0
    return replace(state, toll=toll, calm=calm, busy=state.busy + weight * (strain.busy - state.busy))


def _lag(judged: Iterable[Reading]) -> float:
    """How late the machine is: as late as the second latest, because one alone is too heavy by itself.

    Whoever is drops media of their own and harms nobody.
    """
    lags = sorted(each.lag for each in judged)
    return lags[-2] if len(lags) > 1 else 0.0


def _worst(judged: Sequence[Reading]) -> float:
    """How late the machine is when it is asked whether one more has room: alone, one is late because of the machine."""
    return judged[0].lag if len(judged) == 1 else _lag(judged)


def _slope(then: float, before: float, now: float, lag: float) -> float:
    """Seconds by which the lag has grown for each second: the share of media that was not judged."""
    return (lag - before) / (now - then) if now > then else 0.0


def _shed(state: Shedding, now: float, judged: Sequence[Reading]) -> tuple[Shedding, Change]:
    toll = state.toll
    lost = toll.dropped / (toll.taken + toll.dropped) if toll.dropped else 0.0
    share = max(lost, _slope(toll.at, toll.lag, now, _lag(judged)))
    # Not nearly all of them: what is lost is an estimate, and the next one comes soon.
    count = max(1, min(math.ceil(len(judged) * share), int(MOST_SHARE * len(judged))))
    chosen = tuple(each.place for each in sorted(judged, key=_rank)[:count])
    relapsed = now - state.back_at <= state.config.probation
    wait = min(2.0 * max(state.wait, state.tried), state.config.calm_most) if relapsed else state.wait
    state = replace(state, shed=state.shed | set(chosen), wait=wait, shed_at=now)
    return _afresh(state), Change(shed=chosen)


def _take_back(state: Shedding, now: float, idle: Sequence[Reading], patience: float) -> tuple[Shedding, Change]:
    chosen = max(idle, key=_rank).place
    # The last return has lasted: the next may come sooner. By less than a relapse adds, because that may shed several.
    wait = max(state.config.calm, 0.75 * state.wait) if state.back_at > state.shed_at else state.wait
    state = replace(state, shed=state.shed - {chosen}, wait=wait, tried=patience, back_at=now)
    return _afresh(state), Change(back=(chosen,))


def _rank(reading: Reading) -> tuple[bool, bool, int]:
    """Order by who is shed first."""
    return reading.suspected, reading.claimed, -reading.joined


def _patience(state: Shedding, judged: int) -> float:
    """How long calm must have lasted before one more is judged."""
    if judged == 0:
        return 0.0
    has_room = state.busy * (judged + 1) / judged <= state.config.room
    return state.wait if has_room else max(state.wait, state.config.doubt)


def _afresh(state: Shedding) -> Shedding:
    return replace(state, toll=_Toll(), lags=(), calm=0.0, busy=0.0)
