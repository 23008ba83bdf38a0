"""A benchmark of this machine, a plan from it, and the simulator beside what really happened at one and two."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.host.planning.costs import costs_of
from monitor.host.planning.fleet import simulate
from monitor.host.planning.model import SimulatedFleet, Visit
from monitor.host.planning.sizing import Assumptions, plan
from monitor.lab.bench import run

SECONDS = 6.0
# Of the machine, taken by others: then its calls say nothing of what it holds.
MAX_OTHERS = 0.3


@pytest.mark.long
@pytest.mark.data
def test_what_was_measured_is_planned_with_and_played_as_it_went(tmp_path: Path, data_dir: Path) -> None:
    assert data_dir.is_dir()
    options = run.Options(seconds=SECONDS, participants=2, curve=2)
    result = run.run(options, tmp_path, lambda _part, _done: None).as_json()
    costs = costs_of(result, "this machine")
    assert 0.02 < costs.claimed_cores < 1.5
    assert costs.state_bytes is not None
    assert 500.0 < costs.state_bytes < 50_000.0
    made = plan(costs, Assumptions(participants=100, machine_cores=16))
    assert made.machines * made.per_machine >= 100
    cores = result["curve"]["cores"]
    points = result["curve"]["points"]
    assert [point["participants"] for point in points] == [1, 2]
    if max(point["others_cores"] for point in points) > MAX_OTHERS * cores:
        pytest.skip("others were at work on this machine: its calls say nothing of it")
    each = costs.claimed_cores
    fleet = SimulatedFleet(machines=1, processes=1, places=8, power=cores / each, cores_each=each, cores=cores)
    for point in points:
        coming = [Visit(0.0, SECONDS, "bench", f"p{number}") for number in range(point["participants"])]
        outcome = simulate(fleet, coming, SECONDS)
        assert (outcome.sheds > 0) == (point["overloaded"] > 0)
        assert outcome.refused == 0
