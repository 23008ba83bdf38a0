"""An ONNX graph written node by node, with names by their place alone, so that it can be repeated to the byte."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17

Sizes = Mapping[str, Sequence[str | int | None]]


class GraphBuilder:
    """The graph under construction."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output, whose name is returned."""
        name = f"t{len(self._nodes)}"
        self.add(kind, list(inputs), [name], **attributes)
        return name

    def add(self, kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> None:
        """Add a node with outputs of these names."""
        self._nodes.append(helper.make_node(kind, inputs, outputs, f"n{len(self._nodes)}", **attributes))

    def slice(self, name: str, axis: int, begin: int, end: int) -> str:
        """Take a part of a tensor along one axis."""
        return self.node("Slice", name, *(self.integers([n]) for n in (begin, end, axis)))

    def integers(self, values: list[int]) -> str:
        """Add whole numbers, as shapes and axes are given."""
        return self.weight(np.array(values, np.int64))

    def weight(self, values: NDArray[Any]) -> str:
        """Add a constant tensor, whose name is returned."""
        name = f"w{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def model(self, name: str, inputs: Sizes, outputs: Sizes) -> bytes:
        """Write the model, checked; `inputs` and `outputs` are float32, each with its axes."""
        first, last = (
            [helper.make_tensor_value_info(end, TensorProto.FLOAT, list(axes)) for end, axes in sizes.items()]
            for sizes in (inputs, outputs)
        )
        graph = helper.make_graph(self._nodes, name, first, last, self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
        onnx.checker.check_model(model, full_check=True)
        data: bytes = model.SerializeToString(deterministic=True)
        return data
