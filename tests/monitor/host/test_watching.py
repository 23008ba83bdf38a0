"""The coverage map where it is wired in: calls show whom platforms list, subscribers are told when watching stops."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from monitor.alerts.disclosure import Disclosure, disclosed_call
from monitor.alerts.push import Subscriber
from monitor.host.host import Host
from monitor.host.ingest import SourceRunner
from monitor.host.sources import ConfiguredSource
from monitor.tap.media.source import SourceError
from monitor.types import Profile, Reason
from plugins.base import Listed, PluginOptions, PluginSpec
from tests.monitor.host.test_ingest import Site, running, toy_source
from tests.monitor.rig import ScriptedSource, host_of, quiet_log
from tests.plugins.toy import installed

BOB = Listed("bob", Reason.PHONE_AUDIO_ONLY, Profile("Bob Roe"))
# Longer than a busy machine lets the loop or a hop wait: what stops by itself is told too.
GRACE_SECONDS = 0.5


@pytest_asyncio.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    with quiet_log(), installed(tmp_path / "site", monkeypatch):
        async with running(tmp_path, [toy_source("ada")]) as made:
            await made.until_phases("connected")
            yield made


class Reader:
    """Somebody who subscribes without states, and what they have been told of a call."""

    told: list[dict[str, Any]]

    def __init__(self, site: Site, call: str) -> None:
        self._subscriber, self._call, self.told = Subscriber(), call, []
        parts = site.sidecar.components
        parts.hub.join(self._subscriber)
        self._subscriber.receive(json.dumps({"type": "subscribe", "token": "", "after": None, "states": False}))
        self._subscriber.admit(Disclosure.VERDICTS)
        self._subscriber.start(parts.journal.head())

    def has(self, *actions: str) -> bool:
        while (outgoing := self._subscriber.take()) is not None:
            message = json.loads(outgoing.text)
            self.told += [message] if message.get("call") == self._call else []
        return [message["action"] for message in self.told] == list(actions)


async def call_of(site: Site, name: str = "toys") -> dict[str, Any]:
    return {call["call"]: call for call in await site.sidecar.calls()}[name]


def runner_of(site: Site) -> SourceRunner:
    return site.ingest._runners[0]


def is_watched(host: Host, call: str) -> bool:
    described = host.watching.describe(call, {})
    return described is not None and bool(described["coverage"]["watched"])


async def test_whom_the_platform_lists_is_shown_with_the_reason(site: Site) -> None:
    runner_of(site).roster("toys", [Listed("ada"), BOB])
    call = await call_of(site)
    assert [one["participant"] for one in call["participants"]] == ["ada", "bob"]
    bob = call["participants"][1]
    assert (bob["name"], bob["verdict"], bob["reason"]) == ("Bob Roe", "inconclusive", "phone_audio_only")
    assert (bob["coverage"]["watched"], bob["coverage"]["reason"]) == (False, "phone_audio_only")
    assert set(bob) == set(call["participants"][0])
    assert (call["coverage"]["listed"], set(call["coverage"]["unwatched_seconds"])) >= (2, {"phone_audio_only"})
    # Who watches and may not see scores may see this.
    shown = disclosed_call(call, Disclosure.VERDICTS)
    assert shown["coverage"] == call["coverage"]
    assert shown["participants"][1]["coverage"] == bob["coverage"]


async def test_the_share_of_those_who_are_watched_is_a_number_that_names_nobody(site: Site) -> None:
    def told(name: str) -> float | None:
        return site.sidecar.components.metrics.registry.get_sample_value(f"sidewitness_call_participants{name}")

    before = told("")
    assert before is not None
    runner_of(site).roster("quiet", [BOB])
    watched, listed = told("_watched"), told("")
    assert (listed, watched is not None and watched < before + 1) == (before + 1, True)
    harmless = {family.name for family in site.sidecar.components.metrics.harmless.collect()}
    assert not [name for name in harmless if "call_participants" in name]


async def test_a_call_in_which_nobody_is_judged_is_a_call(site: Site) -> None:
    runner_of(site).roster("quiet", [BOB])
    assert (await call_of(site, "quiet"))["coverage"]["watched"] == 0
    runner_of(site).roster("quiet", [])
    assert await host_of(site.sidecar.components).call("quiet") is None
    with pytest.raises(SourceError, match="the participant must be"):
        runner_of(site).roster("quiet", [Listed("two words")])


async def test_everybody_is_told_when_watching_stops_and_goes_on(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.host.coverage.GRACE_SECONDS", GRACE_SECONDS)
    reader = Reader(site, "board")
    host = host_of(site.sidecar.components)
    admitted = await site.sidecar.admit("board", "eve", ScriptedSource())
    eve = host.find("board", "eve")
    assert eve is not None
    await site.until(lambda: is_watched(host, "board"))
    eve.pause(True)
    await site.until(lambda: reader.has("began"))
    [began] = reader.told
    assert {name: began[name] for name in ("type", "action", "call", "participant", "reason")} == {
        "type": "unmonitored",
        "action": "began",
        "call": "board",
        "participant": "eve",
        "reason": "not_watched",
    }
    assert GRACE_SECONDS < began["seconds"] < 5.0
    eve.pause(False)
    await site.until(lambda: reader.has("began", "resumed"))
    assert reader.told[-1]["since"] == began["since"]
    await admitted.end()


async def test_a_source_that_breaks_loses_nobody_and_that_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.host.coverage.GRACE_SECONDS", GRACE_SECONDS)
    reader, attempts = Reader(site, "lost"), list[object]()
    again = asyncio.Event()

    class Flaky:
        def __init__(self, options: PluginOptions) -> None:
            pass

        async def run(self, intake: Any) -> None:
            attempts.append(self)
            if len(attempts) == 2:
                await again.wait()
            admitted = await intake.admit("lost", "ida", ScriptedSource())
            if len(attempts) == 1:
                intake.roster("lost", [Listed("ida"), BOB])
                raise ConnectionError
            await admitted.wait()

    source = ConfiguredSource(7, PluginSpec("flaky", PluginOptions, Flaky), PluginOptions())
    runner = SourceRunner(
        source, host_of(site.sidecar.components), lambda: None, site.time.clock, site.time.sleep, lambda: 0.5
    )
    runner.start()
    try:
        await site.until(lambda: reader.has("began", "began"))
        assert {(one["participant"], one["reason"]) for one in reader.told} == {
            ("ida", "source_lost"),
            ("bob", "source_lost"),
        }
        again.set()
        await site.until(lambda: reader.has("began", "began", "resumed"))
        assert reader.told[-1]["participant"] == "ida"
    finally:
        # One that is left behind is run again and again, and the loop never ends.
        await runner.close()
    assert await host_of(site.sidecar.components).call("lost") is None


async def test_an_embedding_program_is_told_and_its_cursor_stays(site: Site) -> None:
    feed = site.sidecar.alerts()
    message = {"type": "unmonitored", "call": "board", "participant": "eve", "action": "began"}
    asked = asyncio.ensure_future(anext(feed))
    await site.until(lambda: not asked.done() and len(site.sidecar.components.hub) > 0)
    while not asked.done():
        site.sidecar.components.hub.notice(message)
        await asyncio.sleep(0)
    assert asked.result() == message
