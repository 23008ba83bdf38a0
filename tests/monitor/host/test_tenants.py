"""How tenants share one host: what each may hold of it, and what a start refuses."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from monitor.alerts.sinks.registry import open_sinks
from monitor.config import ConfigError, Settings, SinkSettings, SourceSettings, TenantSettings
from monitor.host.calls import AtCapacity
from monitor.host.components import Configured, Tenant, check_sinks, configured_of
from monitor.host.sidecar import Sidecar, assemble
from monitor.storage.tenancy.names import DEFAULT_TENANT
from monitor.storage.tenancy.settings import of_tenant, prepare
from monitor.types import ParticipantKey, Profile
from tests.monitor.alerts.build import ready_journal
from tests.monitor.rig import OPEN, ScriptedSource, block, host_of, quiet_log, scripted

PATIENCE = 10.0


def sidecar_in(folder: Path, places: int | None = None) -> Sidecar:
    settings = Settings(state_dir=folder, hop_seconds=0.1, max_participants=8, tenants={"acme": TenantSettings()})
    own = of_tenant(settings, "acme")
    prepare(own)
    for one in (settings, own):
        ready_journal(one.state_dir).close()
    acme = Tenant("acme", own, scripted(), places=places)
    return Sidecar(settings, assemble(settings, scripted(), tenants=[acme]))


async def test_a_tenant_holds_no_more_places_than_it_may_and_others_have_theirs(tmp_path: Path) -> None:
    with quiet_log():
        async with sidecar_in(tmp_path, places=2) as sidecar:
            first = await sidecar.admit("board", "a", ScriptedSource(), tenant="acme")
            await sidecar.admit("board", "b", ScriptedSource(), tenant="acme")
            refused = ScriptedSource()
            with pytest.raises(AtCapacity, match="as many participants as it may"):
                await sidecar.admit("board", "c", refused, tenant="acme")
            assert [item async for item in refused] == []
            # Who is there may come again, and whoever leaves makes room.
            await sidecar.admit("board", "b", ScriptedSource(), tenant="acme")
            await first.end()
            await sidecar.admit("board", "c", ScriptedSource(), tenant="acme")
            for name in "abcd":
                await sidecar.admit("board", name, ScriptedSource())
            assert [len(call["participants"]) for call in await sidecar.calls()] == [4]
            assert [len(call["participants"]) for call in await sidecar.calls("acme")] == [2]


async def test_a_program_reads_what_is_found_of_the_tenant_that_it_asks_for(tmp_path: Path) -> None:
    with quiet_log():
        async with sidecar_in(tmp_path) as sidecar, asyncio.timeout(PATIENCE):
            theirs, own = sidecar.alerts(0, tenant="acme"), sidecar.alerts(0)
            source = ScriptedSource()
            admitted = await sidecar.admit("board", "a", source, tenant="acme")
            assert admitted.key == ParticipantKey("board", "a")
            source.put(block(OPEN))
            message = await anext(theirs)
            while message["type"] != "finding":
                message = await anext(theirs)
            assert (message["call"], message["participant"], message["seq"]) == ("board", "a", 1)
            assert not await sidecar.remove("acme/board", "a")
            assert await sidecar.remove("board", "a", tenant="acme")
            assert sidecar.components.journal.head().seq == 0
            with pytest.raises(ConfigError, match="no such tenant"):
                await sidecar.calls("globex")
        assert [one["type"] async for one in own] == []


async def test_what_sources_ask_of_the_host_is_about_their_tenant(tmp_path: Path) -> None:
    with quiet_log():
        async with sidecar_in(tmp_path) as sidecar:
            await sidecar.admit("board", "a", ScriptedSource(), tenant="acme")
            await sidecar.admit("board", "a", ScriptedSource())
            calls, host = sidecar.components.of("acme").calls, host_of(sidecar.components)
            explained = await calls.explain("board", "a")
            assert explained is not None
            assert explained["call"] == "board"
            assert await calls.explain("board", "nobody") is None
            found = await calls.claiming.ask(ParticipantKey("board", "a", "Jane"), Profile())  # type: ignore[attr-defined]
            assert found.key.call == "board"
            calls.show(ParticipantKey("board", "a"), Profile("Ada"))  # type: ignore[attr-defined]
            await calls.forget("board")  # type: ignore[attr-defined]
            assert host.find("acme/board", "a") is None
            assert host.find("board", "a") is not None
            assert (calls.draining, calls.alive.of) == (False, 1)


def test_sinks_are_told_apart_by_their_names_over_all_tenants(tmp_path: Path) -> None:
    sinks = tuple(open_sinks([SinkSettings.model_validate({"kind": "jsonl", "path": str(tmp_path / "a")})]))
    check_sinks({DEFAULT_TENANT: Configured(sinks=sinks), "acme": Configured()})
    with pytest.raises(ConfigError, match="tenant 'acme': another tenant has a sink 'jsonl'"):
        check_sinks({DEFAULT_TENANT: Configured(sinks=sinks), "acme": Configured(sinks=sinks)})


def test_a_mistake_in_a_tenant_is_told_with_its_name(tmp_path: Path) -> None:
    wrong = Settings(state_dir=tmp_path, sources=(SourceSettings.model_validate({"plugin": "none"}),))
    with pytest.raises(ConfigError, match=r"^tenant 'acme': setting 'sources.0.plugin'"):
        configured_of("acme", wrong, [])
    with pytest.raises(ConfigError, match=r"^setting 'sources.0.plugin'"):
        configured_of(DEFAULT_TENANT, wrong, [])
