"""An engine that is compiled when it is needed: verified before, compiled once, and like any other afterwards."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from engines.base import Engine, EngineError, ModelPackError
from engines.compose.deferred import Deferred
from engines.load import defer_engine, load_engine
from tests.engines import packs

ONES = {name: np.ones((1, 3, 2), np.float32) for name in ("a", "b")}


def test_it_compiles_at_its_first_call_and_then_runs_like_any_other(tmp_path: Path) -> None:
    packs.write(tmp_path)
    later, now = defer_engine("adder", "onnx", tmp_path), load_engine("adder", "onnx", tmp_path)
    assert isinstance(later, Engine)
    assert (later.ready, later.manifest) == (False, now.manifest)
    assert later.run(ONES)["sum"].tolist() == now.run(ONES)["sum"].tolist()
    assert later.ready


def test_an_altered_pack_is_refused_before_anybody_needs_it(tmp_path: Path) -> None:
    packs.write(tmp_path)
    (tmp_path / "adder/model.onnx").write_bytes(packs.picky())
    with pytest.raises(ModelPackError, match="sha256"):
        defer_engine("adder", "onnx", tmp_path)


def test_many_callers_wait_for_one_compilation(tmp_path: Path) -> None:
    packs.write(tmp_path)
    built = load_engine("adder", "onnx", tmp_path)
    inside, go, built_times, sums = threading.Event(), threading.Event(), [], []

    def build() -> Engine:
        built_times.append(1)
        inside.set()
        assert go.wait(10)
        return built

    engine = Deferred(built.manifest, build)
    callers = [threading.Thread(target=lambda: sums.append(engine.run(ONES)["sum"].sum())) for _ in range(3)]
    for caller in callers:
        caller.start()
    assert inside.wait(10)
    assert not engine.ready
    go.set()
    for caller in callers:
        caller.join(10)
    assert (sums, built_times) == ([12.0] * 3, [1])


def test_a_compilation_that_fails_is_told_to_everybody_who_asks(tmp_path: Path) -> None:
    packs.write(tmp_path)
    built, why = load_engine("adder", "onnx", tmp_path), ["no memory: free some"]

    def build() -> Engine:
        if why:
            raise EngineError(why[0])
        return built

    engine = Deferred(built.manifest, build)
    for _ in range(2):
        with pytest.raises(EngineError, match="no memory"):
            engine.run(ONES)
    assert not engine.ready
    why.clear()
    engine.warm_up()
    assert engine.ready
