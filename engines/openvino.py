"""OpenVINO on the CPU, the default engine: one thread a call and full float32, so that load never changes a result.

With one thread OpenVINO 2026.4 swallows the errors of its own shape inference and reads past its buffers (with two
threads it raises them), so a length that has not been seen before is tried on the uncompiled model first.
"""

from __future__ import annotations

import functools
import threading
from typing import Any

import numpy as np
import openvino

from engines.base import (
    Arrays,
    EngineError,
    FloatArray,
    InputError,
    Manifest,
    ModelPack,
    check_inputs,
    check_interface,
    free_length,
    zeros,
)

CONFIG = {
    "INFERENCE_NUM_THREADS": 1,
    "NUM_STREAMS": 1,
    "INFERENCE_PRECISION_HINT": "f32",
    "PERFORMANCE_HINT": "LATENCY",
}


class OpenVinoEngine:
    """Runs a pack in OpenVINO; each thread has an infer request of its own, which makes `run` thread-safe."""

    def __init__(self, pack: ModelPack) -> None:
        try:
            self._model = _core().read_model(pack.model)
            self._compiled = _core().compile_model(self._model, "CPU", CONFIG)
        except Exception as error:
            reason = type(error).__name__
            raise EngineError(f"OpenVINO cannot load {pack.model} ({reason}): choose the engine onnx") from None
        self._manifest = pack.manifest
        self._outputs = [spec.name for spec in pack.manifest.outputs]
        self._local = threading.local()
        self._lengths: set[int | None] = {None}
        self._lengths_lock = threading.Lock()
        check_interface(pack.manifest, _ports(self._compiled.inputs), _ports(self._compiled.outputs))

    @property
    def manifest(self) -> Manifest:
        """The manifest of the pack that this engine runs."""
        return self._manifest

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        """Run one batch; see `Engine.run`."""
        check_inputs(self._manifest, inputs)
        length = free_length(self._manifest, inputs)
        if length not in self._lengths:
            self._try_length(length, inputs)
        request = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self._compiled.create_infer_request()
        request.infer({name: np.ascontiguousarray(value) for name, value in inputs.items()}, share_inputs=True)
        # The request's own buffers are overwritten by the next call on this thread.
        return {name: np.array(request.get_tensor(name).data) for name in self._outputs}

    def _try_length(self, length: int | None, inputs: Arrays) -> None:
        with self._lengths_lock:
            try:
                self._model.reshape({name: list(value.shape) for name, value in inputs.items()})
            except Exception:
                raise InputError(f"{self._manifest.name} does not take inputs of length {length}") from None
            self._lengths.add(length)

    def warm_up(self) -> None:
        """Run once on zeros."""
        self.run(zeros(self._manifest))


@functools.cache
def _core() -> Any:
    return openvino.Core()


def _ports(ports: list[Any]) -> dict[str, list[int]]:
    return {name: _shape(port.partial_shape) for port in ports for name in port.get_names()}


def _shape(shape: Any) -> list[int]:
    # The rank is known: the CPU plug-in does not compile a graph whose outputs have none.
    return [-1 if axis.is_dynamic else axis.get_length() for axis in shape]
