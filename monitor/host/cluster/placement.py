"""On which host somebody is to be judged. Pure.

Whoever is judged already stays where they are: they publish anew there, because what is known of them and of whose
place it is, is there. Otherwise the hosts are tried in this order: those that are not too slow for one more; those
that are not about to be let go; the one that has the others of the call, as long as it is at ease with one more; the
one with the fewest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

# On one core: so many are judged at ease, and a call of so many stays together. Beyond, spreading gains more than being
# together does: hosts of one machine share no batches.
AT_EASE = 2


@dataclass(frozen=True, slots=True)
class HostView:
    """One host as whoever places sees it.

    `judged` are those on it, and those who are about to be; `calls` the same by call. `full` says that it is too slow
    for one more, `open` that it takes anybody at all, `stale` that it is to be let go soon.
    """

    number: int
    open: bool = True
    full: bool = False
    judged: int = 0
    calls: Mapping[str, int] = field(default_factory=dict)
    cores: float = 1.0
    stale: bool = False


def places(hosts: Iterable[HostView], call: str) -> list[int]:
    """Return the numbers of the hosts on which one more of a call may be judged, the best first."""
    return [host.number for host in sorted((one for one in hosts if one.open), key=lambda one: _order(one, call))]


def _order(host: HostView, call: str) -> tuple[bool, bool, bool, float, int]:
    together = host.calls.get(call, 0) > 0 and host.judged + 1 <= AT_EASE * host.cores
    return host.full, host.stale, not together, host.judged / host.cores, host.number


def share(hosts: Iterable[HostView], held: Mapping[int, int]) -> int | None:
    """Return the number of the host that gets one more way into calls: that with the fewest; None without any.

    One that is to be let go soon gets none while there is another. `held` is how many each host has.
    """
    able = ((one.stale, held.get(one.number, 0), one.judged, one.number) for one in hosts if one.open)
    return min(able, default=(False, 0, 0, None))[3]
