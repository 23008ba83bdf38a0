"""The sidecar without HTTP: who embeds it admits sources, reads what subscribers are sent, and leaves nothing open."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

import monitor
from monitor import AtCapacity, ConfigError, InvalidName, Settings, Sidecar
from monitor.alerts.push import CAPACITY_MESSAGES
from monitor.api.server import listen
from monitor.config import SinkSettings
from monitor.host.judging import tap_config
from monitor.host.matrix_threads import ADVICE, VARIABLES
from monitor.host.sidecar import assemble, build
from monitor.serve import serve
from monitor.tap.media.config import TapConfig
from tests.monitor.alerts.build import finding, ready_journal
from tests.monitor.rig import CLOSE, OPEN, ScriptedSource, block, quiet_log, scripted

ROOT = Path(__file__).parents[3]
PATIENCE = 10.0


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SIDEWITNESS_{name.upper()}", raising=False)
    with quiet_log():
        yield


def settings_in(folder: Path, **more: Any) -> Settings:
    return Settings(state_dir=folder, hop_seconds=0.1, **more)


def sidecar_in(folder: Path, **more: Any) -> Sidecar:
    settings = settings_in(folder, **more)
    ready_journal(folder).close()
    return Sidecar(settings, assemble(settings, scripted()))


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def next_finding(messages: AsyncIterator[dict[str, Any]]) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE):
        async for message in messages:
            if message["type"] == "finding":
                return message
    raise AssertionError("there was no finding")


def test_the_time_after_which_somebody_has_left_reaches_the_peer() -> None:
    """The default is a minute; what is set is what a peer goes by."""
    assert Settings().leave_seconds == TapConfig().leave_seconds == 60.0
    assert tap_config(Settings(leave_seconds=7.5)).leave_seconds == 7.5


async def test_what_an_embedded_source_raises_is_read_until_the_end(tmp_path: Path) -> None:
    async with sidecar_in(tmp_path) as sidecar:
        messages = sidecar.alerts(states=True)
        source = ScriptedSource()
        admission = await sidecar.admit("board", "ada", source, identity="Ada L")
        source.put(block(OPEN))
        opened = await next_finding(messages)
        assert [call["call"] for call in await sidecar.calls()] == ["board"]
        assert not admission.ended
    assert (opened["action"], opened["participant"], opened["identity"]) == ("opened", "ada", "Ada L")
    assert admission.ended
    rest = [message async for message in messages]
    assert {message["type"] for message in rest} == {"state", "finding"}
    assert [m["reason"] for m in rest if m["type"] == "state"][-1] == "ended"
    assert (rest[-1]["type"], rest[-1]["action"], rest[-1]["id"]) == ("finding", "closed", opened["id"])


async def test_a_reader_resumes_behind_the_last_finding_it_saw(tmp_path: Path) -> None:
    async with sidecar_in(tmp_path) as sidecar:
        source = ScriptedSource()
        admission = await sidecar.admit("board", "ada", source)
        source.put(block(OPEN))
        first = await next_finding(sidecar.alerts(after=0))
        source.put(block(CLOSE))
        assert (await next_finding(sidecar.alerts(after=first["seq"])))["seq"] == first["seq"] + 1
        await admission.end()
        assert await sidecar.calls() == []


async def test_a_slow_reader_misses_states_and_no_finding(tmp_path: Path) -> None:
    async with sidecar_in(tmp_path) as sidecar:
        parts, messages = sidecar.components, sidecar.alerts(states=True)
        first = asyncio.ensure_future(anext(messages))
        parts.recorder.put(finding("e0"), 0.0)
        assert (await asyncio.wait_for(first, PATIENCE))["seq"] == 1
        for _ in range(CAPACITY_MESSAGES + 1):
            parts.hub.state({"type": "state"}, 0.0)
        for number in range(1, 4):
            parts.recorder.put(finding(f"e{number}"), 0.0)
    rest = [message async for message in messages]
    assert [message["seq"] for message in rest] == [2, 3, 4]


async def test_what_is_found_before_the_first_read_is_not_missed(tmp_path: Path) -> None:
    async with sidecar_in(tmp_path) as sidecar:
        journal = sidecar.components.journal
        journal.append(finding("before"))
        messages = sidecar.alerts()
        journal.append(finding("after"))
        async with asyncio.timeout(PATIENCE):
            assert (await anext(messages))["seq"] == 2


async def test_who_stops_reading_is_forgotten(tmp_path: Path) -> None:
    async with sidecar_in(tmp_path) as sidecar:
        messages = sidecar.alerts()
        assert len(sidecar.components.hub) == 1
        del messages
        assert len(sidecar.components.hub) == 0


async def test_whoever_cannot_be_admitted_has_their_source_closed(tmp_path: Path) -> None:
    async with sidecar_in(tmp_path, max_participants=1) as sidecar:
        await sidecar.admit("board", "ada", ScriptedSource())
        for name, refusal in (("bob", AtCapacity), ("two words", InvalidName)):
            source = ScriptedSource()
            with pytest.raises(refusal):
                await sidecar.admit("board", name, source)
            assert [item async for item in source] == []
        with pytest.raises(InvalidName, match="the identity must be"):
            await sidecar.admit("board", "bob", ScriptedSource(), identity=" ")
        assert await sidecar.remove("board", "ada")
        assert not await sidecar.remove("board", "ada")
        await sidecar.admit("board", "bob", ScriptedSource())


async def test_what_will_not_end_does_not_hold_up_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.host.participant.CLOSE_SECONDS", 0.2)

    class Stubborn(ScriptedSource):
        async def close(self) -> None:
            await asyncio.Event().wait()

    async with sidecar_in(tmp_path, drain_seconds=0.05) as sidecar:
        await sidecar.admit("board", "ada", Stubborn())
    assert sidecar.components.host.draining


async def test_a_sidecar_that_does_not_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="async with Sidecar"):
        await Sidecar(settings_in(tmp_path)).calls()


async def test_it_builds_itself_as_it_is_entered(tmp_path: Path) -> None:
    """With the real models and vault: what `Sidecar(settings)` alone gives."""
    async with Sidecar(settings_in(tmp_path)) as sidecar:
        assert sidecar.components.vault is not None
        assert await sidecar.calls() == []
    assert names_in(tmp_path) >= {"journal.sqlite", "vault.sqlite"}


async def test_an_error_of_the_settings_comes_before_the_models_are_loaded(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such sink"):
        build(settings_in(tmp_path, sinks=(SinkSettings(kind="pigeon"),)), lambda: pytest.fail("models were loaded"))


async def test_a_port_that_is_taken_leaves_everything_untouched(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as taken:
        settings = settings_in(tmp_path, port=taken.getsockname()[1])
        sidecar = Sidecar(settings, assemble(settings, scripted()))
        with pytest.raises(ConfigError, match="cannot listen"):
            await serve(sidecar, settings, "token", lambda *_bases: pytest.fail("it serves"))
        sidecar.close()
        own = settings_in(tmp_path, port=0, admin_port=taken.getsockname()[1])
        sidecar = Sidecar(own, assemble(own, scripted()))
        with pytest.raises(ConfigError, match="set SIDEWITNESS_ADMIN_PORT"):
            await serve(sidecar, own, "token", lambda *_bases: pytest.fail("it serves"))
        sidecar.close()
    assert names_in(tmp_path) == set()


def test_the_package_exports_what_it_says_and_loads_it_when_it_is_asked_for() -> None:
    assert all(getattr(monitor, name) is not None for name in monitor.__all__)
    assert set(monitor.__all__) <= set(dir(monitor))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        monitor.Nothing  # noqa: B018
    heavy = "import sys, monitor; print(sorted({'numpy', 'av', 'fastapi', 'pydantic', 'structlog'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("threads", ["1", "2"])
def test_who_builds_a_sidecar_is_told_of_threads_that_wait(
    threads: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    for name in VARIABLES:
        monkeypatch.setenv(name, threads)
    with structlog.testing.capture_logs() as logs:
        build(settings_in(tmp_path))
    assert [line["event"] for line in logs if line["event"] == ADVICE] == [ADVICE] * (threads != "1")
