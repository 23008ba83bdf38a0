"""An engine that asks a pool: the pool's numbers where it answers, its own where it does not, none where it is late."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from engines.base import Arrays, Engine, EngineError, FloatArray, InputError, Manifest
from engines.batching.queue import Dropped
from engines.packs import load_pack
from engines.pool.client import Gone, Pool, PooledEngine
from engines.pool.encoders import Encoders
from engines.pool.standing import FIRST_SECONDS, MAX_LATE
from engines.pool.wire import Answer, Tensor, refused
from tests.engines import packs

HERE = -1.0


def rows(value: float, count: int = 1) -> dict[str, FloatArray]:
    return {name: np.full((count, 3, 2), value, np.float32) for name in ("a", "b")}


def sum_of(engine: Engine, value: float = 2.0) -> float:
    return float(engine.run(rows(value))["sum"][0, 0, 0])


class Local:
    """An engine whose results say that it was computed here."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest, self.warm = manifest, False

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        return {"sum": np.full_like(inputs["a"], HERE)}

    def warm_up(self) -> None:
        self.warm = True


class Reached:
    """The encoders of this process as a pool, which may be away, late, or broken."""

    def __init__(self, encoders: Encoders) -> None:
        self.encoders, self.looks, self.runs = encoders, 0, 0
        self.error: Exception | None = None
        self.answer: Answer | None = None

    def reach(self) -> Pool:
        self.looks += 1
        return self

    def serves(self) -> Mapping[str, str]:
        if self.error is not None:
            raise self.error
        return self.encoders.serves()

    def run(self, pack: str, sha256: str, owner: str, tensors: tuple[Tensor, ...]) -> Answer:
        self.runs += 1
        if self.error is not None:
            raise self.error
        return self.answer or self.encoders.run(pack, sha256, owner, tensors)


class Bench:
    """An engine, the pool that it asks, and the time."""

    def __init__(self, folder: Path, patience: float = 30.0) -> None:
        pack = load_pack(packs.write(folder))
        self.pool, self.local = Reached(Encoders("onnx", ["adder"], str(folder), patience)), Local(pack.manifest)
        self.now = 0.0
        self.engine = PooledEngine(pack, self.local, self.pool.reach, lambda: self.now)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.pool.encoders.close()


def test_what_the_pool_computes_is_what_is_given(bench: Bench) -> None:
    assert isinstance(bench.engine, Engine)
    bench.engine.warm_up()
    assert (bench.local.warm, bench.engine.manifest.name) == (True, "adder")
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda value: sum_of(bench.engine, float(value)), range(64)))
    # One that asks while another looks for the pool is computed here.
    assert [value for value, asked in zip(found, range(64), strict=True) if value not in (2.0 * asked, HERE)] == []
    assert found[-1] == 126.0
    assert bench.pool.looks == 1
    with pytest.raises(InputError):
        bench.engine.run({"a": np.ones((1, 3, 2), np.float32)})


def test_rows_of_several_are_computed_together(bench: Bench) -> None:
    ready, encoders = threading.Barrier(8), bench.pool.encoders

    def ask(number: int) -> float:
        ready.wait(30.0)
        sha256 = encoders.serves()["adder"]
        tensors = tuple((name, (1, 3, 2), np.full((1, 3, 2), number, np.float32).tobytes()) for name in ("a", "b"))
        _, _, ((_, _, data),) = encoders.run("adder", sha256, f"host {number}", tensors)
        return float(np.frombuffer(data, np.float32)[0])

    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            assert list(pool.map(ask, range(8))) == [2.0 * number for number in range(8)]
    batches, computed, waited, dropped = encoders.load()
    assert (computed, dropped) == (160, 0)
    assert batches < computed
    assert waited >= 0.0


def test_where_the_pool_is_gone_it_is_computed_here_and_asked_again_later(bench: Bench) -> None:
    assert sum_of(bench.engine) == 4.0
    bench.pool.error = Gone("the pool is gone")
    assert sum_of(bench.engine) == HERE
    bench.pool.error = None
    # It is left alone for a while.
    assert sum_of(bench.engine) == HERE
    bench.now += FIRST_SECONDS
    assert sum_of(bench.engine) == 4.0
    assert bench.pool.looks == 2


def test_a_pool_that_was_never_there_costs_nothing(bench: Bench) -> None:
    bench.pool.error = Gone("the cluster has no pool")
    assert [sum_of(bench.engine) for _ in range(3)] == [HERE] * 3
    assert bench.pool.looks == 1


def test_who_is_late_is_not_computed_here_too_until_it_is_as_good_as_gone(bench: Bench) -> None:
    assert sum_of(bench.engine) == 4.0
    bench.pool.error = TimeoutError()
    for _ in range(MAX_LATE):
        with pytest.raises(Dropped, match="deadline"):
            bench.engine.run(rows(2.0))
    assert sum_of(bench.engine) == HERE


def test_what_waits_too_long_in_the_pool_is_dropped(tmp_path: Path) -> None:
    bench = Bench(tmp_path, patience=0.0)
    for _ in range(MAX_LATE + 1):
        with pytest.raises(Dropped, match="deadline"):
            bench.engine.run(rows(2.0))
    assert bench.pool.encoders.load()[3] == MAX_LATE + 1
    bench.pool.encoders.close()


def test_what_the_pool_does_not_take_or_cannot_do_is_computed_here(bench: Bench) -> None:
    bench.pool.answer = refused(InputError("longer than it was compiled for"))
    assert sum_of(bench.engine) == HERE
    bench.pool.answer = None
    assert sum_of(bench.engine) == 4.0
    bench.pool.answer = refused(EngineError("the GPU is gone"))
    assert sum_of(bench.engine) == HERE
    bench.pool.answer = None
    assert sum_of(bench.engine) == HERE


def test_another_model_of_the_same_name_is_not_asked(bench: Bench, tmp_path: Path) -> None:
    other = load_pack(packs.write(tmp_path / "other", model=packs.picky()))
    engine = PooledEngine(other, Local(other.manifest), bench.pool.reach)
    assert sum_of(engine) == HERE
    # Nothing of it has crossed.
    assert (bench.pool.looks, bench.pool.runs) == (1, 0)
    kind, why, _ = bench.pool.encoders.run("adder", other.manifest.sha256, "host", ())
    assert (kind, why) == ("failed", "the pool does not serve this pack adder: give it the packs that hosts have")
