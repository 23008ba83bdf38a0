"""The promise of a gateway, kept by real processes: hosts are killed at random moments, and no finding is lost.

Every participant goes through numbered episodes (`toy_host`), a finding each. Whatever is killed, each number is found
exactly once, is opened and closed, and every change of it is in the journal.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from pathlib import Path

import pytest

from monitor.host.calls import AtCapacity
from tests.monitor.host.cluster.site import PATIENCE, Site, site
from tests.monitor.host.cluster.test_fleet import check_whole, episodes


async def stay(made: Site, participant: str, over: asyncio.Event) -> None:
    """Publish, and publish again whenever that ends, as a client does whose session is gone."""
    while not over.is_set():
        with contextlib.suppress(AtCapacity):
            publication = await made.publish(participant, call=f"call-{participant}")
            await publication.wait()
        made.changed.clear()
        await made.changed.wait()


async def killed(made: Site, people: list[str], kills: int, findings: int) -> None:
    """Kill the host of somebody at a random moment, again and again, until there are so many findings too."""
    chance, seen = random.Random(20261130), 0
    for number in range(kills):
        who = people[number % len(people)]
        await made.until(lambda who=who: made.pid_of(who, f"call-{who}"), "they are judged")  # type: ignore[misc]
        wanted = seen + chance.randrange(1, 2 * findings // kills)
        await made.until(lambda wanted=wanted: opened(made) >= wanted, "there are findings")  # type: ignore[misc]
        seen = opened(made)
        pid = made.pid_of(who, f"call-{who}")
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
    await made.until(lambda: opened(made) >= findings, "there are findings enough")


def opened(made: Site) -> int:
    return sum(one["type"] == "finding" and one["action"] == "opened" for one in made.told)


async def run(folder: Path, participants: int, kills: int, findings: int) -> None:
    async with site(folder) as made:
        people, over = [f"p{number}" for number in range(participants)], asyncio.Event()
        tasks = [asyncio.create_task(stay(made, who, over)) for who in people]
        await killed(made, people, kills, findings)
        over.set()
        await made.fleet.drain()
        await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE)
        recorder = made.sidecar.components.recorder
        # So many at once are no call's: the disk may need a while.
        await made.until(lambda: not len(recorder), "all is written")
        assert await recorder.close() == 0
        check_whole(made, *people)
        assert recorder.dropped == 0
        assert sum(len(episodes(made, who)) for who in people) >= findings
        assert sum(host.starts for host in made.fleet.hosts) > len(made.fleet.hosts)


async def test_hosts_are_killed_and_nothing_is_lost(tmp_path: Path) -> None:
    await run(tmp_path, participants=6, kills=2, findings=25)


@pytest.mark.long
async def test_of_a_thousand_findings_over_twenty_kills_none_is_lost(tmp_path: Path) -> None:
    await run(tmp_path, participants=24, kills=20, findings=1000)
