"""What a simulated fleet is made of, what happens to it, and what became of everybody. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from monitor.host.cluster.placement import HostView

# How a machine is chosen: by a hash of the call's name, or of the participant's with it, as a router without memory
# does; or by where the call is, and else where there is most room, which takes something that knows every machine.
Routing = Literal["call", "participant", "least"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedFleet:
    """The machines, each with `places` for participants and so many `processes` that judge.

    A process has `cores`, and can judge `power` participants of weight 1 in time, who take `cores_each`. A death is
    noticed after `notice_seconds`, and whoever was there publishes again `rejoin_seconds` later. A verdict takes
    `warm_seconds`. Who is refused asks again after `retry_seconds`, or `pressed_retry_seconds` where a machine is too
    slow. Media wait for `backlog_seconds` at most. Judging lightly takes `light_saving` off what everybody costs.
    """

    machines: int
    processes: int
    places: int
    power: float
    cores_each: float
    cores: float = 1.0
    routing: Routing = "call"
    notice_seconds: float = 2.0
    rejoin_seconds: float = 2.0
    warm_seconds: float = 2.3
    retry_seconds: float = 5.0
    pressed_retry_seconds: float = 15.0
    backlog_seconds: float = 2.0
    light_saving: float = 0.0


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who wants to be judged from `at` on for `seconds`; `weight` is their cost against the mean."""

    at: float
    seconds: float
    call: str
    name: str
    weight: float = 1.0
    claimed: bool = False


@dataclass(frozen=True, slots=True)
class Death:
    """A process, or with None every process of a machine, is gone from `at` on for `seconds`."""

    at: float
    machine: int
    process: int | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Slowdown:
    """A neighbour leaves a machine `share` of its power from `at` on for `seconds`."""

    at: float
    machine: int
    share: float
    seconds: float


# Gives the numbers of a machine's hosts on which one more of a call may be judged, the best first.
Placement = Callable[[Sequence[HostView], str], Sequence[int]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of everybody; seconds of participants, which add up to those offered.

    Of the `visits` that began after 0, `refused` were turned away at least once; `refused_seconds` are what all who
    were turned away waited. `late_seconds` and `light_seconds` are among those judged: scores were more than a second
    old; everybody on the host was judged lightly. What is unmonitored begins with the death of a host and ends with the
    first verdict of another.
    """

    visits: int
    refused: int
    sheds: int
    deaths: int
    judged_seconds: float
    warming_seconds: float
    late_seconds: float
    light_seconds: float
    refused_seconds: float
    shed_seconds: float
    unmonitored_seconds: float

    @property
    def offered_seconds(self) -> float:
        """How long everybody was there, judged or not."""
        seconds = self.judged_seconds + self.warming_seconds + self.refused_seconds
        return seconds + self.shed_seconds + self.unmonitored_seconds
