"""OpenVINO on the CPU, the default engine: one thread a call and full float32, so that load never changes a result.

The shape of a live call, one item of the manifest's `example_length`, is compiled with its sizes fixed, which runs it
in a fifth to a half less time than free sizes do; so are eight such items, which is what light encoders gain most from
together, when they first come. A graph with free sizes is compiled when another shape first comes.
bfloat16 is for those packs alone whose manifest says that they passed the parity gate with it (ADR 24).
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

# What `preprocessing.precision` of a manifest says of a pack whose scores stay the same in it.
BF16 = "bf16"
BATCHED_ROWS = 8
Sizes = tuple[tuple[int, ...], ...]


class OpenVinoEngine:
    """Runs a pack in OpenVINO; each thread has infer requests of its own, which makes `run` thread-safe.

    With `bf16` a pack whose manifest allows it computes in bfloat16, every other in float32 as without.
    """

    def __init__(self, pack: ModelPack, bf16: bool = False) -> None:
        self._pack, self._manifest = pack, pack.manifest
        if bf16:
            probe_bf16()
        low = bf16 and pack.manifest.preprocessing.get("precision") == BF16
        self._config = {**CONFIG, "INFERENCE_PRECISION_HINT": BF16} if low else CONFIG
        self._inputs = [spec.name for spec in pack.manifest.inputs]
        self._outputs = [spec.name for spec in pack.manifest.outputs]
        self._local = threading.local()
        self._lengths: set[int | None] = {None}
        self._lock = threading.Lock()
        self._free: Any = None
        self._fixed: dict[Sizes, Any] = {}
        try:
            self._model = _core().read_model(pack.model)
            check_interface(pack.manifest, _ports(self._model.inputs), _ports(self._model.outputs))
            alone = zeros(pack.manifest)
            self._fixed[self._sizes(alone)] = self._fix(alone)
            self._together = self._sizes(zeros(pack.manifest, BATCHED_ROWS))
        except EngineError:
            raise
        except Exception as error:
            raise self._refusal(error) from None

    @property
    def manifest(self) -> Manifest:
        """The manifest of the pack that this engine runs."""
        return self._manifest

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        """Run one batch; see `Engine.run`."""
        check_inputs(self._manifest, inputs)
        sizes = self._sizes(inputs)
        if sizes == self._together and sizes not in self._fixed:
            with self._lock:
                if sizes not in self._fixed:
                    self._fixed[sizes] = self._fix(inputs)
        if (compiled := self._fixed.get(sizes)) is not None:
            return self._thread_bound(sizes, compiled).run(inputs)
        request = self._thread_request(inputs)
        request.infer({name: np.ascontiguousarray(value) for name, value in inputs.items()}, share_inputs=True)
        # The request's own buffers are overwritten by the next call on this thread.
        return {name: np.array(request.get_tensor(name).data) for name in self._outputs}

    def warm_up(self) -> None:
        """Run once on zeros."""
        self.run(zeros(self._manifest))

    def _thread_bound(self, sizes: Sizes, compiled: Any) -> _Bound:
        bounds: dict[Sizes, _Bound] | None = getattr(self._local, "bounds", None)
        if bounds is None:
            bounds = self._local.bounds = {}
        bound = bounds.get(sizes)
        if bound is None:
            bound = bounds[sizes] = _Bound(compiled.create_infer_request(), self._inputs, self._outputs)
        return bound

    def _thread_request(self, inputs: Arrays) -> Any:
        """Give this thread's request of the graph with free sizes, for inputs whose length the model takes."""
        length = free_length(self._manifest, inputs)
        with self._lock:
            if length not in self._lengths:
                self._try_length(length, inputs)
            if self._free is None:
                self._free = self._compile(self._model)
        request = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self._free.create_infer_request()
        return request

    def _fix(self, inputs: Arrays) -> Any:
        """Compile for one shape; None where the model does not take it, which the first run then tells."""
        model = self._model.clone()
        try:
            model.reshape({name: list(value.shape) for name, value in inputs.items()})
        except Exception:
            return None
        return self._compile(model)

    def _try_length(self, length: int | None, inputs: Arrays) -> None:
        try:
            self._model.clone().reshape({name: list(value.shape) for name, value in inputs.items()})
        except Exception:
            raise InputError(f"{self._manifest.name} does not take inputs of length {length}") from None
        self._lengths.add(length)

    def _compile(self, model: Any) -> Any:
        try:
            return _core().compile_model(model, "CPU", self._config)
        except Exception as error:
            raise self._refusal(error) from None

    def _refusal(self, error: Exception) -> EngineError:
        return EngineError(f"OpenVINO cannot load {self._pack.model} ({type(error).__name__}): choose the engine onnx")

    def _sizes(self, inputs: Arrays) -> Sizes:
        return tuple(inputs[name].shape for name in self._inputs)


class _Bound:
    """An infer request of fixed sizes whose tensors are numpy views, made once: a call copies in, runs, copies out."""

    def __init__(self, request: Any, inputs: list[str], outputs: list[str]) -> None:
        self._request = request
        self._inputs = {name: request.get_tensor(name).data for name in inputs}
        self._outputs = {name: request.get_tensor(name).data for name in outputs}

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        for name, value in inputs.items():
            np.copyto(self._inputs[name], value)
        self._request.infer(share_outputs=True)
        return {name: value.copy() for name, value in self._outputs.items()}


def bf16_engine(pack: ModelPack) -> OpenVinoEngine:
    """Build the engine openvino-bf16."""
    return OpenVinoEngine(pack, bf16=True)


def probe_bf16() -> str:
    """Say that this CPU computes in bfloat16; raises `EngineError` where it does not."""
    if not has_bf16():
        raise EngineError("this CPU has no bfloat16: choose the engine openvino")
    return f"this CPU computes in bfloat16 (OpenVINO {openvino.__version__.partition('-')[0]})"


def has_bf16() -> bool:
    """Tell whether this CPU computes in bfloat16 (AVX-512 BF16 or AMX): elsewhere OpenVINO would only pretend to."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@functools.cache
def _core() -> Any:
    return openvino.Core()


def _ports(ports: list[Any]) -> dict[str, list[int]]:
    return {name: _shape(port.partial_shape) for port in ports for name in port.get_names()}


def _shape(shape: Any) -> list[int]:
    if shape.rank.is_dynamic:
        # The CPU plug-in does not compile a graph whose outputs have no rank: refused now, not at the first batch.
        raise ValueError("rank")
    return [-1 if axis.is_dynamic else axis.get_length() for axis in shape]
