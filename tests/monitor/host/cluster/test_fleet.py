"""Several hosts behind a gateway, as real processes: who is judged where, what is told, and what a dead one leaves."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Protocol

import pytest

from monitor.alerts.finding import Finding
from monitor.host.calls import AtCapacity, HostsAlive, Occupied
from monitor.host.cluster.far_host import CannotStart
from monitor.host.cluster.link import LinkLost
from monitor.types import ParticipantKey
from tests.monitor.host.cluster import toy_host
from tests.monitor.host.cluster.site import Site, site


class HasFindings(Protocol):
    """Whatever has a journal."""

    def findings(self) -> list[Finding]:
        """Every change that is in it, in its order."""
        ...


def episodes(made: HasFindings, participant: str) -> list[int]:
    """The episodes of which a participant's findings have opened, in their order."""
    findings = [one for one in made.findings() if one.key.participant == participant and one.action == "opened"]
    return [one.evidence["synchrony"]["episode"] for one in findings]


def check_whole(made: HasFindings, *people: str) -> None:
    """Every finding has opened once, changed step by step, and closed once; of these people no episode is missing."""
    by_id: dict[str, list[tuple[int, str]]] = {}
    for one in made.findings():
        by_id.setdefault(one.id, []).append((one.step, one.action))
    for changes in by_id.values():
        assert [step for step, _ in changes] == list(range(len(changes)))
        actions = [action for _, action in changes]
        assert (actions[0], actions[-1]) == ("opened", "closed")
        assert set(actions[1:-1]) <= {"updated"}
    for who in people:
        seen = episodes(made, who)
        assert seen == list(range(len(seen))), f"findings of {who} were lost, or found twice"


async def test_a_call_on_two_hosts_is_one_call(tmp_path: Path) -> None:
    async with site(tmp_path, max_participants=6) as made:
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
        assert not published[0].ended

        # Candidates reach the peer, which leaves by one of them.
        await published[3].add_candidates("leave")
        await made.until(lambda: published[3].ended, "the peer has taken them")
        assert made.fleet.ledger.seat(("board", "p3")) is None

        # Nobody takes another's place, whoever is theirs may; what fails in a host is a refusal without its words.
        with pytest.raises(Occupied):
            await made.publish("p0", owner="another")
        again = await made.publish("p0")
        assert published[0].ended
        assert not again.ended
        with pytest.raises(AtCapacity) as refusal:
            await made.publish("p4", offer=toy_host.BREAK)
        assert "secret" not in str(refusal.value)
        for number in (3, 4, 5):
            await made.publish(f"p{number}")
            await made.until(lambda name=f"p{number}": made.kinds("state", name), "they are judged")  # type: ignore[misc]
        with pytest.raises(AtCapacity, match="all places are taken"):
            await made.publish("p6")
        with pytest.raises(AtCapacity, match="judges nobody itself"):
            await made.fleet.judge(ParticipantKey("board", "ada"), toy_host.ToyPeer())

        # Who leaves closes nothing, and goes on where they come back.
        await again.end()
        await made.publish("p0")
        assert await made.fleet.remove("board", "p1")
        assert not await made.fleet.remove("board", "p1")
        before = len(made.kinds("finding", "p0"))
        await made.until(lambda: len(made.kinds("finding", "p0")) > before + 3, "findings go on")
        await made.fleet.drain()
        await made.sidecar.components.recorder.close()
        check_whole(made, "p0")


async def steps(made: Site) -> float:
    """How many steps all hosts have taken."""
    metrics = made.sidecar.components.metrics
    await metrics.fresh()
    samples = [sample for family in metrics.shown.collect() for sample in family.samples]
    return sum(one.value for one in samples if one.name == "sidewitness_step_seconds_count")


async def test_a_killed_host_is_told_at_once_and_its_participants_go_on(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        ada, bob = await made.publish("ada"), await made.publish("bob", "other")
        await made.until(lambda: made.kinds("finding", "ada") and made.kinds("finding", "bob"), "both have findings")
        pid, other = made.pid_of("ada"), made.pid_of("bob", "other")
        assert pid is not None
        assert pid != other
        counted = await steps(made)
        assert counted > 0.0
        os.kill(pid, signal.SIGKILL)
        await ada.wait()
        assert await steps(made) >= counted
        await made.until(lambda: made.kinds("unmonitored", "ada"), "it is told that nobody watches")
        told = made.kinds("unmonitored", "ada")[0]
        assert (told["action"], told["reason"]) == ("began", "host_lost")
        assert made.kinds("state", "ada")[-1]["reason"] == "host_lost"
        assert made.kinds("unmonitored", "bob") == []
        assert made.fleet.ledger.seat(("board", "ada")) is None
        with pytest.raises(LinkLost):
            await made.fleet.hosts[0 if made.fleet.hosts[1].pid == other else 1].ask("metrics")
        await ada.add_candidates("of no use any more")
        await ada.end()
        await made.publish("ada")
        await made.until(lambda: len(made.kinds("unmonitored", "ada")) == 2, "it is told that they are watched again")
        assert made.kinds("unmonitored", "ada")[1]["action"] == "resumed"
        await made.until(lambda: made.fleet.alive == HostsAlive(2, 2), "the host is started again")
        assert made.pid_of("bob", "other") == other
        assert not bob.ended
        await made.fleet.drain()
        await made.sidecar.components.recorder.close()
        check_whole(made, "ada", "bob")


async def test_a_host_that_hangs_is_ended(tmp_path: Path) -> None:
    async with site(tmp_path, rejoin_seconds=0.5) as made:
        ada = await made.publish("ada")
        await made.until(lambda: made.kinds("finding", "ada"), "there is a finding")
        pid = made.pid_of("ada")
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        await made.until(lambda: ada.ended, "it is noticed")
        assert made.kinds("state", "ada")[-1]["reason"] == "host_lost"
        # Whoever does not come back has left: what waited for them is closed.
        await made.until(lambda: made.kinds("finding", "ada")[-1]["action"] == "closed", "it is closed")
        check_whole(made)


async def test_what_keeps_a_host_from_judging_is_told_by_its_own_line(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="the pack toy is missing: install it"):
        async with site(tmp_path, factory="tests.monitor.host.cluster.toy_host:broken"):
            raise AssertionError("it has started")
