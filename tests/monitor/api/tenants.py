"""A server with three tenants that have the same calls, people and names, each with a word that no other may see."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from monitor.alerts.journal import Entry
from monitor.api.access.claims import ordered
from monitor.api.access.issuer import Issuer
from monitor.api.app import Parts
from monitor.config import Settings, TenantSettings
from monitor.host.components import Configured, Tenant
from monitor.host.sources import ConfiguredSource
from monitor.storage.tenancy.names import DEFAULT_TENANT
from monitor.storage.tenancy.settings import of_tenant, prepare
from plugins.base import Intake, Listed, PluginOptions, PluginSpec
from tests.monitor.alerts.build import ready_journal
from tests.monitor.alerts.policy.build import policy_of
from tests.monitor.alerts.sinks.build import MemorySink, named
from tests.monitor.api.people import Crew, crew
from tests.monitor.api.server import PATIENCE, Site, receive, serving, subscription
from tests.monitor.rig import OPEN, ScriptedSource, block, scripted

TENANTS = (DEFAULT_TENANT, "acme", "globex")
CONSENT = {"by": "", "given": "2026-01-02"}
PATH = "/v1/calls/board/participants/p1/whip"


def word(tenant: str) -> str:
    """The word of a tenant: in everything that is its own, and in no request."""
    return f"canary-of-{tenant}"


class Lobby:
    """A way in that brings one person into a call and lists another, and stays until it is ended."""

    def __init__(self, tenant: str) -> None:
        self._tenant = tenant
        self.gone = asyncio.Event()

    async def run(self, intake: Intake) -> None:
        intake.connected()
        await intake.admit("lobby", word(self._tenant), ScriptedSource())
        intake.roster("lobby", [Listed(word(self._tenant)), Listed("silent-" + word(self._tenant))])
        await asyncio.Event().wait()


def way_in(tenant: str, number: int) -> ConfiguredSource:
    spec = PluginSpec("lobby", PluginOptions, lambda _options: Lobby(tenant))
    return ConfiguredSource(number, spec, PluginOptions())


@dataclass
class House:
    """A running server, and of each tenant what it has and the ids of what is there, by the name in a path."""

    site: Site
    crews: Mapping[str, Crew]
    sinks: Mapping[str, MemorySink]
    ids: dict[str, dict[str, str]] = field(default_factory=dict)
    _bearers: dict[tuple[str, str], str] = field(default_factory=dict)

    def parts(self, tenant: str) -> Parts:
        return self.site.surface.parts if tenant == DEFAULT_TENANT else self.site.surface.tenants[tenant]

    def token(self, tenant: str, role: str = "admin") -> str:
        """A token of a tenant, one for each role: what is made of tokens is looked at, too."""
        if (tenant, role) not in self._bearers:
            issuer: Issuer = self.parts(tenant).issuer
            more = {"call": "board"} if role == "publisher" else {"identity": "Jane Doe"} if role == "subject" else {}
            order = ordered(f"{role}-{word(tenant)}", role, 600, **more)
            self._bearers[tenant, role] = issuer.issue(order, word(tenant))[0]
        return self._bearers[tenant, role]

    def bearer(self, tenant: str, role: str = "admin") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(tenant, role)}"}

    def held(self, tenant: str) -> dict[str, Any]:
        """What a tenant has, as it is stored and as it is judged now."""
        parts, people = self.parts(tenant), self.crews[tenant].people
        return {
            "findings": parts.journal.head(),
            "cases": [event.seq for event in parts.desk.casework.read(0, 10_000)],
            "identities": [(info.name, info.state, info.versions) for info in people.vault.list()],
            "tokens": [(line["id"], line["state"]) for line in parts.issuer.list()],
            "enrolments": [job.id for job in people.enrolments.jobs()],
            "sources": [source["source"] for source in parts.sources.describe()],
        }

    async def closes(self, tenant: str, drill: str) -> None:
        """Wait until the finding of a drill is closed, some moments after its sinks have accepted it."""
        journal = self.parts(tenant).journal
        async with asyncio.timeout(PATIENCE):
            while "closed" not in [row.finding.action for row in journal.changes(drill) if isinstance(row, Entry)]:
                await asyncio.to_thread(journal.head)

    async def ends(self, tenant: str, enrolment: str) -> None:
        """Wait until an enrolment has ended, and what it changes is kept."""
        job = self.crews[tenant].people.enrolments.find(enrolment)
        assert job is not None
        await asyncio.wait_for(job.ended.wait(), PATIENCE)

    async def judged(self, tenant: str) -> set[tuple[str, str]]:
        """Who is in a tenant's calls."""
        calls = await self.parts(tenant).calls.calls()
        return {(call["call"], one["participant"]) for call in calls for one in call["participants"]}


@contextlib.asynccontextmanager
async def house(folder: Path, is_furnished: bool = True, **more: Any) -> AsyncIterator[House]:
    """Run the server, with something of everything in each tenant."""
    settings = Settings(state_dir=folder, tenants={name: TenantSettings() for name in TENANTS[1:]})
    folders = {name: of_tenant(settings, name) for name in TENANTS}
    for name in TENANTS[1:]:
        prepare(folders[name])
        ready_journal(folders[name].state_dir).close()
    crews = {name: crew(own.state_dir) for name, own in folders.items()}
    sinks = {name: MemorySink() for name in TENANTS}
    policies = {
        name: policy_of({"name": word(name), "calls": ["board"], "at_alert": {"actions": ["mute", "ask_to_verify"]}})
        for name in TENANTS
    }
    tenants = [
        Tenant(
            name,
            folders[name],
            scripted(),
            crews[name].people.vault,
            Configured((way_in(name, 0),), (named(sinks[name], f"sink-{number}"),), policies[name]),
        )
        for number, name in enumerate(TENANTS[1:])
    ]
    async with serving(
        folder,
        people=crews[DEFAULT_TENANT].people,
        sinks=[named(sinks[DEFAULT_TENANT], "sink")],
        policy=policies[DEFAULT_TENANT],
        tenants=tenants,
        tenants_people={name: crews[name].people for name in TENANTS[1:]},
        sources=[way_in(DEFAULT_TENANT, 0)],
        max_participants=64,
        **more,
    ) as site:
        made = House(site, crews, sinks)
        for name in TENANTS if is_furnished else ():
            made.ids[name] = await furnish(made, name)
        yield made
    for one in crews.values():
        one.people.vault.close()


async def furnish(made: House, tenant: str) -> dict[str, str]:
    """Put something of everything into a tenant; return its ids."""
    async with (
        httpx.AsyncClient(base_url=made.site.base, timeout=PATIENCE, headers=made.bearer(tenant)) as admin,
        made.site.connect() as socket,
    ):
        await socket.send(subscription(token=made.token(tenant)))
        await receive(socket)
        sent = await admin.post(
            f"{PATH}?name={word(tenant)}", content=b"v=0", headers={"Content-Type": "application/sdp"}
        )
        assert sent.status_code == 201, sent.text
        made.site.peers.made[-1].put(block(OPEN))
        while (message := await receive(socket))["type"] != "finding" or message["call"] != "board":
            pass
        actions = {one["action"]: one["id"] for one in message["handling"]["actions"]}
        for action in actions.values():
            # Written in a task of its own.
            async with asyncio.timeout(PATIENCE):
                while (await admin.get(f"/v1/findings/{message['id']}/actions/{action}")).status_code == 404:
                    pass
        note = {"event": "noted", "text": word(tenant)}
        noted = await admin.post(f"/v1/findings/{message['id']}/events", json=note)
        assert noted.status_code == 201, noted.text
        consent = json.dumps({**CONSENT, "by": word(tenant)})
        enrolled = await admin.post(
            "/v1/identities/Jane%20Doe", data={"consent": consent}, files=[("clips", ("0.mp4", "good"))]
        )
        assert enrolled.status_code == 202, enrolled.text
        await made.ends(tenant, enrolled.json()["id"])
        drill = await admin.post("/v1/drills", json={"call": "practice"})
        assert drill.status_code == 201, drill.text
        await made.closes(tenant, drill.json()["id"])
        # One that nobody asks with: whoever revokes it goes on.
        spare = (await admin.post("/v1/tokens", json={"subject": word(tenant), "role": "viewer"})).json()
        [source] = (await admin.get("/v1/sources")).json()["sources"]
        return {
            "call": "board",
            "participant": "p1",
            "name": "Jane%20Doe",
            "session": sent.headers["location"].rpartition("/")[2],
            "finding": message["id"],
            "action": actions["mute"],
            "challenge": actions["ask_to_verify"],
            "job_id": enrolled.json()["id"],
            "drill": drill.json()["id"],
            "token_id": spare["id"],
            "source": str(source["source"]),
            "session_id": "none",
            "host": "none",
            "path": "app.js",
        }
