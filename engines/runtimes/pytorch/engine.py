"""PyTorch: a pack's ONNX graph as a line of torch calls, for GPU machines without TensorRT.

On CUDA every bucket is a CUDA graph over buffers that stay where they are (`engines.runtimes.pytorch.cuda_graphs`).
Where there is no CUDA it runs on the CPU, one thread a call: right, and slower than OpenVINO, which is what such a
machine should use.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Literal, Protocol

import numpy as np
import torch

from engines.base import (
    Arrays,
    EngineError,
    FloatArray,
    InputError,
    Manifest,
    ModelPack,
    check_inputs,
    check_interface,
    zeros,
)
from engines.runtimes.pytorch.cuda_graphs import GraphRunner
from engines.runtimes.pytorch.onnx_graph import Graph, read_graph
from engines.runtimes.pytorch.onnx_plan import Network, Plan

Precision = Literal["fp32", "fp16", "bf16"]
Device = Literal["cpu", "cuda"]
Shapes = Mapping[str, tuple[int, ...]]
# bf16 did not pass the parity gate (docs/engines.md), so no engine's name stands for it.
LOW: dict[Precision, torch.dtype | None] = {"fp32": None, "fp16": torch.float16, "bf16": torch.bfloat16}
# Plans are small (weights are shared), but free lengths come from outside.
MAX_PLANS = 64

log = logging.getLogger(__name__)


class Runner(Protocol):
    """Runs checked inputs on one device."""

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        """Run one batch; thread-safe, and what comes back belongs to the caller."""
        ...

    def warm_up(self, shapes: Callable[[int], Shapes]) -> None:
        """Prepare what the first calls would otherwise wait for; `shapes` of a batch."""
        ...


class TorchEngine:
    """Runs a pack in PyTorch on `device` (default: CUDA where there is one, else the CPU).

    `precision` is that of products with weights (convolutions and matrices); sums, norms and softmax stay in float32,
    inputs and outputs too. Half precision changes scores: `sidewitness engines verify` says by how much.
    """

    def __init__(self, pack: ModelPack, device: Device | None = None, precision: Precision = "fp32") -> None:
        self._manifest = pack.manifest
        graph = _graph(pack)
        check_interface(pack.manifest, graph.inputs, graph.outputs)
        self.device: Device = device or _best_device()
        if self.device == "cuda" and not torch.cuda.is_available():
            raise EngineError(
                f"torch {torch.__version__} finds no CUDA device: check the driver, or choose the engine openvino"
            )
        names = [spec.name for spec in pack.manifest.outputs]
        self._network = Network(graph, names, torch.device(self.device), LOW[precision])
        self._planning = threading.Lock()
        self._runner: Runner = GraphRunner(self._plan) if self.device == "cuda" else CpuRunner(self._plan)

    @property
    def manifest(self) -> Manifest:
        """The manifest of the pack that this engine runs."""
        return self._manifest

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        """Run one batch; see `Engine.run`."""
        check_inputs(self._manifest, inputs)
        name = self._manifest.name
        try:
            return self._runner.run(inputs)
        except torch.OutOfMemoryError:
            raise EngineError(
                f"the GPU has no memory left for {name}: give it fewer participants, or choose the engine openvino"
            ) from None
        except (IndexError, RuntimeError, ValueError) as error:
            reason = type(error).__name__
            raise EngineError(f"PyTorch failed on {name} ({reason}): restart, or choose the engine openvino") from error

    def warm_up(self) -> None:
        """Plan, on a GPU also capture every bucket, and run once on zeros."""
        example = zeros(self._manifest)
        self._runner.warm_up(lambda batch: {name: (batch, *array.shape[1:]) for name, array in example.items()})
        self.run(example)

    def _plan(self, shapes: Shapes) -> Plan:
        with self._planning:
            try:
                return self._network.plan(shapes)
            except EngineError:
                raise
            except Exception as error:
                reason = type(error).__name__
                raise InputError(f"{self._manifest.name} does not take these inputs ({reason})") from error


def fp16_engine(pack: ModelPack) -> TorchEngine:
    """Build the engine pytorch-fp16."""
    return TorchEngine(pack, precision="fp16")


class CpuRunner:
    """Runs plans as they are; any number of threads may run one plan at once."""

    def __init__(self, plan: Callable[[Shapes], Plan]) -> None:
        self._make = plan
        self._plans: OrderedDict[tuple[tuple[int, ...], ...], Plan] = OrderedDict()
        self._lock = threading.Lock()
        # As in the other engines: calls run side by side, so none takes more than its core.
        torch.set_num_threads(1)

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        """Run one batch."""
        plan = self._planned({name: array.shape for name, array in inputs.items()})
        with torch.inference_mode():
            made = plan({name: _tensor(array) for name, array in inputs.items()})
        # A copy: an output may be a view of an input, or of something much larger.
        return {name: np.array(value.numpy(), order="C") for name, value in made.items()}

    def warm_up(self, shapes: Callable[[int], Shapes]) -> None:
        """Plan for one row."""
        self._planned(shapes(1))

    def _planned(self, shapes: Shapes) -> Plan:
        key = tuple(shapes[name] for name in sorted(shapes))
        with self._lock:
            plan = self._plans.get(key)
        if plan is None:
            plan = self._make(shapes)
        with self._lock:
            self._plans[key] = plan
            self._plans.move_to_end(key)
            while len(self._plans) > MAX_PLANS:
                self._plans.popitem(last=False)
        return plan


@functools.cache
def _best_device() -> Device:
    if torch.cuda.is_available():
        return "cuda"
    log.warning("torch %s finds no CUDA device: pytorch runs on the CPU, where openvino is faster", torch.__version__)
    return "cpu"


def _tensor(array: FloatArray) -> torch.Tensor:
    # torch warns of memory that it may not write to, although nothing here writes to it.
    array = np.ascontiguousarray(array)
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def _graph(pack: ModelPack) -> Graph:
    try:
        return read_graph(pack.model)
    except EngineError:
        raise
    except Exception as error:
        reason = type(error).__name__
        raise EngineError(f"PyTorch cannot load {pack.model} ({reason}): reinstall the model pack") from None
