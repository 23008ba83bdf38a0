"""Every operator of the table against ONNX Runtime, with the attributes that change what it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the engine pytorch needs torch: install the extra `pytorch`")

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from engines.base import EngineError
from engines.runtimes.pytorch.onnx_graph import read_graph
from engines.runtimes.pytorch.onnx_ops import OPS
from engines.runtimes.pytorch.onnx_plan import Network

Constants = Mapping[str, NDArray[Any]]
F, I = np.float32, np.int64  # noqa: E741


def draw(*shape: int, low: float = -2.0, high: float = 2.0) -> NDArray[np.float32]:
    return np.random.default_rng(sum(shape)).uniform(low, high, shape).astype(F)


def model(
    nodes: Sequence[onnx.NodeProto], shape: Sequence[int], constants: Constants, opset: int = 18
) -> onnx.ModelProto:
    """A graph from x to y, both float32, made of `nodes`."""
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *shape[1:]])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    made = helper.make_graph(
        nodes, "test", [value], [result], [numpy_helper.from_array(v, k) for k, v in constants.items()]
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def one(kind: str, *inputs: str, **attributes: Any) -> list[onnx.NodeProto]:
    return [helper.make_node(kind, ["x", *inputs], ["y"], **attributes)]


def chain(*steps: tuple[str, Sequence[str], Sequence[str], dict[str, Any]]) -> list[onnx.NodeProto]:
    return [helper.make_node(kind, inputs, outputs, **attributes) for kind, inputs, outputs, attributes in steps]


def ints(*values: int) -> NDArray[np.int64]:
    return np.array(values, I)


IMAGE, ROWS = draw(2, 4, 7, 6), draw(2, 6)
POSITIVE = draw(2, 6, low=0.5)
Case = tuple[list[onnx.NodeProto], NDArray[np.float32], Constants]


def conv(x: NDArray[np.float32], weight: NDArray[np.float32], **attributes: Any) -> Case:
    return one("Conv", "w", "b", **attributes), x, {"w": weight, "b": draw(weight.shape[0])}


CASES: dict[str, Case] = {
    **{
        kind: (one(kind), POSITIVE, {})
        for kind in ("Cos", "Erf", "Exp", "Identity", "Neg", "Reciprocal", "Relu", "Sigmoid", "Sin", "Sqrt", "Tanh")
    },
    **{kind: (one(kind, "c"), POSITIVE, {"c": draw(6, low=0.5)}) for kind in ("Add", "Div", "Mul", "Pow", "Sub")},
    "Max": (one("Max", "a", "b"), ROWS, {"a": draw(6), "b": draw(1)}),
    "Min": (one("Min", "a", "b"), ROWS, {"a": draw(6), "b": draw(1)}),
    "Clip": (one("Clip", "lo", "hi"), ROWS, {"lo": np.array(-0.5, F), "hi": np.array(1.0, F)}),
    "Clip at one end": (one("Clip", "", "hi"), ROWS, {"hi": np.array(1.0, F)}),
    "Clip at neither": (one("Clip"), ROWS, {}),
    "PRelu of channels": (one("PRelu", "s"), IMAGE, {"s": draw(4, 1, 1)}),
    "PRelu of all": (one("PRelu", "s"), IMAGE, {"s": draw(1)}),
    "PRelu of the last axis": (one("PRelu", "s"), IMAGE, {"s": draw(6)}),
    "Softmax": (one("Softmax"), IMAGE, {}),
    "Softmax of channels": (one("Softmax", axis=1), IMAGE, {}),
    "Gemm": (one("Gemm", "b", "c", alpha=0.5, beta=2.0, transB=1), ROWS, {"b": draw(3, 6), "c": draw(3)}),
    "Gemm of a column": (one("Gemm", "b", transA=1, alpha=3.0), draw(2, 1), {"b": draw(2, 3)}),
    "MatMul": (one("MatMul", "b"), IMAGE, {"b": draw(4, 6, 3)}),
    "LayerNormalization": (one("LayerNormalization", "s", "b", axis=2), IMAGE, {"s": draw(7, 6), "b": draw(7, 6)}),
    "LayerNormalization without bias": (one("LayerNormalization", "s", epsilon=0.1), IMAGE, {"s": draw(6)}),
    "BatchNormalization": (
        one("BatchNormalization", "s", "b", "m", "v", epsilon=0.01),
        IMAGE,
        {"s": draw(4), "b": draw(4), "m": draw(4), "v": draw(4, low=0.1)},
    ),
    **{
        f"{kind} {name}": (one(kind, *given, **attributes), IMAGE, constants)
        for kind in ("ReduceL2", "ReduceMax", "ReduceMean", "ReduceSum")
        for name, given, attributes, constants in (
            ("of everything", (), {}, {}),
            ("of axes", ("a",), {"keepdims": 0}, {"a": ints(-1, 1)}),
            ("of nothing", (), {"noop_with_empty_axes": 1}, {}),
        )
    },
    "GlobalAveragePool": (one("GlobalAveragePool"), IMAGE, {}),
    "Conv over one axis": conv(draw(2, 4, 9), draw(6, 4, 3), pads=[2, 1], dilations=[2], strides=[2]),
    "Conv over two": conv(IMAGE, draw(6, 2, 3, 3), pads=[1, 1, 1, 1], group=2),
    "Conv over three": conv(draw(1, 2, 5, 6, 6), draw(3, 2, 3, 3, 3), pads=[0, 1, 1, 0, 1, 1], strides=[1, 2, 2]),
    "Conv without bias": (one("Conv", "w", auto_pad="VALID"), IMAGE, {"w": draw(6, 4, 3, 3)}),
    **{
        f"Conv {auto}": conv(IMAGE, draw(6, 4, 2, 4), auto_pad=auto, strides=[2, 1])
        for auto in ("SAME_UPPER", "SAME_LOWER")
    },
    "MaxPool": (one("MaxPool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]), IMAGE, {}),
    "MaxPool at one end": (one("MaxPool", kernel_shape=[3, 2], pads=[0, 0, 2, 1], strides=[2, 2]), IMAGE, {}),
    "MaxPool dilated": (one("MaxPool", kernel_shape=[2, 2], dilations=[2, 3], strides=[1, 2]), IMAGE, {}),
    "MaxPool SAME_LOWER": (one("MaxPool", kernel_shape=[2, 4], auto_pad="SAME_LOWER"), IMAGE, {}),
    "MaxPool far out": (one("MaxPool", kernel_shape=[2], pads=[1, 1], dilations=[2]), draw(1, 2, 8), {}),
    "AveragePool": (one("AveragePool", kernel_shape=[2, 2], pads=[1, 1, 1, 1]), IMAGE, {}),
    "AveragePool counted": (
        one("AveragePool", kernel_shape=[2, 2], pads=[1, 0, 0, 1], count_include_pad=1, strides=[1, 2]),
        IMAGE,
        {},
    ),
    "Pad": (one("Pad", "p", "v"), IMAGE, {"p": ints(0, 1, 2, 0, 0, 0, -1, 3), "v": np.array(7.0, F)}),
    "Pad of axes": (one("Pad", "p", "", "a"), IMAGE, {"p": ints(1, 2, 0, 1), "a": ints(-1, 1)}),
    "Reshape": (one("Reshape", "s"), IMAGE, {"s": ints(0, -1, 6)}),
    "Reshape to zero": (one("Reshape", "s", allowzero=1), draw(1, 0, 3), {"s": ints(0, 5)}),
    "Flatten": (one("Flatten", axis=-2), IMAGE, {}),
    "Flatten into one": (one("Flatten", axis=0), IMAGE, {}),
    "Transpose": (one("Transpose", perm=[0, 3, 1, 2]), IMAGE, {}),
    "Transpose all": (one("Transpose"), IMAGE, {}),
    "Squeeze": (one("Squeeze", "a"), draw(2, 1, 3, 1), {"a": ints(-1)}),
    "Squeeze all": (one("Squeeze"), draw(2, 1, 3, 1), {}),
    "Unsqueeze": (one("Unsqueeze", "a"), ROWS, {"a": ints(-1, 0)}),
    "Slice": (one("Slice", "s", "e", "a"), IMAGE, {"s": ints(-3, 1), "e": ints(2**62, 3), "a": ints(-1, 1)}),
    "Slice in steps": (
        one("Slice", "s", "e", "a", "t"),
        IMAGE,
        {"s": ints(5, 0), "e": ints(-(2**62), 9), "a": ints(2, 3), "t": ints(-2, 3)},
    ),
    "Slice to nothing": (one("Slice", "s", "e"), ROWS, {"s": ints(0, 4), "e": ints(9, 2)}),
    "Slice backwards to nothing": (
        one("Slice", "s", "e", "a", "t"),
        ROWS,
        {"s": ints(1), "e": ints(3), "a": ints(1), "t": ints(-1)},
    ),
    "Concat": (one("Concat", "c", axis=-1), ROWS, {"c": draw(2, 3)}),
    "Expand": (one("Expand", "s"), draw(2, 1, 6), {"s": ints(3, 1, 5, 1)}),
    "Gather": (one("Gather", "i", axis=1), ROWS, {"i": np.array([[0, -1], [3, 3]], I)}),
    "Gather one": (one("Gather", "i", axis=-1), ROWS, {"i": np.array(2, I)}),
    "GatherElements": (one("GatherElements", "i", axis=1), ROWS, {"i": np.array([[0, -1], [3, 3]], I)}),
    "GatherND": (one("GatherND", "i"), IMAGE, {"i": np.array([[0, 1], [1, -1]], I)}),
    "Split": (
        chain(("Split", ["x"], ["a", "b"], {"axis": 1, "num_outputs": 2}), ("Sub", ["b", "a"], ["y"], {})),
        ROWS,
        {},
    ),
    "Split by sizes": (
        chain(("Split", ["x", "s"], ["a", "unused", "b"], {"axis": 1}), ("Sub", ["b", "a"], ["y"], {})),
        ROWS,
        {"s": ints(2, 2, 2)},
    ),
    "Where": (
        chain(
            ("Cast", ["x"], ["c"], {"to": TensorProto.BOOL}),
            ("Where", ["c", "x", "other"], ["y"], {}),
        ),
        np.array([[0, 1.5, 0, 2]], F),
        {"other": draw(4)},
    ),
    "Cast": (
        chain(
            ("Cast", ["x"], ["i"], {"to": TensorProto.INT32}),
            ("Div", ["i", "two"], ["h"], {}),
            ("Cast", ["h"], ["y"], {"to": TensorProto.FLOAT}),
        ),
        np.array([[-3.7, 5.2, 7.9]], F),
        {"two": np.array(2, np.int32)},
    ),
    "Cast of half": (chain(("Cast", ["x"], ["h"], {"to": 10}), ("Cast", ["h"], ["y"], {"to": 1})), ROWS, {}),
    "Shape, Range, ConstantOfShape": (
        chain(
            ("Shape", ["x"], ["n"], {"start": 1, "end": 2}),
            ("Squeeze", ["n"], ["m"], {}),
            ("Range", ["zero", "m", "one"], ["r"], {}),
            ("Cast", ["r"], ["f"], {"to": 1}),
            ("ConstantOfShape", ["n"], ["ones"], {"value": numpy_helper.from_array(np.ones(1, F))}),
            ("Add", ["f", "ones"], ["g"], {}),
            ("Mul", ["x", "g"], ["y"], {}),
        ),
        ROWS,
        {"zero": np.array(0, I), "one": np.array(1, I)},
    ),
    "EyeLike": (
        chain(("EyeLike", ["x"], ["e"], {"k": 1, "dtype": 1}), ("Add", ["x", "e"], ["y"], {})),
        draw(4, 4),
        {},
    ),
    "EyeLike of zeros": (
        chain(
            ("Shape", ["x"], ["n"], {}),
            ("ConstantOfShape", ["n"], ["zeros"], {}),
            ("EyeLike", ["zeros"], ["e"], {"k": -1}),
            ("Add", ["x", "e"], ["y"], {}),
        ),
        draw(4, 4),
        {},
    ),
    **{
        f"Constant {key}": (
            chain(("Constant", [], ["c"], {key: value}), ("Cast", ["c"], ["f"], {"to": 1}), ("Add", "xf", "y", {})),
            ROWS,
            {},
        )
        for key, value in (
            ("value", numpy_helper.from_array(draw(6))),
            ("value_float", 1.5),
            ("value_ints", [1, 2, 3, 4, 5, 6]),
        )
    },
}


def run(path: Path, x: NDArray[np.float32]) -> NDArray[np.float32]:
    network = Network(read_graph(path), ["y"], torch.device("cpu"))
    plan = network.plan({"x": x.shape})
    found: NDArray[np.float32] = plan({"x": torch.from_numpy(x)})["y"].numpy()
    return found


def save(folder: Path, nodes: list[onnx.NodeProto], x: NDArray[np.float32], constants: Constants, **more: int) -> Path:
    path = folder / "model.onnx"
    onnx.save(model(nodes, x.shape, constants, **more), path)
    return path


@pytest.mark.parametrize("name", CASES)
def test_an_operator_means_what_it_means_in_onnx_runtime(tmp_path: Path, name: str) -> None:
    nodes, x, constants = CASES[name]
    path = save(tmp_path, nodes, x, constants)
    (want,) = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(["y"], {"x": x})
    got = run(path, x)
    assert isinstance(want, np.ndarray)
    assert got.shape == want.shape
    assert np.allclose(got, want, rtol=1e-5, atol=1e-5)


def test_every_operator_of_the_table_is_tried() -> None:
    assert {node.op_type for nodes, _, _ in CASES.values() for node in nodes} == set(OPS)


def test_axes_of_older_operator_sets_are_attributes(tmp_path: Path) -> None:
    path = save(tmp_path, one("ReduceMean", axes=[1], keepdims=0), ROWS, {}, opset=13)
    assert np.allclose(run(path, ROWS), ROWS.mean(1), atol=1e-6)


@pytest.mark.parametrize(
    ("nodes", "constants", "says"),
    [
        (one("MaxPool", kernel_shape=[2, 2], ceil_mode=1), {}, "no pooling with ceil_mode"),
        (one("AveragePool", kernel_shape=[2, 2], pads=[0, 0, 1, 1]), {}, "no such AveragePool"),
        (one("Pad", "p", mode="reflect"), {"p": ints(0, 0, 1, 1, 0, 0, 1, 1)}, "pads with a constant only"),
        (one("Cast", to=TensorProto.STRING), {}, "no numbers of ONNX type 8"),
        (one("GatherND", "i", batch_dims=1), {"i": ints(0, 1).reshape(2, 1)}, "no GatherND with batch_dims"),
        (
            chain(("MaxPool", ["x"], ["y", "where"], {"kernel_shape": [2, 2]})),
            {},
            "gives 1 outputs of MaxPool here and no more",
        ),
        (
            chain(("Cast", ["x"], ["i"], {"to": 7}), ("Expand", ["x", "i"], ["y"], {})),
            {},
            "Expand of 'y' has a shape that its numbers decide: choose the engine onnx",
        ),
        (
            [helper.make_node("BatchNormalization", ["x", "s", "s", "s", "s"], ["y", "mean", "var"], training_mode=1)],
            {"s": np.ones(4, F)},
            "still being trained",
        ),
    ],
)
def test_what_cannot_be_run_says_so_in_a_line(
    tmp_path: Path, nodes: list[onnx.NodeProto], constants: Constants, says: str
) -> None:
    with pytest.raises(EngineError, match=says) as caught:
        run(save(tmp_path, nodes, IMAGE, constants), IMAGE)
    assert "\n" not in str(caught.value)


def test_an_operator_that_is_not_known_is_named(tmp_path: Path) -> None:
    nodes = chain(("Selu", ["x"], ["a"], {}), ("Mish", ["a"], ["y"], {}))
    with pytest.raises(EngineError, match=r"PyTorch runs no Mish, Selu here, which .*: choose the engine onnx"):
        run(save(tmp_path, nodes, ROWS, {}), ROWS)


def test_an_operator_of_somebody_elses_set_is_not_taken_for_onnxs(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"], domain="com.example")]
    with pytest.raises(EngineError, match="runs no Relu here"):
        run(save(tmp_path, nodes, ROWS, {}), ROWS)


@pytest.mark.parametrize("opset", [11, 99])
def test_operator_sets_that_mean_something_else_are_refused(tmp_path: Path, opset: int) -> None:
    with pytest.raises(EngineError, match=rf"operator sets \[{opset}\], PyTorch runs one of 13 to 23"):
        run(save(tmp_path, one("Relu"), ROWS, {}, opset=opset), ROWS)


def test_data_outside_the_file_are_not_read(tmp_path: Path) -> None:
    made = model(one("Add", "c"), ROWS.shape, {"c": draw(6)})
    onnx.save(made, tmp_path / "model.onnx", save_as_external_data=True, location="weights", size_threshold=0)
    with pytest.raises(EngineError, match="lies outside the model's file, where no hash covers it"):
        run(tmp_path / "model.onnx", ROWS)


def test_an_axis_that_is_no_axis_of_one_is_not_squeezed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="longer than 1"):
        run(save(tmp_path, one("Squeeze", "a"), ROWS, {"a": ints(1)}), ROWS)


def test_nodes_in_any_order_are_put_in_order(tmp_path: Path) -> None:
    nodes = chain(("Sub", ["b", "a"], ["y"], {}), ("Exp", ["a"], ["b"], {}), ("Relu", ["x"], ["a"], {}))
    want = np.exp(np.maximum(ROWS, 0)) - np.maximum(ROWS, 0)
    assert np.allclose(run(save(tmp_path, nodes, ROWS, {}), ROWS), want, atol=1e-6)


def test_what_depends_on_shapes_alone_is_not_computed_again(tmp_path: Path) -> None:
    nodes, x, constants = CASES["Shape, Range, ConstantOfShape"]
    network = Network(read_graph(save(tmp_path, nodes, x, constants)), ["y"], torch.device("cpu"))
    assert len(network.plan({"x": x.shape}).steps) == 1


def test_what_no_output_needs_is_left_out(tmp_path: Path) -> None:
    nodes = chain(("Relu", ["x"], ["y"], {}), ("Exp", ["x"], ["z"], {}), ("Tanh", ["z"], ["unused"], {}))
    network = Network(read_graph(save(tmp_path, nodes, ROWS, {})), ["y"], torch.device("cpu"))
    assert [node.kind for node in network.nodes] == ["Relu"]


def test_an_output_may_be_a_constant_or_an_input(tmp_path: Path) -> None:
    constant = chain(("Add", ["a", "a"], ["y"], {}))
    assert np.array_equal(run(save(tmp_path, constant, ROWS, {"a": ROWS}), ROWS), 2 * ROWS)
    assert np.array_equal(run(save(tmp_path, one("Identity"), ROWS, {}), ROWS), ROWS)


def test_a_product_with_itself_stays_in_float32(tmp_path: Path) -> None:
    nodes = chain(("MatMul", ["x", "w"], ["a"], {}), ("Transpose", ["a"], ["b"], {}), ("MatMul", ["b", "a"], ["y"], {}))
    x = np.full((2, 6), 100, F)
    path = save(tmp_path, nodes, x, {"w": np.ones((6, 4), F)})
    plan = Network(read_graph(path), ["y"], torch.device("cpu"), torch.float16).plan({"x": x.shape})
    made = plan({"x": torch.from_numpy(x)})["y"]
    assert torch.equal(made, torch.full((4, 4), 2 * 600.0**2))


def test_half_precision_keeps_sums_and_edges_in_float32(tmp_path: Path) -> None:
    # A sum of squares of 300s overflows float16; a mask of -1e9 does too, and has room in bfloat16.
    nodes = chain(
        ("MatMul", ["x", "w"], ["p"], {}),
        ("Relu", ["p"], ["r"], {}),
        ("Add", ["r", "mask"], ["m"], {}),
        ("Softmax", ["m"], ["s"], {}),
        ("ReduceL2", ["r", "axes"], ["n"], {}),
        ("Mul", ["s", "n"], ["y"], {}),
    )
    x = np.full((2, 6), 50, F)
    path = save(tmp_path, nodes, x, {"w": np.ones((6, 4), F), "mask": np.array([0, 0, -1e9, 0], F), "axes": ints(-1)})
    (want,) = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(["y"], {"x": x})
    for low in (torch.float16, torch.bfloat16):
        plan = Network(read_graph(path), ["y"], torch.device("cpu"), low).plan({"x": x.shape})
        made = plan({"x": torch.from_numpy(x)})["y"]
        assert made.dtype == torch.float32
        assert np.allclose(made.numpy(), want, rtol=0.01)
        kinds = {value.dtype for value in plan.values if isinstance(value, torch.Tensor)}
        assert kinds == ({torch.float32, low} if low == torch.float16 else {low})
