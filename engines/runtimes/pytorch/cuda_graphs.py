"""A network on an NVIDIA GPU: for each bucket a CUDA graph over buffers that are made once and never move.

A call copies its rows into page-locked memory, sends them, replays the graph and waits once, for the event behind the
copy back. Nothing is allocated on the way but the arrays that the caller keeps.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.base import Arrays, FloatArray
from engines.runtimes.buckets import BUCKETS, pieces
from engines.runtimes.pytorch.onnx_plan import Plan

Shapes = Mapping[str, tuple[int, ...]]
# Runs before a capture: cuDNN chooses its algorithms, cuBLAS makes its workspace; neither may happen within.
WARM_UP_RUNS = 3
# Graphs cached; free lengths come from outside, and each holds buffers.
MAX_GRAPHS = 48

# Entering a capture waits for the whole device, which would break one that another engine has begun.
_CAPTURING = threading.Lock()


@dataclass(frozen=True, slots=True, eq=False)
class Captured:
    """One bucket: page-locked memory and device memory for what goes in and comes out, and the graph between."""

    graph: Any
    sent: Mapping[str, Tensor]
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]
    back: Mapping[str, Tensor]


class GraphRunner:
    """Runs plans on `device`, one call at a time on a stream of its own; thread-safe.

    All graphs share one pool of memory, so a replay may overwrite what another graph gave: within the lock, results are
    on the host before the next replay. `cuda` is `torch.cuda`, or what a test records with.
    """

    def __init__(self, plan: Callable[[Shapes], Plan], device: str = "cuda", cuda: Any = torch.cuda) -> None:
        self._plan, self._cuda, self._device = plan, cuda, torch.device(device)
        self._stream = cuda.Stream()
        # A waiting thread sleeps: spinning would take the core from the sessions.
        self._done = cuda.Event(blocking=True)
        self._pool = cuda.graph_pool_handle()
        self._graphs: OrderedDict[tuple[tuple[int, ...], ...], Captured] = OrderedDict()
        self._lock = threading.Lock()

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        """Run one batch, filled up to its bucket, or split where it is larger than all of them."""
        rows = len(next(iter(inputs.values())))
        parts = [
            self._run({name: array[part] for name, array in inputs.items()}, bucket) for part, bucket in pieces(rows)
        ]
        return parts[0] if len(parts) == 1 else {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}

    def warm_up(self, shapes: Callable[[int], Shapes]) -> None:
        """Capture every bucket, the largest first: the smaller ones then fit into its memory."""
        for bucket in reversed(BUCKETS):
            with self._lock:
                self._captured(shapes(bucket))

    @torch.inference_mode()
    def _run(self, inputs: Arrays, bucket: int) -> dict[str, FloatArray]:
        rows = len(next(iter(inputs.values())))
        with self._lock:
            held = self._captured({name: (bucket, *array.shape[1:]) for name, array in inputs.items()})
            for name, array in inputs.items():
                rows_sent = held.sent[name].numpy()
                rows_sent[:rows], rows_sent[rows:] = array, 0
            with self._cuda.stream(self._stream):
                for name, buffer in held.inputs.items():
                    buffer.copy_(held.sent[name], non_blocking=True)
                held.graph.replay()
                for name, buffer in held.back.items():
                    buffer.copy_(held.outputs[name], non_blocking=True)
                self._done.record(self._stream)
            self._done.synchronize()
            return {name: buffer.numpy()[:rows].copy() for name, buffer in held.back.items()}

    def _captured(self, shapes: Shapes) -> Captured:
        key = tuple(shapes[name] for name in sorted(shapes))
        if key not in self._graphs:
            while len(self._graphs) >= MAX_GRAPHS:
                self._graphs.popitem(last=False)[1].graph.reset()
            with _CAPTURING, _exact():
                self._graphs[key] = self._capture(shapes)
        self._graphs.move_to_end(key)
        return self._graphs[key]

    @torch.inference_mode()
    def _capture(self, shapes: Shapes) -> Captured:
        cuda, plan = self._cuda, self._plan(shapes)
        inputs = {name: torch.zeros(shape, device=self._device) for name, shape in shapes.items()}
        self._stream.wait_stream(cuda.current_stream())
        with cuda.stream(self._stream):
            for _ in range(WARM_UP_RUNS):
                plan(inputs)
        self._stream.synchronize()
        graph = cuda.CUDAGraph()
        # "thread_local": what other threads do with CUDA meanwhile is none of this capture's business.
        with cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
            outputs = {name: value.contiguous() for name, value in plan(inputs).items()}
        sent = {name: self._page_locked(value) for name, value in inputs.items()}
        back = {name: self._page_locked(value) for name, value in outputs.items()}
        return Captured(graph, sent, inputs, outputs, back)

    def _page_locked(self, like: Tensor) -> Tensor:
        return torch.empty(like.shape, dtype=like.dtype, pin_memory=self._device.type == "cuda")


def _exact() -> Any:
    """Float32 is float32: cuDNN would otherwise take the ten bits of TF32. It is chosen once, while capturing."""
    return torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False, fp32_precision="ieee")
