"""A third party's engine, in one file: ONNX Runtime on two threads. Tests copy it to a place of its own."""

from __future__ import annotations

from typing import Any

from engines.base import Arrays, FloatArray, Manifest, ModelPack, check_inputs, zeros
from engines.registry import EngineSpec


class ToyEngine:
    """Runs a pack; see `engines.base.Engine`."""

    def __init__(self, pack: ModelPack) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        self.manifest: Manifest = pack.manifest
        self._session: Any = onnxruntime.InferenceSession(str(pack.model), options, providers=["CPUExecutionProvider"])

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        check_inputs(self.manifest, inputs)
        names = [spec.name for spec in self.manifest.outputs]
        return dict(zip(names, self._session.run(names, dict(inputs)), strict=True))

    def warm_up(self) -> None:
        self.run(zeros(self.manifest))


SPEC = EngineSpec("toy", build=ToyEngine, remedy="install onnxruntime", batched=True, distribution="onnxruntime")
