"""Gateways that end together: whatever they had found is closed, once."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

from tests.monitor.host.peers.site import gateways
from tests.postgres import Server

PEOPLE = ("alice", "bob", "carol", "dave")
# Without a defence it fails in about every second try.
TRIES = 2


async def test_no_finding_stays_open_of_gateways_that_end_at_once(tmp_path: Path, postgres_server: Server) -> None:
    for number in range(TRIES):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with gateways(folder, postgres_server.migrated_database(), 2) as site:
            for who in PEOPLE:
                assert (await site.publish(site.gateways[0], who)).status_code == 201
            found = [lambda who=who: site.gateways[1].kinds("finding", who) for who in PEOPLE]
            for is_told in found:
                await site.until(is_told, "a finding is told")
            await asyncio.gather(*(site.end(one) for one in site.gateways))
            changes = site.findings()
        opened = {one.id for one in changes if one.action == "opened"}
        assert len(opened) >= len(PEOPLE)
        assert Counter(one.id for one in changes if one.action == "closed") == dict.fromkeys(opened, 1)
