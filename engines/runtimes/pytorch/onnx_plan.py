"""A graph made into a straight line of torch calls for given shapes: nothing is decided when it runs.

All that follows from shapes and constants alone is computed while planning, on the host. What is left is run once on
torch's `meta` device, which has shapes and no numbers: so planning costs no arithmetic, and a step that would have to
read a number out of a tensor fails here and not in the middle of a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from engines.base import EngineError
from engines.runtimes.pytorch.onnx_graph import Graph, Node
from engines.runtimes.pytorch.onnx_ops import OPS, Op

_META = torch.device("meta")


@dataclass(frozen=True, slots=True)
class Step:
    """One call: the slots that it reads and writes, and those that nobody needs afterwards."""

    run: Callable[..., Any]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    spent: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The steps for one set of shapes; `values` has a slot each for constants, inputs and what is computed."""

    steps: tuple[Step, ...]
    values: tuple[Any, ...]
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]

    def __call__(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run on float32 tensors of the planned shapes; an output may be a view of an input. Thread-safe."""
        values = list(self.values)
        for name, slot in self.inputs.items():
            values[slot] = inputs[name]
        for step in self.steps:
            made = step.run(*[values[slot] for slot in step.inputs])
            if len(step.outputs) == 1 and isinstance(made, Tensor):
                values[step.outputs[0]] = made
            else:
                for slot, value in zip(step.outputs, made, strict=False):
                    values[slot] = value
            for slot in step.spent:
                values[slot] = None
        return {name: values[slot] for name, slot in self.outputs.items()}


class Network:
    """A graph whose constants lie on `device`; with `low`, products are computed in that type.

    Nodes that `outputs` does not need are dropped. Not thread-safe: callers plan one at a time.
    """

    def __init__(
        self, graph: Graph, outputs: Sequence[str], device: torch.device, low: torch.dtype | None = None
    ) -> None:
        self.device, self.low = device, low
        self.inputs, self.outputs = tuple(graph.inputs), tuple(outputs)
        self.constants, self.nodes = _folded(graph.constants, graph.nodes, set(outputs))
        self._placed: dict[tuple[str, torch.dtype], Tensor] = {}

    @torch.inference_mode()
    def plan(self, shapes: Mapping[str, Sequence[int]]) -> Plan:
        """Plan for inputs of `shapes`; raises `RuntimeError` and its like for shapes that the graph cannot take.

        Raises `EngineError` for what cannot be run here whatever the shapes.
        """
        planner = _Planner(self, {name: torch.empty(tuple(shapes[name]), device=_META) for name in self.inputs})
        for node in self.nodes:
            planner.add(node)
        return planner.plan(self.outputs)

    def place(self, name: str, value: Tensor, kind: torch.dtype) -> Tensor:
        """Put a constant on the device, once for all plans if it is one of the graph's own."""
        if name not in self.constants:
            return value.to(self.device, kind)
        if (name, kind) not in self._placed:
            self._placed[name, kind] = value.to(self.device, kind)
        return self._placed[name, kind]


class _Planner:
    """One walk over the nodes. A name is `static` (a tensor on the host) or `moving` (shape and slot)."""

    def __init__(self, network: Network, inputs: Mapping[str, Tensor]) -> None:
        self._network = network
        self._static = dict(network.constants)
        self._moving: dict[str, Tensor] = dict(inputs)
        self._values: list[Any] = []
        self._slots: dict[tuple[str, torch.dtype], int] = {}
        self._steps: list[Step] = []
        self._inputs = {name: self._slot(name, value.dtype) for name, value in inputs.items()}

    def add(self, node: Node) -> None:
        op = OPS[node.kind]
        if all(name in self._static for name in node.inputs if name):
            self._static.update(_computed(node, self._static))
        elif op.of_shape:
            self._static.update(_named(node, op.run(node.attributes, self._moving[node.inputs[0]])))
        else:
            self._move(node, op)

    def plan(self, outputs: Sequence[str]) -> Plan:
        """Finish: outputs in float32, and slots emptied as soon as nobody needs them."""
        found = {name: self._read(name, torch.float32) for name in outputs}
        held = {*found.values(), *self._inputs.values()}
        computed = {slot for step in self._steps for slot in step.outputs}
        steps = []
        for step in reversed(self._steps):
            spent = sorted((computed & {*step.inputs, *step.outputs}) - held)
            held.update(spent)
            steps.append(Step(step.run, step.inputs, step.outputs, tuple(spent)))
        return Plan(tuple(reversed(steps)), tuple(self._values), self._inputs, found)

    def _move(self, node: Node, op: Op) -> None:
        wanted = self._type(node, op)
        slots: list[int] = []
        shown: list[Any] = []
        for position, name in enumerate(node.inputs):
            if not name:
                slots.append(self._keep(None))
                shown.append(None)
            elif position in op.host:
                value = _listed(node, name, self._static)
                slots.append(self._keep(value))
                shown.append(value)
            else:
                value = self._static[name] if name in self._static else self._moving[name]
                kind = wanted if wanted and value.dtype in (torch.float32, self._network.low) else value.dtype
                slots.append(self._read(name, kind))
                shown.append(torch.empty_like(value, dtype=kind, device=_META))
        made = _named(node, op.run(node.attributes, *shown))
        self._moving.update(made)
        written = tuple(self._slot(name, made[name].dtype) if name else self._keep(None) for name in node.outputs)
        self._steps.append(Step(partial(op.run, node.attributes), tuple(slots), written))

    def _type(self, node: Node, op: Op) -> torch.dtype | None:
        """Choose the type in which a node takes its float inputs; None leaves them as they are."""
        low = self._network.low
        static = [self._static[n] for at, n in enumerate(node.inputs) if n in self._static and at not in op.host]
        if low is None:
            return None
        if op.precision == "low" and static:
            return low
        if op.precision != "follow":
            return torch.float32
        moving = {self._moving[name].dtype for name in node.inputs if name in self._moving}
        # A constant that half precision cannot hold (a mask's -1e9) would turn into infinity.
        fits = all(bool(value.to(low).isfinite().all()) for value in static if value.is_floating_point())
        return low if fits and moving <= {low, torch.bool, torch.int64} and low in moving else torch.float32

    def _read(self, name: str, kind: torch.dtype) -> int:
        """Return the slot that has `name` in the type `kind`, cast if it must be."""
        if (name, kind) in self._slots:
            return self._slots[name, kind]
        if name in self._static:
            slot = self._slot(name, kind)
            self._values[slot] = self._network.place(name, self._static[name], kind)
            return slot
        source = self._slots[name, self._moving[name].dtype]
        slot = self._slot(name, kind)
        self._steps.append(Step(partial(_cast, kind), (source,), (slot,)))
        return slot

    def _slot(self, name: str, kind: torch.dtype) -> int:
        self._slots[name, kind] = self._keep(None)
        return self._slots[name, kind]

    def _keep(self, value: Any) -> int:
        self._values.append(value)
        return len(self._values) - 1


def _cast(kind: torch.dtype, x: Tensor) -> Tensor:
    return x.to(kind)


def _needed(nodes: Sequence[Node], wanted: set[str]) -> list[Node]:
    """Keep the nodes that lead to what is wanted, in order."""
    needed_nodes = []
    for node in reversed(nodes):
        if wanted.intersection(node.outputs):
            needed_nodes.append(node)
            wanted = wanted.union(node.inputs)
    return needed_nodes[::-1]


@torch.inference_mode()
def _folded(
    constants: Mapping[str, Tensor], nodes: Sequence[Node], outputs: set[str]
) -> tuple[dict[str, Tensor], tuple[Node, ...]]:
    """Compute what depends on constants alone, once for all plans; keep what leads to the outputs."""
    values, left = dict(constants), []
    for node in _needed(nodes, outputs):
        if all(name in values for name in node.inputs if name):
            values.update(_computed(node, values))
        else:
            left.append(node)
    used = outputs.union(*(node.inputs for node in left))
    return {name: value for name, value in values.items() if name in used}, tuple(left)


def _computed(node: Node, constants: Mapping[str, Tensor]) -> dict[str, Tensor]:
    op = OPS[node.kind]
    values = [
        None if not name else _listed(node, name, constants) if position in op.host else constants[name]
        for position, name in enumerate(node.inputs)
    ]
    return _named(node, op.run(node.attributes, *values))


def _listed(node: Node, name: str, constants: Mapping[str, Tensor]) -> Any:
    if name not in constants:
        raise EngineError(
            f"the {node.kind} of {node.outputs[0]!r} has a shape that its numbers decide: choose the engine onnx"
        )
    return constants[name].tolist()


def _named(node: Node, made: Tensor | tuple[Tensor, ...]) -> dict[str, Tensor]:
    values = (made,) if isinstance(made, Tensor) else made
    if len(node.outputs) > len(values):
        raise EngineError(
            f"PyTorch gives {len(values)} outputs of {node.kind} here and no more: choose the engine onnx"
        )
    return {name: value for name, value in zip(node.outputs, values, strict=False) if name}
