"""PyTorch against ONNX Runtime on every pack, and what a CUDA graph needs of a plan, without a GPU."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the engine pytorch needs torch: install the extra `pytorch`")

import numpy as np
import onnx
import torch
from onnx import TensorProto

from engines.base import MODELS as PACKS
from engines.base import EngineError, FloatArray, InputError, ModelPackError, TensorSpec, zeros
from engines.checks.parity import TOLERANCE, differences, distance, seeded
from engines.convert.precision import float16_graph, write_variant
from engines.load import load_engine
from engines.packs import load_pack
from engines.runtimes.onnx import OnnxEngine
from engines.runtimes.pytorch import cuda_graphs as torch_graphs
from engines.runtimes.pytorch import engine as pytorch
from engines.runtimes.pytorch.cuda_graphs import GraphRunner
from engines.runtimes.pytorch.engine import TorchEngine
from engines.runtimes.pytorch.onnx_graph import read_graph
from engines.runtimes.pytorch.onnx_plan import Network, Plan
from tests.engines import packs
from tests.engines.cuda_tape import Cuda

each_pack = pytest.mark.parametrize("pack", packs.portable())
# Gradients by the tokens go through squares of small numbers; everything else holds to a hundredth of what is allowed.
CLOSE = TOLERANCE / 100


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """The engine takes one thread a call for the whole process; other tests train."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def torch_engine(pack: str, folder: Path = PACKS, **options: Any) -> TorchEngine:
    return TorchEngine(load_pack(folder / pack), device="cpu", **options)


@each_pack
def test_every_pack_agrees_with_onnx_runtime(pack: str) -> None:
    reference, engine = OnnxEngine(load_pack(PACKS / pack)), torch_engine(pack)
    engine.warm_up()
    for inputs in (seeded(engine.manifest, 1, 1), seeded(engine.manifest, 3, 2), zeros(engine.manifest)):
        assert max(differences(reference, engine, inputs).values()) < CLOSE


@pytest.mark.parametrize("pack", ["speech_lips", "speech_voice"])
def test_lengths_that_are_free_are_free(pack: str) -> None:
    reference, engine = OnnxEngine(load_pack(PACKS / pack)), torch_engine(pack)
    for length in (1, 4, 17):
        inputs = seeded(engine.manifest, 2, length=length)
        assert max(differences(reference, engine, inputs).values()) < CLOSE


# Measured on noise, which is harder on rounding than faces and speech are; what scores make of it is the parity gate's.
@each_pack
@pytest.mark.parametrize(("precision", "most"), [("bf16", 0.05), ("fp16", 0.01)])
def test_half_precision_is_near(pack: str, precision: pytorch.Precision, most: float) -> None:
    reference, engine = OnnxEngine(load_pack(PACKS / pack)), torch_engine(pack, precision=precision)
    found = max(differences(reference, engine, seeded(engine.manifest, 2)).values())
    assert CLOSE < found < most


@each_pack
def test_a_graph_in_float16_is_near_where_it_is_computed_in_float16(pack: str, tmp_path: Path) -> None:
    """ONNX Runtime computes many nodes of such a graph in float32 on a CPU; torch, like a GPU, does as it says."""
    exact = load_pack(PACKS / pack)
    half = TorchEngine(load_pack(write_variant(exact, float16_graph(exact), "float16", tmp_path)), device="cpu")
    inputs = seeded(exact.manifest, 2)
    if pack == "motion":
        # The covariances of noise at full height are beyond float16, to the point of infinity.
        inputs = {"motion": inputs["motion"] * np.float32(0.1), "mask": np.ones_like(inputs["mask"])}
    assert CLOSE < max(differences(OnnxEngine(exact), half, inputs).values()) < 0.01


@each_pack
def test_a_plan_needs_nothing_of_the_host(pack: str) -> None:
    """On the device that has no numbers: a constant left behind, or a value that Python would have to see, fails."""
    engine, meta = torch_engine(pack), torch.device("meta")
    graph = read_graph(PACKS / pack / "model.onnx")
    network = Network(graph, [spec.name for spec in engine.manifest.outputs], meta, torch.float16)
    example = zeros(engine.manifest, 4)
    plan = network.plan({name: value.shape for name, value in example.items()})
    assert {value.device for value in plan.values if isinstance(value, torch.Tensor)} == {meta}
    with torch.inference_mode():
        made = plan({name: torch.empty(value.shape, device=meta) for name, value in example.items()})
    want = engine.run(example)
    assert {name: tuple(value.shape) for name, value in made.items()} == {n: value.shape for n, value in want.items()}
    assert {(value.device, value.dtype) for value in made.values()} == {(meta, torch.float32)}


def on_tape(pack: str, folder: Path = PACKS) -> tuple[GraphRunner, Cuda, OnnxEngine]:
    """The GPU's runner over a tape."""
    engine, cuda = torch_engine(pack, folder), Cuda()
    return GraphRunner(engine._plan, "cpu", cuda), cuda, OnnxEngine(load_pack(folder / pack))


@pytest.mark.parametrize("pack", ["face_landmarks", "motion", "speech_voice"])
def test_a_replayed_graph_computes_what_is_new(pack: str) -> None:
    runner, cuda, reference = on_tape(pack)
    for seed in (1, 2, 3):
        inputs = seeded(reference.manifest, 3, seed)
        want, got = reference.run(inputs), runner.run(inputs)
        assert max(distance(want[name], got[name]) for name in want) < CLOSE
    assert cuda.calls == ["capture", *["replay", "record", "wait"] * 3]


def test_batches_are_filled_up_and_split(tmp_path: Path) -> None:
    packs.write(tmp_path)
    runner, cuda, reference = on_tape("adder", tmp_path)
    for rows in (1, 2, 3, 5, 32, 33, 71):
        inputs = seeded(reference.manifest, rows, rows)
        assert np.array_equal(runner.run(inputs)["sum"], reference.run(inputs)["sum"])
    assert sorted(len(graph.inputs["a"]) for graph in runner._graphs.values()) == [1, 2, 4, 8, 32]
    assert cuda.calls.count("replay") == 1 + 1 + 1 + 1 + 1 + 2 + 3


def test_rows_of_one_call_are_not_left_for_the_next(tmp_path: Path) -> None:
    packs.write(tmp_path)
    runner, _, _ = on_tape("adder", tmp_path)
    ones: FloatArray = np.ones((4, 3, 2), np.float32)
    runner.run({"a": ones, "b": ones})
    runner.run({"a": ones[:3], "b": ones[:3]})
    (held,) = runner._graphs.values()
    assert not held.inputs["a"][3].any()


def test_results_of_graphs_belong_to_the_caller(tmp_path: Path) -> None:
    packs.write(tmp_path)
    runner, _, _ = on_tape("adder", tmp_path)
    ones: FloatArray = np.ones((2, 3, 2), np.float32)
    first = runner.run({"a": ones, "b": ones})["sum"]
    runner.run({"a": 5 * ones, "b": ones})
    assert np.array_equal(first, 2 * ones)


def test_every_bucket_is_captured_before_the_first_call(tmp_path: Path) -> None:
    packs.write(tmp_path)
    runner, cuda, reference = on_tape("adder", tmp_path)
    runner.warm_up(lambda batch: dict.fromkeys("ab", (batch, 3, 2)))
    assert cuda.calls == ["capture"] * 6
    for rows in range(1, 33):
        runner.run(seeded(reference.manifest, rows))
    assert cuda.calls.count("capture") == 6


def test_graphs_that_nobody_used_for_long_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_graphs, "MAX_GRAPHS", 2)
    packs.write(tmp_path)
    runner, cuda, reference = on_tape("adder", tmp_path)
    for length in (3, 4, 3, 5, 3, 4):
        runner.run(seeded(reference.manifest, 1, length=length))
    assert cuda.calls.count("capture") == 4
    assert [graph.alive for graph in cuda.graphs] == [True, False, False, True]


def test_threads_share_a_graph_one_at_a_time(tmp_path: Path) -> None:
    packs.write(tmp_path)
    runners = [on_tape("adder", tmp_path)[0] for _ in range(2)]
    start = threading.Barrier(8)

    def work(seed: int) -> bool:
        start.wait(10)
        inputs = seeded(load_pack(tmp_path / "adder").manifest, 1 + seed % 3, seed)
        return all(np.array_equal(runners[seed % 2].run(inputs)["sum"], inputs["a"] + inputs["b"]) for _ in range(5))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


def test_float32_is_float32_while_capturing_and_as_it_was_afterwards(tmp_path: Path) -> None:
    packs.write(tmp_path)
    runner, _, _ = on_tape("adder", tmp_path)
    seen: list[bool] = []
    make = runner._plan

    def plan(shapes: pytorch.Shapes) -> Plan:
        seen.append(torch.backends.cudnn.allow_tf32)
        return make(shapes)

    runner._plan = plan
    before = torch.backends.cudnn.allow_tf32
    runner.run(zeros(load_pack(tmp_path / "adder").manifest))
    assert seen == [False]
    assert torch.backends.cudnn.allow_tf32 is before


def test_plans_that_nobody_used_for_long_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytorch, "MAX_PLANS", 2)
    packs.write(tmp_path)
    engine = torch_engine("adder", tmp_path)
    made: list[int] = []

    def plan(shapes: pytorch.Shapes) -> Plan:
        made.append(shapes["a"][1])
        return engine._plan(shapes)

    runner = pytorch.CpuRunner(plan)
    for length in (3, 4, 3, 5, 3, 4):
        runner.run(seeded(engine.manifest, 1, length=length))
    assert made == [3, 4, 5, 4]


def test_arrays_that_may_not_be_written_to_are_read(tmp_path: Path) -> None:
    packs.write(tmp_path)
    engine = torch_engine("adder", tmp_path)
    inputs = seeded(engine.manifest)
    for array in inputs.values():
        array.flags.writeable = False
    assert np.array_equal(engine.run(inputs)["sum"], inputs["a"] + inputs["b"])


def test_doubles_at_the_edges_are_refused(tmp_path: Path) -> None:
    packs.write(tmp_path, model=packs.adder(element=TensorProto.DOUBLE))
    with pytest.raises(EngineError, match=r"'a' of .* is not float32"):
        torch_engine("adder", tmp_path)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    packs.write(tmp_path, model=b"not a model")
    with pytest.raises(EngineError, match=r"PyTorch cannot load .* \(DecodeError\): reinstall the model pack"):
        torch_engine("adder", tmp_path)


def test_a_model_unlike_its_manifest_is_refused(tmp_path: Path) -> None:
    packs.write(tmp_path, model=packs.adder(batch=1))
    with pytest.raises(ModelPackError, match="its manifest says"):
        torch_engine("adder", tmp_path)


def test_an_operator_that_is_not_known_is_named(tmp_path: Path) -> None:
    model = onnx.load_from_string(packs.adder())
    model.graph.node[0].op_type = "BitShift"
    packs.write(tmp_path, model=model.SerializeToString())
    with pytest.raises(EngineError, match=r"PyTorch runs no BitShift here, which .*model.onnx has: choose .* onnx"):
        load_engine("adder", "pytorch", tmp_path)


def test_a_length_that_the_graph_cannot_take_is_refused(tmp_path: Path) -> None:
    packs.write(tmp_path, model=packs.picky(), outputs=(TensorSpec("sum", (3, 2)),))
    engine = torch_engine("adder", tmp_path)
    with pytest.raises(InputError, match="adder does not take these inputs"):
        engine.run(zeros(engine.manifest, length=4))
    assert engine.run(zeros(engine.manifest))["sum"].shape == (1, 3, 2)


def test_what_cannot_be_run_whatever_the_inputs_is_no_fault_of_the_inputs(tmp_path: Path) -> None:
    model = onnx.load_from_string(packs.adder())
    model.graph.node[0].op_type = "Expand"
    packs.write(tmp_path, model=model.SerializeToString())
    with pytest.raises(EngineError, match="Expand of 'sum' has a shape that its numbers decide") as caught:
        load_engine("adder", "pytorch", tmp_path)
    assert not isinstance(caught.value, InputError)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_named() -> None:
    with pytest.raises(EngineError, match=r"torch .* finds no CUDA device: check the driver, or choose .* openvino"):
        TorchEngine(load_pack(PACKS / "motion"), device="cuda")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_that_there_is_no_gpu_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    pytorch._best_device.cache_clear()
    assert {TorchEngine(load_pack(PACKS / pack)).device for pack in ("motion", "face_detector")} == {"cpu"}
    assert [record.getMessage().split(": ")[1] for record in caplog.records] == [
        "pytorch runs on the CPU, where openvino is faster"
    ]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (torch.OutOfMemoryError("CUDA"), "the GPU has no memory left for adder: give it fewer participants"),
        (RuntimeError("CUDA error: an illegal memory access"), r"PyTorch failed on adder \(RuntimeError\): restart"),
    ],
)
def test_a_failure_of_the_device_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, says: str
) -> None:
    packs.write(tmp_path)
    engine = torch_engine("adder", tmp_path)

    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(engine._runner, "run", fail)
    with pytest.raises(EngineError, match=says) as caught:
        engine.run(zeros(engine.manifest))
    assert not isinstance(caught.value, InputError)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize(("precision", "most"), [("fp32", TOLERANCE), ("bf16", 0.05), ("fp16", 0.05)])
def test_a_real_gpu_agrees_with_onnx_runtime(precision: pytorch.Precision, most: float) -> None:
    found = {}
    for name in packs.portable():
        pack = load_pack(PACKS / name)
        reference, engine = OnnxEngine(pack), TorchEngine(pack, device="cuda", precision=precision)
        engine.warm_up()
        batches = [seeded(engine.manifest, rows, rows) for rows in (1, 3, 8, 40, 3)]
        found[name] = max(max(differences(reference, engine, batch).values()) for batch in batches)
    assert {name: value for name, value in found.items() if not value < most} == {}


def test_it_is_chosen_by_name() -> None:
    full, half = load_engine("motion", "pytorch"), load_engine("motion", "pytorch-fp16")
    none = load_engine("motion", "onnx")
    assert isinstance(full, TorchEngine)
    assert isinstance(half, TorchEngine)
    inputs = seeded(full.manifest, 2)
    assert max(differences(none, full, inputs).values()) < CLOSE < max(differences(none, half, inputs).values())
