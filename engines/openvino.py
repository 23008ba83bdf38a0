"""OpenVINO on the CPU: the default engine. One thread a call and full float32, so that results do not depend on the machine's load."""

from __future__ import annotations

import threading

import numpy as np
import openvino

from engines.base import Arrays, EngineError, FloatArray, Manifest, ModelPack, check_inputs, zeros


class OpenVinoEngine:
    """Runs a pack in OpenVINO; each calling thread has an infer request of its own, which is what makes `run` thread-safe."""

    def __init__(self, pack: ModelPack) -> None:
        config = {
            "INFERENCE_NUM_THREADS": 1,
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        try:
            core = openvino.Core()
            self._compiled = core.compile_model(core.read_model(pack.model), "CPU", config)
        except Exception as error:
            raise EngineError(f"OpenVINO cannot load {pack.model} ({type(error).__name__}): try --engine onnx") from None
        self._manifest = pack.manifest
        self._outputs = [spec.name for spec in pack.manifest.outputs]
        self._local = threading.local()

    @property
    def manifest(self) -> Manifest:
        """The manifest of the pack that this engine runs."""
        return self._manifest

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        """Run one batch; see `Engine.run`."""
        check_inputs(self._manifest, inputs)
        request = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self._compiled.create_infer_request()
        request.infer({name: np.ascontiguousarray(value) for name, value in inputs.items()}, share_inputs=True)
        # The request's own buffers are overwritten by the next call on this thread.
        return {name: np.array(request.get_tensor(name).data) for name in self._outputs}

    def warm_up(self) -> None:
        """Run once on zeros."""
        self.run(zeros(self._manifest))
