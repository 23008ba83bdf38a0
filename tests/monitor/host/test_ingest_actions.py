"""What somebody has decided is done by the way in that a participant came by, and what became of it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from monitor.host.calls import Actions, ActionStatus, Outcome
from monitor.host.ingest import Ingest
from monitor.host.metrics import Metrics
from monitor.host.sources import ConfiguredSource
from monitor.types import MAX_NOTE_LENGTH, Action, ActionKind
from plugins.base import Acting, Intake, Listed, PluginOptions, PluginSpec, Unavailable
from tests.plugins.supervised import House

MUTE, REMOVE, END = (Action(kind) for kind in (ActionKind.MUTE, ActionKind.REMOVE, ActionKind.END_CALL))
SAY = Action(ActionKind.SAY, "Please show that it is you.")


class Silence:
    """A source of nothing."""

    dropped = 0

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[Any]:
        await self.closed.wait()
        return
        yield

    def pause(self, paused: bool) -> None:
        pass

    async def close(self) -> None:
        self.closed.set()


class Platform:
    """Brings Ada, lists Bob, and can do nothing in their call; fails when it is told to."""

    def __init__(self) -> None:
        self.breaks = asyncio.Event()

    async def run(self, intake: Intake) -> None:
        intake.roster("board", [Listed("ada"), Listed("bob")])
        await intake.admit("board", "ada", Silence())
        intake.connected()
        await self.breaks.wait()
        raise Unavailable("it broke")


class Obliging(Platform, Acting):
    """Does what it is asked, but for one thing."""

    def __init__(self, cannot: ActionKind | None = None, error: BaseException | None = None) -> None:
        super().__init__()
        self.done: list[tuple[Any, ...]] = []
        self._cannot, self._error = cannot, error

    @property
    def actions(self) -> frozenset[ActionKind]:
        return frozenset(ActionKind) - {self._cannot}

    def _do(self, *what: str) -> None:
        if self._error is not None:
            raise self._error
        self.done.append(what)

    async def mute(self, call: str, participant: str) -> str | None:
        self._do("mute", call, participant)
        return None

    async def remove(self, call: str, participant: str) -> str | None:
        self._do("remove", call, participant)
        return "they can join again"

    async def say(self, call: str, text: str) -> str | None:
        self._do("say", call, text)
        return None

    async def end_call(self, call: str) -> str | None:
        self._do("end_call", call)
        return None


class Hanging(Obliging):
    """Never answers."""

    async def mute(self, call: str, participant: str) -> str | None:
        await asyncio.Event().wait()
        return None


@asynccontextmanager
async def joined(*platforms: Platform) -> AsyncIterator[Ingest]:
    """Run platforms as sources until the context ends."""
    house, made = House(), iter(platforms)
    spec = PluginSpec("toy", PluginOptions, lambda _options: next(made))
    sources = [ConfiguredSource(number, spec, PluginOptions()) for number in range(len(platforms))]
    ingest = Ingest(sources, house, Metrics(), sleep=lambda _seconds: asyncio.Event().wait())  # type: ignore[arg-type,return-value]
    house.ingest = ingest
    ingest.start()
    try:
        await house.until(lambda: all(one["phase"] == "connected" for one in ingest.describe()), "they have joined")
        yield ingest
    finally:
        await ingest.close()


async def test_what_is_decided_is_done_where_they_came_from() -> None:
    toy = Obliging()
    async with joined(toy) as ingest:
        policy: Actions = ingest
        assert policy.possible("board", "ada") == policy.possible("board", "bob") == frozenset(ActionKind)
        outcomes = [await policy.act("board", "ada", action) for action in (MUTE, REMOVE, SAY, END)]
        assert [one.status for one in outcomes] == [ActionStatus.DONE] * 4
        assert [one.why for one in outcomes] == [None, "they can join again", None, None]
        assert {one.plugin for one in outcomes} == {"toy"}
        # Whoever is only listed can be put out too.
        assert (await policy.act("board", "bob", REMOVE)).status is ActionStatus.DONE
    ada = ("board", "ada")
    said = ("say", "board", SAY.text)
    assert toy.done == [("mute", *ada), ("remove", *ada), said, ("end_call", "board"), ("remove", "board", "bob")]


async def test_who_is_not_here_and_what_cannot_be_done() -> None:
    async with joined(Obliging(ActionKind.SAY)) as ingest:
        for call, participant in (("board", "carol"), ("other", "ada")):
            assert ingest.possible(call, participant) == frozenset()
            assert (await ingest.act(call, participant, MUTE)).status is ActionStatus.NOT_HERE
        assert await ingest.act("board", "ada", SAY) == Outcome(
            ActionStatus.UNSUPPORTED, "the way in that they came by cannot do it as it is configured", "toy"
        )
    async with joined(Platform()) as ingest:
        assert ingest.possible("board", "ada") == frozenset()
        assert (await ingest.act("board", "ada", MUTE)).status is ActionStatus.UNSUPPORTED


async def test_of_two_ways_in_the_one_that_can_is_asked() -> None:
    able = Obliging()
    async with joined(Platform(), able) as ingest:
        assert (await ingest.act("board", "ada", MUTE)).status is ActionStatus.DONE
    assert able.done == [("mute", "board", "ada")]


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (Unavailable("the room is gone"), "the room is gone"),
        (ValueError("Ada, a-secret"), "ValueError in the plug-in: please report it"),
    ],
)
async def test_what_fails_is_told_without_names(error: Exception, why: str) -> None:
    async with joined(Obliging(error=error)) as ingest:
        with capture_logs() as logs:
            assert await ingest.act("board", "ada", SAY) == Outcome(ActionStatus.FAILED, why, "toy")
        assert [(line["action"], line["outcome"]) for line in logs] == [("say", "failed")]
        assert "ada" not in str(logs)
        assert SAY.text not in str((logs, SAY))


async def test_who_does_not_answer_and_who_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.host.acting.ACT_SECONDS", 0.02)
    toy = Hanging()
    async with joined(toy) as ingest:
        outcome = await ingest.act("board", "ada", MUTE)
        assert outcome.status is ActionStatus.FAILED
        assert outcome.why is not None
        assert outcome.why.startswith("the platform has not answered within 0.02 s")
        toy.breaks.set()
        async with asyncio.timeout(10):
            while ingest.describe()[0]["phase"] != "retrying":  # noqa: ASYNC110 - each turn lets the source go on
                await asyncio.sleep(0)
        # They are somewhere out there, and nothing can be done about it.
        assert ingest.possible("board", "ada") == frozenset()
        assert (await ingest.act("board", "ada", MUTE)).why == (
            "the source is not connected now: see `sidewitness sources list`"
        )


async def test_nobody_acts_unasked() -> None:
    toy = Obliging()
    async with joined(toy):
        pass
    assert toy.done == []
    for method in (Acting().mute, Acting().remove, Acting().say):
        with pytest.raises(NotImplementedError):
            await method("board", "ada")
    with pytest.raises(NotImplementedError):
        await Acting().end_call("board")
    assert Acting().actions == frozenset()


@pytest.mark.parametrize(
    ("kind", "text"), [("say", ""), ("say", " "), ("say", "x" * (MAX_NOTE_LENGTH + 1)), ("mute", "x")]
)
def test_a_note_has_a_text_and_nothing_else_has(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match="only say takes one"):
        Action(ActionKind(kind), text)
