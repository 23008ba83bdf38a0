"""Tiny model packs for the engine tests, written with `onnx.helper` so that a test can break each part of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from engines import trust
from engines.base import MODELS, TensorSpec
from engines.convert.pack import write_pack
from engines.load import pack_names
from engines.seal import seal, write_beside

IN = (TensorSpec("a", (-1, 2)), TensorSpec("b", (-1, 2)))
OUT = (TensorSpec("sum", (-1, 2)),)


def adder(batch: str | int = "batch", element: int = TensorProto.FLOAT) -> bytes:
    """A model `sum = a + b`."""
    return _model([helper.make_node("Add", ["a", "b"], ["sum"])], batch, element)


def picky() -> bytes:
    """A model `sum = a + b` that fails in the runtime unless the free axis is 3 long."""
    return _model(
        [helper.make_node("Add", ["a", "b"], ["any"]), helper.make_node("Add", ["any", "constant"], ["sum"])],
        "batch",
        TensorProto.FLOAT,
        [numpy_helper.from_array(np.zeros((1, 3, 2), np.float32), "constant")],
    )


def shapeless() -> bytes:
    """A model `sum = a + b` whose output may have any number of axes, as far as a runtime can tell."""
    nodes = [helper.make_node("Add", ["a", "b"], ["any"]), helper.make_node("Squeeze", ["any"], ["sum"])]
    return _model(nodes, "batch", TensorProto.FLOAT, rank_known=False)


def _model(
    nodes: list[onnx.NodeProto],
    batch: str | int,
    element: int,
    constants: list[onnx.TensorProto] | None = None,
    *,
    rank_known: bool = True,
) -> bytes:
    def value(name: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, element, [batch, "length", 2])

    result = value("sum") if rank_known else helper.make_tensor_value_info("sum", element, None)
    graph = helper.make_graph(nodes, "test", [value("a"), value("b")], [result], constants or [])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data: bytes = model.SerializeToString()
    return data


def write(
    models: Path,
    *,
    name: str = "adder",
    model: bytes | None = None,
    inputs: tuple[TensorSpec, ...] = IN,
    outputs: tuple[TensorSpec, ...] = OUT,
    preprocessing: dict[str, Any] | None = None,
) -> Path:
    """Write a pack into `models` and return its folder."""
    about = {
        "name": name,
        "version": "1",
        "licence": "Apache-2.0",
        "source": "made by a test",
        "preprocessing": preprocessing or {"example_length": 3},
    }
    write_pack(models / name, adder() if model is None else model, inputs, outputs, about, "# adder")
    return models / name


def edit(folder: Path, **changes: Any) -> None:
    """Change fields of a pack's manifest; None removes one."""
    path = folder / "manifest.json"
    raw = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in raw.items() if value is not None}))
    trust.trust_here(path.read_bytes())


def put(path: Path, content: bytes) -> None:
    """Put a file into a pack, as whoever made the pack would."""
    assert write_beside(path, content)


def take(path: Path) -> None:
    """Take a file out of a pack, as whoever made the pack would."""
    path.unlink()
    seal(path.parent)


def portable() -> list[str]:
    """Packs of this installation that every engine runs: a recurrent one is bound to ONNX Runtime by its manifest."""
    graphs = {name: onnx.load(MODELS / name / "model.onnx", load_external_data=False) for name in pack_names()}
    return [name for name, model in graphs.items() if all(node.op_type != "LSTM" for node in model.graph.node)]
