"""Links that break while both gateways live, and heal: nothing is found twice, and nobody stays unwatched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from monitor.alerts.finding import Finding
from tests.monitor.host.peers.relay import Relay, relay
from tests.monitor.host.peers.site import PATIENCE, Gateway, Site, free_port, gateways
from tests.postgres import Server

PEOPLE = tuple(f"person-{number}" for number in range(8))


@asynccontextmanager
async def two(folder: Path, postgres: Server, **settings: object) -> AsyncIterator[tuple[Site, Relay, Relay]]:
    """Two gateways, and the wires over which the second one hears the first, and the first the second."""
    ports = [free_port(), free_port()]
    async with relay(ports[0]) as first, relay(ports[1]) as second:
        addresses = [f"127.0.0.1:{one.port}" for one in (first, second)]
        database = postgres.migrated_database()
        async with gateways(folder, database, 2, ports=ports, peers=addresses, **settings) as site:
            yield site, first, second


def is_watched(gateway: Gateway, who: str) -> bool:
    """Whether the last that was told of somebody is that they are watched."""
    return bool(gateway.kinds("unmonitored", who)[-1:] and gateway.kinds("unmonitored", who)[-1]["action"] == "resumed")


def wrong(changes: list[Finding]) -> dict[str, list[str]]:
    """Which findings are not opened once, then updated, then closed once, and what is told of each."""
    told: dict[str, list[str]] = {}
    for change in changes:
        told.setdefault(change.id, []).append(change.action)
    return {
        one: actions
        for one, actions in told.items()
        if actions[0] != "opened" or actions[-1] != "closed" or set(actions[1:-1]) - {"updated"}
    }


@pytest.mark.parametrize("how", [pytest.param("cut", marks=pytest.mark.long), "freeze"])
async def test_a_link_that_breaks_and_heals_doubles_and_loses_nothing(
    tmp_path: Path, postgres_server: Server, how: str
) -> None:
    async with two(tmp_path, postgres_server) as (site, wire, _):
        first, second = site.gateways
        answers = {who: await site.publish(first, who) for who in PEOPLE}
        # Of the host that was asked first, which is the first gateway's.
        people = [who for who in PEOPLE if answers[who].text == answers[PEOPLE[0]].text]
        for who in people:
            await site.until(partial(second.kinds, "state", who), "both tell")
        (wire.cut if how == "cut" else wire.freeze)()
        for who in people:
            await site.until(partial(second.kinds, "unmonitored", who), "they are told to be unwatched")
        wire.heal()
        for gateway in site.gateways:
            for who in people:
                await site.until(partial(is_watched, gateway, who), "everybody is watched again")
        await site.end(second)
        await site.end(first)
        for gateway in site.gateways:
            told = [[one["action"] for one in gateway.kinds("unmonitored", who)][:2] for who in people]
            assert told == [["began", "resumed"]] * len(people)
        assert wrong(site.findings()) == {}


async def test_of_two_gateways_that_could_not_hear_each_other_one_lets_go(
    tmp_path: Path, postgres_server: Server
) -> None:
    async with two(tmp_path, postgres_server) as (site, *wires):
        first, second = site.gateways
        assert (await site.publish(first, "alice")).status_code == 201
        await site.until(partial(second.kinds, "state", "alice"), "both tell")
        for wire in wires:
            wire.cut()
        await site.until(partial(second.kinds, "unmonitored", "alice"), "the first one is not heard")
        assert (await site.publish(second, "alice")).status_code == 201
        assert await site.judged() == [1, 1]
        for wire in wires:
            wire.heal()
        async with asyncio.timeout(PATIENCE):
            while await site.judged() != [0, 1]:
                pass
        for gateway in site.gateways:
            await site.end(gateway)
        assert wrong(site.findings()) == {}


async def test_nothing_is_left_to_a_gateway_that_does_not_hear(tmp_path: Path, postgres_server: Server) -> None:
    async with two(tmp_path, postgres_server) as (site, wire, _):
        first, second = site.gateways
        assert (await site.publish(first, "alice")).status_code == 201
        await site.until(partial(second.kinds, "state", "alice"), "both tell")
        wire.cut()
        await site.until(partial(second.kinds, "unmonitored", "alice"), "the first one is not heard")
        before = len(first.kinds("finding", "alice"))
        await site.until(lambda: len(first.kinds("finding", "alice")) > before + len("finding"), "it goes on")
        await site.end(first)
        await site.end(second)
        assert wrong(site.findings()) == {}
