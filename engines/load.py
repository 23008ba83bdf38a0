"""From a pack's name to a warm engine."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from engines.base import MODELS, Engine, EngineError, load_pack

EngineName = Literal["openvino", "onnx"]


def load_engine(name: str, engine: EngineName = "openvino", models: Path = MODELS) -> Engine:
    """Verify, compile and warm up the pack `models/name`; raises `EngineError` with one line that says what to do."""
    if engine not in get_args(EngineName):
        raise EngineError(f"unknown engine {engine!r}: use one of {', '.join(get_args(EngineName))}")
    pack = load_pack(models / name)
    built: Engine
    if engine == "onnx":
        from engines.onnx import OnnxEngine

        built = OnnxEngine(pack)
    else:
        from engines.openvino import OpenVinoEngine

        built = OpenVinoEngine(pack)
    built.warm_up()
    return built
