"""How many participants still fit, and how many hosts would suit those there are: hints for whoever scales. Pure.

What a participant costs is measured on the hosts that keep up: one that sheds, or judges everybody lightly, shows less
than its participants cost. How many hosts are wanted follows with a delay in both directions, as an autoscaler wants
it: up when so many were wanted for all of the last `UP_SECONDS`, down when no more were for all of `DOWN_SECONDS`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

# How often it is looked at, at the most.
LOOK_SECONDS = 5.0
# What was measured counts by 1/e after so long.
SMOOTH_SECONDS = 60.0
UP_SECONDS = 30.0
DOWN_SECONDS = 300.0
# Cores that a participant costs at the least; and what a quotient may be off.
LEAST_COST, EPSILON = 0.001, 1e-9


@dataclass(frozen=True, slots=True)
class HostLoad:
    """One host that judges: the cores that it may use and does use, None before that is measured.

    `strained` says that it does not do all the work that there is: it sheds, judges lightly, or takes nobody new.
    """

    cores: float
    used: float | None
    participants: int
    strained: bool = False


@dataclass(frozen=True, slots=True)
class Hints:
    """What an autoscaler may go by; None where nothing was measured yet. `participants_fit` are more than there are."""

    cores_per_participant: float | None = None
    participants_fit: int | None = None
    hosts_wanted: int | None = None


@dataclass(frozen=True, slots=True)
class Sizing:
    """What was measured, and how many hosts were wanted lately: when, and how many, the oldest first.

    `target` is the share of the cores of a host that participants are to use.
    """

    target: float = 0.7
    looked: float = -math.inf
    cost: float | None = None
    lately: tuple[tuple[float, int], ...] = ()
    hints: Hints = Hints()

    def due(self, now: float) -> bool:
        """Whether it is time to look again."""
        return now - self.looked >= LOOK_SECONDS

    def look(self, now: float, hosts: Sequence[HostLoad], room: int) -> Sizing:
        """Look at the hosts that judge; `room` is how many more participants the settings allow."""
        cost = self._cost(now, hosts)
        if cost is None or not hosts:
            return replace(self, looked=now, cost=cost)
        fit = sum(_fit(host, self.target, cost) for host in hosts)
        each = sum(host.cores for host in hosts) / len(hosts)
        raw = math.ceil(sum(host.participants for host in hosts) * cost / (self.target * each) - EPSILON)
        lately = (*((at, n) for at, n in self.lately if now - at <= DOWN_SECONDS), (now, raw))
        wanted = _wanted(now, lately, self.hints.hosts_wanted)
        return Sizing(self.target, now, cost, lately, Hints(round(cost, 3), min(fit, max(0, room)), wanted))

    def _cost(self, now: float, hosts: Sequence[HostLoad]) -> float | None:
        """Return the cores that a participant costs, as measured now and before."""
        able = [host for host in hosts if host.used is not None and host.participants and not host.strained]
        if not able:
            return self.cost
        measured = sum(host.used or 0.0 for host in able) / sum(host.participants for host in able)
        if self.cost is None:
            return measured
        return self.cost + (measured - self.cost) * (1.0 - math.exp(-(now - self.looked) / SMOOTH_SECONDS))


def _fit(host: HostLoad, target: float, cost: float) -> int:
    """Return how many more fit on a host; a participant is on one of them, so what is left on two is not one place."""
    if host.strained:
        return 0
    return max(0, math.floor(target * host.cores / max(cost, LEAST_COST) + EPSILON) - host.participants)


def _wanted(now: float, lately: Sequence[tuple[float, int]], before: int | None) -> int:
    """Return how many hosts are wanted, given how many were wanted at each look of `DOWN_SECONDS`."""
    if before is None:
        return lately[-1][1]
    seconds = now - lately[0][0] + LOOK_SECONDS
    up = min(n for at, n in lately if now - at <= UP_SECONDS) if seconds >= UP_SECONDS else 0
    # Neither before there is a whole span to look back on.
    down = max(n for _, n in lately) if seconds >= DOWN_SECONDS else before
    return max(up, min(before, down))
