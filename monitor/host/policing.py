"""The policy at work: findings, joins and hops go in; entries go to the journal, actions to people and platforms.

What it decides, `monitor.alerts.policy` says; here it meets the clock, the journal, the cases and the ways into calls.
Whatever is ordered is written into the finding's case before it is done, and again when it is: nothing is done that
nobody can read up. Nothing here holds up a call: what has to be written or done is done in tasks of its own.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import structlog

from monitor.alerts.casework.case import Action as CaseAction
from monitor.alerts.casework.case import ActionState, Case
from monitor.alerts.casework.case import Challenge as CaseChallenge
from monitor.alerts.casework.desk import Desk
from monitor.alerts.casework.events import POLICY, EventKind, NewEvent
from monitor.alerts.finding import Finding
from monitor.alerts.journal import Entry, JournalError
from monitor.alerts.policy.challenge import OUTCOMES, words
from monitor.alerts.policy.evaluate import Ordered, Outcome, PolicyState, found, hop, joined, left
from monitor.alerts.policy.explain import explain
from monitor.alerts.policy.rules import ActionName, Policy
from monitor.alerts.recorder import TakesFindings
from monitor.alerts.sinks.base import Item
from monitor.alerts.wire import Message
from monitor.host.calls import Actions, ActionStatus, NotTaken
from monitor.types import Action, ActionKind, ParticipantKey, parse_rfc3339, rfc3339

ENDED = "ended"
# Of what waits to be written, beyond which it is no longer noted down whom sinks have told.
MAX_WAITING = 1024
# An action is not done before it is written down; where the journal cannot be written, so often and after such pauses.
WRITE_PAUSES_SECONDS = (0.25, 1.0, 4.0, 15.0)
CLOSE_SECONDS = 3.0

Tags = Callable[[str | None], frozenset[str]]
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the present in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """Return an id that nobody guesses."""
    return str(uuid4())


class AlreadyTold(Exception):  # noqa: N818 - nothing has failed
    """It is written down already that this sink has told of this finding."""


class Policing:
    """One policy over everybody in calls. To be used on the event loop; it is what a host puts its findings into."""

    def __init__(
        self,
        policy: Policy,
        journal: TakesFindings,
        desk: Desk,
        tags: Tags = lambda _name: frozenset(),
        now: Clock = utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._state = PolicyState(policy)
        self._journal, self._desk, self._tags = journal, desk, tags
        self._now, self._sleep = now, sleep
        self._actions: Actions | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._told: dict[tuple[str, str], None] = {}
        self._unwritten = 0

    @property
    def policy(self) -> Policy:
        """The policy."""
        return self._state.policy

    def acts_by(self, actions: Actions) -> None:
        """Say by what calls are changed; call once, before anybody joins."""
        self._actions = actions

    def put(self, finding: Finding, decided_at: float) -> None:
        """Take a finding on its way to the journal."""
        self._take(found(self._state, finding, new_id), decided_at)

    def judged(self, key: ParticipantKey) -> None:
        """Take note that somebody is judged from now on."""
        self._state = joined(self._state, key, self._tags(key.identity), self._now())

    def ended(self, place: tuple[str, str]) -> None:
        """Take note that somebody is judged no more."""
        self._take(left(self._state, place, self._now(), ENDED, new_id))

    def hop(self, state: Mapping[str, Any]) -> None:
        """Take a `state` message."""
        place = (state["call"], state["participant"])
        self._take(hop(self._state, place, state["verdict"], state["reason"], self._now(), new_id))

    def explain(self, call: str, participant: str) -> Message | None:
        """Say what holds for somebody and what it would do; None where nobody is judged under this name."""
        person = self._state.people.get((call, participant))
        if person is None:
            return None
        return explain(self._state, person, self._tags(person.key.identity), self._now())

    def accepted(self, sink: str, items: Sequence[Item]) -> None:
        """Take note of what a sink has accepted: whom it tells is told."""
        for item in items:
            if isinstance(item, Entry) and (item.finding.id, sink) not in self._told:
                self._told[item.finding.id, sink] = None
                while len(self._told) > MAX_WAITING:
                    del self._told[next(iter(self._told))]
                if len(self._tasks) >= MAX_WAITING:
                    self._unwritten += 1
                    continue
                self._begin(self._note_told(item.finding, sink))

    def order(self, order: Ordered) -> None:
        """Have an action asked for or done."""
        self._begin(self._carry(order))

    async def close(self) -> None:
        """Wait a while for what is being written and done."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=CLOSE_SECONDS)
            for task in late:
                task.cancel()
        if self._unwritten:
            _log().warning("it is not written down of some findings which sinks have told", count=self._unwritten)

    async def action(self, finding: str, action: str) -> tuple[Case, CaseAction]:
        """Return an action of a finding and the case that it is in; raises `NotTaken`."""
        case = (await self._desk.of(finding)).case
        known = case.action(action)
        if known is None:
            raise NotTaken("unknown")
        return case, known

    async def confirm(self, finding: str, action: str, who: str) -> None:
        """Do what was asked for, because somebody says so; raises `NotTaken` or `JournalError`."""
        check = self._may_answer(action)
        recorded = await self._desk.record(NewEvent(finding, EventKind.ACTION_CONFIRMED, who, {"id": action}), check)
        confirmed = recorded.case.action(action)
        if confirmed is not None:
            await self._do(finding, confirmed.details, who)

    async def refuse(self, finding: str, action: str, who: str) -> None:
        """Have it not done; raises `NotTaken` or `JournalError`."""
        event = NewEvent(finding, EventKind.ACTION_REFUSED, who, {"id": action})
        await self._desk.record(event, self._may_answer(action))

    async def answer(self, finding: str, challenge: str, outcome: str, who: str) -> None:
        """Write down what came of a verification on another channel; raises `NotTaken` or `JournalError`."""
        now = self._now()
        made = (await self._desk.of(finding)).case.challenge(challenge)
        seconds = None if made is None else round((now - made.made).total_seconds(), 1)
        details = {"id": challenge, "outcome": outcome, "seconds": seconds}

        def check(case: Case) -> None:
            known: CaseChallenge | None = case.challenge(challenge)
            if known is None or outcome not in OUTCOMES:
                raise NotTaken("unknown")
            if known.outcome is not None:
                raise NotTaken("answered")

        await self._desk.record(NewEvent(finding, EventKind.CHALLENGE_ANSWERED, who, details), check)

    def _may_answer(self, action: str) -> Callable[[Case], None]:
        """Return what refuses an answer that comes twice or too late; it is asked where nobody else can answer."""

        def check(case: Case) -> None:
            known = case.action(action)
            if known is None:
                raise NotTaken("unknown")
            if known.state is not ActionState.PROPOSED or not known.details.get("confirm"):
                raise NotTaken("answered")
            if self._now() >= parse_rfc3339(known.details["expires"]):
                raise NotTaken("expired")

        return check

    def _take(self, outcome: Outcome, decided_at: float | None = None) -> None:
        self._state = outcome.state
        for entry in outcome.entries:
            at = asyncio.get_running_loop().time() if decided_at is None else decided_at
            self._journal.put(entry, at)
        for order in outcome.orders:
            self.order(order)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="policy")
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            why = str(error) if isinstance(error, JournalError) else type(error).__name__
            _log().error("what a policy had ordered was not done, or not written down", why=why)

    async def _note_told(self, finding: Finding, sink: str) -> None:
        def check(case: Case) -> None:
            if any(one.sink == sink for one in case.told):
                raise AlreadyTold

        details = {"whom": sink, "sink": sink, "drill": finding.drill}
        with suppress(AlreadyTold):
            await self._desk.record(NewEvent(finding.id, EventKind.TOLD, POLICY, details), check)

    async def _carry(self, order: Ordered) -> None:
        details = {
            "id": order.id,
            "action": str(order.action),
            "call": order.key.call,
            "participant": order.key.participant,
            "identity": order.key.identity,
            "groups": list(order.groups),
            "confirm": order.confirm,
            "expires": rfc3339(order.expires),
            "dry_run": order.dry_run,
            "drill": order.drill,
        }
        await self._write(NewEvent(order.finding, EventKind.ACTION_PROPOSED, POLICY, details))
        if not order.confirm:
            await self._do(order.finding, details, POLICY)

    async def _do(self, finding: str, details: Mapping[str, Any], who: str) -> None:
        """Do an action and write down what became of it."""
        name, told = ActionName(details["action"]), {"id": details["id"]}
        if name is ActionName.ASK_TO_VERIFY:
            made = {**told, "words": list(words(secrets.choice)), "expires": details["expires"]}
            await self._write(NewEvent(finding, EventKind.CHALLENGE_MADE, who, made))
            await self._write(NewEvent(finding, EventKind.ACTION_DONE, POLICY, told))
            return
        if details["dry_run"]:
            await self._write(NewEvent(finding, EventKind.ACTION_DONE, POLICY, {**told, "why": "dry run: not done"}))
            return
        status, why = await self._act(details["call"], details["participant"], ActionKind(str(name)))
        kind = EventKind.ACTION_DONE if status is ActionStatus.DONE else EventKind.ACTION_FAILED
        await self._write(NewEvent(finding, kind, POLICY, {**told, "status": str(status), "why": why}))

    async def _act(self, call: str, participant: str, kind: ActionKind) -> tuple[ActionStatus, str | None]:
        if self._actions is None:
            return ActionStatus.UNSUPPORTED, "this sidecar has no way to change calls"
        outcome = await self._actions.act(call, participant, Action(kind))
        return outcome.status, outcome.why

    async def _write(self, event: NewEvent) -> None:
        """Write an event down, trying again where the journal cannot be written; raises `JournalError` in the end."""
        for pause in WRITE_PAUSES_SECONDS:
            try:
                await self._desk.record(event)
            except JournalError:
                await self._sleep(pause)
            else:
                return
        await self._desk.record(event)


def _log() -> structlog.stdlib.BoundLogger:
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("policy")
    return logger
