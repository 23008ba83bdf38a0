"""What tests share of engines is what the engines give: for the same model and inputs, and for nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.base import MODELS, Arrays, Engine, FloatArray, InputError
from engines.load import load_engine
from tests import groups, shared_engines
from tests.engines import packs
from tests.shared_engines import Outputs, RunMemory


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """An engine that adds, of a pack that was made here."""
    return load_engine(packs.write(tmp_path / "models").name, "onnx", tmp_path / "models")


def of(value: float) -> dict[str, FloatArray]:
    return {name: np.full((1, 3, 2), value, np.float32) for name in ("a", "b")}


class Counted:
    """Runs an engine and counts."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, engine: Engine, inputs: Arrays) -> Outputs:
        self.runs += 1
        return {"sum": inputs["a"] + inputs["b"]}


def test_the_same_inputs_are_computed_once_and_others_anew(engine: Engine) -> None:
    memory, counted = RunMemory(), Counted()
    run = memory.around(counted)
    for _ in range(2):
        assert run(engine, of(1.0))["sum"].max() == 2.0
    assert counted.runs == 2
    memory.on = True
    first = run(engine, of(1.0))["sum"]
    # Whoever writes into an answer spoils nobody else's.
    first[:] = 9.0
    assert run(engine, of(1.0))["sum"].max() == 2.0
    assert counted.runs == 3
    assert run(engine, of(2.0))["sum"].max() == 4.0
    assert counted.runs == 4
    with pytest.raises(InputError):
        run(engine, {"a": np.ones((1, 3, 2), np.float32)})


def test_what_is_kept_is_bounded(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_engines, "MAX_BYTES", 2 * of(0.0)["a"].nbytes)
    memory, counted = RunMemory(), Counted()
    memory.on, run = True, memory.around(counted)
    for value in (1.0, 2.0, 3.0, 3.0, 2.0, 1.0):
        run(engine, of(value))
    assert counted.runs == 4


def test_a_pack_of_the_installation_is_compiled_once_and_another_each_time(tmp_path: Path) -> None:
    assert load_engine("face_detector", "onnx") is load_engine("face_detector", "onnx", MODELS)
    assert load_engine("face_detector", "onnx") is not load_engine("face_detector")
    folder = packs.write(tmp_path / "models")
    engines = [load_engine(folder.name, "onnx", folder.parent) for _ in range(2)]
    assert engines[0] is not engines[1]


def test_engines_are_asked_themselves_where_they_are_tested(run_memory: RunMemory) -> None:
    assert not run_memory.on
    assert not groups.is_computed_once("tests/engines/runtimes/test_cpu_engines.py")
    assert not groups.is_computed_once("tests/monitor/lab/bench/test_run.py")
    assert groups.is_computed_once("tests/monitor/session/test_clip.py")
