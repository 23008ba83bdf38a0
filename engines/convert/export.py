"""From a torch module to the bytes of a pack's ONNX graph, checked against torch on noise.

Two kinds of graph: a stream (`step` of a module with `state_size`: any number of frames and the state in, as many
vectors and the new state out) and a window (frames (1, T, F) and their mask (1, T) in, unit vectors (1, T, D) out).
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from engines.base import EngineError, TensorSpec

OPSET = 18
TOLERANCE = 1e-3
MAX_STEPS = 512
_EXAMPLE_STEPS = 5


class Stream(Protocol):
    """An encoder of a stream: a torch module of which `step` is exported."""

    @property
    def reach(self) -> int:
        """Frames that an answer waits for."""
        ...

    @property
    def state_size(self) -> int:
        """Numbers of state a batch row; 0 for an encoder that looks at single frames."""
        ...

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Encode the next frames of a stream; also the new state."""
        ...


@dataclass(frozen=True, slots=True)
class ExportedGraph:
    """An exported model: its bytes and its tensors, as a manifest names them."""

    model: bytes
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


class _Step(nn.Module):
    def __init__(self, encoder: Stream) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        return self.encoder.step(x, state)


def export_stream(encoder: nn.Module, name: str, shape: tuple[int, ...], output: str) -> ExportedGraph:
    """Export an encoder of frames of `shape`, called `name`; raises `EngineError` if the graph does not match torch."""
    stream: Any = encoder
    state: int = stream.state_size
    time = torch.export.Dim("time", min=1, max=MAX_STEPS)
    batch = torch.export.Dim("batch", min=1, max=64)
    random = torch.Generator().manual_seed(0)
    frames = {name: torch.rand(2, _EXAMPLE_STEPS, *shape, generator=random)}
    if state == 0:
        return _export(encoder.eval(), frames, {name: {0: batch, 1: time}}, (output,), {name: shape})
    frames["state"] = torch.zeros(2, state)
    axes = {name: {0: batch, 1: time}, "state": {0: batch}}
    return _export(_Step(stream).eval(), frames, axes, (output, "state_out"), {name: shape})


def export_window(context: nn.Module, name: str, size: int, output: str) -> ExportedGraph:
    """Export a network over a window of `name` (1, T, size) and mask (1, T); raises `EngineError` as above."""
    time = torch.export.Dim("time", min=2, max=MAX_STEPS)
    batch = torch.export.Dim("batch", min=1, max=64)
    random = torch.Generator().manual_seed(0)
    frames = {name: torch.randn(2, 20, size, generator=random), "mask": torch.ones(2, 20)}
    frames["mask"][:, :3] = 0
    axes = {key: {0: batch, 1: time} for key in frames}
    return _export(context.eval(), frames, axes, (output,), {name: (size,), "mask": ()})


def save_graph(
    module: nn.Module,
    example: Mapping[str, Tensor],
    axes: Mapping[str, Mapping[int, Any]],
    outputs: Sequence[str],
    path: Path,
) -> None:
    """Write a module's ONNX graph, inputs named as in `example`, free along `axes`; raises `EngineError`."""
    with _quietly():
        program = torch.onnx.export(
            module,
            tuple(example.values()),
            dynamo=True,
            opset_version=OPSET,
            external_data=False,
            verbose=False,
            input_names=list(example),
            output_names=list(outputs),
            dynamic_shapes=tuple(axes.values()),
        )
        if program is None:
            raise EngineError("torch.onnx.export gave no program: check the torch version against the `train` extra")
        program.save(str(path))
    _forget_where(path)


def _forget_where(path: Path) -> None:
    """Take out of a graph what says on whose machine it was made: the exporter notes the file behind every node."""
    model = onnx.load(path)
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
    graph = model.graph
    # Two kinds of message, whose common type has no such list where protobuf's types are installed.
    values: list[Any] = [*graph.value_info, *graph.input, *graph.output, *graph.initializer]
    for value in values:
        del value.metadata_props[:]
    onnx.save(model, path)


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep the exporter from warning of what nobody here can change: its own internals, and torchvision's absence."""
    chatter = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = chatter.level
    chatter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        chatter.setLevel(level)


def _export(
    module: nn.Module,
    example: Mapping[str, Tensor],
    axes: Mapping[str, Mapping[int, Any]],
    outputs: tuple[str, ...],
    timed: Mapping[str, tuple[int, ...]],
) -> ExportedGraph:
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        save_graph(module, example, axes, outputs, path)
        # Another batch and length besides, with other numbers.
        shorter = {key: value[:1] if key == "state" else value[1:, 1:] for key, value in example.items()}
        vectors = check_graph(module, path, (example, shorter), outputs)
        model = path.read_bytes()
    inputs = tuple(
        TensorSpec(key, (-1, *timed[key]) if key in timed else tuple(value.shape[1:])) for key, value in example.items()
    )
    widths = [int(tensor.shape[-1]) for tensor in vectors]
    sizes = [(-1, width) if key != "state_out" else (width,) for key, width in zip(outputs, widths, strict=True)]
    return ExportedGraph(
        model, inputs, tuple(TensorSpec(key, shape) for key, shape in zip(outputs, sizes, strict=True))
    )


@torch.no_grad()
def check_graph(
    module: nn.Module,
    path: Path,
    batches: Iterable[Mapping[str, Tensor]],
    outputs: Sequence[str],
    smallest_range: float = 1.0,
) -> tuple[Tensor, ...]:
    """Compare an exported graph with torch on every batch and return torch's outputs of the last one.

    The difference may be `TOLERANCE` of an output's largest number, or of `smallest_range` where all are smaller.
    Raises `EngineError`.
    """
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    expected: tuple[Tensor, ...] = ()
    for inputs in batches:
        answer = module(*inputs.values())
        expected = answer if isinstance(answer, tuple) else (answer,)
        results = session.run(list(outputs), {name: value.contiguous().numpy() for name, value in inputs.items()})
        for exported, reference in zip(results, expected, strict=True):
            worst = float(np.abs(np.asarray(exported) - reference.numpy()).max())
            if not worst <= TOLERANCE * max(smallest_range, float(reference.abs().max())):
                raise EngineError(f"the exported graph differs from torch by {worst:.1e}: report it, do not use it")
    return expected
