"""The TensorRT engine on a double of the GPU: what it computes, when it waits, what it makes and gives back."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.base import MODELS, Engine, EngineError, InputError, ModelPackError, TensorSpec
from engines.checks.parity import seeded
from engines.packs import load_pack
from engines.runtimes.onnx import OnnxEngine
from engines.runtimes.tensorrt.build import DEFAULT_MAX_STEPS, Builder, BuildError
from engines.runtimes.tensorrt.cuda import CudaError
from engines.runtimes.tensorrt.engine import CACHED_LENGTHS, TensorRtEngine
from tests.engines import packs
from tests.engines.fake_cuda import FakeCuda, FakeDriver, FakeEvent
from tests.engines.fake_tensorrt import FakeTensorRt
from tests.engines.gpu import builder, cuda, trt

__all__ = ["builder", "cuda", "trt"]

Make = Callable[..., TensorRtEngine]


@pytest.fixture
def make(builder: Builder, tmp_path: Path) -> Make:
    def made(folder: Path | None = None, **changes: Any) -> TensorRtEngine:
        pack = load_pack(folder or packs.write(tmp_path, **changes))
        return TensorRtEngine(pack, builder, builder.build(pack))

    return made


def rows(count: int, length: int = 3) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    a = np.arange(count * length * 2, dtype=np.float32).reshape(count, length, 2)
    return {"a": a, "b": 10 * a}


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 32, 33, 71])
def test_any_batch_gives_its_own_rows(make: Make, count: int) -> None:
    engine = make()
    assert isinstance(engine, Engine)
    given = rows(count)
    assert np.array_equal(engine.run(given)["sum"], 11 * given["a"])


def test_what_filled_a_bucket_up_before_is_not_seen_again(make: Make) -> None:
    engine = make()
    engine.run(rows(4))
    assert np.array_equal(engine.run(rows(3))["sum"], 11 * rows(3)["a"])
    lane = next(iter(engine._lanes._by_length.values()))[4]
    assert not lane._inputs["a"][0][3].any()


@pytest.mark.parametrize("name", ["face_detector", "speech_voice"])
def test_packs_give_what_the_reference_gives(make: Make, name: str) -> None:
    engine, reference = make(MODELS / name), OnnxEngine(load_pack(MODELS / name))
    inputs = seeded(engine.manifest, batch=3)
    wanted = reference.run(inputs)
    for output, values in engine.run(inputs).items():
        assert np.allclose(values, wanted[output], atol=1e-5)


def test_a_warm_engine_makes_nothing_and_waits_once_a_bucket(make: Make, cuda: FakeCuda) -> None:
    engine = make()
    engine.warm_up()
    before, waits, launches = cuda.made.copy(), cuda.waits, cuda.launches
    engine.run(rows(5))
    engine.run(rows(40))
    assert cuda.made == before
    # One bucket of 8; then one of 32 and one of 8.
    assert (cuda.waits - waits, cuda.launches - launches) == (3, 3)


def test_each_bucket_has_a_stream_a_context_and_a_graph_of_its_own(make: Make, cuda: FakeCuda) -> None:
    engine = make()
    engine.warm_up()
    assert (cuda.made["context"], cuda.made["stream"], len(cuda.graphs)) == (6, 6, 6)
    assert cuda.made["device"] == cuda.made["pinned"] == 6 * 3


def test_outputs_belong_to_the_caller(make: Make) -> None:
    engine = make()
    first = engine.run(rows(1))["sum"]
    engine.run({name: 7 * value for name, value in rows(1).items()})
    assert np.array_equal(first, 11 * rows(1)["a"])


def test_strided_inputs_are_read_right(make: Make) -> None:
    wide = np.arange(24, dtype=np.float32).reshape(2, 6, 2)[:, ::2]
    assert np.array_equal(make().run({"a": wide, "b": wide})["sum"], 2 * wide)


def test_only_so_many_lengths_are_kept(make: Make, cuda: FakeCuda) -> None:
    engine = make()
    for length in range(1, CACHED_LENGTHS + 3):
        assert np.array_equal(engine.run(rows(1, length))["sum"], 11 * rows(1, length)["a"])
    assert len(cuda.graphs) == CACHED_LENGTHS
    # The last is kept, the first has to be made again.
    engine.run(rows(1, CACHED_LENGTHS + 2))
    made = cuda.made["context"]
    engine.run(rows(1, 1))
    assert cuda.made["context"] == made + 1


def test_the_length_that_was_used_last_is_kept(make: Make, cuda: FakeCuda) -> None:
    engine = make()
    for length in range(1, CACHED_LENGTHS + 1):
        engine.run(rows(1, length))
    engine.run(rows(1, 1))
    engine.run(rows(1, CACHED_LENGTHS + 1))
    made = cuda.made["context"]
    engine.run(rows(1, 1))
    assert cuda.made["context"] == made


def test_an_engine_runs_one_piece_at_a_time(make: Make, cuda: FakeCuda, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, held = make(), list[bool]()
    engine.warm_up()
    wait = FakeEvent.synchronize

    def watched(event: FakeEvent) -> FakeEvent:
        held.append(engine._lanes._lock.locked())
        return wait(event)

    monkeypatch.setattr(FakeEvent, "synchronize", watched)
    engine.run(rows(40))
    assert held == [True, True]
    assert not engine._lanes._lock.locked()


def test_a_call_that_is_too_long_is_refused(make: Make) -> None:
    with pytest.raises(
        InputError, match=f"takes at most {DEFAULT_MAX_STEPS} steps a call on TensorRT, got {DEFAULT_MAX_STEPS + 1}"
    ):
        make().run(rows(1, DEFAULT_MAX_STEPS + 1))


def test_everything_is_given_back(make: Make, cuda: FakeCuda) -> None:
    engine = make()
    engine.warm_up()
    engine.close()
    engine.close()
    assert (cuda.memory, cuda.graphs, cuda.pinned, cuda.astray) == ({}, {}, 0, 0)
    with pytest.raises(CudaError, match="adder was closed: load it again"):
        engine.run(rows(1))


def test_an_engine_that_nobody_holds_gives_everything_back_from_any_thread(make: Make, cuda: FakeCuda) -> None:
    engines = [make()]
    engines[0].warm_up()

    def drop() -> None:
        engines.clear()
        gc.collect()

    thread = threading.Thread(target=drop)
    thread.start()
    thread.join()
    assert (cuda.memory, cuda.graphs, cuda.pinned, cuda.astray) == ({}, {}, 0, 0)


def test_threads_do_not_disturb_one_another(make: Make, cuda: FakeCuda) -> None:
    engine = make()

    def run(count: int) -> bool:
        return np.array_equal(engine.run(rows(count))["sum"], 11 * rows(count)["a"]) and not cuda.stack()

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(run, [1, 3, 40, 8, 5, 2, 33, 1] * 4))


def test_without_a_graph_each_call_enqueues(make: Make, cuda: FakeCuda, caplog: pytest.LogCaptureFixture) -> None:
    cuda.faults["cuGraphInstantiateWithFlags"] = 801
    engine = make()
    assert np.array_equal(engine.run(rows(2))["sum"], 11 * rows(2)["a"])
    assert "no CUDA graph, each call enqueues anew: CUDA refused (cuGraphInstantiate" in caplog.text
    assert cuda.launches == 0


@pytest.mark.parametrize("refused", ["raises", "says no"])
def test_a_network_that_cannot_be_captured_runs_all_the_same(
    make: Make, trt: FakeTensorRt, cuda: FakeCuda, caplog: pytest.LogCaptureFixture, refused: str
) -> None:
    kind = trt.IExecutionContext
    execute = kind.execute_async_v3

    def waits(this: Any, handle: int) -> bool:
        stream = cuda.streams[handle]
        if refused == "says no" and stream.captured is not None:
            return False
        if refused == "raises":
            stream.synchronize()
        return bool(execute(this, handle))

    kind.execute_async_v3 = waits
    assert np.array_equal(make().run(rows(3))["sum"], 11 * rows(3)["a"])
    assert caplog.text.count("no CUDA graph, each call enqueues anew") == 1
    assert (cuda.launches, cuda.graphs) == (0, {})


@pytest.mark.parametrize(
    ("call", "fault", "said"),
    [
        (
            "mem_alloc",
            FakeDriver.MemoryError("cuMemAlloc failed: out of memory"),
            "the memory of the GPU is full .*: free",
        ),
        ("synchronize", FakeDriver.LaunchError("illegal address"), "the GPU failed .illegal address.: restart"),
        ("memcpy_htod_async", FakeDriver.LogicError("invalid\nargument"), "CUDA refused .invalid argument.: look"),
        ("Event", FakeDriver.RuntimeError("no event"), "CUDA refused .no event.: look"),
        ("push", FakeDriver.RuntimeError("gone"), "CUDA refused .gone.: look with sidewitness doctor"),
        ("cuGraphLaunch", 700, "cuGraphLaunch: CUDA_ERROR_OF_THE_TEST"),
    ],
)
def test_what_cuda_refuses_is_said_in_a_line(
    make: Make, cuda: FakeCuda, call: str, fault: Exception | int, said: str
) -> None:
    engine = make()
    if call == "cuGraphLaunch":
        engine.warm_up()
    cuda.faults[call] = fault
    with pytest.raises(CudaError, match=said) as error:
        engine.run(rows(1))
    assert "\n" not in str(error.value)
    assert "choose the engine openvino" in str(error.value)
    assert not cuda.stack()
    assert cuda.astray == 0
    cuda.faults.clear()
    assert np.array_equal(engine.run(rows(1))["sum"], 11 * rows(1)["a"])


@pytest.mark.parametrize(
    "method",
    [
        "ICudaEngine.create_execution_context",
        "IExecutionContext.set_optimization_profile_async",
        "IExecutionContext.set_input_shape",
        "IExecutionContext.set_tensor_address",
        "IExecutionContext.execute_async_v3",
    ],
)
def test_what_tensorrt_refuses_is_said(make: Make, trt: FakeTensorRt, cuda: FakeCuda, method: str) -> None:
    engine = make()
    trt.refuses.add(method)
    with pytest.raises(CudaError, match=r"TensorRT could not .*: see the log, or choose the engine openvino"):
        engine.run(rows(1))
    gc.collect()
    assert (cuda.memory, cuda.pinned, cuda.astray) == ({}, 0, 0)


def test_a_failure_of_the_gpu_does_not_stop_the_closing(make: Make, cuda: FakeCuda) -> None:
    engine = make()
    engine.warm_up()
    cuda.faults["push"] = FakeDriver.LaunchError("gone")
    engine.close()
    del cuda.faults["push"]


def test_an_output_whose_shape_depends_on_its_data_is_refused(make: Make, trt: FakeTensorRt, cuda: FakeCuda) -> None:
    engine, kind = make(), trt.IExecutionContext
    kind.get_tensor_shape = lambda this, name: [1, -1]
    with pytest.raises(BuildError, match="the shape of a depends on its data, which this engine cannot run: choose"):
        engine.run(rows(1))
    assert (cuda.memory, cuda.pinned, cuda.astray) == ({}, 0, 0)


def test_a_plan_unlike_its_manifest_is_refused(make: Make, trt: FakeTensorRt) -> None:
    with pytest.raises(ModelPackError, match="its manifest says"):
        make(name="other", outputs=(TensorSpec("total", (-1, 2)),))
    trt.dtype = "HALF"
    with pytest.raises(ModelPackError, match="a of adder is not float32 in the compiled engine"):
        make(name="adder")


def test_a_plan_that_cannot_be_read_is_refused(builder: Builder, tmp_path: Path) -> None:
    pack = load_pack(packs.write(tmp_path))
    with pytest.raises(
        BuildError, match=r"cannot read a compiled engine \(magic tag does not match\): run sidewitness"
    ):
        TensorRtEngine(pack, builder, b"not a plan")


def test_errors_are_of_the_family_that_sessions_know() -> None:
    assert issubclass(CudaError, EngineError)
    assert issubclass(BuildError, EngineError)
