"""ONNX Runtime: the reference that every other engine is compared with."""

from __future__ import annotations

from typing import cast

import numpy as np
import onnxruntime

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


class OnnxEngine:
    """Runs a pack in ONNX Runtime on the CPU, one thread a call; `InferenceSession.run` is itself thread-safe."""

    def __init__(self, pack: ModelPack) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(str(pack.model), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            reason = type(error).__name__
            raise EngineError(f"ONNX Runtime cannot load {pack.model} ({reason}): reinstall the model pack") from None
        self._manifest = pack.manifest
        self._outputs = [spec.name for spec in pack.manifest.outputs]
        check_interface(
            pack.manifest,
            {node.name: _shape(node.shape) for node in self._session.get_inputs()},
            {node.name: _shape(node.shape) for node in self._session.get_outputs()},
        )

    @property
    def manifest(self) -> Manifest:
        """The manifest of the pack that this engine runs."""
        return self._manifest

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        """Run one batch; see `Engine.run`."""
        check_inputs(self._manifest, inputs)
        try:
            values = self._session.run(self._outputs, {k: np.ascontiguousarray(v) for k, v in inputs.items()})
        except Exception as error:
            reason = type(error).__name__
            raise InputError(f"{self._manifest.name} does not take these inputs ({reason})") from error
        return {name: cast("FloatArray", value) for name, value in zip(self._outputs, values, strict=True)}

    def warm_up(self) -> None:
        """Run once on zeros."""
        self.run(zeros(self._manifest))


def _shape(dimensions: list[int | str | None]) -> list[int]:
    return [n if isinstance(n, int) else -1 for n in dimensions]
