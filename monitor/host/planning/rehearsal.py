"""A plan rehearsed: the fleet it asks for, several times over with other random numbers, as means with intervals. Pure.

An interval of 95 % is Student's over the repetitions; it says how sure the simulation is of itself, not how sure it is
that its assumptions hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from math import inf, sqrt
from statistics import mean, stdev
from typing import Any, Final

from numpy.random import default_rng

from monitor.host.cluster.placement import places
from monitor.host.planning.demand import Demand, deaths, slowdowns, visits
from monitor.host.planning.fleet import simulate
from monitor.host.planning.model import Outcome, Placement, Routing, SimulatedFleet
from monitor.host.planning.sizing import FleetPlan

# Of the call that held and the next one, which did not: where between them a process begins to be late is not known.
BETWEEN: Final = 0.5
DEFAULT_WARM_SECONDS: Final = 3.0
# Student's 0.975 quantile by degrees of freedom, from 1 on.
STUDENT: Final = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
)
NORMAL: Final = 1.96
SECONDS_PER_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over repetitions, and between what 95 of 100 such means would lie; none of either for one repetition."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What became of everybody, named by what happened; seconds are for each hour of a participant.

    `refused_visits` is the share of those who came and were turned away at least once.
    """

    name: str
    repetitions: int
    deaths: float
    judged_share: Interval
    refused_visits: Interval
    refused: Interval
    shed: Interval
    unmonitored: Interval
    late: Interval
    light: Interval

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)


def fleet_of(plan: FleetPlan, routing: Routing = "call") -> SimulatedFleet:
    """Return the fleet that a plan asks for, spare machines included."""
    costs, cores = plan.costs, plan.assumed.machine_cores / plan.processes
    power = cores / plan.cores_each
    if costs.held is not None:
        power = min(power, (costs.held + BETWEEN) / costs.held_cores * cores)
    return SimulatedFleet(
        machines=plan.machines,
        processes=plan.processes,
        places=plan.places,
        power=power,
        cores=cores,
        cores_each=plan.cores_each,
        routing=routing,
        warm_seconds=costs.first_verdict_seconds or DEFAULT_WARM_SECONDS,
        light_saving=plan.assumed.light_saving,
    )


def demand_of(plan: FleetPlan) -> Demand:
    """Return who comes when nothing but the usual happens."""
    return Demand(live=plan.live, stay_seconds=60.0 * plan.assumed.stay_minutes, claimed=plan.assumed.claimed)


def scenarios(plan: FleetPlan, surge: float) -> dict[str, Demand]:
    """Return what is rehearsed: the usual, a machine that dies, and a share more who come at once."""
    usual = demand_of(plan)
    return {
        "as planned": usual,
        "a machine dies": replace(usual, dying_machines=1),
        f"{surge:.0%} more within five minutes": replace(usual, surge=surge),
    }


def rehearse(
    name: str,
    fleet: SimulatedFleet,
    demand: Demand,
    seconds: float,
    seeds: Sequence[int],
    place: Placement = places,
    done: Callable[[], None] = lambda: None,
) -> Rehearsal:
    """Simulate `seconds` once for each of the `seeds`; `done` is called after each."""
    outcomes: list[Outcome] = []
    for seed in seeds:
        random = default_rng(seed)
        coming = visits(demand, seconds, random)
        outcomes.append(
            simulate(
                fleet,
                list(coming),
                seconds,
                list(deaths(demand, fleet, seconds, random)),
                list(slowdowns(demand, fleet, seconds, random)),
                place,
                seed,
            )
        )
        done()
    return _summary(name, outcomes)


def _summary(name: str, outcomes: Sequence[Outcome]) -> Rehearsal:
    def hourly(seconds: Callable[[Outcome], float]) -> Interval:
        return interval([SECONDS_PER_HOUR * _share(seconds(one), one.offered_seconds) for one in outcomes])

    return Rehearsal(
        name=name,
        repetitions=len(outcomes),
        deaths=mean(one.deaths for one in outcomes),
        judged_share=interval([_share(one.judged_seconds, one.offered_seconds) for one in outcomes], 1.0),
        refused_visits=interval([_share(one.refused, one.visits) for one in outcomes], 1.0),
        refused=hourly(lambda one: one.refused_seconds),
        shed=hourly(lambda one: one.shed_seconds),
        unmonitored=hourly(lambda one: one.unmonitored_seconds),
        late=hourly(lambda one: one.late_seconds),
        light=hourly(lambda one: one.light_seconds),
    )


def interval(values: Sequence[float], most: float = inf) -> Interval:
    """Return the mean of independent repetitions with Student's interval, within what is possible: 0 to `most`."""
    middle = mean(values)
    if len(values) == 1:
        return Interval(middle, None, None)
    quantile = STUDENT[len(values) - 2] if len(values) - 2 < len(STUDENT) else NORMAL
    half = quantile * stdev(values) / sqrt(len(values))
    return Interval(middle, max(0.0, middle - half), min(most, middle + half))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
