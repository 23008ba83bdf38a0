"""The policy at work in a running sidecar: what it writes, whom it asks, and that nothing is done twice or too late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.alerts.casework.case import Case
from monitor.alerts.casework.desk import Desk
from monitor.alerts.casework.store import Casework
from monitor.alerts.finding import Finding
from monitor.alerts.journal import Entry, Journal
from monitor.alerts.policy.challenge import COUNT, WORDS, words
from monitor.alerts.policy.rules import Policy
from monitor.alerts.push import Hub
from monitor.host.calls import ActionStatus, NotTaken, Outcome
from monitor.host.drills import Drills
from monitor.host.policing import Policing
from monitor.types import Action, ActionKind
from tests.monitor.alerts.build import ready_journal
from tests.monitor.alerts.policy.build import JANE, NOON, PLACE, change, group, policy_of

MUTE = policy_of(group(at_alert={"actions": ["mute"], "notify": ["soc"]}, at_suspect={"notify": ["soc"]}))
AT_ONCE = policy_of(group(at_alert={"actions": [{"action": "remove", "confirm": False}, "ask_to_verify"]}))
DRY = policy_of(group(dry_run=True, at_alert={"actions": [{"action": "mute", "confirm": False}]}))


class Clock:
    """A time to set."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


class Room:
    """A platform's call that notes down what is asked of it."""

    def __init__(self, status: ActionStatus = ActionStatus.DONE) -> None:
        self.status = status
        self.asked: list[tuple[str, str, ActionKind]] = []

    def possible(self, call: str, participant: str) -> frozenset[ActionKind]:
        return frozenset(ActionKind)

    async def act(self, call: str, participant: str, action: Action) -> Outcome:
        self.asked.append((call, participant, action.kind))
        return Outcome(self.status, "the room said so")


class Written:
    """The entries that were put."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def put(self, finding: Finding, _decided_at: float) -> None:
        self.findings.append(finding)


class Bench:
    """A policy over a journal of its own, with a room."""

    def __init__(self, policy: Policy, journal: Journal, room: Room | None = None) -> None:
        self.written, self.clock, self.room = Written(), Clock(), room or Room()
        self.desk = Desk(Casework(journal), Hub())
        self.policing = Policing(policy, self.written, self.desk, now=self.clock)
        self.policing.acts_by(self.room)

    async def alert(self) -> None:
        """Have Jane's place raise an alert, and wait until what follows is written."""
        self.policing.judged(JANE)
        self.policing.put(change("opened", 1), 0.0)
        await self.policing.close()

    async def case(self, finding: str = "f") -> Case:
        return (await self.desk.of(finding)).case

    @property
    def action(self) -> str:
        """The id of the first action that was ordered."""
        handling = self.written.findings[-1].handling
        assert handling is not None
        return str(handling["actions"][0]["id"])


@asynccontextmanager
async def bench(folder: Path, policy: Policy, room: Room | None = None) -> AsyncIterator[Bench]:
    journal = ready_journal(folder)
    try:
        yield Bench(policy, journal, room)
    finally:
        journal.close()


async def test_an_action_waits_for_somebody_and_is_done_once(tmp_path: Path) -> None:
    async with bench(tmp_path, MUTE) as made:
        await made.alert()
        (action,) = (await made.case()).actions
        assert (action.state, action.action, made.room.asked) == ("proposed", "mute", [])
        both = (made.policing.confirm("f", action.id, who) for who in ("ann", "bob"))
        first, second = await asyncio.gather(*both, return_exceptions=True)
        assert [type(one) for one in (first, second)].count(NotTaken) == 1
        assert made.room.asked == [("board", "alice", ActionKind.MUTE)]
        (action,) = (await made.case()).actions
        assert (action.state, action.actor, action.details["why"]) == ("done", "policy", "the room said so")
        assert action.confirmed_by in ("ann", "bob")
        with pytest.raises(NotTaken, match="answered already"):
            await made.policing.refuse("f", action.id, "ann")


async def test_what_is_refused_is_never_done(tmp_path: Path) -> None:
    async with bench(tmp_path, MUTE) as made:
        await made.alert()
        await made.policing.refuse("f", made.action, "ann")
        with pytest.raises(NotTaken):
            await made.policing.confirm("f", made.action, "bob")
        assert made.room.asked == []


async def test_what_has_expired_is_never_done(tmp_path: Path) -> None:
    async with bench(tmp_path, MUTE) as made:
        await made.alert()
        made.clock.now = NOON + timedelta(seconds=601)
        with pytest.raises(NotTaken, match="expired"):
            await made.policing.confirm("f", made.action, "ann")
        with pytest.raises(NotTaken, match="no such action"):
            await made.policing.confirm("f", "another", "ann")
        with pytest.raises(NotTaken, match="no such action"):
            await made.policing.action("g", made.action)
        assert made.room.asked == []


async def test_what_fails_says_why(tmp_path: Path) -> None:
    async with bench(tmp_path, MUTE, Room(ActionStatus.UNSUPPORTED)) as made:
        await made.alert()
        await made.policing.confirm("f", made.action, "ann")
        (action,) = (await made.case()).actions
        assert (action.state, action.details["status"]) == ("failed", "unsupported")


async def test_an_action_without_confirmation_is_done_at_once_and_a_verification_asked_for(tmp_path: Path) -> None:
    async with bench(tmp_path, AT_ONCE) as made:
        await made.alert()
        assert made.room.asked == [("board", "alice", ActionKind.REMOVE)]
        case = await made.case()
        # Each is done in a task of its own: which is written first is nobody's promise.
        done = {one.action: one for one in case.actions}
        assert {(one.action, one.state, one.confirmed_by) for one in case.actions} == {
            ("remove", "done", None), ("ask_to_verify", "done", None),
        }  # fmt: skip
        with pytest.raises(NotTaken, match="answered already"):
            await made.policing.confirm("f", done["remove"].id, "ann")
        (challenge,) = case.challenges
        assert challenge.id == done["ask_to_verify"].id
        assert len(challenge.details["words"]) == COUNT
        made.clock.now = challenge.made + timedelta(seconds=42)
        with pytest.raises(NotTaken):
            await made.policing.answer("f", challenge.id, "maybe", "ann")
        await made.policing.answer("f", challenge.id, "passed", "ann")
        (challenge,) = (await made.case()).challenges
        assert (challenge.outcome, challenge.answered_by, challenge.details["seconds"]) == ("passed", "ann", 42.0)
        with pytest.raises(NotTaken, match="answered already"):
            await made.policing.answer("f", challenge.id, "failed", "bob")


async def test_a_dry_run_does_nothing_and_says_so(tmp_path: Path) -> None:
    async with bench(tmp_path, DRY) as made:
        await made.alert()
        (action,) = (await made.case()).actions
        assert (action.state, action.details["why"], made.room.asked) == ("done", "dry run: not done", [])


async def test_joins_hops_and_leaving_make_entries_and_an_explanation(tmp_path: Path) -> None:
    async with bench(tmp_path, MUTE) as made:
        assert made.policing.explain(*PLACE) is None
        made.policing.judged(JANE)
        state: dict[str, Any] = {"call": "board", "participant": "alice", "verdict": "suspect", "reason": None}
        made.policing.hop(state)
        told = made.policing.explain(*PLACE)
        assert told is not None
        assert told["open"][0]["kind"] == "suspicion"
        made.policing.ended(PLACE)
        assert [(one.kind, one.action) for one in made.written.findings] == [
            ("suspicion", "opened"), ("suspicion", "closed"),
        ]  # fmt: skip
        assert made.policing.explain(*PLACE) is None


async def test_which_sinks_have_told_is_in_the_case_once(tmp_path: Path) -> None:
    async with bench(tmp_path, MUTE) as made:
        finding = change("opened", 1)
        for _ in range(2):
            made.policing.accepted("soc", [Entry(1, finding), Entry(2, change("updated", 2, step=1))])
        made.policing.accepted("pager", [Entry(1, finding)])
        await made.policing.close()
        again = Bench(MUTE, made.desk.casework._journal)
        again.policing.accepted("soc", [Entry(1, finding)])
        await again.policing.close()
        assert sorted(one.sink for one in (await made.case()).told) == ["pager", "soc"]


async def test_a_drill_goes_the_whole_way_and_nothing_is_done(tmp_path: Path) -> None:
    async with bench(tmp_path, AT_ONCE) as made:
        drills = Drills(made.policing, made.written, made.desk, ["soc", "pager"], now=made.clock)
        told = await drills.begin("board", "Jane Doe", "ann")
        assert (told["finished"], [one["sink"] for one in told["sinks"]]) == (False, ["soc", "pager"])
        (opened,) = made.written.findings
        assert (opened.drill, opened.key.call) == (True, "board")
        drills.accepted("soc", [Entry(1, opened)])
        drills.accepted("elsewhere", [Entry(1, opened)])
        assert drills.describe(told["id"]) is not None
        drills.accepted("pager", [Entry(1, opened), Entry(2, change("opened", 3))])
        await drills.close()
        await made.policing.close()
        done = drills.describe(told["id"])
        assert done is not None
        assert done["finished"]
        assert all(one["seconds"] is not None for one in done["sinks"])
        assert [finding.action for finding in made.written.findings] == ["opened", "closed"]
        case = await made.case(told["id"])
        assert (case.notes[0].actor, made.room.asked) == ("ann", [])
        assert {(one.action, one.state) for one in case.actions} == {("remove", "done"), ("ask_to_verify", "done")}
        assert drills.describe("another") is None


async def test_a_drill_that_tells_nobody_is_over_at_once(tmp_path: Path) -> None:
    async with bench(tmp_path, policy_of(default={"at_alert": {"notify": []}})) as made:
        drills = Drills(made.policing, made.written, made.desk, ["soc"], now=made.clock)
        assert (await drills.begin(None, None, "ann"))["finished"]
        await drills.close()


def test_words_are_many_and_no_two_are_one() -> None:
    assert len(WORDS) == len(set(WORDS)) == 256
    assert words(lambda some: some[-1]) == ("tulip",) * COUNT
