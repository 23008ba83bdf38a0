"""How many hold, what happens beyond, whether memory grows: the logic of it, on numbers made up for it; no timing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest
from rich.console import Console

from monitor.host.metrics import Metrics
from monitor.lab.bench import capacity, overload, run
from monitor.lab.bench import soak as soaking
from monitor.lab.bench.budgets import CAPACITY, OVERLOAD_AGE, OVERLOAD_GROWTH, SOAK, Measurement
from monitor.lab.bench.capacity import OVERLOADED, Capacity, CapacityStep, judge, next_try, step_of
from monitor.lab.bench.child import BenchError
from monitor.lab.bench.clip import Stream
from monitor.lab.bench.engine_speed import EngineSpeed, EngineSpeeds
from monitor.lab.bench.exposition import Exposition
from monitor.lab.bench.observations import SpanMessages
from monitor.lab.bench.overload import Overload, describe, growth
from monitor.lab.bench.plots import draw
from monitor.lab.bench.process_usage import Usage
from monitor.lab.bench.processes import BenchSetup
from monitor.lab.bench.result import BenchResult, capacity_notes, capacity_rows, overload_notes, overload_rows, soak_row
from monitor.lab.bench.soak import MemoryReading, Soak
from monitor.lab.bench.subscriber import SpanReadings
from monitor.lab.bench.tables import show

MACHINE = {
    "processor": "A Fast One", "cores": 2, "memory_gb": 8.0, "load_before": 0.0, "python": "3", "system": "Linux",
    "versions": {},
}  # fmt: skip
SETTINGS = {
    "engine": "openvino", "clip": "clip.mp4", "loop_seconds": 2.0, "kilobits_per_second": 1500, "participants": 2,
    "detectors": ["synchrony"],
}  # fmt: skip


# Finding the largest call


@given(limit=st.integers(0, 40), first=st.integers(1, 20), most=st.integers(20, 40))
def test_the_largest_call_is_found_in_few_tries(limit: int, first: int, most: int) -> None:
    held: dict[int, bool] = {}
    while (size := next_try(held, first, most)) is not None:
        assert 1 <= size <= most
        assert size not in held
        held[size] = size <= limit
    assert max((size for size, ok in held.items() if ok), default=0) == min(limit, most)
    assert len(held) <= 12


def test_a_size_that_held_above_one_that_did_not_is_not_believed() -> None:
    assert next_try({4: True, 8: True, 6: False}, 4, 32) == 5
    assert next_try({4: True, 8: True, 5: False}, 4, 32) is None


GOOD = CapacityStep(4, 0.5, 0.7, 1.0, 0.1)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({}, ""),
        ({"age_p95": 1.0}, ""),
        ({"age_p95": 1.01}, "score age p95 1.01 s"),
        ({"age_p95": None}, "no score had an age"),
        ({"dropped": 3}, "3 frames or blocks were dropped"),
        ({"overloaded": 2}, "2 hops were inconclusive"),
        ({"publisher_late": 0.4, "dropped": 3}, "the publisher was 0.4 s late"),
    ],
)
def test_a_call_holds_when_its_scores_are_young_and_nothing_is_dropped(changed: dict[str, Any], why: str) -> None:
    assert judge(replace(GOOD, **changed)).startswith(why)
    assert bool(judge(replace(GOOD, **changed))) == bool(why)


def a_span(
    ages: tuple[float, ...] = (0.4,),
    words: dict[str, dict[str, int]] | None = None,
    dropped: int = 0,
    failures: int = 0,
) -> SpanReadings:
    """Readings of ten seconds, in which the sidecar took a core and others a fifth of one."""
    metrics = Metrics()
    metrics.score_age.observe(9.0)
    metrics.session_failures.inc(5)
    before = Exposition.parse(generate_latest(metrics.registry).decode())
    for age in ages:
        metrics.score_age.observe(age)
    metrics.dropped.inc(dropped)
    metrics.session_failures.inc(failures)
    after = Exposition.parse(generate_latest(metrics.registry).decode())
    told = SpanMessages(words if words is not None else {"p1": {"bona_fide": 10}}, {"synchrony": 5, "pairwise": 10})
    memory = [(float(at), (100 if at < 20 else 103) * 1_000_000) for at in range(30)]
    return SpanReadings(Usage(10.0, 10.0, 1.0, 13.0), 1.0, before, after, memory, told)


def test_a_step_is_made_of_the_span_alone() -> None:
    step = step_of(a_span((0.4,) * 20), 4, 0.01)
    assert step.held
    assert 0.3 < (step.age_p95 or 0.0) <= 0.5
    assert (step.cores, step.publisher_cores, step.others_cores) == pytest.approx((1.0, 0.1, 0.2))
    assert step.scored == 1.5
    spoken = {"p1": {"bona_fide": 9, OVERLOADED: 1}, "p2": {OVERLOADED: 2}}
    assert step_of(a_span(words=spoken), 4, 0.01).overloaded == 3
    assert step_of(a_span(dropped=2), 4, 0.01).dropped == 2
    assert not step_of(a_span((3.0,)), 4, 0.01).held
    assert step_of(a_span((), {}), 4, 0.01).age_p95 is None


STEPS = (
    GOOD,
    CapacityStep(8, None, 1.4, 1.8, 0.2, why="score age p95 1.40 s"),
    CapacityStep(6, 0.6, 0.9, 1.4, 0.15),
    CapacityStep(7, why="the sidecar refused a newcomer: it had no room"),
)
CAPACITY_FOUND = Capacity(STEPS, 2, 2, True, 12.0)


def by_name(rows: list[Measurement]) -> dict[str, Measurement]:
    return {one.name: one for one in rows}


def test_the_largest_that_held_counts_by_core() -> None:
    rows = by_name(capacity_rows(CAPACITY_FOUND))
    assert (rows[CAPACITY].value, rows[CAPACITY].state) == (3.0, "over")
    assert rows[CAPACITY].note == (
        "6 hold on 2 cores, of which the publisher took 0.15, every detector; "
        "7 do not: the sidecar refused a newcomer: it had no room"
    )
    assert rows["score age p95 at that many"].value == 0.9
    one = replace(CAPACITY_FOUND, cores=1, steps=(GOOD,), enrolled=False)
    assert capacity_rows(one)[0].state == "ok"
    assert capacity_rows(one)[0].note == "4 hold on 1 of 2 cores, synchrony only; more were not tried"
    none = replace(CAPACITY_FOUND, steps=(replace(STEPS[1], participants=1),))
    assert by_name(capacity_rows(none))[CAPACITY].value == 0.0
    assert by_name(capacity_rows(none))["score age p95 at that many"].state == "not measured"
    assert json.loads(json.dumps(CAPACITY_FOUND.as_json()))["steps"][0]["held"] is True
    assert [step["participants"] for step in CAPACITY_FOUND.as_json()["steps"]] == [4, 6, 7, 8]


def test_a_doubtful_capacity_says_so() -> None:
    assert capacity_notes(CAPACITY_FOUND) == []
    told = capacity_notes(replace(CAPACITY_FOUND, steps=(*STEPS, CapacityStep(9, 0.5, 0.9, others_cores=0.5))))
    assert "conclude nothing" in told[0]
    assert "9 held though 9 did not" not in told[1]
    assert "9 held though a smaller call did not" in told[1]


# Twice as many


def test_who_is_shed_is_told_by_what_is_said_of_them() -> None:
    words = {
        "p1": {"bona_fide": 20},
        "p2": {"bona_fide": 19, OVERLOADED: 1},
        "p3": {"bona_fide": 10, OVERLOADED: 10},
        "p10": {OVERLOADED: 20},
    }
    afterwards = {"p1": {"bona_fide": 8}, "p2": {OVERLOADED: 8}, "p10": {"bona_fide": 1}}
    before, span, after = a_span(), a_span((0.4, 0.8), words, 7), a_span(words=afterwards, failures=1)
    found = describe(before, span, after, 5, 0)
    assert (found.kept, found.between, found.shed) == ((1, 2), (3,), (10,))
    assert found.silent == (4, 5, 6, 7, 8, 9)
    assert found.recovered == (1,)
    assert found.admitted == 10
    assert found.dropped == 7
    assert found.failures == 1
    assert found.growth_mb == pytest.approx(0.3)
    assert (found.age_before or 0.0) < (found.age_p95 or 0.0)
    assert describe(before, span, after, 5, 3).silent == ()
    assert describe(before, span, after, 5, 3).admitted == 7


def test_growth_is_of_the_last_third() -> None:
    assert growth([9_000_000] * 10 + [1_000_000] * 10 + [3_000_000] * 10) == 2.0
    assert growth([1, 2]) == 0.0


OVERLOAD_FOUND = Overload(
    4, 8, 0, 30.0, 0.6, 0.9, (5, 6, 7, 8), (1, 2, 3, 4), (), (), 1.5, 0, 0, 0, 1.7, 0.2, (1, 2, 3, 4), 20.0, 0.0
)


def test_overload_stands_beside_its_budgets() -> None:
    rows = by_name(overload_rows(OVERLOAD_FOUND))
    assert (rows[OVERLOAD_AGE].state, rows[OVERLOAD_GROWTH].state) == ("ok", "ok")
    assert rows["shed while overloaded"].value == 4
    assert rows["shed while overloaded"].note == "joined as number 5, 6, 7, 8"
    assert overload_notes(OVERLOAD_FOUND, 2) == []
    bad = replace(OVERLOAD_FOUND, refused=2, failures=1, silent=(3,), shed=(), others_cores=1.0, age_before=None)
    told = " ".join(overload_notes(bad, 2))
    for words in ("2 were refused at the door", "1 sessions FAILED", "NOTHING was said of number 3", "nobody was shed"):
        assert words in told
    assert "conclude nothing" in told
    assert "p95 unknown before" in overload_rows(bad)[0].note


# A soak


def a_soak(rise: float, swing: int = 0, count: int = 40) -> Soak:
    """Readings of an hour: megabytes an hour of growth, and a swing of so many up and down."""
    points = tuple(
        MemoryReading(90.0 * n, int(5e8 + rise * 1e6 * n / 40 + swing * 1e6 * (n // 3 % 2))) for n in range(count)
    )
    return Soak(points, {"synchrony": 1.0}, {"bona_fide": 100}, 4.0)


@pytest.mark.parametrize(
    ("soak", "verdict", "state"),
    [
        (a_soak(0.0), "memory does not grow", "ok"),
        (a_soak(0.8), "memory does not grow", "ok"),
        (a_soak(20.0), "memory GROWS", "over"),
        (a_soak(-20.0), "memory falls", "ok"),
        (a_soak(3.0, 40), "not sure", "over"),
        (a_soak(3.0, count=9), "too short to say", "not measured"),
        (a_soak(3.0, count=7), "too short to say", "not measured"),
    ],
)
def test_whether_memory_grows_is_said_in_a_line(soak: Soak, verdict: str, state: str) -> None:
    assert soak.verdict.startswith(verdict)
    assert soak_row(soak).state == state
    assert verdict in soak_row(soak).note
    assert soak_row(soak).name == SOAK


def test_what_fills_at_the_beginning_is_not_growth() -> None:
    filling = replace(a_soak(0.0), points=tuple(MemoryReading(90.0 * n, min(n, 8) * 10_000_000) for n in range(40)))
    assert filling.slope == (0.0, 0.0, 0.0)
    assert filling.minutes == pytest.approx(58.5)
    assert Soak((), {}, {}, 1.0).minutes == 0.0
    assert json.loads(json.dumps(filling.as_json()))["slope_mb_per_hour"] == [0.0, 0.0, 0.0]


# All of it, shown


SPEEDS = EngineSpeeds(
    tuple(
        EngineSpeed(pack, engine, batch, 9, 1.0 * batch, 1.5 * batch, 1.0, 1000.0, 1.0 + batch / 10)
        for pack in ("speech_lips", "motion")
        for engine in ("openvino", "onnx")
        for batch in (1, 8)
    ),
    (),
)


def test_every_part_is_shown_and_drawn(tmp_path: Path) -> None:
    rows = [*capacity_rows(CAPACITY_FOUND), *overload_rows(OVERLOAD_FOUND), soak_row(a_soak(0.0))]
    result = BenchResult(MACHINE, SETTINGS, [], rows, {}, [], SPEEDS, CAPACITY_FOUND, OVERLOAD_FOUND, a_soak(0.0))
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        show(result, console)
    told = capture.get()
    for words in ("speech_lips", "8.00 / 12.0 (1000)", "1.80 x", "score age p95 1.40 s", "holds", OVERLOAD_AGE, SOAK):
        assert words in told
    said = json.loads(json.dumps(result.as_json()))
    assert len(said["engines"]) == 8
    assert said["capacity"]["participants"] == 6
    assert said["overload"]["shed"] == [5, 6, 7, 8]
    assert said["soak"]["minutes"] > 1
    draw(result, tmp_path / "all.png")
    draw(BenchResult(MACHINE, SETTINGS), tmp_path / "nothing.png")
    assert (tmp_path / "all.png").stat().st_size > (tmp_path / "nothing.png").stat().st_size > 0


# What is run when


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The heavy parts, each noting with how many it was asked for."""
    made: list[tuple[str, int]] = []

    async def capacity_of(_stream: Path, _place: BenchSetup, first: int, **_: object) -> Capacity:
        made.append(("capacity", first))
        return CAPACITY_FOUND

    async def overload_of(_stream: Path, _place: BenchSetup, sustainable: int, *_: object) -> Overload:
        made.append(("overload", sustainable))
        return OVERLOAD_FOUND

    monkeypatch.setattr(capacity, "measure", capacity_of)
    monkeypatch.setattr(overload, "measure", overload_of)
    return made


def loads(tmp_path: Path, **options: Any) -> BenchResult:
    chosen = run.Options(usual=False, **options)
    bench = run.Bench(chosen, Stream((), ()), tmp_path, None, BenchSetup(tmp_path), 2, lambda *_: None)
    return run.loads(bench, BenchResult(MACHINE, SETTINGS))


def test_overload_is_twice_what_was_found_or_told(asked: list[tuple[str, int]], tmp_path: Path) -> None:
    assert loads(tmp_path).rows == []
    assert loads(tmp_path, overload=True).capacity is CAPACITY_FOUND
    assert asked == [("capacity", 4), ("overload", 6)]
    asked.clear()
    assert loads(tmp_path, overload=True, participants=3).overload is OVERLOAD_FOUND
    assert asked == [("overload", 3)]
    asked.clear()
    loads(tmp_path, overload=True, capacity=True, participants=3)
    assert asked == [("capacity", 3), ("overload", 6)]


def test_a_load_that_cannot_be_made_leaves_rows_that_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing(*_: object, **__: object) -> None:
        raise BenchError("the sidecar went away")

    for part in (capacity, overload, soaking):
        monkeypatch.setattr(part, "measure", failing)
    found = loads(tmp_path, overload=True, capacity=True, soak=1.0)
    assert {row.name: row.note for row in found.rows} == {
        CAPACITY: "the sidecar went away",
        OVERLOAD_AGE: "it is not known how many hold: give --participants",
        OVERLOAD_GROWTH: "it is not known how many hold: give --participants",
        SOAK: "the sidecar went away",
    }
    assert len(found.notes) == 3
    found = loads(tmp_path, overload=True, participants=2)
    assert {row.note for row in found.rows} == {"the sidecar went away"}
