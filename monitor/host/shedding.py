"""Who is not judged while the machine cannot judge everybody, and when they are taken back. Pure.

`advance(state, now, loads, machine)` is asked a few times a second. What it does: first everybody is judged lightly
(`monitor.session.session.Session.lighten`), before anybody is not judged at all. When at least two participants have
been late for two seconds, or lost media, as many are shed as the machine was too slow for, those without a claimed
identity first, and of these whoever joined last; nobody under suspicion before anybody else; never the last one, and
nobody who sends nothing. Where they began to be late as somebody came, as when a meeting begins for all at once, up to
six seconds are waited for that. One at a time is taken back, in the reverse order, after a calm that doubles with every
relapse, and is longer where the cores seem to have no room for one more; judging in full comes back last, in the same
way. Two invariants: nobody is shed or taken back within `settle_seconds` of the last change, and in a steady load
relapses come at intervals that double up to `max_calm_seconds`.

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
    """When to shed.

    `max_lag_seconds` is added to the age of a score, which is 0.7 s without it and may be 1.0: later than this is too
    late, and `calm_lag_seconds` is what a busy machine may need. `max_loop_delay_seconds` is the same of the event loop
    and `max_batch_wait_seconds` of the batches. Pressure must add up to `pressure_seconds` before somebody is shed: a
    shorter one only makes scores later, and a shed costs somebody ten seconds. To `arrival_pressure_seconds` where it
    began within `arrival_seconds` of somebody's first media, for as long as nothing is lost and the lag stays below
    `max_arrival_lag_seconds`: a session that begins has more to do for some seconds, and a meeting begins for everybody
    at once. Where the cores are busier than `max_cpu_share` would allow with one more, calm must last for
    `doubt_seconds`: a neighbour who uses what is free would give way. A shed within `probation_seconds` of a return is
    a relapse.

    Pressure of `light_seconds` is enough to judge everybody lightly, which takes `light_saving` off what they cost.
    """

    max_lag_seconds: float = 0.3
    calm_lag_seconds: float = 0.2
    max_loop_delay_seconds: float = 0.2
    max_batch_wait_seconds: float = 0.1
    pressure_seconds: float = 2.0
    arrival_seconds: float = 4.0
    arrival_pressure_seconds: float = 6.0
    max_arrival_lag_seconds: float = 1.5
    settle_seconds: float = 1.0
    calm_seconds: float = 5.0
    max_calm_seconds: float = 320.0
    doubt_seconds: float = 30.0
    probation_seconds: float = 30.0
    max_cpu_share: float = 0.85
    light_seconds: float = 0.5
    light_saving: float = 0.15


# A lag that falls by less than this, in seconds a second, stands.
MIN_LAG_FALL = 0.1
# Over which the fall and the growth of the lag are read.
TREND_SECONDS = 1.0
# Over which the share of the cores in use is averaged.
BUSY_SECONDS = 2.0
# Of those who are judged, at once.
MAX_SHED_SHARE = 0.75
# A longer time without a reading is a machine that slept, or was stopped.
MAX_STEP_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class ParticipantLoad:
    """How it went with one participant since the last reading.

    `joined` is lower for who came earlier. `lag_seconds` is how far judging is behind arrival. `judged` counts items
    that were judged, `dropped` those that were lost because the machine was too slow.
    """

    place: Place
    joined: int
    lag_seconds: float = 0.0
    judged: int = 0
    dropped: int = 0
    claimed: bool = False
    suspected: bool = False

    @property
    def sends_media(self) -> bool:
        """Whether there was anything to judge."""
        return bool(self.lag_seconds or self.judged or self.dropped)


@dataclass(frozen=True, slots=True)
class MachineLoad:
    """How it went with the machine since the last reading.

    `cpu_share` is the share of the cores in use, `loop_delay_seconds` by how much the event loop was late,
    `batch_wait_seconds` the 95th percentile of what requests wait in the batcher, `refused` how many it dropped.
    """

    cpu_share: float = 0.0
    loop_delay_seconds: float = 0.0
    batch_wait_seconds: float = 0.0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """Who is to be shed and who is to be judged again, mostly nobody; whether all are judged lightly from now on."""

    shed: tuple[Place, ...] = ()
    back: tuple[Place, ...] = ()
    light: bool | None = None

    @property
    def event(self) -> str | None:
        """What an operator is told; None where nothing changes."""
        if self.shed:
            return "too slow for everybody: some are paused"
        if self.back:
            return "room again for one who was paused"
        if self.light is not None:
            return "hardly keeps up: everybody is judged lightly" if self.light else "room again to judge in full"
        return None


@dataclass(frozen=True, slots=True)
class _Pressure:
    """What was judged and lost under pressure, which adds up to `seconds`; how far judging was behind at its start.

    `of_arrival` says that it began when somebody had just come.
    """

    seconds: float = 0.0
    of_arrival: bool = False
    judged: int = 0
    dropped: int = 0
    began: float = 0.0
    lag_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Shedding:
    """Everything remembered between readings; times are monotonic seconds.

    `lags` are the recent (time, lag). `wait_seconds` is how long calm must last before somebody is taken back,
    `tried_seconds` how long it had to when somebody last was, `cpu_share` the share of the cores in use of late.
    `light` says that everybody is judged lightly, `light_wait_seconds` how long calm must last before that ends.
    `present` are those whose media have come, of whom the last came at `arrived_at`.
    """

    config: SheddingConfig = field(default_factory=SheddingConfig)
    shed: frozenset[Place] = frozenset()
    read_at: float | None = None
    lags: tuple[tuple[float, float], ...] = ()
    pressure: _Pressure = field(default_factory=_Pressure)
    calm_seconds: float = 0.0
    cpu_share: float = 0.0
    wait_seconds: float = 5.0
    tried_seconds: float = 0.0
    shed_at: float = -math.inf
    back_at: float = -math.inf
    light: bool = False
    light_wait_seconds: float = 5.0
    full_at: float = -math.inf
    present: frozenset[Place] = frozenset()
    arrived_at: float = -math.inf

    @property
    def full(self) -> bool:
        """Whether nobody new is to be let in: somebody is shed, or is about to be."""
        return bool(self.shed) or self.pressure.seconds >= self.max_pressure_seconds / 2

    @property
    def max_pressure_seconds(self) -> float:
        """To how much the pressure of now must add up before somebody is shed."""
        config, pressure = self.config, self.pressure
        late = any(lag >= config.max_arrival_lag_seconds for _, lag in self.lags[-1:])
        is_waited_for = pressure.of_arrival and not pressure.dropped and not late
        return config.arrival_pressure_seconds if is_waited_for else config.pressure_seconds

    def without(self, place: Place) -> Shedding:
        """Forget one who left: there is more room than there was, so that the others need not wait for long."""
        return replace(self, shed=self.shed - {place}, wait_seconds=self.config.calm_seconds)


def initial(config: SheddingConfig | None = None) -> Shedding:
    """Begin with everybody judged."""
    chosen = config or SheddingConfig()
    return Shedding(chosen, wait_seconds=chosen.calm_seconds, light_wait_seconds=chosen.calm_seconds)


def advance(
    state: Shedding, now: float, loads: Sequence[ParticipantLoad], machine: MachineLoad
) -> tuple[Shedding, Change]:
    """Take the loads of everybody who is here, at `now` (monotonic seconds), and say what is to change."""
    judged = [load for load in loads if load.sends_media and load.place not in state.shed]
    idle = [load for load in loads if load.place in state.shed]
    state = _update_pressure(_note_arrivals(state, now, loads), now, judged, machine)
    if now - max(state.shed_at, state.back_at) < state.config.settle_seconds:
        return state, Change()
    if state.pressure.seconds >= state.max_pressure_seconds and len(judged) > 1:
        return _shed(state, now, judged)
    if not state.light and state.pressure.seconds >= state.config.light_seconds:
        return _lighten(state, now)
    patience = _patience(state, len(judged))
    if idle and state.calm_seconds >= patience:
        return _take_back(state, now, idle, patience)
    if state.light and not idle and state.calm_seconds >= _light_patience(state):
        # Calm is counted anew: it was one of light work.
        return replace(_reset(state), light=False, full_at=now), Change(light=False)
    return state, Change()


def _note_arrivals(state: Shedding, now: float, loads: Sequence[ParticipantLoad]) -> Shedding:
    """Note whose media are the first of theirs; whoever has left and comes again has come anew."""
    here = state.present & {load.place for load in loads}
    present = here | {load.place for load in loads if load.sends_media}
    return replace(state, present=present, arrived_at=now if present - here else state.arrived_at)


def _lighten(state: Shedding, now: float) -> tuple[Shedding, Change]:
    """Judge everybody lightly; pressure goes on, so that nobody is shed later for it where this is not enough."""
    relapsed = now - state.full_at <= state.config.probation_seconds
    wait = min(2.0 * state.light_wait_seconds, state.config.max_calm_seconds) if relapsed else state.light_wait_seconds
    return replace(state, light=True, light_wait_seconds=wait), Change(light=True)


def _light_patience(state: Shedding) -> float:
    """How long calm must have lasted before everybody is judged in full."""
    has_room = state.cpu_share <= state.config.max_cpu_share * (1.0 - state.config.light_saving)
    return state.light_wait_seconds if has_room else max(state.light_wait_seconds, state.config.doubt_seconds)


def _update_pressure(state: Shedding, now: float, judged: Sequence[ParticipantLoad], machine: MachineLoad) -> Shedding:
    """Add this reading to the pressure or to the calm; it counts as neither while a change works itself out."""
    config, lag = state.config, _lag(judged)
    step = 0.0 if state.read_at is None else min(max(now - state.read_at, 0.0), MAX_STEP_SECONDS)
    recent = tuple((at, lag) for at, lag in state.lags if at >= now - TREND_SECONDS - 1e-6)
    state = replace(state, read_at=now, lags=(*recent, (now, lag)))
    if now - max(state.shed_at, state.back_at) < config.settle_seconds:
        return state
    lost = sum(load.dropped > 0 for load in judged) > 1 or machine.refused > 0
    slow = (
        machine.loop_delay_seconds >= config.max_loop_delay_seconds
        or machine.batch_wait_seconds >= config.max_batch_wait_seconds
    )
    if lost or slow or (lag >= config.max_lag_seconds and _slope(*state.lags[0], now, lag) > -MIN_LAG_FALL):
        items, dropped = sum(load.judged for load in judged), sum(load.dropped for load in judged)
        of_arrival = now - state.arrived_at <= config.arrival_seconds
        before = state.pressure if state.pressure.seconds else _Pressure(0.0, of_arrival, began=now, lag_seconds=lag)
        pressure = replace(
            before, seconds=before.seconds + step, judged=before.judged + items, dropped=before.dropped + dropped
        )
        return replace(state, pressure=pressure, calm_seconds=0.0, cpu_share=0.0)
    remaining = max(0.0, state.pressure.seconds - step)
    pressure = replace(state.pressure, seconds=remaining) if remaining else _Pressure()
    if remaining or _lag_for_one_more(judged) > config.calm_lag_seconds:
        return replace(state, pressure=pressure)
    calm = state.calm_seconds + step
    weight = step / max(step, min(calm, BUSY_SECONDS)) if calm else 0.0
    return replace(
        state,
        pressure=pressure,
        calm_seconds=calm,
        cpu_share=state.cpu_share + weight * (machine.cpu_share - state.cpu_share),
    )


def _lag(judged: Iterable[ParticipantLoad]) -> float:
    """How late the machine is: as late as the second latest, because one alone is too heavy by itself.

    Whoever is drops media of their own and harms nobody.
    """
    lags = sorted(load.lag_seconds for load in judged)
    return lags[-2] if len(lags) > 1 else 0.0


def _lag_for_one_more(judged: Sequence[ParticipantLoad]) -> float:
    """How late the machine is when it is asked whether one more has room: alone, one is late because of the machine."""
    return judged[0].lag_seconds if len(judged) == 1 else _lag(judged)


def _slope(then: float, before: float, now: float, lag: float) -> float:
    """Seconds by which the lag has grown for each second: the share of media that was not judged."""
    return (lag - before) / (now - then) if now > then else 0.0


def _shed(state: Shedding, now: float, judged: Sequence[ParticipantLoad]) -> tuple[Shedding, Change]:
    pressure = state.pressure
    lost = pressure.dropped / (pressure.judged + pressure.dropped) if pressure.dropped else 0.0
    share = max(lost, _slope(pressure.began, pressure.lag_seconds, now, _lag(judged)))
    # Not nearly all of them: what is lost is an estimate, and the next one comes soon.
    count = max(1, min(math.ceil(len(judged) * share), int(MAX_SHED_SHARE * len(judged))))
    chosen = tuple(load.place for load in sorted(judged, key=_shed_order)[:count])
    relapsed = now - state.back_at <= state.config.probation_seconds
    wait = (
        min(2.0 * max(state.wait_seconds, state.tried_seconds), state.config.max_calm_seconds)
        if relapsed
        else state.wait_seconds
    )
    state = replace(state, shed=state.shed | set(chosen), wait_seconds=wait, shed_at=now)
    return _reset(state), Change(shed=chosen)


def _take_back(
    state: Shedding, now: float, idle: Sequence[ParticipantLoad], patience: float
) -> tuple[Shedding, Change]:
    chosen = max(idle, key=_shed_order).place
    # The last return has lasted: the next may come sooner. By less than a relapse adds, because that may shed several.
    wait = (
        max(state.config.calm_seconds, 0.75 * state.wait_seconds)
        if state.back_at > state.shed_at
        else state.wait_seconds
    )
    state = replace(state, shed=state.shed - {chosen}, wait_seconds=wait, tried_seconds=patience, back_at=now)
    return _reset(state), Change(back=(chosen,))


def _shed_order(reading: ParticipantLoad) -> tuple[bool, bool, int]:
    """Order by who is shed first."""
    return reading.suspected, reading.claimed, -reading.joined


def _patience(state: Shedding, judged: int) -> float:
    """How long calm must have lasted before one more is judged."""
    if judged == 0:
        return 0.0
    has_room = state.cpu_share * (judged + 1) / judged <= state.config.max_cpu_share
    return state.wait_seconds if has_room else max(state.wait_seconds, state.config.doubt_seconds)


def _reset(state: Shedding) -> Shedding:
    return replace(state, pressure=_Pressure(), lags=(), calm_seconds=0.0, cpu_share=0.0)
