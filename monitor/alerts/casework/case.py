"""The case of a finding: what its events come to. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from monitor.alerts.casework.events import CaseEvent, EventKind, Label
from monitor.types import rfc3339


class CaseState(StrEnum):
    """Where a case stands. Labels `true` and `false` close it; `unsure` leaves it acknowledged."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class ActionState(StrEnum):
    """Where an action stands."""

    PROPOSED = "proposed"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody wrote down."""

    time: datetime
    actor: str
    text: str


@dataclass(frozen=True, slots=True)
class Told:
    """Who was told, and by which sink."""

    time: datetime
    whom: str
    sink: str


@dataclass(frozen=True, slots=True)
class Action:
    """Something that the policy does: `actor` and `time` are of its newest step, `details` of all of them."""

    id: str
    action: str
    state: ActionState
    time: datetime
    actor: str
    confirmed_by: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Challenge:
    """A verification on another channel; `outcome` and `answered` are None until somebody has carried it out."""

    id: str
    made: datetime
    made_by: str
    answered: datetime | None = None
    answered_by: str | None = None
    outcome: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """What people and the policy did about a finding; `events` is how many, `seq` the number of the newest."""

    finding: str
    state: CaseState = CaseState.OPEN
    assignee: str | None = None
    acknowledged_by: str | None = None
    label: Label | None = None
    labelled_by: str | None = None
    notes: tuple[Note, ...] = ()
    told: tuple[Told, ...] = ()
    actions: tuple[Action, ...] = ()
    challenges: tuple[Challenge, ...] = ()
    events: int = 0
    seq: int = 0
    updated: datetime | None = None
    labelled: datetime | None = None

    def action(self, action_id: str) -> Action | None:
        """Return the action of this id, None where there is none."""
        return next((action for action in self.actions if action.id == action_id), None)

    def challenge(self, challenge_id: str) -> Challenge | None:
        """Return the challenge of this id, None where there is none."""
        return next((one for one in self.challenges if one.id == challenge_id), None)


def fold(finding: str, events: Iterable[CaseEvent]) -> Case:
    """Return the case of a finding from its events, the oldest first; events of other findings are left out."""
    case = Case(finding)
    for event in events:
        if event.finding == finding:
            case = advance(case, event)
    return case


def advance(case: Case, event: CaseEvent) -> Case:
    """Return the case after one more event. Every order of events has a meaning: what is told last holds."""
    case = _STEPS.get(event.kind, _action)(case, event)
    return replace(case, events=case.events + 1, seq=event.seq, updated=event.time)


def case_json(case: Case) -> dict[str, Any]:
    """Return a case as JSON values."""
    return {
        "state": str(case.state),
        "assignee": case.assignee,
        "acknowledged_by": case.acknowledged_by,
        "label": case.label and str(case.label),
        "labelled_by": case.labelled_by,
        "labelled": case.labelled and rfc3339(case.labelled),
        "notes": [{"time": rfc3339(note.time), "actor": note.actor, "text": note.text} for note in case.notes],
        "told": [{"time": rfc3339(told.time), "whom": told.whom, "sink": told.sink} for told in case.told],
        "actions": [_action_json(action) for action in case.actions],
        "challenges": [_challenge_json(challenge) for challenge in case.challenges],
        "events": case.events,
        "updated": case.updated and rfc3339(case.updated),
    }


def _acknowledged(case: Case, event: CaseEvent) -> Case:
    state = CaseState.ACKNOWLEDGED if case.state is CaseState.OPEN else case.state
    return replace(case, state=state, acknowledged_by=case.acknowledged_by or event.actor)


def _assigned(case: Case, event: CaseEvent) -> Case:
    return replace(case, assignee=event.details.get("to"))


def _noted(case: Case, event: CaseEvent) -> Case:
    return replace(case, notes=(*case.notes, Note(event.time, event.actor, str(event.details["text"]))))


def _labelled(case: Case, event: CaseEvent) -> Case:
    label = Label(event.details["label"])
    state = CaseState.ACKNOWLEDGED if label is Label.UNSURE else CaseState.CLOSED
    after = replace(case, state=state, label=label, labelled_by=event.actor, labelled=event.time)
    return replace(after, acknowledged_by=case.acknowledged_by or event.actor)


def _told(case: Case, event: CaseEvent) -> Case:
    told = Told(event.time, str(event.details["whom"]), str(event.details["sink"]))
    return replace(case, told=(*case.told, told))


def _action(case: Case, event: CaseEvent) -> Case:
    action_id = str(event.details["id"])
    state = ActionState(event.kind.removeprefix("action_"))
    before = case.action(action_id)
    details = {**(before.details if before is not None else {}), **event.details}
    name = str(details.get("action", "unknown"))
    by = before.confirmed_by if before is not None else None
    confirmed = event.actor if state is ActionState.CONFIRMED else by
    after = Action(action_id, name, state, event.time, event.actor, confirmed, details)
    kept = tuple(after if action.id == action_id else action for action in case.actions)
    return replace(case, actions=kept if before is not None else (*kept, after))


def _challenge_made(case: Case, event: CaseEvent) -> Case:
    made = Challenge(str(event.details["id"]), event.time, event.actor, details=event.details)
    others = tuple(one for one in case.challenges if one.id != made.id)
    return replace(case, challenges=(*others, made))


def _challenge_answered(case: Case, event: CaseEvent) -> Case:
    challenge_id, outcome = str(event.details["id"]), str(event.details["outcome"])
    before = case.challenge(challenge_id) or Challenge(challenge_id, event.time, event.actor)
    details = {**before.details, **event.details}
    after = replace(before, answered=event.time, answered_by=event.actor, outcome=outcome, details=details)
    others = tuple(one for one in case.challenges if one.id != challenge_id)
    return replace(case, challenges=(*others, after))


def _action_json(action: Action) -> dict[str, Any]:
    return {
        "id": action.id,
        "action": action.action,
        "state": str(action.state),
        "time": rfc3339(action.time),
        "actor": action.actor,
        "confirmed_by": action.confirmed_by,
        "details": dict(action.details),
    }


def _challenge_json(challenge: Challenge) -> dict[str, Any]:
    return {
        "id": challenge.id,
        "made": rfc3339(challenge.made),
        "made_by": challenge.made_by,
        "answered": challenge.answered and rfc3339(challenge.answered),
        "answered_by": challenge.answered_by,
        "outcome": challenge.outcome,
        "details": dict(challenge.details),
    }


_STEPS: Mapping[EventKind, Callable[[Case, CaseEvent], Case]] = {
    EventKind.ACKNOWLEDGED: _acknowledged,
    EventKind.ASSIGNED: _assigned,
    EventKind.NOTED: _noted,
    EventKind.LABELLED: _labelled,
    EventKind.TOLD: _told,
    EventKind.CHALLENGE_MADE: _challenge_made,
    EventKind.CHALLENGE_ANSWERED: _challenge_answered,
}
