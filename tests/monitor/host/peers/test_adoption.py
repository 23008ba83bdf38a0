"""Who goes on where gateways die one after the other."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tests.monitor.host.peers.site import Gateway, gateways
from tests.postgres import Server, server

PEOPLE = tuple(f"person-{number}" for number in range(12))


def last(gateway: Gateway, who: str) -> str | None:
    """What was last told of whether somebody is watched."""
    told = gateway.kinds("unmonitored", who)
    return str(told[-1]["action"]) if told else None


def is_watched(gateway: Gateway, who: str) -> bool:
    return last(gateway, who) == "resumed"


async def test_whoever_was_told_to_be_unwatched_is_told_to_be_watched_though_the_one_that_told_it_is_dead(
    tmp_path: Path, postgres_server: Server
) -> None:
    async with gateways(tmp_path, postgres_server.migrated_database(), 3) as site:
        first, second, third = site.gateways
        answers = {who: await site.publish(first, who) for who in PEOPLE}
        people = [who for who in PEOPLE if answers[who].text == answers[PEOPLE[0]].text]
        for who in people:
            await site.until(partial(third.kinds, "state", who), "everybody tells")
        await site.kill(first)
        for who in people:
            await site.until(partial(last, third, who), "they are told to be unwatched")
        await site.kill(second)
        for who in people:
            assert (await site.publish(third, who)).status_code == 201
        for who in people:
            await site.until(partial(is_watched, third, who), "they are watched again")


async def test_whoever_comes_is_judged_though_the_database_says_nothing(tmp_path: Path) -> None:
    with server() as database:
        async with gateways(tmp_path, database.migrated_database(), 2) as site:
            first, second = site.gateways
            answers = {who: await site.publish(first, who) for who in PEOPLE}
            people = [who for who in PEOPLE if answers[who].text == answers[PEOPLE[0]].text]
            for who in people:
                await site.until(partial(second.kinds, "state", who), "both tell")
            with database.paused():
                await site.kill(first)
                assert (await site.publish(second, people[0])).status_code == 201
