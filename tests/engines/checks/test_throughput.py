"""How fast an engine is, told on clocks of the test's own: what is counted, not how fast this machine is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from engines.base import Arrays, Engine, FloatArray, Manifest
from engines.checks.throughput import MAX_CALLS, MIN_CALLS, WARM_UP_CALLS, Speed, measure
from engines.load import load_engine
from tests.engines import packs

Measure = Callable[..., Iterator[Speed]]


class Clock:
    """Tells what it is set to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Timed:
    """An engine that takes `seconds` seconds a row and `start` a call, on a clock."""

    def __init__(self, engine: Engine, wall: Clock, cpu: Clock, seconds: float, start: float) -> None:
        self._engine, self._wall, self._cpu, self._seconds, self._start = engine, wall, cpu, seconds, start
        self.batches: list[int] = []
        self.lengths: set[int] = set()

    @property
    def manifest(self) -> Manifest:
        return self._engine.manifest

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        rows, length = next(iter(inputs.values())).shape[:2]
        self.batches.append(rows)
        self.lengths.add(length)
        took = self._start + rows * self._seconds
        self._wall.now += took
        self._cpu.now += took / 2
        return self._engine.run(inputs)

    def warm_up(self) -> None:
        self._engine.warm_up()


@pytest.fixture(scope="module")
def adder(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    models = tmp_path_factory.mktemp("models")
    packs.write(models)
    return load_engine("adder", "onnx", models)


def timed(adder: Engine, seconds: float = 0.001, start: float = 0.003) -> tuple[Timed, Measure]:
    wall, cpu = Clock(), Clock()
    return Timed(adder, wall, cpu, seconds, start), partial(measure, wall=wall, cpu=cpu)


def test_each_batch_is_a_row(adder: Engine) -> None:
    engine, measured = timed(adder)
    one, four = measured(engine, (1, 4), 0.1)
    assert (one.batch, one.p50_ms, one.p95_ms, one.cpu_ms) == pytest.approx((1, 4.0, 4.0, 2.0))
    assert one.items_per_second == pytest.approx(250)
    assert four.items_per_second == pytest.approx(4 / 0.007)
    assert (one.calls, four.calls) == (25, 15)


def test_the_first_calls_do_not_count(adder: Engine) -> None:
    engine, measured = timed(adder)
    (row,) = measured(engine, (2,), 0.1)
    assert engine.batches == [2] * (row.calls + WARM_UP_CALLS)


def test_a_slow_engine_is_called_a_few_times_and_a_fast_one_not_for_ever(adder: Engine) -> None:
    slow, measured = timed(adder, start=60.0)
    assert next(measured(slow, (1,), 0.1)).calls == MIN_CALLS
    fast, measured = timed(adder, seconds=0.0, start=0.0)
    assert next(measured(fast, (1,), 0.1)).calls == MAX_CALLS


def test_free_axes_get_the_length_that_is_asked_for(adder: Engine) -> None:
    engine, measured = timed(adder)
    list(measured(engine, (1,), 0.01))
    assert engine.lengths == {3}
    engine, measured = timed(adder)
    list(measured(engine, (1,), 0.01, length=7))
    assert engine.lengths == {7}


def test_a_real_engine_is_timed_by_the_machines_clocks(adder: Engine) -> None:
    (row,) = measure(adder, (2,), 0.001)
    assert row.calls >= MIN_CALLS
    assert 0 < row.p50_ms <= row.p95_ms
    assert row.items_per_second == pytest.approx(2000 / row.p50_ms)
