"""Tenants on one server: nothing of one is seen, changed or told of by another, whatever they ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.api.access.roles import Permission, Role
from monitor.api.app import application
from monitor.api.refusals import Refusals
from monitor.api.role_table import WEBSOCKET, Endpoint, endpoints
from monitor.config import Settings
from monitor.storage.tenancy.names import DEFAULT_TENANT
from tests.monitor.alerts.build import finding
from tests.monitor.api.server import PATIENCE, receive
from tests.monitor.api.tenants import TENANTS, House, house, word
from tests.monitor.rig import host_of, quiet_log

# What a request may send: enough for each route to get to its work. A route that is not here is sent an empty object.
BODIES: dict[str, Any] = {
    "/v1/tokens": {"subject": "somebody", "role": "viewer"},
    "/v1/drills": {"call": "practice"},
    "/v1/findings/{finding}/events": {"event": "labelled", "label": "false"},
    "/v1/findings/{finding}/challenges/{challenge}": {"outcome": "failed"},
    "/v1/sources": {"plugin": "none"},
}
# Of a role, what it may do and what it may not: an admin may do everything, and the others other things.
ROLES = tuple(role for role in Role)


@dataclass
class Running:
    """A house, and the loop that it runs in."""

    runner: asyncio.Runner
    house: House
    served: list[Endpoint]
    client: httpx.AsyncClient

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        # Hypothesis writes an example's arguments with all their fields: here all that the house holds, at every one.
        printer.text("Running")

    def held(self, tenant: str) -> tuple[dict[str, Any], set[tuple[str, str]]]:
        return self.house.held(tenant), self.runner.run(self.house.judged(tenant))

    async def ask(self, endpoint: Endpoint, headers: dict[str, str], ids: dict[str, str]) -> httpx.Response:
        path = endpoint.path.format(**ids)
        if path.endswith("/whip") and endpoint.method == "POST":
            return await self.client.post(path, content=b"v=0", headers={"Content-Type": "application/sdp", **headers})
        if endpoint.path == "/v1/identities/{name}" and endpoint.method == "POST":
            files = [("clips", ("0.mp4", "good"))]
            fields = {"consent": '{"by": "somebody", "given": "2026-01-02"}'}
            return await self.client.post(path, data=fields, files=files, headers=headers)
        body = {"json": BODIES.get(endpoint.path, {})} if endpoint.method == "POST" else {}
        more = {"If-Match": "*"} if endpoint.method == "PATCH" else {}
        return await self.client.request(endpoint.method, path, headers={**headers, **more}, **body)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with quiet_log(), asyncio.Runner() as runner:
        stack = AsyncExitStack()
        made = runner.run(stack.enter_async_context(house(tmp_path_factory.mktemp("house"))))
        client = runner.run(stack.enter_async_context(httpx.AsyncClient(base_url=made.site.base, timeout=PATIENCE)))
        app = application(Settings(), made.site.surface.parts, Refusals(made.site.components.metrics))
        served = [one for one in endpoints(app) if one.method != WEBSOCKET]
        yield Running(runner, made, served, client)
        runner.run(stack.aclose())


def others(tenant: str) -> tuple[str, ...]:
    return tuple(other for other in TENANTS if other != tenant)


def shown(answer: httpx.Response) -> str:
    return answer.text + str(dict(answer.headers))


def secrets(running: Running, tenant: str, ids: dict[str, str]) -> set[str]:
    """What nobody but a tenant may be shown: its word, and the ids of what it has, but for those that were asked by."""
    unguessable = ("finding", "action", "challenge", "job_id", "drill", "token_id", "session")
    own = running.house.ids[tenant]
    return {word(tenant)} | {own[name] for name in unguessable} - set(ids.values())


def test_each_tenant_sees_all_that_is_its_own(running: Running) -> None:
    """What the next test does not find is there, for whoever it belongs to."""
    told = {}
    for tenant in TENANTS:
        ids, headers = running.house.ids[tenant], running.house.bearer(tenant)
        texts = ""
        for endpoint in running.served:
            if endpoint.method == "GET" and endpoint.needs_token:
                answer = running.runner.run(running.ask(endpoint, headers, ids))
                if endpoint.permission is Permission.HOSTS and tenant != DEFAULT_TENANT:
                    # The processes of the machine are nobody's but an admin's of the default tenant.
                    assert answer.status_code == 404
                    continue
                is_own_status = endpoint.path in ("/v1/me", "/v1/enrolments/{job_id}")
                assert answer.status_code == 200 or is_own_status, (endpoint, answer.text)
                texts += shown(answer)
        told[tenant] = texts
        assert word(tenant) in texts
        assert all(ids[name] in texts for name in ("finding", "action", "job_id", "token_id"))
    for tenant in TENANTS:
        assert not [other for other in others(tenant) if word(other) in told[tenant]]


def test_what_is_another_tenants_is_not_there(running: Running) -> None:
    """By an admin, and every id in turn: what there is of it for its own tenant is 404, or one's own."""
    asked = 0
    for tenant in TENANTS:
        for other in others(tenant):
            for endpoint in running.served:
                mine, theirs = running.house.ids[tenant], running.house.ids[other]
                if endpoint.method != "GET" or not endpoint.needs_token:
                    continue
                for name in ("finding", "job_id", "drill", "source"):
                    if "{" + name + "}" in endpoint.path:
                        asked += 1
                        ids = {**mine, name: theirs[name]}
                        answer = running.runner.run(running.ask(endpoint, running.house.bearer(tenant), ids))
                        assert answer.status_code == 404, (endpoint, name)
    assert asked >= 4 * 6


def test_hosts_are_the_machines(running: Running) -> None:
    """An admin of the default tenant may let hosts go; for those of others there are none."""
    asked = {
        tenant: running.runner.run(running.client.get("/v1/hosts", headers=running.house.bearer(tenant)))
        for tenant in TENANTS
    }
    assert {tenant: answer.status_code for tenant, answer in asked.items()} == {
        tenant: 200 if tenant == DEFAULT_TENANT else 404 for tenant in TENANTS
    }


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asker=st.sampled_from(TENANTS),
    role=st.sampled_from(ROLES),
    number=st.integers(0, 10_000),
    owners=st.fixed_dictionaries(
        dict.fromkeys(
            ("finding", "action", "challenge", "job_id", "drill", "token_id", "source", "session"),
            st.sampled_from(TENANTS),
        )
    ),
)
def test_no_request_crosses(running: Running, asker: str, role: Role, number: int, owners: dict[str, str]) -> None:
    """Any request of anybody, with ids of whomever: others are shown nothing, and have what they had."""
    ids = running.house.ids
    mixed = {**ids[asker], **{name: ids[owner][name] for name, owner in owners.items()}}
    endpoint = running.served[number % len(running.served)]
    headers = running.house.bearer(asker, role)
    before = {other: running.held(other) for other in others(asker)}
    answer = running.runner.run(running.ask(endpoint, headers, mixed))
    assert answer.status_code != 500, (endpoint, answer.text)
    # Else what it leads to would be seen as something that the next request has done.
    if endpoint.path == "/v1/drills" and answer.status_code == 201:
        running.runner.run(running.house.closes(asker, answer.json()["id"]))
    if answer.status_code == 202 and "id" in answer.json():
        running.runner.run(running.house.ends(asker, answer.json()["id"]))
    for other in others(asker):
        assert not [text for text in secrets(running, other, mixed) if text in shown(answer)], endpoint
        assert running.held(other) == before[other], endpoint


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=st.lists(st.tuples(st.sampled_from(TENANTS), st.booleans()), min_size=1, max_size=12))
def test_no_subscriber_and_no_sink_hears_of_another_tenant(running: Running, events: list[tuple[str, bool]]) -> None:
    """However findings and states of several come, each is told of all that is its own, numbered without holes."""
    running.runner.run(hear(running.house, events))


async def hear(made: House, events: list[tuple[str, bool]]) -> None:
    site = made.site
    async with AsyncExitStack() as stack, asyncio.timeout(3 * PATIENCE):
        sockets = {}
        for tenant in TENANTS:
            start = made.parts(tenant).journal.head().seq
            socket = await stack.enter_async_context(site.subscribe(start, True, made.token(tenant)))
            assert (await receive(socket))["type"] == "hello"
            sockets[tenant] = (socket, start)
        for number, (tenant, is_finding) in enumerate(events):
            own = site.components.of(tenant).stores
            if is_finding:
                own.recorder.put(told_of(tenant, number), 0.0)
            else:
                own.hub.state({"type": "state", "call": "board", "participant": word(tenant)}, 0.0)
        for tenant in TENANTS:
            # The last of each: whatever was to be told before it was told.
            site.components.of(tenant).stores.recorder.put(told_of(tenant, len(events)), 0.0)
        for tenant, (socket, start) in sockets.items():
            expected = [
                f"{tenant}-{n}" for n, (whose, is_finding) in enumerate(events) if is_finding and whose == tenant
            ]
            heard: list[dict[str, Any]] = []
            while not heard or heard[-1].get("evidence") != {"last": f"{tenant}-{len(events)}"}:
                message = await receive(socket)
                text = str(message)
                assert not [other for other in others(tenant) if word(other) in text]
                if message["type"] == "finding":
                    heard.append(message)
            # Among what drills and people of the other tests still close.
            assert [one["evidence"]["last"] for one in heard[:-1] if "last" in one["evidence"]] == expected
            assert [one["seq"] for one in heard] == list(range(start + 1, start + 1 + len(heard)))
            sink = made.sinks[tenant]
            await sink.until(lambda sink=sink, newest=heard[-1]["seq"]: newest in sink.numbers)  # type: ignore[misc]
            assert not [other for other in others(tenant) if word(other) in str(sink.items)]


def told_of(tenant: str, number: int) -> Any:
    base = finding(str(uuid4()))
    key = replace(base.key, participant=word(tenant))
    return replace(base, key=key, evidence={"last": f"{tenant}-{number}"})


def test_who_publishes_in_one_tenant_is_judged_beside_who_has_the_same_name_in_another(running: Running) -> None:
    for tenant in TENANTS:
        assert ("board", "p1") in running.runner.run(running.house.judged(tenant))
    host = host_of(running.house.site.components)
    assert host.find("board", "p1") is not host.find("acme/board", "p1")
    assert host.find("globex/board", "p1") is not None
    # Nobody is in a call of another tenant by calling it what it is called inside.
    assert running.runner.run(running.house.parts(DEFAULT_TENANT).calls.call("acme/board")) is None


def test_an_application_refuses_a_bearer_of_another_tenant(running: Running) -> None:
    """Though the reception has led them to it: the second gate."""
    headers = running.house.bearer("acme")

    async def ask() -> httpx.Response:
        app = application(Settings(), running.house.parts("globex"), Refusals(running.house.site.components.metrics))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return await client.get("/v1/calls", headers=headers)

    answer = running.runner.run(ask())
    assert answer.status_code == 503
    assert not [tenant for tenant in TENANTS if word(tenant) in shown(answer)]


def test_a_token_says_whose_it_is_and_health_and_metrics_say_how_many(running: Running) -> None:
    house, run = running.house, running.runner.run
    for tenant in TENANTS:
        told = run(running.client.get("/v1/token", headers=house.bearer(tenant, "viewer"))).json()
        assert (told["tenant"], told["shared"], told["role"]) == (tenant, True, "viewer")
    texts = ""
    for base in (house.site.base, house.site.operators):
        for path in ("/healthz", "/readyz", "/metrics"):
            texts += run(running.client.get(base + path)).text
    assert "sidewitness_participants" in texts
    assert not [name for name in (*TENANTS[1:], *map(word, TENANTS)) if name in texts]
