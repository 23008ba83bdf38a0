"""Servers on PostgreSQL: a database that is killed in mid-call, and two of them that tell the same."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from websockets.asyncio.client import ClientConnection

from tests.monitor.alerts.sinks.build import MemorySink, named
from tests.monitor.api.server import WHIP, Site, receive, serving
from tests.monitor.rig import CLOSE, OPEN, block, quiet_log
from tests.postgres import Server

PATIENCE = 60.0


async def readiness(site: Site) -> tuple[int, dict[str, object]]:
    """What the operator is told."""
    async with httpx.AsyncClient(base_url=site.operators, timeout=PATIENCE) as client:
        answer = await client.get("/readyz")
    return answer.status_code, answer.json()


async def told(socket: ClientConnection) -> dict[str, Any]:
    """The next finding; that a sink has taken one is told as well."""
    while True:
        message = await receive(socket)
        if message["type"] == "finding":
            return message


async def until(site: Site, status: int) -> dict[str, object]:
    """Ask until the operator is told this status."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found, body = await readiness(site)
            if found == status:
                return body


async def test_a_database_that_is_killed_in_mid_call(tmp_path: Path, postgres_server: Server) -> None:
    url, sink = postgres_server.migrated_database(), MemorySink()
    options = {"database_url": SecretStr(url), "sinks": [named(sink)]}
    with quiet_log():
        async with serving(tmp_path, **options) as site, site.subscribe() as socket, site.client() as client:  # type: ignore[arg-type]
            assert (await receive(socket))["type"] == "hello"
            published = await client.post(WHIP, content=b"v=0", headers={"Content-Type": "application/sdp"})
            assert published.status_code == 201
            site.peers.made[0].put(block(OPEN))
            opened = await told(socket)
            assert (opened["seq"], opened["action"]) == (1, "opened")
            await sink.until(lambda: sink.numbers == [1])
            assert (await readiness(site))[0] == 200

            await asyncio.to_thread(postgres_server.kill)
            try:
                site.peers.made[0].put(block(CLOSE))
                body = await until(site, 503)
                assert body["status"] == "not ready"
                assert "journal: the database cannot be reached" in str(body["journal"])
                assert str(tmp_path) not in str(body["journal"])
                # The call goes on, and who is in it can be seen.
                [participant] = (await client.get("/v1/calls/board")).json()["participants"]
                assert participant["participant"] == "p1"
                assert (await client.get("/readyz")).json() == {"status": "not ready"}
            finally:
                await asyncio.to_thread(postgres_server.start)

            closed = await told(socket)
            assert (closed["seq"], closed["action"], closed["id"]) == (2, "closed", opened["id"])
            await until(site, 200)
            await sink.until(lambda: sink.numbers == [1, 2])
            found = (await client.get("/v1/findings")).json()["findings"]
            assert [finding["seq"] for finding in found] == [1, 2]


async def test_two_servers_on_one_database_tell_the_same(tmp_path: Path, postgres_server: Server) -> None:
    url, sinks = postgres_server.migrated_database(), (MemorySink(), MemorySink())
    folders = tmp_path / "one", tmp_path / "other"
    for folder in folders:
        folder.mkdir()
    shared: dict[str, Any] = {"database_url": SecretStr(url), "token_key_file": tmp_path / "tokens.key"}
    with quiet_log():
        async with (
            serving(folders[0], sinks=[named(sinks[0])], **shared) as one,
            serving(folders[1], sinks=[named(sinks[1])], **shared) as other,
            one.subscribe() as near,
            other.subscribe() as far,
            one.client() as client,
            other.client() as elsewhere,
        ):
            for socket in (near, far):
                assert (await receive(socket))["type"] == "hello"
            published = await client.post(WHIP, content=b"v=0", headers={"Content-Type": "application/sdp"})
            assert published.status_code == 201
            one.peers.made[0].put(block(OPEN))
            opened, heard = await told(near), await told(far)
            assert (opened["seq"], opened["action"]) == (1, "opened")
            assert heard == opened
            one.peers.made[0].put(block(CLOSE))
            assert [(await told(socket))["seq"] for socket in (near, far)] == [2, 2]

            holder = await first_of(*sinks)
            await holder.until(lambda: holder.numbers == [1, 2])
            assert sorted(sink.numbers for sink in sinks) == [[], [1, 2]]

            # What is said of it at one is read at the other, and who is let in at one may come to the other.
            finding = opened["id"]
            labelled = await elsewhere.post(
                f"/v1/findings/{finding}/events", json={"event": "labelled", "label": "false"}
            )
            assert labelled.is_success
            assert (await client.get(f"/v1/findings/{finding}")).json()["case"]["label"] == "false"
            async with httpx.AsyncClient(base_url=other.base, headers=one.bearer("viewer")) as viewer:
                assert (await viewer.get("/v1/findings")).status_code == 200


async def first_of(*sinks: MemorySink) -> MemorySink:
    """Wait until one of the sinks is delivered to."""
    waiting = [asyncio.create_task(sink.until(partial(bool_of, sink))) for sink in sinks]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    return next(sink for sink in sinks if sink.numbers)


def bool_of(sink: MemorySink) -> bool:
    """Whether a sink was delivered to."""
    return bool(sink.numbers)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/findings?call=%00",
        "/v1/findings?text=a%00b",
        "/v1/findings?assignee=%00",
        "/v1/findings?before=99999999999999999999",
        "/v1/findings?after=99999999999999999999",
        "/v1/findings/%00",
        "/v1/findings/%00/report",
        "/v1/calls/%00",
        f"/v1/findings/{'x' * 300}",
    ],
)
async def test_what_postgresql_takes_in_no_text_is_found_nowhere(
    path: str, tmp_path: Path, postgres_server: Server
) -> None:
    url = postgres_server.migrated_database()
    with quiet_log():
        async with serving(tmp_path, database_url=SecretStr(url)) as site, site.client() as client:
            answer = await client.get(path)
    assert answer.status_code in (200, 404, 422), answer.text
