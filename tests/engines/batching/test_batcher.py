"""The threads of batching: real engines behind a batcher answer every client with its own rows, or say why not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from engines.base import Arrays, Engine, EngineError, FloatArray, InputError, Manifest
from engines.batching.batcher import Batcher
from engines.batching.queue import BatchConfig, Drop, Dropped
from engines.checks.parity import distance, seeded
from engines.load import load_engine
from engines.registry import EngineName
from tests.engines import packs

PATIENT = BatchConfig(max_delay=0.002, patience=30.0)


class Gated:
    """An engine that waits until it is let go, and keeps the batches that it was given."""

    def __init__(self, engine: Engine, error: Exception | None = None) -> None:
        self._engine, self._error = engine, error
        self.batches: list[int] = []
        self.entered = threading.Semaphore(0)
        self.go = threading.Semaphore(0)

    @property
    def manifest(self) -> Manifest:
        return self._engine.manifest

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        self.batches.append(next(iter(inputs.values())).shape[0])
        self.entered.release()
        assert self.go.acquire(timeout=30)
        if self._error is not None:
            raise self._error
        return self._engine.run(inputs)

    def warm_up(self) -> None:
        self._engine.warm_up()


@pytest.fixture
def adder(tmp_path: Path) -> Engine:
    packs.write(tmp_path)
    return load_engine("adder", "onnx", tmp_path)


@contextmanager
def batching(
    engine: Engine, config: BatchConfig = PATIENT, clock: Callable[[], float] = time.monotonic
) -> Iterator[Batcher]:
    made = Batcher(engine, config, clock)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def held(
    engine: Gated, config: BatchConfig = PATIENT, clock: Callable[[], float] = time.monotonic
) -> Iterator[tuple[Batcher, ThreadPoolExecutor]]:
    """A batcher whose thread is busy with a first request, until the test releases `go`."""
    with ThreadPoolExecutor(8) as callers, batching(engine, config, clock) as batcher:
        try:
            callers.submit(batcher.client().warm_up)
            assert engine.entered.acquire(timeout=30)
            yield batcher, callers
        finally:
            engine.go.release(100)


def numbers(start: int, rows: int = 1, length: int = 3) -> dict[str, FloatArray]:
    a = np.arange(start, start + rows * length * 2, dtype=np.float32).reshape(rows, length, 2)
    return {"a": a, "b": np.full_like(a, start)}


def waiting(batcher: Batcher, rows: int) -> None:
    """Return when so many rows wait."""
    until = time.monotonic() + 30
    while batcher.load().waiting != rows:
        assert time.monotonic() < until


def test_a_client_is_an_engine(adder: Engine) -> None:
    with batching(adder) as batcher:
        client = batcher.client()
        assert isinstance(client, Engine)
        assert client.manifest is adder.manifest
        client.warm_up()
        given = numbers(5, rows=2)
        np.testing.assert_array_equal(client.run(given)["sum"], given["a"] + given["b"])
        with pytest.raises(InputError, match="takes the inputs"):
            client.run({"a": given["a"]})
        assert batcher.load().rows == 3


@pytest.mark.parametrize("name", ["openvino", "onnx"])
@pytest.mark.parametrize("workers", [1, 2])
def test_many_clients_at_once_get_each_their_own(tmp_path: Path, name: EngineName, workers: int) -> None:
    packs.write(tmp_path)
    config = BatchConfig(max_delay=0.001, patience=30.0, workers=workers)
    with batching(load_engine("adder", name, tmp_path), config) as batcher, ThreadPoolExecutor(6) as callers:

        def talk(owner: int) -> int:
            client, draw = batcher.client(), np.random.default_rng(owner)
            for n in range(60):
                given = numbers(1000 * owner + n, int(draw.integers(1, 5)), int(draw.integers(2, 4)))
                np.testing.assert_array_equal(client.run(given)["sum"], given["a"] + given["b"])
            return owner

        assert list(callers.map(talk, range(6))) == list(range(6))
        load = batcher.load()
        assert load.rows >= load.batches
        assert (load.waiting, load.dropped) == (0, {})


def test_what_waits_while_the_engine_is_busy_is_run_together(adder: Engine) -> None:
    gated = Gated(adder)
    with held(gated) as (batcher, callers):
        asked = [callers.submit(batcher.client().run, numbers(10 * n)) for n in range(5)]
        waiting(batcher, 5)
        gated.go.release(2)
        for n, future in enumerate(asked):
            np.testing.assert_array_equal(future.result(30)["sum"], sum(numbers(10 * n).values()))
        assert gated.batches == [1, 5]


def test_a_deadline_holds_while_every_thread_is_busy(adder: Engine) -> None:
    gated, now = Gated(adder), 0.0
    with held(gated, BatchConfig(patience=0.02), lambda: now) as (batcher, callers):
        late = callers.submit(batcher.client().run, numbers(1))
        waiting(batcher, 1)
        now = 0.02
        with pytest.raises(Dropped) as caught:
            late.result(30)
        assert caught.value.reason is Drop.DEADLINE
        assert batcher.load().dropped == {Drop.DEADLINE: 1}
        assert gated.batches == [1]


def test_a_full_queue_refuses_at_once(adder: Engine) -> None:
    gated = Gated(adder)
    with held(gated, BatchConfig(patience=30.0, capacity=2)) as (batcher, callers):
        client = batcher.client()
        asked = callers.submit(client.run, numbers(1, rows=2))
        waiting(batcher, 2)
        with pytest.raises(Dropped, match=r"dropped \(queue_full\)"):
            client.run(numbers(2))
        gated.go.release(2)
        assert asked.result(30)["sum"].shape == (2, 3, 2)


def test_closing_lets_go_of_what_waits_and_finishes_what_runs(adder: Engine) -> None:
    gated = Gated(adder)
    with ThreadPoolExecutor(3) as callers:
        batcher = Batcher(gated, PATIENT)
        running = callers.submit(batcher.client().run, numbers(1))
        assert gated.entered.acquire(timeout=30)
        left = callers.submit(batcher.client().run, numbers(2))
        waiting(batcher, 1)
        closing = callers.submit(batcher.close)
        with pytest.raises(Dropped, match="closed"):
            left.result(30)
        gated.go.release()
        assert running.result(30)["sum"].shape == (1, 3, 2)
        closing.result(30)
        with pytest.raises(Dropped, match="closed"):
            batcher.client().run(numbers(3))
        batcher.close()
        assert batcher.load().dropped_total == 0


@pytest.mark.parametrize(
    ("raised", "kind", "text"),
    [
        (EngineError("the device is gone: restart"), EngineError, "the device is gone: restart"),
        (InputError("too long: cut it"), InputError, "too long: cut it"),
        (ZeroDivisionError("division"), EngineError, r"an engine failed \(ZeroDivisionError\): choose another one"),
    ],
)
def test_an_engine_that_fails_fails_for_everybody_in_the_batch_and_goes_on(
    adder: Engine, raised: Exception, kind: type[EngineError], text: str
) -> None:
    gated = Gated(adder, raised)
    with held(gated) as (batcher, callers):
        asked = [callers.submit(batcher.client().run, numbers(n)) for n in range(3)]
        waiting(batcher, 3)
        gated.go.release(100)
        errors = [future.exception(30) for future in asked]
        assert len({id(error) for error in errors}) == 3
        for error in errors:
            assert type(error) is kind
            assert error.__cause__ is raised
            with pytest.raises(kind, match=text):
                raise error
        assert isinstance(callers.submit(batcher.client().run, numbers(9)).exception(30), kind)


@pytest.mark.parametrize("pack", ["face_landmarks", "speech_lips", "speech_voice", "motion", "persona"])
def test_what_was_run_together_is_what_is_run_alone(pack: str) -> None:
    engine = load_engine(pack)
    whole = seeded(engine.manifest, batch=3)
    parts = [{name: np.ascontiguousarray(array[n : n + 1]) for name, array in whole.items()} for n in range(3)]
    alone = [engine.run(part) for part in parts]
    gated = Gated(engine)
    with held(gated) as (batcher, callers):
        asked = [callers.submit(batcher.client().run, part) for part in parts]
        waiting(batcher, 3)
        gated.go.release(2)
        together = [future.result(30) for future in asked]
        assert gated.batches == [1, 3]
    for want, got in zip(alone, together, strict=True):
        assert want.keys() == got.keys()
        assert max(distance(want[name], got[name]) for name in want) < 1e-4
