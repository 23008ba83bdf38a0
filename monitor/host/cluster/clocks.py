"""Times of a machine on the clock of another: what is remembered says when, in monotonic seconds. Pure.

Processes of one machine have one such clock; of a host elsewhere it is known, to the length of a greeting, by how much
its clock is behind.
"""

from __future__ import annotations

from dataclasses import replace

from monitor.decision.rejoin import Join
from monitor.host.departed import Departed, Past


def departed_moved(departed: Departed, by: float) -> Departed:
    """Return one who left, as told by a clock that is `by` seconds ahead."""
    return replace(departed, left=departed.left + by, joins=_joins(departed.joins, by)) if by else departed


def past_moved(past: Past, by: float) -> Past:
    """Return what is known of one who joins, as told by a clock that is `by` seconds ahead."""
    return replace(past, joins=_joins(past.joins, by)) if by else past


def _joins(joins: tuple[Join, ...], by: float) -> tuple[Join, ...]:
    return tuple(replace(join, at=join.at + by) for join in joins)
