"""Requests that another gateway answers, as whoever sends them sees it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

from tests.monitor.host.peers.site import BEARER, SDP, gateways
from tests.postgres import Server


async def test_an_offer_of_which_a_part_came_is_none(tmp_path: Path, postgres_server: Server) -> None:
    async with gateways(tmp_path, postgres_server.migrated_database(), 2) as site:
        first = site.gateways[0]
        address = urlsplit(first.base)
        _, writer = await asyncio.open_connection(address.hostname, address.port)
        lines = (
            "POST /v1/calls/board/participants/alice/whip HTTP/1.1",
            f"Host: {address.netloc}",
            f"Authorization: Bearer {BEARER}",
            "Content-Type: application/sdp",
            "Content-Length: 1000",
        )
        writer.write("\r\n".join((*lines, "", "offer")).encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert (await site.publish(first, "bob")).status_code == 201
        await site.until(lambda: len(first.kinds("state", "bob")) >= len("offer"), "bob is judged")
        assert not first.kinds("state", "alice")
        assert [one["participant"] for one in (await site.calls(first))["board"]] == ["bob"]


async def test_however_a_path_is_written_nobody_is_judged_twice(tmp_path: Path, postgres_server: Server) -> None:
    async with gateways(tmp_path, postgres_server.migrated_database(), 2) as site:
        for number, end in enumerate(("whip", "whip%0A", "%77hip")):
            answers = set()
            for gateway in (*site.gateways, *site.gateways):
                address = f"{gateway.base}/v1/calls/board/participants/j%C3%BCrgen{number}/{end}"
                answered = await site.client.post(address, headers=SDP, content="offer")
                assert answered.status_code == 201
                answers.add(answered.text)
            assert len(answers) == 1
