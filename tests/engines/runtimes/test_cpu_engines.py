"""Both runtimes behind the one protocol: what they refuse, and that threads do not disturb one another."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from engines.base import MODELS, Engine, EngineError, InputError, ModelPackError, TensorSpec, zeros
from engines.checks.parity import COARSE, TOLERANCE, differences, distance, seeded
from engines.load import load_engine, pack_names
from engines.packs import load_pack
from engines.registry import EngineName
from engines.runtimes.onnx import OnnxEngine
from engines.runtimes.openvino import OpenVinoEngine, has_bf16
from tests.engines import packs

NAMES: list[EngineName] = ["openvino", "onnx"]
both_engines = pytest.mark.parametrize("name", NAMES)


@both_engines
def test_a_pack_runs(tmp_path: Path, name: EngineName) -> None:
    packs.write(tmp_path)
    engine = load_engine("adder", name, tmp_path)
    assert isinstance(engine, Engine)
    assert engine.manifest.name == "adder"
    a = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    assert np.array_equal(engine.run({"a": a, "b": a})["sum"], 2 * a)


@both_engines
def test_strided_inputs_are_read_right(tmp_path: Path, name: EngineName) -> None:
    packs.write(tmp_path)
    engine = load_engine("adder", name, tmp_path)
    a = np.arange(24, dtype=np.float32).reshape(2, 6, 2)[:, ::2]
    assert np.array_equal(engine.run({"a": a, "b": a})["sum"], 2 * a)


@both_engines
def test_outputs_belong_to_the_caller(tmp_path: Path, name: EngineName) -> None:
    packs.write(tmp_path)
    engine = load_engine("adder", name, tmp_path)
    ones = np.ones((1, 3, 2), np.float32)
    first = engine.run({"a": ones, "b": ones})["sum"]
    engine.run({"a": 5 * ones, "b": ones})
    assert np.array_equal(first, 2 * ones)


@both_engines
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, name: EngineName) -> None:
    packs.write(tmp_path, model=b"not a model")
    with pytest.raises(EngineError, match="cannot load") as error:
        load_engine("adder", name, tmp_path)
    assert "\n" not in str(error.value)


@both_engines
@pytest.mark.parametrize(
    "outputs", [(TensorSpec("sum", (-1, 3)),), (TensorSpec("total", (-1, 2)),), (TensorSpec("sum", (2,)),)]
)
def test_a_model_unlike_its_manifest_is_refused(
    tmp_path: Path, name: EngineName, outputs: tuple[TensorSpec, ...]
) -> None:
    packs.write(tmp_path, outputs=outputs)
    with pytest.raises(ModelPackError, match="its manifest says"):
        load_engine("adder", name, tmp_path)


@both_engines
def test_a_model_with_a_fixed_batch_is_refused(tmp_path: Path, name: EngineName) -> None:
    packs.write(tmp_path, model=packs.adder(batch=1))
    with pytest.raises(ModelPackError, match="its manifest says"):
        load_engine("adder", name, tmp_path)


@both_engines
def test_bad_inputs_never_reach_the_runtime(tmp_path: Path, name: EngineName) -> None:
    packs.write(tmp_path)
    engine = load_engine("adder", name, tmp_path)
    with pytest.raises(InputError, match="not float32"):
        engine.run({"a": np.zeros((1, 3, 2), np.float16), "b": np.zeros((1, 3, 2), np.float32)})


@both_engines
def test_a_length_that_the_graph_cannot_take_is_refused(
    tmp_path: Path, name: EngineName, capfd: pytest.CaptureFixture[str]
) -> None:
    packs.write(tmp_path, model=packs.picky(), outputs=(TensorSpec("sum", (3, 2)),))
    engine = load_engine("adder", name, tmp_path)
    with pytest.raises(EngineError, match="adder does not take") as error:
        engine.run(zeros(engine.manifest, length=4))
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")
    assert engine.run(zeros(engine.manifest))["sum"].shape == (1, 3, 2)


def test_an_output_of_unknown_rank_is_taken_on_trust_or_refused(tmp_path: Path) -> None:
    packs.write(tmp_path, model=packs.shapeless())
    with pytest.raises(EngineError, match="cannot load"):
        load_engine("adder", "openvino", tmp_path)
    engine = load_engine("adder", "onnx", tmp_path)
    assert engine.run(zeros(engine.manifest, batch=2))["sum"].shape == (2, 3, 2)


def test_a_model_of_doubles_is_refused_at_warm_up(tmp_path: Path) -> None:
    packs.write(tmp_path, model=packs.adder(element=TensorProto.DOUBLE))
    with pytest.raises(EngineError, match="adder does not take"):
        load_engine("adder", "onnx", tmp_path)


@both_engines
@pytest.mark.parametrize("pack", ["face_detector", "face_landmarks"])
def test_threads_do_not_disturb_one_another(name: EngineName, pack: str) -> None:
    engine = load_engine(pack, name)
    batches = [seeded(engine.manifest, batch=1 + seed % 2, seed=seed) for seed in range(8)]
    alone = [engine.run(batch) for batch in batches]
    start = threading.Barrier(len(batches))

    def work(index: int) -> float:
        start.wait(10)
        worst = 0.0
        for _ in range(3):
            got = engine.run(batches[index])
            worst = max(worst, *(distance(want, got[key]) for key, want in alone[index].items()))
        return worst

    with ThreadPoolExecutor(len(batches)) as pool:
        assert max(pool.map(work, range(len(batches)))) == 0.0


@pytest.mark.parametrize("pack", ["face_detector", "face_landmarks"])
def test_openvino_agrees_with_onnx_runtime(pack: str) -> None:
    reference, other = load_engine(pack, "onnx"), load_engine(pack, "openvino")
    for inputs in (zeros(reference.manifest, batch=2), seeded(reference.manifest, batch=3, seed=4)):
        found = differences(reference, other, inputs)
        assert set(found) == {spec.name for spec in reference.manifest.outputs}
        assert max(found.values()) < TOLERANCE / 100


def test_bfloat16_is_for_packs_that_passed_the_gate_with_it() -> None:
    if not has_bf16():
        pytest.skip("this CPU has no bfloat16")
    for pack, allowed in (("persona", True), ("face_artefacts", False)):
        full, low = load_engine(pack, "openvino"), load_engine(pack, "openvino-bf16")
        inputs = seeded(full.manifest)
        moved = max(differences(full, low, inputs).values())
        assert (TOLERANCE < moved < COARSE) if allowed else moved == 0.0


def test_a_cpu_without_bfloat16_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engines.runtimes.openvino.has_bf16", lambda: False)
    with pytest.raises(EngineError, match="this CPU has no bfloat16: choose the engine openvino"):
        load_engine("face_artefacts", "openvino-bf16")
    assert load_engine("persona_tokens", "openvino-bf16").manifest.name == "persona_tokens"


def test_seeded_inputs_are_repeatable_and_in_range() -> None:
    manifest = load_pack(MODELS / "face_landmarks").manifest
    one, two, three = seeded(manifest, 2, 7), seeded(manifest, 2, 7), seeded(manifest, 2, 8)
    assert np.array_equal(one["image"], two["image"])
    assert not np.array_equal(one["image"], three["image"])
    assert one["image"].min() >= 0
    assert one["image"].max() <= 1
    assert one["image"].max() > 0.9


def test_distance_is_relative_and_knows_nan_and_shape() -> None:
    hundred = np.full((1, 2), 100, np.float32)
    assert distance(hundred, hundred + 1) == pytest.approx(0.01)
    assert distance(hundred * 0, hundred * 0 + 0.5) == pytest.approx(0.5)
    assert distance(hundred, hundred * np.float32("nan")) == float("inf")
    assert distance(hundred, np.zeros((2, 2), np.float32)) == float("inf")


@pytest.mark.parametrize("build", [OnnxEngine, OpenVinoEngine])
def test_an_engine_built_by_hand_warms_up(tmp_path: Path, build: Callable[..., Engine]) -> None:
    engine = build(load_pack(packs.write(tmp_path)))
    engine.warm_up()
    assert engine.run(zeros(engine.manifest, batch=2))["sum"].shape == (2, 3, 2)


def test_an_unknown_engine_is_named() -> None:
    with pytest.raises(EngineError, match="unknown engine 'cuda': use one of openvino, openvino-bf16, onnx"):
        load_engine("face_detector", "cuda")


def test_a_pack_may_want_one_engine_only(tmp_path: Path) -> None:
    packs.write(tmp_path, name="only", preprocessing={"engine": "onnx"})
    assert isinstance(load_engine("only", "openvino", tmp_path), OnnxEngine)
    packs.write(tmp_path, name="later", preprocessing={"engine": "tpu"})
    with pytest.raises(EngineError, match="the pack later wants the engine 'tpu', which is not there: update"):
        load_engine("later", "onnx", tmp_path)


def test_tokens_are_fitted_with_the_gradient_of_onnx_runtime() -> None:
    assert isinstance(load_engine("persona_tokens", "openvino"), OnnxEngine)


@both_engines
def test_a_runtime_that_is_not_installed_is_named(name: EngineName, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, f"engines.runtimes.{name}", None)
    with pytest.raises(EngineError, match=f"the engine {name} cannot be imported .*: reinstall"):
        load_engine("face_detector", name)


def test_packs_are_listed(tmp_path: Path) -> None:
    packs.write(tmp_path, name="beta")
    packs.write(tmp_path, name="alpha")
    (tmp_path / "no_pack").mkdir()
    assert pack_names(tmp_path) == ["alpha", "beta"]
    assert {"face_detector", "face_landmarks"} <= set(pack_names())


@pytest.mark.parametrize("pack", ["face_detector", "face_landmarks", "motion", "speech_lips", "speech_voice"])
def test_the_shape_of_a_call_and_any_other_give_the_same(pack: str) -> None:
    engine = load_engine(pack)
    given = seeded(engine.manifest, batch=8)
    # One and eight of the usual length run in graphs of fixed sizes, two run in that of free sizes.
    for rows in (8, 2):
        together = engine.run({name: value[:rows] for name, value in given.items()})
        for item in range(2):
            alone = engine.run({name: value[item : item + 1] for name, value in given.items()})
            assert {
                name: distance(together[name][item : item + 1], value) < 1e-5 for name, value in alone.items()
            } == dict.fromkeys(alone, True)
