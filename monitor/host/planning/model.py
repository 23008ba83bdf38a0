"""What a simulated fleet is made of, what happens to it, and what became of everybody. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The hosts: `processes` on each of `machines`, each with `places`.

    A process can judge `power` participants of weight 1 in time; each takes `cpu_share_each` of its cores. A death is
    noticed after `notice_seconds`, and whoever was there publishes again `rejoin_seconds` later. A verdict takes
    `warm_seconds`. Who is refused asks again after `retry_seconds`, or `pressed_retry_seconds` where a host is too
    slow. Media wait for `backlog_seconds` at most.
    """

    machines: int
    processes: int
    places: int
    power: float
    cpu_share_each: float
    notice_seconds: float = 2.0
    rejoin_seconds: float = 2.0
    warm_seconds: float = 2.3
    retry_seconds: float = 5.0
    pressed_retry_seconds: float = 15.0
    backlog_seconds: float = 2.0


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


@dataclass(frozen=True, slots=True)
class HostView:
    """What a placement knows of a host; `with_call` says whether somebody of the call is there."""

    number: int
    held: int
    places: int
    takes: bool
    with_call: bool


class Placement(Protocol):
    """Says where one more of a call goes."""

    def __call__(self, hosts: Sequence[HostView], /) -> int | None:
        """Return the number of a host that takes somebody, None where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of everybody; seconds of participants, which add up to those offered.

    Of the `visits` that began after 0, `refused` were turned away at least once; `refused_seconds` are what all who
    were turned away waited. `late_seconds` are among those judged: scores were more than a second old. What is
    unmonitored begins with the death of a host and ends with the first verdict of another.
    """

    visits: int
    refused: int
    sheds: int
    deaths: int
    judged_seconds: float
    warming_seconds: float
    late_seconds: float
    refused_seconds: float
    shed_seconds: float
    unmonitored_seconds: float

    @property
    def offered_seconds(self) -> float:
        """How long everybody was there, judged or not."""
        seconds = self.judged_seconds + self.warming_seconds + self.refused_seconds
        return seconds + self.shed_seconds + self.unmonitored_seconds


def together(hosts: Sequence[HostView]) -> int | None:
    """Place where the call is already, else where most places are free."""
    open_hosts = [host for host in hosts if host.takes and host.held < host.places]
    if not open_hosts:
        return None
    return min(open_hosts, key=lambda host: (not host.with_call, host.held - host.places, host.number)).number
