"""ONNX Runtime: the reference that every other engine is compared with."""

from __future__ import annotations

from typing import cast

import onnxruntime

from engines.base import Arrays, EngineError, FloatArray, Manifest, ModelPack, check_inputs, zeros


class OnnxEngine:
    """Runs a pack in ONNX Runtime on the CPU, one thread a call; `InferenceSession.run` is itself thread-safe."""

    def __init__(self, pack: ModelPack) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(pack.model), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise EngineError(f"ONNX Runtime cannot load {pack.model} ({type(error).__name__}): reinstall the model pack") from None
        self._manifest = pack.manifest
        self._outputs = [spec.name for spec in pack.manifest.outputs]

    @property
    def manifest(self) -> Manifest:
        """The manifest of the pack that this engine runs."""
        return self._manifest

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        """Run one batch; see `Engine.run`."""
        check_inputs(self._manifest, inputs)
        values = self._session.run(self._outputs, dict(inputs))
        return {name: cast("FloatArray", value) for name, value in zip(self._outputs, values, strict=True)}

    def warm_up(self) -> None:
        """Run once on zeros."""
        self.run(zeros(self._manifest))
