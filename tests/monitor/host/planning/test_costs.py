"""What a participant costs is read off a benchmark's own result; what is not in it is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.host.planning import costs as names
from monitor.host.planning.costs import PlanError, costs_of
from monitor.lab.bench import budgets
from tests.monitor.host.planning.build import costs, result
from tests.pure import ROOT


def test_the_costs_are_those_of_the_result() -> None:
    read = costs({names.IDLE_CORES: 0.01, names.STATE_BYTES: 4000.0})
    assert (read.claimed_cores, round(read.comparing_cores, 3), read.idle_cores) == (0.277, 0.045, 0.01)
    assert (read.held, read.held_cores, read.participants) == (4, 2, 4)
    assert (read.idle_mb, read.first_mb, read.each_mb) == (400.0, 149.0, 20.0)
    assert (read.video_kbps, read.state_bytes, read.on_gpu) == (1500.0, 4000.0, False)
    assert read.as_json()["source"] == "a test"


def test_a_result_without_the_search_for_capacity_is_read_by_its_processor_time() -> None:
    read = costs(capacity=None)
    assert (read.held, read.held_cores, read.held_processes) == (None, 2, 1)


def test_what_a_run_says_against_itself_is_a_doubt() -> None:
    read = costs(notes=["The publisher took 0.31 cores.", "Others took 1 of 2 cores: conclude nothing from this run"])
    assert read.doubts == ("Others took 1 of 2 cores: conclude nothing from this run",)
    assert read.as_json()["doubts"] == list(read.doubts)


@pytest.mark.parametrize("engine", ["tensorrt", "pytorch", "pytorch-fp16"])
def test_a_gpu_is_known_by_the_engine(engine: str) -> None:
    assert costs(settings={**result()["settings"], "engine": engine}).on_gpu


@pytest.mark.parametrize(
    "read",
    [None, [], {}, {"rows": 3}, {"rows": [{"name": "x"}]}, result(settings={}), result(rows={"a": "b"})],  # type: ignore[dict-item]
)
def test_what_is_no_result_is_refused(read: Any) -> None:
    with pytest.raises(PlanError, match=r"^f is no result of a benchmark: give the bench.json"):
        costs_of(read, "f")


@pytest.mark.parametrize("name", [names.CORES, names.MEMORY, names.FIRST_MEMORY, names.IDLE_MEMORY])
def test_a_row_that_is_needed_is_asked_for(name: str) -> None:
    with pytest.raises(PlanError, match=f"^a test does not say {name}: run `sidewitness bench --out DIR`"):
        costs({name: None})
    with pytest.raises(PlanError):
        costs({name: -1.0})


def test_nobody_costs_nothing_and_a_machine_that_held_nobody_is_no_measure() -> None:
    with pytest.raises(PlanError, match="cores per live"):
        costs({names.CORES: 0.0})
    with pytest.raises(PlanError, match="not even one participant held"):
        costs(capacity={"participants": 0, "cores": 2})


def test_the_rows_are_called_as_the_benchmark_calls_them() -> None:
    for name in ("CORES", "PAIRWISE", "PERSONA", "AGE", "FIRST_VERDICT", "MEMORY"):
        assert getattr(names, name) == getattr(budgets, name)
    written = (ROOT / "monitor/lab/bench/result.py").read_text()
    for name in (names.IDLE_CORES, names.FIRST_MEMORY, names.IDLE_MEMORY, names.STATE_BYTES):
        assert f'"{name}"' in written
