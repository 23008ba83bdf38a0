"""Somebody who takes another name in mid-call is compared with whoever bears it; a call that is to be forgotten is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitor.host.ingest import Ingest
from monitor.host.metrics import Metrics
from monitor.host.sources import ConfiguredSource
from monitor.identity.claimed import Claimed
from monitor.tap.media.source import SourceError
from monitor.types import Claim, ParticipantKey, Profile, Reason
from plugins.base import Intake, Listed, PluginOptions, PluginSpec
from tests.monitor.host.test_host import Bench, bench_with
from tests.monitor.rig import GENUINE, OPEN, UPDATE, ScriptedSession, ScriptedSource, block, quiet_log

GUEST = ParticipantKey("board", "guest")
PROTECTED = "Ada L"


class Desk:
    """Takes whoever bears a protected name for its bearer, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []
        self.fails = False

    def __call__(self, key: ParticipantKey, profile: Profile) -> Claimed:
        self.asked.append(profile.display_name)
        if self.fails:
            raise RuntimeError("the vault is away")
        if profile.display_name == PROTECTED:
            return Claimed(replace(key, identity=PROTECTED, claim=Claim.DISPLAY_NAME), profile.display_name)
        claim = Claim.STATED if key.identity else None
        return Claimed(replace(key, claim=claim), profile.display_name)


class Room:
    """A host, and the sessions that it has begun."""

    def __init__(self, folder: Path, rejoin_seconds: float = 600.0) -> None:
        self.desk = Desk()
        self.sessions: list[ScriptedSession] = []
        self.bench: Bench = bench_with(folder, self._begin, claimed=self.desk, rejoin_seconds=rejoin_seconds)
        self.source = ScriptedSource()

    def _begin(self, key: ParticipantKey) -> ScriptedSession:
        if key.identity == "unbuildable":
            raise RuntimeError("no session")
        self.sessions.append(ScriptedSession(key))
        return self.sessions[-1]

    async def join(self, name: str | None = "Guest", key: ParticipantKey = GUEST) -> None:
        await self.bench.host.judge(key, self.source, Profile(display_name=name))

    async def rename(self, name: str, key: ParticipantKey = GUEST) -> None:
        self.bench.host.show(key, Profile(display_name=name))

    async def shown(self) -> dict[str, Any]:
        call = await self.bench.host.call("board")
        assert call is not None
        return dict(call["participants"][0])

    async def until_session(self, count: int) -> ScriptedSession:
        await self._until(lambda: len(self.sessions) == count)
        return self.sessions[-1]

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10.0):
            while not condition():  # noqa: ASYNC110 - a thread says it
                await asyncio.sleep(0.01)


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    with quiet_log():
        made = Room(tmp_path)
        yield made
        await made.bench.host.drain()
        await made.bench.recorder.close()
        made.bench.journal.close()


async def test_who_takes_a_protected_name_is_compared_with_its_bearer(room: Room) -> None:
    await room.join()
    room.source.put(block(GENUINE))
    assert (await room.shown())["identity"] is None
    await room.rename(PROTECTED)
    session = await room.until_session(2)
    assert session.key.identity == PROTECTED
    shown = await room.shown()
    assert (shown["identity"], shown["claim"], shown["name"]) == (PROTECTED, "display_name", PROTECTED)
    room.source.put(block(OPEN))
    await room.bench.until(lambda: len(room.bench.findings) == 1)
    assert room.bench.findings[0].finding.key == ParticipantKey("board", "guest", PROTECTED)
    assert room.source.pauses == []


async def test_evidence_and_findings_stay_with_the_claim_that_they_are_of(room: Room) -> None:
    """Alternating between names sheds nothing: what is open waits, and goes on under its id."""
    await room.join()
    room.source.put(block(OPEN))
    await room.bench.until(lambda: len(room.bench.findings) == 1)
    await room.rename(PROTECTED)
    await room.until_session(2)
    await room.bench.until(lambda: len(room.bench.findings) == 2)
    waiting = room.bench.findings[1].finding
    assert (waiting.action, waiting.reason, waiting.key) == ("updated", "claims_somebody_else", GUEST)
    await room.rename("Guest again")
    assert (await room.until_session(3)).key == GUEST
    room.source.put(block(UPDATE))
    await room.bench.until(lambda: len(room.bench.findings) == 3)
    assert len({entry.finding.id for entry in room.bench.findings}) == 1
    assert room.bench.findings[2].finding.action == "updated"


async def test_without_a_memory_a_finding_ends_with_its_claim(tmp_path: Path) -> None:
    with quiet_log():
        room = Room(tmp_path, rejoin_seconds=0.0)
        await room.join()
        room.source.put(block(OPEN))
        await room.bench.until(lambda: len(room.bench.findings) == 1)
        await room.rename(PROTECTED)
        await room.bench.until(lambda: len(room.bench.findings) == 2)
        assert room.bench.findings[1].finding.action == "closed"
        assert (await room.until_session(2)).key.identity == PROTECTED
        await room.bench.host.drain()
        await room.bench.recorder.close()
        room.bench.journal.close()


async def test_another_name_of_the_same_claim_changes_no_session_and_the_same_name_asks_nothing(room: Room) -> None:
    await room.join()
    await room.rename("Guest")
    await room.rename("Somebody else")
    await room.bench.until(lambda: len(room.desk.asked) == 2)
    room.source.put(block(GENUINE))
    seen = len(room.bench.states)
    await room.bench.until(lambda: len(room.bench.states) >= seen + 2)
    assert (await room.shown())["name"] == "Somebody else"
    assert len(room.sessions) == 1
    assert room.desk.asked == ["Guest", "Somebody else"]


async def test_a_stated_claim_stays_until_another_one_is_stated(room: Room) -> None:
    await room.join("Boss", ParticipantKey("board", "guest", "Grace"))
    await room.rename("Nobody")
    await room.bench.until(lambda: len(room.desk.asked) == 2)
    await room.rename("Nobody", ParticipantKey("board", "guest", "Emmy"))
    assert (await room.until_session(2)).key.identity == "Emmy"


async def test_what_cannot_be_asked_or_begun_leaves_them_who_they_were_or_shown_as_failed(room: Room) -> None:
    await room.join()
    room.desk.fails = True
    await room.rename(PROTECTED)
    await room.bench.until(lambda: len(room.desk.asked) == 2)
    room.desk.fails = False
    await room.rename("x", ParticipantKey("board", "guest", "unbuildable"))
    await room.bench.until(lambda: room.bench.states[-1]["reason"] == "session_failed")
    assert [session.key for session in room.sessions] == [GUEST]
    # Of nobody who is here.
    await room.rename(PROTECTED, ParticipantKey("board", "absent"))


async def test_a_call_is_forgotten(room: Room) -> None:
    await room.join()
    room.source.put(block(OPEN))
    await room.bench.until(lambda: len(room.bench.findings) == 1)
    room.bench.host.watching.listed(0, "board", [Listed("bob", Reason.CAMERA_OFF, Profile(display_name="Bob"))])
    await room.bench.host.forget("board")
    assert await room.bench.host.call("board") is None
    await room.bench.until(lambda: room.bench.findings[-1].finding.action == "closed")
    # Whoever comes back begins anew.
    room.source = ScriptedSource()
    await room.join()
    room.source.put(block(OPEN))
    await room.bench.until(lambda: room.bench.findings[-1].finding.action == "opened")
    assert len({entry.finding.id for entry in room.bench.findings}) == 2
    await room.bench.host.forget("another")
    assert await room.bench.host.call("board") is not None


class Platform:
    """A plug-in that brings a guest, who is renamed when it is told to."""

    def __init__(self, source: ScriptedSource) -> None:
        self.source, self.renames = source, asyncio.Event()
        self.claims: list[bool] = []

    async def run(self, intake: Intake) -> None:
        profile = Profile(display_name="Guest")
        await intake.admit("board", "guest", self.source, profile=profile)
        intake.roster("board", [Listed("guest", None, profile), Listed("bob")])
        for name in ("Guest", PROTECTED):
            self.claims.append(await intake.claims("board", "guest", None, Profile(display_name=name)))
        with pytest.raises(SourceError, match="the call must be"):
            await intake.claims("", "guest")
        await self.renames.wait()
        intake.roster("board", [Listed("guest", None, Profile(display_name=PROTECTED)), Listed("bob")])
        await asyncio.Event().wait()


async def test_a_plug_in_renames_by_its_roster_and_asks_who_claims_to_be_protected(room: Room) -> None:
    platform = Platform(room.source)
    spec = PluginSpec("toy", PluginOptions, lambda _options: platform)
    ingest = Ingest([ConfiguredSource(0, spec, PluginOptions())], room.bench.host, Metrics())
    ingest.start()
    try:
        await room.until_session(1)
        await room._until(lambda: len(platform.claims) == 2)
        assert platform.claims == [False, True]
        platform.renames.set()
        assert (await room.until_session(2)).key.identity == PROTECTED
    finally:
        await ingest.close()
