"""Several gateways as real processes on a real PostgreSQL: any of them is asked, and any may be killed.

Every participant goes through numbered episodes (`toy_host`), a finding each: whatever is killed, each number is found
exactly once, is opened and closed, and every change of it is in the journal.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.cli.checks.gateways import gateways as examined
from monitor.config import Settings
from monitor.detectors.check import Check
from tests.monitor.host.cluster.test_fleet import check_whole, episodes
from tests.monitor.host.peers.site import BEARER, SDP, SECRET, Gateway, Site, gateways
from tests.postgres import Server

FRAGMENT = {**SDP, "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": "*"}
AUTHORIZED = {"Authorization": f"Bearer {BEARER}"}


def pid_of(response_text: str) -> str:
    """The process that answered an offer."""
    return response_text.removeprefix("answer of ")


async def test_any_gateway_answers_for_somebody_whom_another_judges(postgres_server: Server, tmp_path: Path) -> None:
    async with gateways(tmp_path, postgres_server.migrated_database(), 2, max_participants=2) as made:
        one, other = made.gateways
        people = ["ada", "bob", "cyd", "dan"]
        answers = [await made.publish(made.gateways[number % 2], who) for number, who in enumerate(people)]
        assert [answer.status_code for answer in answers] == [201] * 4
        # Where all places are taken they are judged elsewhere, and where that is so everywhere nobody more is.
        assert sorted(Counter(pid_of(answer.text) for answer in answers).values()) == [2, 2]
        assert (await made.publish(one, "eve")).status_code == 503
        await made.until(lambda: all(g.kinds("state", who) for g in made.gateways for who in people), "all are told")
        for gateway in made.gateways:
            shown = (await made.calls(gateway))["board"]
            assert [who["participant"] for who in shown] == people
            assert [who["verdict"] for who in shown] == ["alert"] * 4
            place = f"{gateway.base}/v1/calls/board/participants/ada"
            claim = await made.client.get(f"{place}/claim", headers=AUTHORIZED)
            assert (claim.status_code, claim.json()["participant"]) == (200, "ada")
            # Without a token nobody is asked on behalf of anybody.
            assert (await made.client.get(f"{place}/claim")).status_code == 401
        # A session is one, wherever its requests come in.
        for gateway in made.gateways:
            session = gateway.base + answers[0].headers["location"]
            assert (await made.client.patch(session, headers=FRAGMENT, content="x")).status_code == 204
        for gateway, again in ((one, 200), (other, 404)):
            session = gateway.base + answers[0].headers["location"]
            assert (await made.client.delete(session, headers=AUTHORIZED)).status_code == again
        # Who left is judged again wherever there is room, and goes on where they were.
        assert (await made.publish(other, "ada")).status_code == 201
        before = len(episodes(made, "ada"))
        await made.until(lambda: len(one.kinds("finding", "ada")) > 3 * before + 3, "they are judged again")
        for gateway in made.gateways:
            await made.end(gateway)
        check_whole(made, *people)


async def test_the_doctor_says_which_gateways_answer(postgres_server: Server, tmp_path: Path) -> None:
    database = postgres_server.migrated_database()
    async with gateways(tmp_path, database, 2) as made:

        def check(secret: str = SECRET) -> Check:
            named: dict[str, Any] = {"peers": made.peers, "peer_secret": secret, "database_url": database}
            named |= {"token": BEARER, "token_key_file": tmp_path / "tokens.key"}
            return examined(Settings(state_dir=tmp_path, **named))

        assert await asyncio.to_thread(check) == Check("gateways", "ok", "2 of 2 addresses answer")
        other = await asyncio.to_thread(check, "another secret that is long")
        assert (other.state, other.detail) == ("optional", "0 of 2 addresses answer (another secret)")
        await made.kill(made.gateways[0])
        one = await asyncio.to_thread(check)
        assert (one.state, one.detail) == ("optional", "1 of 2 addresses answer (connection refused)")
    assert examined(Settings(state_dir=tmp_path)).detail == "none is named: this one is alone"
    assert examined(Settings(state_dir=tmp_path, peers=("a:1",))).state == "failed"


async def test_a_gateway_is_killed_and_another_goes_on(postgres_server: Server, tmp_path: Path) -> None:
    async with gateways(tmp_path, postgres_server.migrated_database(), 3) as made:
        people = [f"p{number}" for number in range(6)]
        asked = made.gateways[0]
        answers = [await made.publish(asked, who, call=f"call-{number // 2}") for number, who in enumerate(people)]
        [struck] = [one for one in made.gateways if pid_of(answers[0].text) in one.hosts()]
        others = [one for one in made.gateways if one is not struck]
        await made.until(lambda: all(others[0].kinds("finding", who) for who in people), "everybody has findings")
        shown = await made.calls(others[0])
        assert sum(len(call) for call in shown.values()) == len(people)
        hosts = struck.hosts()
        lost = {who for who, answer in zip(people, answers, strict=True) if pid_of(answer.text) in hosts}
        await made.kill(struck)
        await made.until(lambda: all(lost_in(gateway) == lost for gateway in others), "it is told")
        # The session of whoever was judged there is gone, and they come back where they like.
        for number, who in enumerate(people):
            session = others[number % 2].base + answers[number].headers["location"]
            status = (await made.client.patch(session, headers=FRAGMENT, content="x")).status_code
            assert status == (404 if who in lost else 204)
            if who in lost:
                again = await made.publish(others[number % 2], who, call=f"call-{number // 2}")
                assert again.status_code == 201, again.text
        for gateway in others:
            await made.until(lambda g=gateway: resumed_in(g) == lost, "they go on")  # type: ignore[misc]
            kinds = {one["reason"] for one in gateway.told if one["type"] == "unmonitored"}
            assert kinds == {"host_lost"}
        for gateway in others:
            await made.end(gateway)
        check_whole(made, *people)


def lost_in(gateway: Gateway) -> set[str]:
    return _actions(gateway, "began")


def resumed_in(gateway: Gateway) -> set[str]:
    return _actions(gateway, "resumed")


def _actions(gateway: Gateway, action: str) -> set[str]:
    return {one["participant"] for one in gateway.told if one["type"] == "unmonitored" and one["action"] == action}


async def test_a_gateway_that_ends_in_order_hands_over_whom_it_judges(postgres_server: Server, tmp_path: Path) -> None:
    async with gateways(tmp_path, postgres_server.migrated_database(), 2) as made:
        ending, staying = made.gateways
        for who in ("ada", "bob"):
            assert (await made.publish(ending, who)).status_code == 201
        await made.until(lambda: all(staying.kinds("finding", who) for who in ("ada", "bob")), "they have findings")
        await made.end(ending)
        seen = {who: len(staying.kinds("finding", who)) for who in ("ada", "bob")}
        for who in seen:
            assert (await made.publish(staying, who)).status_code == 201
        await made.until(lambda: all(len(staying.kinds("finding", w)) > n + 3 for w, n in seen.items()), "they go on")
        await made.end(staying)
        check_whole(made, "ada", "bob")


def alive(made: Site) -> list[Gateway]:
    return [one for one in made.gateways if one.process.returncode is None]


async def lives(made: Site, participant: str, over: asyncio.Event, chance: random.Random) -> None:
    """Publish at some gateway that lives, and again when somebody is told of a loss, as a client behind a balancer."""
    is_published = False
    while not over.is_set():
        lost = any(
            (one.kinds("unmonitored", participant) or [{"action": ""}])[-1]["action"] == "began"
            for one in made.gateways
        )
        if lost or not is_published:
            with contextlib.suppress(httpx.TransportError):
                answer = await made.publish(chance.choice(alive(made)), participant, call=f"call-{participant}")
                is_published = answer.status_code == 201
        made.changed.clear()
        await made.changed.wait()


@pytest.mark.long
async def test_of_hundreds_of_findings_over_ten_kills_none_is_lost(postgres_server: Server, tmp_path: Path) -> None:
    chance, people, over = random.Random(20261201), [f"p{number}" for number in range(12)], asyncio.Event()
    # So many findings at every hop of a tenth of a second would be more than one database writes down in time.
    async with gateways(tmp_path, postgres_server.migrated_database(), 3, hop_seconds=0.25) as made:
        tasks = [asyncio.create_task(lives(made, who, over, chance)) for who in people]
        for kill in range(10):
            for who in people:
                await made.until(lambda w=who, k=kill: opened(made, w) > 3 * k, f"{who} is judged")  # type: ignore[misc]
            number = chance.randrange(3)
            await made.kill(made.gateways[number])
            await made.begin_again(number)
        for who in people:
            await made.until(lambda w=who: opened(made, w) > 30, f"{who} is judged")  # type: ignore[misc]
        over.set()
        made.changed.set()
        await asyncio.gather(*tasks)
        for gateway in made.gateways:
            await made.end(gateway)
        check_whole(made, *people)
        assert sum(len(episodes(made, who)) for who in people) >= 360


def opened(made: Site, participant: str) -> int:
    """How many findings of somebody have been opened, as one of those says that live."""
    return max(len([one for one in g.kinds("finding", participant) if one["action"] == "opened"]) for g in alive(made))
