"""Edits to an ONNX graph that give it a pack's interface: stable tensor names, stable shapes and a free batch axis.

Nothing here touches a weight: the numbers that come out are those that the converter put in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, helper, numpy_helper

from engines.base import TensorSpec


def rename(model: ModelProto, names: dict[str, str]) -> None:
    """Rename tensors wherever they are made or read."""
    for node in model.graph.node:
        for edges in (node.input, node.output):
            for position, name in enumerate(edges):
                edges[position] = names.get(name, name)


def free_batch(model: ModelProto) -> None:
    """Make every reshape keep its batch axis: a leading constant 1 in the target shape becomes 0, "as in the input"."""
    constants = {constant.name: constant for constant in model.graph.initializer}
    for target in sorted({node.input[1] for node in model.graph.node if node.op_type == "Reshape"}):
        shape = numpy_helper.to_array(constants[target]).copy()
        shape[0] = 0
        constants[target].CopyFrom(numpy_helper.from_array(shape, target))


def retarget(model: ModelProto, output: str, shape: Sequence[int]) -> None:
    """Let the graph end in `output` of shape (batch, *shape), whatever singleton axes the converter left there."""
    last = next(node for node in model.graph.node if output in node.output)
    if last.op_type == "Reshape":
        source = last.input[0]
        model.graph.node.remove(last)
    else:
        source = f"{output}_raw"
        rename(model, {output: source})
    target = f"{output}_shape"
    model.graph.initializer.append(numpy_helper.from_array(np.array([0, *shape], np.int64), target))
    model.graph.node.append(helper.make_node("Reshape", [source, target], [output], name=output))


def declare(model: ModelProto, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> None:
    """State inputs and outputs as float32 `(batch, *shape)` and check the model.

    Shapes of inner tensors were inferred for batch 1 and are forgotten.
    """
    for field, specs in ((model.graph.input, inputs), (model.graph.output, outputs)):
        del field[:]
        field.extend(
            helper.make_tensor_value_info(spec.name, onnx.TensorProto.FLOAT, ["batch", *spec.shape]) for spec in specs
        )
    del model.graph.value_info[:]
    onnx.checker.check_model(model, full_check=True)


def canonical(model: ModelProto) -> None:
    """Order and name everything by its place in the graph alone, so that a conversion can be repeated to the byte."""
    body = model.graph
    producer = {output: node for node in body.node for output in node.output}
    constants = {constant.name: constant for constant in body.initializer}
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []
    names = {value.name: value.name for value in (*body.input, *body.output)}
    pending = [value.name for value in reversed(body.output)]
    done: set[str] = set()
    while pending:
        tensor = pending[-1]
        waiting = (
            [] if tensor not in producer else [name for name in producer[tensor].input if name and name not in done]
        )
        if tensor not in done and waiting:
            pending.extend(reversed(waiting))
            continue
        pending.pop()
        if tensor in done:
            continue
        if tensor in producer:
            node = producer[tensor]
            for output in node.output:
                names.setdefault(output, f"t{len(names)}")
            nodes.append(node)
            done.update(node.output)
        elif tensor in constants:
            names[tensor] = f"w{len(weights)}"
            weights.append(constants[tensor])
        done.add(tensor)
    for position, node in enumerate(nodes):
        node.name = f"n{position}"
        attributes = sorted(node.attribute, key=lambda attribute: attribute.name)
        _replace(node.attribute, attributes)
    rename(model, names)
    for constant in weights:
        constant.name = names[constant.name]
    _replace(body.node, nodes)
    _replace(body.initializer, weights)


def _replace(field: Any, values: Sequence[Any]) -> None:
    copies = [type(value)() for value in values]
    for copy, value in zip(copies, values, strict=True):
        copy.CopyFrom(value)
    del field[:]
    field.extend(copies)
