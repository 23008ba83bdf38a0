"""Who comes to a fleet, what dies and what slows it, drawn at random. Pure: the same generator gives the same.

Calls begin at random (a Poisson process) and bring several people within seconds of each other, who stay for times
that are distributed exponentially; at the beginning as many are there as will be on average. What a participant costs
against the mean is spread lognormally. None of this was measured on a platform: it is what a simulation assumes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import log, sqrt
from typing import Final

from numpy.random import Generator

from monitor.host.planning.model import Death, SimulatedFleet, Slowdown, Visit

# Those who are there at the beginning came so long before: nobody warms up in what is counted.
LEAD_SECONDS: Final = 10.0
JOIN_SECONDS: Final = 20.0
DAY_SECONDS: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Who comes, and what goes wrong.

    `live` are there on average, for `stay_seconds` each, in calls of `call_size`. `surge`, a share of them, comes
    besides, evenly within `surge_seconds` from a third of the time on. A process dies `deaths_per_month` times, for
    `restart_seconds`; a third into it `dying_machines` die for `repair_seconds`. A neighbour slows a machine
    `slowdowns_per_day` times to `slow_share` for `slow_seconds`.
    """

    live: int
    stay_seconds: float = 1800.0
    call_size: float = 4.0
    spread: float = 0.15
    claimed: float = 1.0
    surge: float = 0.0
    surge_seconds: float = 300.0
    deaths_per_month: float = 1.0
    restart_seconds: float = 5.0
    dying_machines: int = 0
    repair_seconds: float = 300.0
    slowdowns_per_day: float = 2.0
    slow_share: float = 0.6
    slow_seconds: float = 60.0


def visits(demand: Demand, seconds: float, random: Generator) -> Iterator[Visit]:
    """Draw everybody who is there at some time."""
    yield from _people(demand, "here", demand.live, -LEAD_SECONDS, 0.0, random)
    coming = random.poisson(demand.live * seconds / demand.stay_seconds)
    yield from _people(demand, "new", int(coming), 0.0, seconds, random)
    more = round(demand.surge * demand.live)
    yield from _people(demand, "surge", more, seconds / 3.0, demand.surge_seconds, random)


def _people(demand: Demand, kind: str, count: int, begin: float, within: float, random: Generator) -> Iterator[Visit]:
    """Draw so many people in calls that begin within a time; the last call may be cut."""
    if not count:
        return
    sizes = random.geometric(1.0 / demand.call_size, size=count).tolist()
    begins = random.uniform(0.0, within, size=count).tolist() if within else [0.0] * count
    joins = random.uniform(0.0, JOIN_SECONDS, size=count).tolist() if within else [0.0] * count
    stays = random.exponential(demand.stay_seconds, size=count).tolist()
    sigma = sqrt(log(1.0 + demand.spread**2))
    weights = random.lognormal(-(sigma**2) / 2.0, sigma, size=count).tolist()
    claimed = (random.random(count) < demand.claimed).tolist()
    call, left = 0, sizes[0]
    for number in range(count):
        if not left:
            call, left = call + 1, sizes[call + 1]
        left -= 1
        at = begin + begins[call] + joins[number]
        yield Visit(at, stays[number], f"{kind}-{call}", str(number), weights[number], claimed[number])


def deaths(demand: Demand, fleet: SimulatedFleet, seconds: float, random: Generator) -> Iterator[Death]:
    """Draw which processes and machines die, and when."""
    hosts = fleet.machines * fleet.processes
    expected = hosts * demand.deaths_per_month * seconds / (30.0 * DAY_SECONDS)
    for _ in range(int(random.poisson(expected))):
        machine, process = int(random.integers(fleet.machines)), int(random.integers(fleet.processes))
        yield Death(float(random.uniform(0.0, seconds)), machine, process, demand.restart_seconds)
    dying = min(demand.dying_machines, fleet.machines)
    for machine in random.choice(fleet.machines, size=dying, replace=False).tolist():
        yield Death(seconds / 3.0, machine, None, demand.repair_seconds)


def slowdowns(demand: Demand, fleet: SimulatedFleet, seconds: float, random: Generator) -> Iterator[Slowdown]:
    """Draw which machines are slowed by neighbours, and when."""
    expected = fleet.machines * demand.slowdowns_per_day * seconds / DAY_SECONDS
    for _ in range(int(random.poisson(expected))):
        machine = int(random.integers(fleet.machines))
        yield Slowdown(float(random.uniform(0.0, seconds)), machine, demand.slow_share, demand.slow_seconds)
