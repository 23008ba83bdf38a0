"""Several hosts behind a gateway, as real processes: who is judged where, what is told, and what a dead one leaves."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from monitor.cluster.far_host import CannotStart
from monitor.host.calls import AtCapacity, HostsAlive, Occupied
from monitor.types import ParticipantKey
from tests.monitor.cluster import toy_host
from tests.monitor.cluster.site import Site, site


def episodes(made: Site, participant: str) -> list[int]:
    """The episodes of which a participant's findings have opened, in their order."""
    findings = [one for one in made.findings() if one.key.participant == participant and one.action == "opened"]
    return [one.evidence["synchrony"]["episode"] for one in findings]


def check_whole(made: Site) -> None:
    """Every finding has opened once, changed step by step, and closed once."""
    by_id: dict[str, list[tuple[int, str]]] = {}
    for one in made.findings():
        by_id.setdefault(one.id, []).append((one.step, one.action))
    for changes in by_id.values():
        assert [step for step, _ in changes] == list(range(len(changes)))
        actions = [action for _, action in changes]
        assert (actions[0], actions[-1]) == ("opened", "closed")
        assert set(actions[1:-1]) <= {"updated"}


async def test_two_of_a_call_stay_together_and_more_are_spread(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        assert made.fleet.alive == HostsAlive(2, 2)
        published = [await made.publish(f"p{number}") for number in range(4)]
        pids = [made.pid_of(f"p{number}") for number in range(4)]
        assert pids[0] == pids[1] != pids[2] == pids[3]
        assert {one.answer for one in published} == {f"answer of {pid}" for pid in pids}
        described = await made.fleet.call("board")
        assert described is not None
        assert [one["participant"] for one in described["participants"]] == ["p0", "p1", "p2", "p3"]
        await made.until(lambda: all(made.kinds("finding", f"p{n}") for n in range(4)), "everybody has a finding")
        entry = (await made.fleet.call("board") or {})["participants"][0]
        assert (entry["verdict"], entry["scores"]["synchrony"]["score"]) == ("alert", 1.0)
        assert await made.fleet.explain("board", "p0") is not None
        assert await made.fleet.explain("board", "nobody") is None


async def test_who_leaves_closes_nothing_and_goes_on_where_they_come_back(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        first = await made.publish("ada")
        await made.until(lambda: made.kinds("finding", "ada"), "there is a finding")
        await first.end()
        assert first.ended
        assert await made.fleet.calls() == []
        await made.publish("ada")
        await made.until(lambda: len(made.kinds("finding", "ada")) > 5, "findings go on")
        assert await made.fleet.remove("board", "ada")
        assert not await made.fleet.remove("board", "ada")
        await made.fleet.drain()
        await made.sidecar.components.recorder.close()
        check_whole(made)
        seen = episodes(made, "ada")
        assert seen == list(range(len(seen)))


async def test_a_killed_host_is_told_at_once_and_its_participants_go_on(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        ada, bob = await made.publish("ada"), await made.publish("bob", "other")
        await made.until(lambda: made.kinds("finding", "ada") and made.kinds("finding", "bob"), "both have findings")
        pid, other = made.pid_of("ada"), made.pid_of("bob", "other")
        assert pid is not None
        assert pid != other
        os.kill(pid, signal.SIGKILL)
        await ada.wait()
        await made.until(lambda: made.kinds("unmonitored", "ada"), "it is told that nobody watches")
        told = made.kinds("unmonitored", "ada")[0]
        assert (told["action"], told["reason"]) == ("began", "host_lost")
        assert made.kinds("state", "ada")[-1]["reason"] == "host_lost"
        assert made.kinds("unmonitored", "bob") == []
        assert made.fleet.ledger.seat(("board", "ada")) is None
        await made.publish("ada")
        await made.until(lambda: len(made.kinds("unmonitored", "ada")) == 2, "it is told that they are watched again")
        assert made.kinds("unmonitored", "ada")[1]["action"] == "resumed"
        await made.until(lambda: made.fleet.alive == HostsAlive(2, 2), "the host is started again")
        assert made.pid_of("bob", "other") == other
        assert not bob.ended
        await made.fleet.drain()
        await made.sidecar.components.recorder.close()
        check_whole(made)
        for name in ("ada", "bob"):
            seen = episodes(made, name)
            assert seen == list(range(len(seen)))


async def test_a_host_that_hangs_is_ended(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        ada = await made.publish("ada")
        pid = made.pid_of("ada")
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        await made.until(lambda: ada.ended, "it is noticed")
        assert made.kinds("state", "ada")[-1]["reason"] == "host_lost"
        await made.until(lambda: made.fleet.alive == HostsAlive(2, 2), "the host is started again")


async def test_findings_of_who_never_comes_back_are_closed(tmp_path: Path) -> None:
    async with site(tmp_path, rejoin_seconds=0.5) as made:
        await made.publish("ada")
        await made.until(lambda: made.kinds("finding", "ada"), "there is a finding")
        pid = made.pid_of("ada")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        last = made.kinds
        await made.until(lambda: last("finding", "ada")[-1]["action"] == "closed", "it is closed")
        check_whole(made)


async def test_nobody_takes_anothers_place_and_there_is_no_room_for_all(tmp_path: Path) -> None:
    async with site(tmp_path, hosts=2, max_participants=2) as made:
        await made.publish("ada", owner="one")
        with pytest.raises(Occupied):
            await made.publish("ada", owner="another")
        await made.until(lambda: made.kinds("state", "ada"), "she is judged")
        await made.publish("bob", owner="one")
        await made.until(lambda: made.kinds("state", "bob"), "he is judged")
        with pytest.raises(AtCapacity, match="all places are taken"):
            await made.publish("eve", owner="one")
        again = await made.publish("ada", owner="one")
        assert not again.ended


async def test_what_fails_in_a_host_is_a_refusal_without_its_words(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        with pytest.raises(AtCapacity) as refusal:
            await made.publish("ada", offer=toy_host.BREAK)
        assert "secret" not in str(refusal.value)
        await made.publish("ada")


async def test_what_keeps_a_host_from_judging_is_told_by_its_own_line(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="the pack toy is missing: install it"):
        async with site(tmp_path, factory="tests.monitor.cluster.toy_host:broken"):
            raise AssertionError("it has started")


async def test_numbers_of_hosts_are_those_of_one_sidecar_and_do_not_fall(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        await made.publish("ada")
        await made.publish("bob", "other")
        await made.until(lambda: made.kinds("finding", "ada") and made.kinds("finding", "bob"), "both are judged")
        metrics = made.sidecar.components.metrics

        async def steps() -> float:
            await metrics.fresh()
            samples = [sample for family in metrics.shown.collect() for sample in family.samples]
            return sum(one.value for one in samples if one.name == "sidewitness_step_seconds_count")

        before = await steps()
        assert before > 0.0
        pid = made.pid_of("ada")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await made.until(lambda: made.fleet.alive == HostsAlive(1, 2), "the host is gone")
        assert await steps() >= before


async def test_candidates_reach_the_host(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        ada = await made.publish("ada")
        await ada.add_candidates("leave")
        await made.until(lambda: ada.ended, "the peer has taken them")
        assert made.fleet.ledger.seat(("board", "ada")) is None


async def test_a_gateway_takes_no_source_of_its_own(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        with pytest.raises(AtCapacity, match="judges nobody itself"):
            await made.fleet.judge(ParticipantKey("board", "ada"), toy_host.ToyPeer())
