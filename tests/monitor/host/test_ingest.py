"""Sources run side by side, come back after ever longer pauses, harm nobody, and leave nobody behind; time is made."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitor.config import ConfigError, Settings, SourceSettings, load
from monitor.host import logging as log
from monitor.host.calls import AtCapacity
from monitor.host.ingest import Ingest, SourceRunner
from monitor.host.sidecar import Sidecar, assemble, build
from monitor.host.sources import configured_sources
from monitor.tap.media.source import SourceError
from plugins.base import NoRoom
from tests.monitor.alerts.build import ready_journal
from tests.monitor.rig import ScriptedSource, host_of, quiet_log, scripted
from tests.plugins.toy import MODULE, installed

PATIENCE = 10.0


@pytest.fixture(autouse=True)
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SIDEWITNESS_{name.upper()}", raising=False)
    with quiet_log(), installed(tmp_path / "site", monkeypatch):
        yield


class MadeTime:
    """A clock that moves when somebody sleeps, except that the sleep of an hour is over at once for nobody else."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


class Site:
    """A running sidecar with toys."""

    def __init__(self, sidecar: Sidecar, ingest: Ingest, time: MadeTime) -> None:
        self.sidecar, self.ingest, self.time = sidecar, ingest, time

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - each turn of the loop lets the sources go on
                await asyncio.sleep(0)

    async def until_phases(self, *phases: str) -> None:
        await self.until(lambda: self.phases() == list(phases))

    def phases(self) -> list[str]:
        return [source["phase"] for source in self.ingest.describe()]

    async def participants(self) -> set[str]:
        return {person["participant"] for call in await self.sidecar.calls() for person in call["participants"]}

    def number(self, phase: str) -> float | None:
        value = self.sidecar.components.metrics.registry.get_sample_value
        return value("sidewitness_sources", {"phase": phase})


def toy_source(participant: str = "toy", *ends: str) -> SourceSettings:
    return SourceSettings.model_validate({"plugin": "toy", "participant": participant, "ends": list(ends)})


@asynccontextmanager
async def running(folder: Path, sources: Sequence[SourceSettings], **settings: Any) -> AsyncIterator[Site]:
    chosen = Settings(state_dir=folder, hop_seconds=0.1, **settings)
    ready_journal(folder).close()
    components, time = assemble(chosen, scripted()), MadeTime()
    ingest = Ingest(
        configured_sources(sources), host_of(components), components.metrics, time.clock, time.sleep, jitter=lambda: 0.5
    )
    async with Sidecar(chosen, replace(components, ingest=ingest)) as sidecar:
        yield Site(sidecar, ingest, time)


async def test_who_crashes_comes_back_after_longer_pauses_and_harms_nobody(tmp_path: Path) -> None:
    async with running(tmp_path, [toy_source("ada", *4 * ["crash"]), toy_source("bob")]) as site:
        await site.until_phases("connected", "connected")
        assert site.time.slept == [0.375, 0.75, 1.5, 3.0]
        assert sys.modules[MODULE].attempts.count("bob") == 1
        assert await site.participants() == {"ada", "bob"}
        assert [source["participants"] for source in site.ingest.describe()] == [1, 1]
        assert (site.number("connected"), site.number("retrying")) == (2, 0)
    assert sys.modules[MODULE].attempts.count("ada") == 5


async def test_whom_a_source_has_brought_goes_with_it(tmp_path: Path) -> None:
    async with running(tmp_path, [toy_source("ada", "leave"), toy_source("bob")]) as site:
        await site.until_phases("ended", "connected")
        assert await site.participants() == {"bob"}
        assert site.number("ended") == 1
        await site.sidecar.remove("toys", "bob")
        await site.until_phases("ended", "ended")
        assert await site.participants() == set()


async def test_after_a_steady_connection_the_pauses_begin_anew(tmp_path: Path) -> None:
    async with running(tmp_path, [toy_source("ada", "crash", "crash", "hour")]) as site:
        await site.until(lambda: site.time.slept == [0.375, 0.75, 3600.0, 0.375])
        await site.until_phases("connected")
        assert site.ingest.describe()[0]["failures"] == 1


async def test_what_the_other_side_asks_for_is_kept(tmp_path: Path) -> None:
    async with running(tmp_path, [toy_source("ada", "busy")]) as site:
        await site.until(lambda: site.time.slept == [20.0])
        described = site.ingest.describe()[0]
        assert (described["plugin"], described["why"]) == ("toy", "nobody is there yet: start the call")


async def test_waiting_is_no_failure(tmp_path: Path) -> None:
    async with running(tmp_path, [toy_source("ada", "waiting")]) as site:
        await site.until_phases("connected")
        assert site.time.slept == []


async def test_one_that_cancels_itself_is_tried_again(tmp_path: Path) -> None:
    async with running(tmp_path, [toy_source("ada", "cancel")]) as site:
        await site.until_phases("connected")
        assert site.time.slept == [0.375]


async def test_one_that_will_not_leave_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.host.ingest.CLOSE_SECONDS", 0.05)
    async with running(tmp_path, [toy_source("ada", "stubborn"), toy_source("bob")]) as site:
        await site.until_phases("connected", "connected")
    assert site.sidecar.components.recorder.dropped == 0
    assert await site.participants() == set()


async def test_who_finds_no_room_is_told_and_closed(tmp_path: Path) -> None:
    async with running(tmp_path, [toy_source("ada")], max_participants=1) as site:
        await site.until_phases("connected")
        runner = SourceRunner(
            configured_sources([toy_source()])[0],
            host_of(site.sidecar.components),
            lambda: None,
            site.time.clock,
            site.time.sleep,
            lambda: 0.5,
        )
        for participant, refusal in (("bob", NoRoom), ("two words", SourceError)):
            source = ScriptedSource()
            with pytest.raises(refusal) as refused:
                await runner.admit("board", participant, source)
            assert [item async for item in source] == []
            if isinstance(refused.value, NoRoom):
                assert refused.value.retry_after_seconds == 5.0
        await runner.close()
        with pytest.raises(NoRoom, match="shutting down"):
            await runner.admit("board", "bob", ScriptedSource())


async def test_a_change_is_one_line_without_names_and_messages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log.configure("info", "json")
    async with running(tmp_path, [toy_source("ada", "crash", "crash", "crash", "busy", "crash")]) as site:
        await site.until_phases("connected")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    written = [line for line in lines if line["logger"] == "ingest"]
    # Told where something is new, not at each of many attempts.
    told = [(line["phase"], line["failures"], line.get("error"), line.get("retry_seconds")) for line in written]
    assert told == [
        ("retrying", 1, "ValueError", 0.4),
        ("retrying", 4, "Unavailable", 20.0),
        ("retrying", 5, "ValueError", 6.0),
        ("connected", 5, None, None),
    ]
    assert "ada" not in json.dumps(lines)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            {"plugin": "pigeon"},
            "'sources.0.plugin': there is no such plug-in, choose one of broken, folder, janus, livekit, odd, rtp, toy",
        ),
        (
            {"plugin": "toy", "wings": 2},
            r"'sources.0.wings': the plug-in 'toy' has no such option, choose from ends",
        ),
        ({"plugin": "toy", "participant": []}, r"setting 'sources.0.participant' .*valid string"),
        ({"plugin": "folder"}, r"setting 'sources.0.path' .*required"),
        ({"plugin": "broken"}, r"the plug-in 'broken' cannot be loaded \(ModuleNotFoundError\): reinstall"),
    ],
)
def test_a_source_that_cannot_be_is_one_line(tmp_path: Path, source: dict[str, Any], message: str) -> None:
    settings = Settings(state_dir=tmp_path, sources=(SourceSettings.model_validate(source),))
    with pytest.raises(ConfigError, match=message) as refused:
        build(settings, lambda: pytest.fail("models were loaded for nothing"))
    assert "\n" not in str(refused.value)


def test_sources_come_from_a_file_or_the_environment_and_are_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "sidewitness.yaml"
    file.write_text("sources:\n  - plugin: toy\n    participant: a-secret\n")
    assert load(file).sources[0].model_extra == {"participant": "a-secret"}
    assert "a-secret" not in repr(load(file))
    monkeypatch.setenv("SIDEWITNESS_SOURCES", '[{"plugin": "folder", "path": "/clips"}]')
    assert [source.plugin for source in load().sources] == ["folder"]
    monkeypatch.setenv("SIDEWITNESS_SOURCES", '[{"path": "/clips"}]')
    with pytest.raises(ConfigError, match=r"setting 'sources.0.plugin' \(SIDEWITNESS_SOURCES\): Field required"):
        load()


async def test_sources_come_and_go_while_it_runs_and_are_counted(tmp_path: Path) -> None:
    log.configure("info", "json")
    async with running(tmp_path, [toy_source("ada")]) as site:
        added = await site.ingest.add(toy_source("bob", "crash"))
        assert (added["source"], added["plugin"]) == (1, "toy")
        await site.until_phases("connected", "connected")
        assert await site.participants() == {"ada", "bob"}
        failures = site.sidecar.components.metrics.registry.get_sample_value("sidewitness_source_failures_total")
        assert (failures, site.number("connected")) == (1, 2)
        assert await site.ingest.remove(1)
        assert not await site.ingest.remove(1)
        assert await site.participants() == {"ada"}
        assert (site.phases(), site.number("connected")) == (["connected"], 1)
        # The number of one that went is given to no other.
        assert (await site.ingest.add(toy_source("carol")))["source"] == 2
        # Those of the configuration can go as well.
        assert await site.ingest.remove(0)
    with pytest.raises(AtCapacity, match="shutting down"):
        await site.ingest.add(toy_source("late"))


async def test_there_are_so_many_sources_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.host.ingest.MAX_SOURCES", 2)
    async with running(tmp_path, [toy_source("ada")]) as site:
        asked = [site.ingest.add(toy_source(name)) for name in ("bob", "carol", "dora")]
        made = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(one, AtCapacity) for one in made) == 2
        assert len(site.ingest.describe()) == 2


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"plugin": "pigeon"}, r"^option 'plugin': there is no such plug-in, choose one of broken, folder"),
        ({"plugin": "toy", "wings": 2}, r"^option 'wings': the plug-in 'toy' has no such option"),
        ({"plugin": "toy", "participant": ["a-secret"]}, r"^option 'participant': Input should be a valid string"),
    ],
)
async def test_what_cannot_be_added_speaks_of_its_options(tmp_path: Path, source: dict[str, Any], message: str) -> None:
    async with running(tmp_path, []) as site:
        with pytest.raises(ConfigError, match=message) as refused:
            await site.ingest.add(SourceSettings.model_validate(source))
        assert "a-secret" not in str(refused.value)
        assert site.ingest.describe() == []
