"""Tenants on hosts in other processes: each is compared with whom its tenant has enrolled, and found in its journal."""

from __future__ import annotations

import asyncio
import os
from datetime import date
from pathlib import Path
from typing import Any

from monitor.alerts.journal import Entry
from monitor.config import Settings, SourceSettings, TenantSettings
from monitor.detectors.reference import Reference
from monitor.host.calls import ActionStatus
from monitor.host.cluster.gateway import hosting
from monitor.host.cluster.host_settings import environment
from monitor.host.cluster.launch import local_processes
from monitor.host.components import Tenant
from monitor.host.sidecar import Sidecar, assemble
from monitor.identity.vault.consent import Consent
from monitor.storage.tenancy.names import DEFAULT_TENANT, inside
from monitor.storage.tenancy.settings import of_tenant, prepare
from monitor.types import Action, ActionKind, ParticipantKey
from tests.monitor.alerts.build import ready_journal
from tests.monitor.api.people import vault_in
from tests.monitor.host.cluster.site import TOY, Site
from tests.monitor.rig import quiet_log, scripted

TENANTS = (DEFAULT_TENANT, "acme", "globex")
CONSENT = Consent("Jane Doe", date(2026, 1, 2), None, "protection", None)
KEY = ParticipantKey("board", "p1", "Jane Doe")


def made_by(tenant: str) -> str:
    return f"2026-01-0{1 + TENANTS.index(tenant)}T00:00:00.000Z"


def tenants_in(folder: Path) -> tuple[Settings, list[Tenant]]:
    """Three tenants, each of which has enrolled a Jane Doe of its own."""
    settings = Settings(
        state_dir=folder,
        hop_seconds=0.1,
        processes=2,
        log_level="error",
        max_participants=8,
        tenants={name: TenantSettings() for name in TENANTS[1:]},
    )
    made = []
    for name in TENANTS:
        own = of_tenant(settings, name)
        if name != DEFAULT_TENANT:
            prepare(own)
        ready_journal(own.state_dir).close()
        vault = vault_in(own.state_dir)
        vault.store("Jane Doe", Reference(made_by(name), ()).to_bytes(), CONSENT, "ops")
        made.append(Tenant(name, own, scripted(), vault))
    return settings, made


def evidence(sidecar: Sidecar, tenant: str) -> list[dict[str, Any]]:
    rows = sidecar.components.of(tenant).stores.journal.read(0)
    found = [row.finding for row in rows if isinstance(row, Entry)]
    assert {one.key for one in found} <= {KEY}
    return [dict(one.evidence["synchrony"]) for one in found if one.action == "opened"]


async def test_hosts_in_processes_keep_tenants_apart(tmp_path: Path) -> None:
    settings, (first, *others) = tenants_in(tmp_path)
    launch = local_processes(TOY, environment(os.environ, 1))
    with quiet_log():
        components = assemble(settings, first.judging, first.vault, tenants=others, hosting=hosting(settings, launch))
        async with Sidecar(settings, components) as sidecar:
            fleet: Any = components.host
            site, parts = Site(sidecar, fleet), {name: components.of(name) for name in TENANTS}
            for name in TENANTS:
                await parts[name].calls.publish(KEY, "offer", "operator")
            looking = asyncio.create_task(site.look())
            try:
                await site.until(lambda: all(evidence(sidecar, name) for name in TENANTS), "each has a finding")
            finally:
                looking.cancel()
            for name in TENANTS:
                # The reference is the tenant's own, though all are of a Jane Doe.
                assert {one["reference"] for one in evidence(sidecar, name)} == {made_by(name)}
                assert [call["call"] for call in await parts[name].calls.calls()] == ["board"]
                assert fleet.ledger.seat((inside(name, "board"), "p1")) is not None
            # Nobody ends anybody in another's call, whatever it is called.
            assert not await parts[DEFAULT_TENANT].calls.remove("acme/board", "p1")
            assert await parts["acme"].calls.remove("board", "p1")
            assert await parts["acme"].calls.call("board") is None
            assert await parts["globex"].calls.call("board") is not None
            await ways_in_are_their_tenants(sidecar, tmp_path)
    for one in (first, *others):
        assert one.vault is not None
        one.vault.close()


async def ways_in_are_their_tenants(sidecar: Sidecar, folder: Path) -> None:
    ways = {name: sidecar.components.of(name).ingest for name in TENANTS}
    chosen = SourceSettings.model_validate({"plugin": "folder", "path": str(folder / "nothing"), "call": "board"})
    made = await ways["acme"].add(chosen)
    assert [one["source"] for one in ways["acme"].describe()] == [made["source"]]
    for other in (DEFAULT_TENANT, "globex"):
        assert ways[other].describe() == []
        assert not await ways[other].remove(made["source"])
        outcome = await ways[other].act("board", "p1", Action(ActionKind.MUTE))
        assert outcome.status is ActionStatus.NOT_HERE
    assert await ways["acme"].remove(made["source"])
    assert ways["acme"].describe() == []
