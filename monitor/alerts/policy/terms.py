"""What holds for somebody who is in several groups: the stricter of what they say. Pure.

Stricter protects more: more false alerts are accepted and so alerts come sooner, more detectors count, windows are
shorter, more are told, more is done, what is unverified is told sooner. Two things are decided for whoever is suspected
by mistake: an action that one group wants confirmed is confirmed, and where a group says nothing of a number, it leaves
it to the others. A group that is quiet or cools down holds back what it would do itself and nobody else's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from monitor.alerts.policy.quiet import is_quiet, told_when_quiet
from monitor.alerts.policy.rules import NO_SINK, Action, ActionName, Group, Kind, Level, Policy, Sinks, Subject

# Of an episode of no group: everybody is told of an alert, as without a policy.
WITHOUT_GROUP = Group("", levels={Kind.FINDING: Level()})

COOL_DOWN, QUIET = "cool_down", "quiet_hours"


@dataclass(frozen=True, slots=True)
class Order:
    """An action that is due; `dry_run` where it is only noted down."""

    action: ActionName
    confirm: bool
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be done about an episode now: who is told, what is done, and which groups hold something back, why.

    `by` are the groups that tell or do something now.
    """

    notify: Sinks = NO_SINK
    orders: tuple[Order, ...] = ()
    held: Mapping[str, str] = field(default_factory=dict)
    by: tuple[str, ...] = ()
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for somebody; numbers are None where the settings of the server hold."""

    groups: tuple[Group, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the groups."""
        return tuple(group.name for group in self.groups)

    @property
    def false_alerts_per_hour(self) -> float | None:
        """The most that a group accepts."""
        return max(_said(group.false_alerts_per_hour for group in self.groups), default=None)

    @property
    def window_seconds(self) -> float | None:
        """The shortest window."""
        return min(_said(group.window_seconds for group in self.groups), default=None)

    @property
    def detectors(self) -> frozenset[str] | None:
        """Those that count for one group or another; None where every one does."""
        named = [group.detectors for group in self.groups if group.detectors is not None]
        return frozenset().union(*named) if named and len(named) == len(self.groups) else None

    @property
    def unverified_after_seconds(self) -> float | None:
        """After how long without a verdict somebody protected is told to be unverified."""
        return min(_said(group.unverified_after_seconds for group in self.groups), default=None)

    def concerns(self, kind: Kind) -> bool:
        """Whether an episode of this kind is anything that is told or acted on."""
        return any(kind in group.levels for group in self._acting)

    def due(self, kind: Kind, now: datetime, done: Mapping[str, datetime]) -> Due:
        """Return what is to be done about an episode; `done` says when each group last did something about one."""
        notify, held, by, dry = NO_SINK, {}, [], True
        found: dict[ActionName, list[tuple[Action, bool]]] = {}
        for group in self._acting:
            level = group.levels.get(kind)
            if level is None:
                continue
            last = done.get(group.name)
            if last is not None and now - last < timedelta(seconds=group.cool_down_seconds):
                held[group.name] = COOL_DOWN
                continue
            told = level.notify
            if group.quiet is not None and is_quiet(group.quiet, now):
                told = told_when_quiet(group.quiet, kind, level.notify)
                if not told.covers(level.notify):
                    held[group.name] = QUIET
            notify, dry = notify | told, dry and group.dry_run
            by.append(group.name)
            for action in level.actions:
                found.setdefault(action.name, []).append((action, group.dry_run))
        orders = tuple(_order(name, wanted) for name, wanted in found.items())
        return Due(notify, orders, held, tuple(by), bool(by) and dry)

    @property
    def _acting(self) -> tuple[Group, ...]:
        return self.groups or (WITHOUT_GROUP,)


def terms_of(policy: Policy, subject: Subject) -> Terms:
    """Return what holds for somebody."""
    return Terms(policy.of(subject))


def _order(name: ActionName, wanted: list[tuple[Action, bool]]) -> Order:
    real = [action for action, dry in wanted if not dry]
    counting = real or [action for action, _ in wanted]
    return Order(name, any(action.confirm for action in counting), not real)


def _said(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]
