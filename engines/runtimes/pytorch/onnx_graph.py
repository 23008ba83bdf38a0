"""An ONNX file as plain data: nodes in order, constants as torch tensors, the shapes of what goes in and out.

What the rest cannot run is refused here, by name: an operator that `onnx_ops` does not know, an old operator set,
numbers that are not float32 at the edges, and data that lie outside the file, for which its hash does not speak.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from engines.base import EngineError
from engines.runtimes.pytorch.onnx_ops import OPS

# From 13 on, axes are inputs and Softmax works along one axis; what comes after 23 has not been read.
OPSETS = range(13, 24)


@dataclass(frozen=True, slots=True)
class Node:
    """One operator; an input that is left out is an empty name."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A network: full shapes with -1 for a free axis, () where the file does not tell the rank."""

    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    constants: Mapping[str, Tensor]
    nodes: tuple[Node, ...]


def read_graph(path: Path) -> Graph:
    """Read `path`; raises `EngineError` for what cannot be run, and whatever `onnx` raises for what is no ONNX file."""
    model = onnx.load(path, load_external_data=False)
    versions = [imported.version for imported in model.opset_import if imported.domain in ("", "ai.onnx")]
    if len(versions) != 1 or versions[0] not in OPSETS:
        raise EngineError(
            f"{path} has the operator sets {versions}, PyTorch runs one of {OPSETS[0]} to {OPSETS[-1]} here: "
            "choose the engine onnx"
        )
    unknown = sorted({node.op_type for node in model.graph.node if node.op_type not in OPS or node.domain})
    if unknown:
        raise EngineError(f"PyTorch runs no {', '.join(unknown)} here, which {path} has: choose the engine onnx")
    constants = {tensor.name: _tensor(tensor) for tensor in model.graph.initializer}
    return Graph(
        _shapes(path, (value for value in model.graph.input if value.name not in constants)),
        _shapes(path, model.graph.output),
        constants,
        _ordered([_node(node) for node in model.graph.node]),
    )


def _shapes(path: Path, values: Iterable[onnx.ValueInfoProto]) -> dict[str, tuple[int, ...]]:
    found = {}
    for value in values:
        kind = value.type.tensor_type
        if kind.elem_type != onnx.TensorProto.FLOAT:
            raise EngineError(f"{value.name!r} of {path} is not float32: convert the model anew")
        found[value.name] = tuple(axis.dim_value if axis.HasField("dim_value") else -1 for axis in kind.shape.dim)
    return found


def _ordered(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Put what is made before what takes it: ONNX asks for that, and the converter to float16 does not heed it."""
    maker = {name: at for at, node in enumerate(nodes) for name in node.outputs if name}
    before = {at: [maker[name] for name in node.inputs if name in maker] for at, node in enumerate(nodes)}
    return tuple(nodes[at] for at in TopologicalSorter(before).static_order())


def _node(node: onnx.NodeProto) -> Node:
    attributes = {attribute.name: _value(onnx.helper.get_attribute_value(attribute)) for attribute in node.attribute}
    attributes["outputs"] = len(node.output)
    return Node(node.op_type, tuple(node.input), tuple(node.output), attributes)


def _value(value: Any) -> Any:
    if isinstance(value, onnx.TensorProto):
        return _tensor(value)
    return value.decode() if isinstance(value, bytes) else value


def _tensor(data: onnx.TensorProto) -> Tensor:
    if data.data_location == onnx.TensorProto.EXTERNAL:
        raise EngineError(
            f"{data.name!r} lies outside the model's file, where no hash covers it: convert the model anew"
        )
    # A copy: what the file's own bytes are read from is not writable, and torch warns of that.
    return torch.from_numpy(numpy_helper.to_array(data).copy())
