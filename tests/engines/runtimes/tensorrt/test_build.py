"""Compiling plans: what TensorRT is told, what is kept, what is compiled again, and what is said when it refuses."""

from __future__ import annotations

import builtins
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engines.base import MODELS, EngineError
from engines.compose.swap import SwappingEngine
from engines.load import load_engine
from engines.packs import load_pack
from engines.runtimes.onnx import OnnxEngine
from engines.runtimes.openvino import OpenVinoEngine
from engines.runtimes.tensorrt import build
from engines.runtimes.tensorrt.build import Builder, BuildError, open_builder
from engines.runtimes.tensorrt.engine import TensorRtEngine
from tests.engines import packs
from tests.engines.fake_cuda import FakeCuda, FakeDriver
from tests.engines.fake_tensorrt import FakeTensorRt
from tests.engines.gpu import builder, cuda, installed, trt

__all__ = ["builder", "cuda", "installed", "trt"]


def test_a_plan_is_compiled_once(builder: Builder, cuda: FakeCuda, tmp_path: Path) -> None:
    pack = load_pack(packs.write(tmp_path))
    assert builder.stored(pack) is None
    plan = builder.build(pack)
    assert (builder.stored(pack), builder.build(pack), cuda.made["plan"]) == (plan, plan, 1)
    assert builder.build(pack, again=True) == plan
    assert cuda.made["plan"] == 2
    assert not cuda.stack()


@pytest.mark.parametrize(
    "changes",
    [
        {"buckets": (1, 2)},
        {"trt": type("Newer", (), {"__version__": "11.5.0"})},
    ],
)
def test_a_plan_for_something_else_is_not_used(builder: Builder, tmp_path: Path, changes: dict[str, Any]) -> None:
    pack = load_pack(packs.write(tmp_path))
    builder.build(pack)
    assert replace(builder, **changes).stored(pack) is None


def test_a_plan_that_was_tampered_with_is_compiled_again(builder: Builder, cuda: FakeCuda, tmp_path: Path) -> None:
    pack = load_pack(packs.write(tmp_path))
    plan = builder.build(pack)
    path = next(builder.cache.folder.glob("*.plan"))
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert builder.stored(pack) is None
    assert builder.build(pack) == plan
    assert cuda.made["plan"] == 2


def test_there_is_a_profile_for_each_bucket_with_the_batch_fixed(builder: Builder, tmp_path: Path) -> None:
    found = builder.key(load_pack(packs.write(tmp_path)).manifest).profiles
    assert [profile.bucket for profile in found] == [1, 2, 4, 8, 16, 32]
    assert found[3].shapes[0] == ("a", (8, 1, 2), (8, 3, 2), (8, 32, 2))


def test_a_long_window_may_be_twice_as_long(builder: Builder, tmp_path: Path) -> None:
    found = builder.key(load_pack(packs.write(tmp_path, preprocessing={"example_length": 75})).manifest).profiles
    assert found[0].shapes[0] == ("a", (1, 1, 2), (1, 75, 2), (1, 150, 2))


def test_timings_are_kept_for_the_next_model(builder: Builder, tmp_path: Path) -> None:
    for name in ("one", "two"):
        builder.build(
            load_pack(packs.write(tmp_path, name=name, model=packs.adder() if name == "one" else packs.picky()))
        )
    path = next(builder.cache.folder.glob("*.timing"))
    assert builder.cache.load(path.name) == b"timed;timed;"


def test_timings_of_elsewhere_are_measured_again(builder: Builder, trt: FakeTensorRt, tmp_path: Path) -> None:
    name = builder.key(load_pack(packs.write(tmp_path)).manifest).machine() + ".timing"
    builder.cache.store(name, b"strange;")
    kind: Any = trt.IBuilderConfig
    accept = kind.set_timing_cache
    kind.set_timing_cache = lambda this, cache, mismatch: cache.content != b"strange;" and accept(this, cache, mismatch)
    builder.build(load_pack(tmp_path / "adder"))
    assert builder.cache.load(name) == b"timed;"


def test_what_tensorrt_cannot_read_is_named(builder: Builder, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"cannot read the model .no parser for this at Oddity node_7.: report it, or"):
        builder.build(load_pack(packs.write(tmp_path, model=b"not a model")))


@pytest.mark.parametrize(
    ("method", "said"),
    [
        (
            "Builder.build_serialized_network",
            "cannot compile the model .it does not say why.: choose the engine openvino",
        ),
        ("IBuilderConfig.add_optimization_profile", "refuses the shapes of batch 1: report it"),
    ],
)
def test_what_tensorrt_refuses_is_said(
    builder: Builder, trt: FakeTensorRt, tmp_path: Path, method: str, said: str
) -> None:
    trt.refuses.add(method)
    with pytest.raises(BuildError, match=said):
        builder.build(load_pack(packs.write(tmp_path)))
    assert not list(builder.cache.folder.glob("*.plan"))


def test_a_parser_that_says_nothing(builder: Builder, trt: FakeTensorRt, tmp_path: Path) -> None:
    trt.refuses.add("OnnxParser.parse")
    kind: Any = trt.OnnxParser
    kind.num_errors = 0
    with pytest.raises(BuildError, match=r"cannot read the model .it does not say why"):
        builder.build(load_pack(packs.write(tmp_path)))


def test_the_first_error_is_told_and_the_others_logged(trt: FakeTensorRt, caplog: pytest.LogCaptureFixture) -> None:
    heard = build.listener(trt)
    heard.log(trt.ILogger.Severity.WARNING, "slow")
    heard.log(trt.ILogger.Severity.INFO, "chatter")
    heard.log(trt.ILogger.Severity.ERROR, "first\nline")
    heard.log(trt.ILogger.Severity.INTERNAL_ERROR, "second")
    assert heard.said == "first line"
    assert [record.getMessage() for record in caplog.records] == [
        "TensorRT: slow",
        "TensorRT: first line",
        "TensorRT: second",
    ]


def test_without_a_gpu_the_builder_says_so(builder: Builder, trt: FakeTensorRt, tmp_path: Path) -> None:
    trt.complains = "CUDA initialization failure with error: 35"
    with pytest.raises(
        BuildError, match=r"finds no GPU that it can use .CUDA initialization failure .*: look with nvidia"
    ):
        builder.build(load_pack(packs.write(tmp_path)))


def test_the_real_runtime_without_a_gpu_is_an_error_and_no_crash() -> None:
    lean = pytest.importorskip("tensorrt_lean_bindings", reason="TensorRT's runtime is for x86-64 only")
    # It returns an object around a null pointer; to let go of that one would end this process.
    with pytest.raises(BuildError, match=r"TensorRT finds no GPU that it can use .*: look with nvidia-smi, or choose"):
        build.read_plan(lean, b"plan")


def test_one_pack_is_compiled_at_a_time(builder: Builder, trt: FakeTensorRt, tmp_path: Path) -> None:
    alone: list[bool] = []
    kind: Any = trt.Builder
    compile_it = kind.build_serialized_network

    def watched(this: Any, *arguments: Any) -> Any:
        alone.append(build._ALONE.locked())
        return compile_it(this, *arguments)

    kind.build_serialized_network = watched
    made = [load_pack(packs.write(tmp_path, name=f"p{n}", preprocessing={"example_length": n + 1})) for n in range(4)]
    threads = [threading.Thread(target=builder.build, args=(pack,)) for pack in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert alone == [True] * 4
    assert not build._ALONE.locked()
    assert all(builder.stored(pack) for pack in made)


def test_float32_is_float32(builder: Builder, trt: FakeTensorRt, tmp_path: Path) -> None:
    builder.build(load_pack(packs.write(tmp_path)))
    assert trt.cleared == {"TF32"}


def test_the_first_gpu_is_opened(installed: FakeTensorRt, tmp_path: Path) -> None:
    found = open_builder()
    assert (found.gpu.name, found.gpu.capability, found.gpu.version) == ("Fake H200", (9, 0), 13000)
    assert found.cache.folder == tmp_path / "xdg" / "sidewitness" / "tensorrt"
    assert open_builder(tmp_path / "other").cache.folder == tmp_path / "other"


def test_a_pack_is_served_while_it_is_compiled(installed: FakeTensorRt) -> None:
    engine = load_engine("face_detector", "tensorrt")
    assert isinstance(engine, SwappingEngine)
    assert isinstance(engine._serving, OpenVinoEngine)
    assert engine.wait(20.0)
    assert isinstance(engine.running, TensorRtEngine)


def test_whoever_waits_gets_tensorrt_and_nothing_else(installed: FakeTensorRt) -> None:
    assert isinstance(load_engine("face_detector", "tensorrt", wait=True), TensorRtEngine)
    installed.refuses.add("Builder.build_serialized_network")
    with pytest.raises(BuildError):
        load_engine("speech_voice", "tensorrt", wait=True)


def test_a_pack_that_wants_another_engine_gets_it(installed: FakeTensorRt) -> None:
    assert isinstance(load_engine("persona_tokens", "tensorrt"), OnnxEngine)


def test_no_tensorrt_is_said_with_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "tensorrt":
            raise ImportError("libnvinfer.so.11: cannot open\nshared object file")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(EngineError, match=r"TensorRT cannot be imported .libnvinfer.* object file.: install") as error:
        load_engine("face_detector", "tensorrt")
    assert "\n" not in str(error.value)


def test_errors_of_cuda_come_before_those_of_tensorrt(installed: FakeTensorRt, cuda: FakeCuda) -> None:
    cuda.faults["init"] = FakeDriver.RuntimeError("cuInit failed: no CUDA-capable device is detected")
    with pytest.raises(EngineError, match=r"no CUDA-capable device is detected.: look with sidewitness doctor"):
        load_engine("face_detector", "tensorrt", MODELS)
