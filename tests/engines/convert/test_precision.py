"""Packs in other precisions, run by ONNX Runtime; and what TensorRT asks of every graph that we export."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper

from engines.base import MODELS, EngineError, Manifest, ModelPack, example_length
from engines.checks.parity import distance, seeded
from engines.convert.precision import float16_graph, int8_graph, write_variant
from engines.load import load_engine
from engines.packs import load_pack
from engines.runtimes.buckets import BUCKETS
from engines.runtimes.onnx import OnnxEngine
from engines.runtimes.tensorrt.plan_cache import sized
from tests.engines import packs

# The parser of TensorRT 11: https://docs.nvidia.com/deeplearning/tensorrt/latest/reference/onnx-opset-guide.html
OPSETS = range(9, 26)
# What our graphs are made of, each in https://github.com/onnx/onnx-tensorrt/blob/main/docs/operators.md
OPERATORS = {
    *("Add", "AveragePool", "Clip", "Concat", "ConstantOfShape", "Conv", "Cos", "Div", "Expand", "EyeLike", "Flatten"),
    *(
        "Gather",
        "GatherND",
        "Gemm",
        "GlobalAveragePool",
        "LayerNormalization",
        "MatMul",
        "Max",
        "MaxPool",
        "Min",
        "Mul",
    ),
    *(
        "Neg",
        "PRelu",
        "Pad",
        "Pow",
        "Reciprocal",
        "ReduceL2",
        "ReduceMax",
        "ReduceMean",
        "ReduceSum",
        "Relu",
        "Reshape",
    ),
    *("Shape", "Sigmoid", "Sin", "Slice", "Softmax", "Split", "Sqrt", "Squeeze", "Sub", "Tanh", "Transpose"),
    "Unsqueeze",
}
TYPES = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL}
# What float16 costs on noise, per pack; on people it is for the parity gate to say.
COST = {"face_artefacts": 2e-2}

each_pack = pytest.mark.parametrize("name", packs.portable())


@each_pack
def test_the_parser_of_tensorrt_takes_the_graph(name: str) -> None:
    model = onnx.load(MODELS / name / "model.onnx")
    assert {entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")} <= set(OPSETS)
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
    assert {node.op_type for node in model.graph.node} <= OPERATORS
    assert {tensor.data_type for tensor in model.graph.initializer} <= TYPES


@each_pack
def test_in_a_bucket_every_shape_is_known_before_it_runs(name: str, tmp_path: Path) -> None:
    model, manifest = onnx.load(MODELS / name / "model.onnx"), load_pack(MODELS / name).manifest
    for bucket in (BUCKETS[0], BUCKETS[-1]):
        assert _unknown(model, manifest, bucket, tmp_path / f"{bucket}.onnx") == []


def _unknown(model: onnx.ModelProto, manifest: Manifest, bucket: int, folded: Path) -> list[str]:
    """Fix the batch as a profile does, compute what then is constant, and name what still has no known shape."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    specs = {spec.name: sized(spec.shape, bucket, example_length(manifest)) for spec in manifest.inputs}
    for given in fixed.graph.input:
        for axis, size in zip(given.type.tensor_type.shape.dim, specs[given.name], strict=True):
            axis.dim_value = size
    for output in fixed.graph.output:
        output.type.tensor_type.ClearField("shape")
    del fixed.graph.value_info[:]
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folded)
    onnxruntime.InferenceSession(fixed.SerializeToString(), options)
    found = onnx.shape_inference.infer_shapes(onnx.load(folded), strict_mode=True, data_prop=True).graph
    return [node.name for node in found.node if node.op_type in ("Shape", "Size", "NonZero")] + [
        value.name
        for value in (*found.value_info, *found.output)
        if any(not axis.HasField("dim_value") for axis in value.type.tensor_type.shape.dim)
    ]


@each_pack
def test_float16_runs_and_is_near(name: str, tmp_path: Path) -> None:
    pack = load_pack(MODELS / name)
    half = load_pack(write_variant(pack, float16_graph(pack), "float16", tmp_path))
    inputs = seeded(pack.manifest, batch=2)
    exact, near = OnnxEngine(pack).run(inputs), OnnxEngine(half).run(inputs)
    cost = max(distance(exact[output], near[output]) for output in exact)
    assert 0 < cost < COST.get(name, 2e-3)
    assert all(values.dtype == np.float32 for values in near.values())


def test_a_variant_is_a_pack_with_a_hash_of_its_own(tmp_path: Path) -> None:
    pack = load_pack(MODELS / "speech_voice")
    written = write_variant(pack, float16_graph(pack), "float16", tmp_path / "half")
    found = load_pack(written)
    assert found.manifest.sha256 != pack.manifest.sha256
    assert found.manifest.version == pack.manifest.version + "-float16"
    assert found.manifest.recipe["made_of"] == pack.manifest.sha256
    assert found.manifest.recipe["precision"] == "float16"
    assert (found.manifest.inputs, found.manifest.outputs) == (pack.manifest.inputs, pack.manifest.outputs)
    assert (written / "card.md").read_text() == (pack.folder / "card.md").read_text()
    weights = onnx.load(found.model).graph.initializer
    assert not [tensor.name for tensor in weights if tensor.data_type == TensorProto.FLOAT]
    assert load_engine("speech_voice", "openvino", tmp_path / "half").manifest.sha256 == found.manifest.sha256


def test_a_variant_overwrites_nothing(tmp_path: Path) -> None:
    pack = load_pack(packs.write(tmp_path))
    with pytest.raises(EngineError, match="is there already: name a new folder"):
        write_variant(pack, b"", "float16", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match=r"cannot be written .*: name another folder"):
        write_variant(pack, b"", "float16", tmp_path / "file")


def test_what_cannot_be_written_in_float16_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError, match=r"adder cannot be written in float16 .*: keep float32"):
        float16_graph(load_pack(packs.write(tmp_path, model=b"not a model")))
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "onnx":
            raise ImportError("No module named 'onnx'")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(EngineError, match=r"float16 needs onnx .No module named 'onnx'.: install"):
        float16_graph(load_pack(tmp_path / "adder"))


def _examples(pack: ModelPack) -> Iterator[dict[str, Any]]:
    for seed in range(4):
        yield seeded(pack.manifest, batch=2, seed=seed)


@pytest.fixture(scope="module")
def quantized() -> tuple[ModelPack, bytes]:
    pack = load_pack(MODELS / "face_detector")
    return pack, int8_graph(pack, _examples(pack))


def test_int8_is_explicit_and_as_tensorrt_wants_it(quantized: tuple[ModelPack, bytes]) -> None:
    graph = onnx.load_from_string(quantized[1]).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    pairs = [node for node in graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert len(pairs) > 50
    assert all(not constants[node.input[2]].any() and constants[node.input[2]].dtype == np.int8 for node in pairs)
    # A convolution's weights have a scale for each of its output channels, and its bias stays as it was.
    made = {node.output[0]: node for node in graph.node}
    for node in graph.node:
        if node.op_type == "Conv":
            assert made[node.input[1]].op_type == "DequantizeLinear"
            quantize = made[made[node.input[1]].input[0]]
            assert len(constants[quantize.input[1]]) == len(constants[quantize.input[0]])
            assert constants[node.input[2]].dtype == np.float32


def test_int8_runs_and_is_not_far(quantized: tuple[ModelPack, bytes]) -> None:
    pack, model = quantized
    inputs = seeded(pack.manifest, batch=2, seed=9)
    session = onnxruntime.InferenceSession(model)
    names = [spec.name for spec in pack.manifest.outputs]
    exact = OnnxEngine(pack).run(inputs)
    for name, values in zip(names, session.run(names, inputs), strict=True):
        assert values.dtype == np.float32
        # On noise, with ranges from eight rows of it: this says that it computes, the parity gate how well.
        assert 0.8 < np.corrcoef(exact[name].ravel(), values.ravel())[0, 1] < 1
