"""TensorRT on an NVIDIA GPU: each bucket has a stream, an execution context, memory and a CUDA graph of its own.

All of that is made once, when a bucket is first needed (`warm_up` makes every one). After that a call copies its rows
into page-locked memory, launches the graph (copies to the GPU, network, copies back) and waits once. A batch is cut
into buckets and each filled up with zeros: rows do not see each other. An engine runs one piece at a time, engines run
side by side.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections import OrderedDict
from typing import Any

import numpy as np

from engines.base import (
    Arrays,
    FloatArray,
    InputError,
    Manifest,
    ModelPack,
    ModelPackError,
    check_inputs,
    check_interface,
    example_length,
    free_length,
)
from engines.runtimes.buckets import pieces
from engines.runtimes.tensorrt.build import Builder, max_steps, open_builder, read_plan
from engines.runtimes.tensorrt.cuda import CudaError
from engines.runtimes.tensorrt.lane import Lane
from engines.runtimes.tensorrt.plan_cache import sized

# Lengths of a free axis for which all buckets are cached; one more replaces the least recently used.
CACHED_LENGTHS = 4


class TensorRtEngine:
    """Runs a pack from its compiled plan; `close`, or losing the last reference, gives the GPU's memory back."""

    def __init__(self, pack: ModelPack, builder: Builder, plan: bytes) -> None:
        self._manifest = pack.manifest
        self._buckets = tuple(builder.buckets)
        self._lanes = _Lanes(builder, plan, pack.manifest)
        self._close = weakref.finalize(self, self._lanes.close)

    @property
    def manifest(self) -> Manifest:
        """The manifest of the pack that this engine runs."""
        return self._manifest

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        """Run one batch; see `Engine.run`. Raises `CudaError` when the GPU fails."""
        check_inputs(self._manifest, inputs)
        length = free_length(self._manifest, inputs)
        if length is not None and length > max_steps(self._manifest):
            longest = max_steps(self._manifest)
            raise InputError(f"{self._manifest.name} takes at most {longest} steps a call on TensorRT, got {length}")
        rows = next(iter(inputs.values())).shape[0]
        parts = [
            self._lanes.run(bucket, length, {name: value[piece] for name, value in inputs.items()})
            for piece, bucket in pieces(rows, self._buckets)
        ]
        names = [spec.name for spec in self._manifest.outputs]
        if len(parts) == 1:
            return {name: parts[0][name] for name in names}
        return {name: np.concatenate([part[name] for part in parts]) for name in names}

    def warm_up(self) -> None:
        """Make every bucket, each of which runs once on zeros, so that no later call allocates on the GPU."""
        free = any(-1 in spec.shape for spec in self._manifest.inputs)
        for bucket in self._buckets:
            self._lanes.make(bucket, example_length(self._manifest) if free else None)

    def close(self) -> None:
        """Give memory, streams and contexts back; nothing is run any more. Safe to call twice."""
        self._close()


def build_engine(pack: ModelPack) -> TensorRtEngine:
    """Build the engine tensorrt, compiled now unless it was before; raises `EngineError`."""
    builder = open_builder()
    return TensorRtEngine(pack, builder, builder.build(pack))


class _Lanes:
    """The plan on the GPU and the lanes made of it; knows nothing of the engine, so that it can close after it."""

    def __init__(self, builder: Builder, plan: bytes, manifest: Manifest) -> None:
        self._trt, self._gpu, self._manifest = builder.trt, builder.gpu, manifest
        self._profiles = {bucket: index for index, bucket in enumerate(builder.buckets)}
        self._lock = threading.Lock()
        self._by_length: OrderedDict[int | None, dict[int, Lane]] = OrderedDict()
        with self._gpu.current():
            self._engine, self._runtime = read_plan(self._trt, plan)
            _check(self._trt, self._engine, manifest)

    def run(self, bucket: int, length: int | None, rows: Arrays) -> dict[str, FloatArray]:
        with self._lock, self._gpu.current():
            found = self._lane(bucket, length).run(rows)
            return {name: values.copy() for name, values in found.items()}

    def make(self, bucket: int, length: int | None) -> None:
        with self._lock, self._gpu.current():
            self._lane(bucket, length)

    def close(self) -> None:
        # A GPU that failed has nothing to give back, and it is often closed because it did.
        with contextlib.suppress(CudaError), self._lock, self._gpu.current():
            while self._by_length:
                _close(self._by_length.popitem()[1])
            self._engine = self._runtime = None

    def _lane(self, bucket: int, length: int | None) -> Lane:
        if self._engine is None:
            raise CudaError(f"{self._manifest.name} was closed: load it again")
        lanes = self._by_length.setdefault(length, {})
        self._by_length.move_to_end(length)
        if bucket not in lanes:
            if len(self._by_length) > CACHED_LENGTHS:
                _close(self._by_length.popitem(last=False)[1])
            shapes = {spec.name: sized(spec.shape, bucket, length) for spec in self._manifest.inputs}
            lanes[bucket] = Lane(self._trt, self._gpu, self._engine, self._profiles[bucket], shapes)
        return lanes[bucket]


def _close(lanes: dict[int, Lane]) -> None:
    for lane in lanes.values():
        lane.close()


def _check(trt: Any, engine: Any, manifest: Manifest) -> None:
    """Raise `ModelPackError` unless the plan has the tensors of the manifest, all of them float32."""
    found: dict[Any, dict[str, list[int]]] = {trt.TensorIOMode.INPUT: {}, trt.TensorIOMode.OUTPUT: {}}
    for index in range(engine.num_io_tensors):
        name = engine.get_tensor_name(index)
        if engine.get_tensor_dtype(name) != trt.DataType.FLOAT:
            raise ModelPackError(f"{name} of {manifest.name} is not float32 in the compiled engine: report it")
        found[engine.get_tensor_mode(name)][name] = list(engine.get_tensor_shape(name))
    check_interface(manifest, found[trt.TensorIOMode.INPUT], found[trt.TensorIOMode.OUTPUT])
