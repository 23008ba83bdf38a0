"""A policy as it is written: read from a file or from the settings, checked as a whole, and made into rules.

Every fault is told at once, each as one line that says where it is and what to do. Nothing of what was written is
repeated but the names of groups, which are no secret; those of people are.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from engines.documents import DocumentError, parse_yaml
from monitor.alerts.policy.rules import (
    EVERY_SINK,
    OF_THE_CALL,
    WEEKDAYS,
    Action,
    ActionName,
    Group,
    Kind,
    Level,
    Policy,
    QuietHours,
    Sinks,
    seconds_of,
)
from monitor.config import ConfigError

MAX_GROUPS = 256
MAX_NAMES = 10_000
CALL = re.compile(r"[\w.~:@+\-*]{1,128}")
LINK = re.compile(r"https?://[^\s<>\"#?]+")
SINK = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
# What pydantic says, as what to do.
ADVICE = {
    "extra_forbidden": "there is no such setting here: remove it or correct its spelling",
    "missing": "is missing: add it",
    "model_type": "write settings below it, one `name: value` a line",
    "model_attributes_type": "write settings below it, one `name: value` a line",
    "tuple_type": "write a list, such as [one, two]",
    "string_type": "write text, in quotes where it is a number",
    "bool_parsing": "write true or false",
    "float_parsing": "write a number",
}


def _duration(value: Any) -> Any:
    """Take `5 min` for its seconds; a number is seconds already."""
    return seconds_of(value) if isinstance(value, str) else value


def _action(value: Any) -> Any:
    """Take the mere name of an action for one that is confirmed."""
    return {"action": value} if isinstance(value, str) else value


Seconds = Annotated[float, BeforeValidator(_duration)]
Names = Annotated[tuple[str, ...], Field(max_length=MAX_NAMES)]


class Shape(BaseModel):
    """Base of what can be written."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ActionShape(Shape):
    """An action; `confirm: false` has it done without anybody's word."""

    action: ActionName
    confirm: bool = True


class LevelShape(Shape):
    """Who is told, every sink unless it says which, and what is done."""

    notify: tuple[str, ...] | None = None
    actions: tuple[Annotated[ActionShape, BeforeValidator(_action)], ...] = ()

    @field_validator("notify")
    @classmethod
    def _are_names(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return _sinks(value)

    @field_validator("actions")
    @classmethod
    def _are_there_once(cls, value: tuple[ActionShape, ...]) -> tuple[ActionShape, ...]:
        if len({one.action for one in value}) < len(value):
            raise ValueError("name each action once")
        return value

    def level(self) -> Level:
        """Return the rule."""
        # A verification is carried out by somebody and changes nothing in the call: there is nothing to confirm.
        asks = ActionName.ASK_TO_VERIFY
        actions = tuple(Action(one.action, one.confirm and one.action is not asks) for one in self.actions)
        return Level(_named(self.notify), actions)


class QuietShape(Shape):
    """Quiet hours: `from` and `to` in the time of a zone."""

    begin: str = Field(alias="from")
    end: str = Field(alias="to")
    zone: str
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = WEEKDAYS  # type: ignore[assignment]
    alert: tuple[str, ...] | None = None

    @field_validator("begin", "end")
    @classmethod
    def _is_a_time(cls, value: str) -> str:
        if not CLOCK.fullmatch(value):
            raise ValueError('write a time of day in quotes, such as "22:00"')
        return value

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                "this machine knows no such zone: write one such as Europe/Berlin (or install the package tzdata)"
            ) from None
        return value

    @field_validator("alert")
    @classmethod
    def _are_names(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return _sinks(value)

    def hours(self) -> QuietHours:
        """Return the rule."""
        days = frozenset(WEEKDAYS.index(day) for day in self.days)
        told = None if self.alert is None else Sinks(frozenset(self.alert))
        return QuietHours(time.fromisoformat(self.begin), time.fromisoformat(self.end), ZoneInfo(self.zone), days, told)


class RulesShape(Shape):
    """What a group says; see `monitor.alerts.policy.rules.Group`."""

    false_alerts_per_hour: float | None = Field(default=None, gt=0.0, le=60.0)
    window_seconds: float | None = None
    detectors: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    at_suspect: LevelShape | None = None
    at_alert: LevelShape = LevelShape()
    at_unverified: LevelShape | None = None
    unverified_after: Annotated[Seconds, Field(ge=10.0, le=86_400.0)] | None = None
    cool_down: Annotated[Seconds, Field(ge=0.0, le=604_800.0)] = 0.0
    quiet_hours: QuietShape | None = None
    dry_run: bool = False

    @field_validator("window_seconds")
    @classmethod
    def _is_calibrated(cls, value: float | None) -> float | None:
        if value not in (None, 5.0, 10.0):
            raise ValueError("only 5 and 10 are calibrated, choose one of them")
        return value

    @field_validator("at_suspect", "at_unverified")
    @classmethod
    def _are_confirmed(cls, value: LevelShape | None) -> LevelShape | None:
        if value is not None and any(one.action in OF_THE_CALL and not one.confirm for one in value.actions):
            raise ValueError("only at_alert may change a call without confirmation: take `confirm: false` away")
        return value

    @model_validator(mode="after")
    def _belongs_together(self) -> RulesShape:
        if self.at_unverified is not None and self.unverified_after is None:
            raise ValueError("at_unverified says nothing without unverified_after: add it, such as `5 min`")
        return self

    def group(self, name: str, **about: Any) -> Group:
        """Return the rule; `about` says whom it is about."""
        levels = {Kind.FINDING: self.at_alert.level()}
        if self.at_suspect is not None:
            levels[Kind.SUSPICION] = self.at_suspect.level()
        if self.unverified_after is not None:
            levels[Kind.UNVERIFIED] = (self.at_unverified or LevelShape()).level()
        return Group(
            name,
            **about,
            false_alerts_per_hour=self.false_alerts_per_hour,
            window_seconds=self.window_seconds,
            detectors=None if self.detectors is None else frozenset(self.detectors),
            levels=levels,
            unverified_after_seconds=self.unverified_after,
            cool_down_seconds=self.cool_down,
            quiet=None if self.quiet_hours is None else self.quiet_hours.hours(),
            dry_run=self.dry_run,
        )


class GroupShape(RulesShape):
    """A group: whom and which calls it is about, and what it says."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")
    people: Names = ()
    tags: Names = ()
    calls: Names = ()

    @field_validator("calls")
    @classmethod
    def _are_calls(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(CALL.fullmatch(pattern) for pattern in value):
            raise ValueError("write names of calls, with * for any letters, such as board-*")
        return value

    @model_validator(mode="after")
    def _is_about_somebody(self) -> GroupShape:
        if not (self.people or self.tags or self.calls):
            raise ValueError("the group is about nobody: add people, tags or calls, or write it as `default`")
        return self


class PolicyShape(Shape):
    """A policy file."""

    groups: tuple[GroupShape, ...] = Field(default=(), max_length=MAX_GROUPS)
    default: RulesShape | None = None
    link_base: str | None = None
    confirm_within: Annotated[Seconds, Field(ge=10.0, le=86_400.0)] = 600.0

    @field_validator("link_base")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None and not LINK.fullmatch(value):
            raise ValueError("write the address of the dashboard, such as https://sidewitness.example")
        return None if value is None else value.rstrip("/")

    @field_validator("groups")
    @classmethod
    def _have_names_of_their_own(cls, value: tuple[GroupShape, ...]) -> tuple[GroupShape, ...]:
        if len({group.name for group in value} | {"default"}) <= len(value):
            raise ValueError("two groups have one name, or one is named default: give each a name of its own")
        return value

    def policy(self) -> Policy:
        """Return the rules."""
        groups = tuple(
            one.group(one.name, people=frozenset(one.people), tags=frozenset(one.tags), calls=one.calls)
            for one in self.groups
        )
        default = self.default.group("default") if self.default is not None else None
        return Policy(groups, default, self.link_base, self.confirm_within)


def read(source: Path | Mapping[str, Any]) -> tuple[Policy | None, list[str]]:
    """Return a policy, or every fault that keeps it from being one; raises `ConfigError` where there is no document."""
    written = _document(source) if isinstance(source, Path) else source
    try:
        return PolicyShape.model_validate(written).policy(), []
    except ValidationError as error:
        return None, [_fault(one, written) for one in error.errors(include_input=False, include_url=False)]


def load(source: Path | Mapping[str, Any] | None, sinks: Collection[str], detectors: Collection[str]) -> Policy:
    """Return the policy of the settings, an empty one without; raises `ConfigError` with the first fault."""
    if source is None:
        return Policy()
    policy, faults = read(source)
    faults = faults or list(unknown(policy or Policy(), sinks, detectors))
    if policy is None or faults:
        more = f" (and {len(faults) - 1} more: sidewitness policy check)" if len(faults) > 1 else ""
        raise ConfigError(f"policy: {faults[0]}{more}")
    return policy


def unknown(policy: Policy, sinks: Collection[str] | None, detectors: Collection[str]) -> Iterator[str]:
    """Give a line for each sink and detector that a policy names and that is not there; `sinks` None asks for none."""
    for group in policy.every_group:
        quiet = (group.quiet.alert,) if group.quiet is not None and group.quiet.alert is not None else ()
        named: frozenset[str] = frozenset().union(*(one.names for one in (*_told(group), *quiet)))
        for name in sorted(named - set(sinks if sinks is not None else named)):
            yield f"{group.name}: no sink is named {name!r}: there are {_listed(sinks or ())}"
        for name in sorted((group.detectors or frozenset()) - set(detectors)):
            yield f"{group.name}: there is no detector {name!r}: choose of {_listed(detectors)}"


def _told(group: Group) -> Sequence[Sinks]:
    return [level.notify for level in group.levels.values()]


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none, add them to the setting sinks"


def _document(path: Path) -> Mapping[str, Any]:
    try:
        raw = parse_yaml(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}): name a readable policy file") from None
    except DocumentError as error:
        where = "" if error.line is None else f" at line {error.line}"
        raise ConfigError(f"{path} is not valid YAML{where}: correct it") from None
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{path} holds no policy: begin with `groups:`, see docs/policy.md")
    return raw


def _fault(error: Any, written: Mapping[str, Any]) -> str:
    loc = [str(part) for part in error["loc"] if not str(part).startswith("function-")]
    if len(loc) > 1 and loc[0] == "groups" and loc[1].isdigit():
        loc = [_name_of(written, int(loc[1])), *loc[2:]]
    message = ADVICE.get(error["type"]) or error["msg"].removeprefix("Value error, ")
    return f"{'.'.join(loc) or 'policy'}: {message}"


def _name_of(written: Mapping[str, Any], index: int) -> str:
    """Return the name of a group, where it has one that may be shown, else its place."""
    try:
        name = written["groups"][index]["name"]
    except (LookupError, TypeError):
        name = None
    return name if isinstance(name, str) and SINK.fullmatch(name) else f"groups.{index}"


def _sinks(value: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if value is not None and not all(SINK.fullmatch(name) for name in value):
        raise ValueError("write names of sinks: lower-case letters, digits, `_ . -`")
    return value


def _named(names: tuple[str, ...] | None) -> Sinks:
    return EVERY_SINK if names is None else Sinks(frozenset(names))
