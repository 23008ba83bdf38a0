"""Somebody who leaves and publishes again, as a subscriber of the alerts hears of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection

from tests.monitor.api.server import WHIP, receive, serving
from tests.monitor.rig import CRASH, OPEN, UPDATE, block

SDP = {"Content-Type": "application/sdp"}


async def publish(client: httpx.AsyncClient, whip: str = WHIP) -> str:
    answer = await client.post(whip, content=b"v=0", headers=SDP)
    assert answer.status_code == 201
    return str(answer.headers["location"])


async def next_finding(socket: ClientConnection) -> dict[str, Any]:
    while (message := await receive(socket))["type"] != "finding":
        pass
    return message


def told(message: dict[str, Any]) -> tuple[str, str, str]:
    return message["action"], message["verdict"], message["reason"]


async def test_a_finding_goes_on_under_its_id_when_somebody_publishes_again(tmp_path: Path) -> None:
    async with serving(tmp_path) as site, site.client() as client, site.subscribe(after=0) as socket:
        session = await publish(client)
        site.peers.made[0].put(block(OPEN))
        opened = await next_finding(socket)
        assert (await client.delete(session)).status_code == 200
        left = await next_finding(socket)
        await publish(client)
        site.peers.made[1].put(block(UPDATE))
        back = await next_finding(socket)
        assert [told(change) for change in (opened, left, back)] == [
            ("opened", "alert", "lips_disagree_with_voice"),
            ("updated", "inconclusive", "ended"),
            ("updated", "alert", "lips_disagree_with_voice"),
        ]
        # One that takes the place of the other, and one who brings the session down, are no way out of it either.
        await publish(client)
        replaced = await next_finding(socket)
        site.peers.made[2].put(block(CRASH))
        broken = await next_finding(socket)
        assert told(replaced) == ("updated", "inconclusive", "ended")
        assert told(broken) == ("updated", "inconclusive", "session_failed")
        # Somebody else has a finding of their own.
        await publish(client, WHIP.replace("p1", "p2"))
        site.peers.made[3].put(block(OPEN))
        other = await next_finding(socket)
        assert {change["id"] for change in (opened, left, back, replaced, broken)} == {opened["id"]}
        assert other["id"] != opened["id"]
        site.server.should_exit = True
        closed = [await next_finding(socket) for _ in range(2)]
        assert {(change["id"], *told(change)) for change in closed} == {
            (change["id"], "closed", "inconclusive", "ended") for change in (opened, other)
        }


async def test_without_a_time_to_come_back_leaving_closes_the_finding(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, rejoin_seconds=0.0) as site,
        site.client() as client,
        site.subscribe(after=0) as socket,
    ):
        session = await publish(client)
        site.peers.made[0].put(block(OPEN))
        opened = await next_finding(socket)
        await client.delete(session)
        closed = await next_finding(socket)
        assert (closed["id"], *told(closed)) == (opened["id"], "closed", "inconclusive", "ended")
