"""What one bucket of a TensorRT engine needs on the GPU, made once: stream, execution context, memory, CUDA graph."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from engines.base import Arrays, FloatArray
from engines.runtimes.tensorrt import cuda_graph
from engines.runtimes.tensorrt.build import BuildError
from engines.runtimes.tensorrt.cuda import CPU, NON_BLOCKING, SLEEPING, CudaError, Gpu

log = logging.getLogger(__name__)


class Lane:
    """Runs batches of one shape, one after another; every method needs the context current and one caller at a time."""

    def __init__(self, trt: Any, gpu: Gpu, engine: Any, profile: int, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self._driver = gpu.driver
        self._inputs: dict[str, tuple[FloatArray, Any]] = {}
        self._outputs: dict[str, tuple[FloatArray, Any]] = {}
        self._context: Any = None
        self._stream: Any = None
        self._done: Any = None
        self._graph: cuda_graph.CudaGraph | None = None
        try:
            self._open(trt, engine, profile, shapes)
            self._warm()
        except BaseException:
            self.close()
            raise

    def run(self, rows: Arrays) -> dict[str, FloatArray]:
        """Run up to a bucket of rows; what comes back is in memory of the lane and only good until the next call."""
        for name, (host, _) in self._inputs.items():
            values = rows[name]
            host[: len(values)] = values
            host[len(values) :] = 0.0
        if self._graph is None:
            self._enqueue()
        else:
            self._graph.launch(self._stream.handle)
        self._done.record(self._stream)
        self._done.synchronize()
        return {name: host[: len(values)] for name, (host, _) in self._outputs.items()}

    def close(self) -> None:
        """Give everything back to the GPU."""
        if self._graph is not None:
            self._graph.close()
        # In this order: the context uses the memory, and all of it the stream. Memory is freed by name, since the
        # last reference to it may go, with a traceback, where the context is not current.
        self._context = self._graph = None
        for side in (self._inputs, self._outputs):
            for host, device in side.values():
                device.free()
                cast("Any", host.base).free()
            side.clear()
        self._done = self._stream = None

    def _open(self, trt: Any, engine: Any, profile: int, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self._stream = self._driver.Stream(NON_BLOCKING)
        self._done = self._driver.Event(SLEEPING)
        # A context of its own, with only as much memory as this profile asks for.
        self._context = _needed(
            engine.create_execution_context(trt.ExecutionContextAllocationStrategy.ON_PROFILE_CHANGE),
            "make an execution context",
        )
        _needed(self._context.set_optimization_profile_async(profile, self._stream.handle), "choose the profile")
        self._stream.synchronize()
        for name, shape in shapes.items():
            _needed(self._context.set_input_shape(name, shape), f"take {name} in this shape")
        for index in range(engine.num_io_tensors):
            name = engine.get_tensor_name(index)
            side = self._inputs if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT else self._outputs
            side[name] = self._memory(name)
            _needed(self._context.set_tensor_address(name, int(side[name][1])), f"use memory for {name}")

    def _memory(self, name: str) -> tuple[FloatArray, Any]:
        shape = tuple(self._context.get_tensor_shape(name))
        if min(shape, default=1) < 0:
            raise BuildError(f"the shape of {name} depends on its data, which this engine cannot run: {CPU[3:]}")
        host = self._driver.pagelocked_empty(shape, np.float32)
        host.fill(0.0)
        try:
            return host, self._driver.mem_alloc(host.nbytes)
        except BaseException:
            host.base.free()
            raise

    def _enqueue(self) -> None:
        for host, device in self._inputs.values():
            self._driver.memcpy_htod_async(device, host, self._stream)
        _needed(self._context.execute_async_v3(self._stream.handle), "run the network")
        for host, device in self._outputs.values():
            self._driver.memcpy_dtoh_async(host, device, self._stream)

    def _warm(self) -> None:
        # The first run does what a capture may not contain: it allocates, and settles the shapes.
        self._enqueue()
        self._stream.synchronize()
        try:
            self._graph = cuda_graph.capture(cuda_graph.load_driver(), self._stream.handle, self._enqueue)
        except (CudaError, self._driver.Error) as error:
            log.warning("no CUDA graph, each call enqueues anew: %s", " ".join(str(error).split()))


def _needed(done: Any, what: str) -> Any:
    if not done:
        raise CudaError(f"TensorRT could not {what}: see the log, {CPU}")
    return done
