"""The rules of a policy as values: groups of people and calls, and what is done about each. Pure.

`document` reads them from a file, `terms` says which hold for somebody, `evaluate` what follows from them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from enum import StrEnum
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|min|h|d)\s*")
UNIT_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


class Kind(StrEnum):
    """What an entry of the journal is about: an alert, or one of the two that a policy alone makes."""

    FINDING = "finding"
    SUSPICION = "suspicion"
    UNVERIFIED = "unverified"


class ActionName(StrEnum):
    """What can be done about somebody, beside telling."""

    ASK_TO_VERIFY = "ask_to_verify"
    MUTE = "mute"
    REMOVE = "remove"
    END_CALL = "end_call"


# What changes the call itself: by whoever brought its media here.
OF_THE_CALL = frozenset({ActionName.MUTE, ActionName.REMOVE, ActionName.END_CALL})


@dataclass(frozen=True, slots=True)
class Sinks:
    """Names of sinks, `every` for all there are."""

    names: frozenset[str] = frozenset()
    every: bool = False

    def __or__(self, other: Sinks) -> Sinks:
        """Whom one or the other names."""
        return Sinks(frozenset(), every=True) if self.every or other.every else Sinks(self.names | other.names)

    def __bool__(self) -> bool:
        return self.every or bool(self.names)

    def covers(self, other: Sinks) -> bool:
        """Whether everybody whom the other names is among these."""
        return self.every or (not other.every and other.names <= self.names)

    def listed(self) -> list[str] | None:
        """Return the names in order, None for every sink."""
        return None if self.every else sorted(self.names)


EVERY_SINK = Sinks(every=True)
NO_SINK = Sinks()


@dataclass(frozen=True, slots=True)
class Action:
    """Something to do; `confirm` says that somebody must say so first."""

    name: ActionName
    confirm: bool = True


@dataclass(frozen=True, slots=True)
class Level:
    """Who is told of an episode, and what is done about it."""

    notify: Sinks = EVERY_SINK
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class QuietHours:
    """When fewer are told: from one time of day until another, where that zone's clocks say so.

    `days` are those on which such a time begins (0 is Monday). Alerts are told to `alert` meanwhile, None for whoever
    is told otherwise too; suspicions and what is unverified to nobody.
    """

    begin: time
    end: time
    zone: ZoneInfo
    days: frozenset[int] = frozenset(range(7))
    alert: Sinks | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Whom a rule is about, and what it says; None where it says nothing.

    Somebody is in it who claims to be one of `people` or somebody with one of `tags`, in one of `calls`; what is empty
    asks for nothing. `levels` has what is done at each kind of episode.
    """

    name: str
    people: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    calls: tuple[str, ...] = ()
    false_alerts_per_hour: float | None = None
    window_seconds: float | None = None
    detectors: frozenset[str] | None = None
    levels: Mapping[Kind, Level] = field(default_factory=dict)
    unverified_after_seconds: float | None = None
    cool_down_seconds: float = 0.0
    quiet: QuietHours | None = None
    dry_run: bool = False

    def holds_for(self, subject: Subject) -> bool:
        """Whether somebody is in it."""
        protected = bool(self.people or self.tags)
        if protected and not (subject.identity in self.people or self.tags & subject.tags):
            return False
        return not self.calls or any(fnmatchcase(subject.call, pattern) for pattern in self.calls)


@dataclass(frozen=True, slots=True)
class Subject:
    """Somebody in a call: whom they claim to be, and what that person is tagged as."""

    call: str
    identity: str | None = None
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Policy:
    """Every group, and what holds for whoever is in none; `link_base` is where links to pages begin.

    `confirm_within_seconds` is how long somebody has to say that an action may be done.
    """

    groups: tuple[Group, ...] = ()
    default: Group | None = None
    link_base: str | None = None
    confirm_within_seconds: float = 600.0

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing of anybody."""
        return not self.groups and self.default is None

    @property
    def every_group(self) -> tuple[Group, ...]:
        """The groups, and what holds for the others."""
        return (*self.groups, *((self.default,) if self.default is not None else ()))

    def of(self, subject: Subject) -> tuple[Group, ...]:
        """Return the groups that somebody is in, else what holds for the others, if anything."""
        found = tuple(group for group in self.groups if group.holds_for(subject))
        return found or ((self.default,) if self.default is not None else ())


def seconds_of(text: str) -> float:
    """Return a duration such as `5 min`, `30 s`, `1 h` or `2 d` in seconds; raises `ValueError`."""
    match = DURATION.fullmatch(text)
    if match is None:
        raise ValueError("write a number and a unit, such as 30 s, 5 min, 1 h or 2 d")
    return float(match[1]) * UNIT_SECONDS[match[2]]
