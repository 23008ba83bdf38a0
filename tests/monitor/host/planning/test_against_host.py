"""The simulator held against the host itself: the same people come and go, the same costs, in virtual time.

The host, its participants, their backlogs, the pool they share and what decides who is shed are the product's own; only
media and the time that judging them takes are made up, by the same numbers that the simulator is given.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from monitor.host.calls import AtCapacity
from monitor.host.planning.fleet import simulate
from monitor.host.planning.model import Outcome, SimulatedFleet, Visit
from tests.monitor.host.test_overload import PICTURE, SOUND, Site, Watched, generated, site, virtually

SECONDS, STEP = 90.0, 0.25
PLACES = 6
# Of the one worker: pictures come 12.5 times a second, blocks of sound every 30 ms.
EACH = 12.5 * PICTURE + SOUND / 0.03
FLEET = SimulatedFleet(machines=1, processes=1, places=PLACES, power=1.0 / EACH, cores_each=EACH)


@dataclass
class Seen:
    """What became of them on the host."""

    refused: set[str] = field(default_factory=set)
    refused_seconds: float = 0.0
    shed_seconds: float = 0.0
    sheds: float = 0.0


def arriving(count: int, apart: float, stay: float) -> list[Visit]:
    return [Visit(1.0 + apart * number, stay, "board", f"p{number}") for number in range(count)]


async def _visit(here: Site, visit: Visit, began: float, seen: Seen) -> None:
    now = asyncio.get_running_loop().time
    ends = min(visit.at + visit.seconds, SECONDS)
    await asyncio.sleep(began + visit.at - now())
    while now() - began < ends:
        try:
            await here.join(visit.name)
            break
        except AtCapacity as refusal:
            seen.refused.add(visit.name)
            wait = min(float(refusal.retry_after), began + ends - now())
            seen.refused_seconds += wait
            await asyncio.sleep(wait)
    await asyncio.sleep(max(0.0, began + ends - now()))
    if (judged := here.host.find("board", visit.name)) is not None:
        await judged.end()


def on_the_host(folder: Path, visits: list[Visit]) -> Seen:
    seen = Seen()

    async def work() -> None:
        async with site(folder, Watched, generated(), PLACES) as here:
            began = asyncio.get_running_loop().time()
            tasks = [asyncio.create_task(_visit(here, visit, began, seen)) for visit in visits]
            for _ in range(round(SECONDS / STEP)):
                judged = [one for visit in visits if (one := here.host.find("board", visit.name)) is not None]
                paused = sum(one.paused for one in judged)
                seen.shed_seconds += STEP * paused
                here.busy[0] = min(1.0, EACH * (len(judged) - paused))
                await asyncio.sleep(STEP)
            await asyncio.gather(*tasks)
            seen.sheds = here.number("sheds_total")

    virtually(work)
    return seen


def simulated(visits: list[Visit]) -> Outcome:
    return simulate(FLEET, visits, SECONDS)


# Where shedding begins (two are judged) and where places end (six), in `make test`.
@pytest.mark.parametrize("count", [*(pytest.param(n, marks=pytest.mark.long) for n in (1, 4, 5, 8)), 2, 3, 6, 7])
def test_so_many_who_come_one_after_another(tmp_path: Path, count: int) -> None:
    visits = arriving(count, 0.25, 200.0)
    seen, outcome = on_the_host(tmp_path, visits), simulated(visits)
    assert outcome.refused == len(seen.refused)
    assert (outcome.sheds > 0) == (seen.sheds > 0) == (count > 2)
    # Everybody's seconds together: who is shed differs by a review or a relapse, not by more.
    assert outcome.shed_seconds == pytest.approx(seen.shed_seconds, abs=0.02 * count * SECONDS)
    assert outcome.refused_seconds == pytest.approx(seen.refused_seconds, abs=1.0)


@pytest.mark.parametrize("stay", [20.0, 45.0])
def test_those_who_leave_make_room_in_both(tmp_path: Path, stay: float) -> None:
    visits = arriving(8, 6.0, stay)
    seen, outcome = on_the_host(tmp_path, visits), simulated(visits)
    offered = outcome.offered_seconds
    assert outcome.refused == pytest.approx(len(seen.refused), abs=1)
    assert outcome.shed_seconds == pytest.approx(seen.shed_seconds, abs=0.1 * offered)
    assert outcome.refused_seconds == pytest.approx(seen.refused_seconds, abs=0.1 * offered)
