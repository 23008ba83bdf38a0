"""A server whose PostgreSQL is killed in mid-call: it says so, goes on judging, and tells everything later."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
from pydantic import SecretStr

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
            opened = await receive(socket)
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

            closed = await receive(socket)
            assert (closed["seq"], closed["action"], closed["id"]) == (2, "closed", opened["id"])
            await until(site, 200)
            await sink.until(lambda: sink.numbers == [1, 2])
            found = (await client.get("/v1/findings")).json()["findings"]
            assert [finding["seq"] for finding in found] == [1, 2]
