"""From a pack's name to a warm engine."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from engines.base import MODELS, Engine, EngineError, ModelPack, load_pack

EngineName = Literal["openvino", "openvino-bf16", "onnx", "tensorrt", "pytorch", "pytorch-fp16"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
INSTALL = {
    "openvino": "reinstall sidewitness",
    "openvino-bf16": "reinstall sidewitness",
    "onnx": "reinstall sidewitness",
    "tensorrt": "install `sidewitness[tensorrt]` on a machine with an NVIDIA GPU, or choose the engine openvino",
    "pytorch": "install `sidewitness[pytorch]`, or choose the engine openvino",
    "pytorch-fp16": "install `sidewitness[pytorch]`, or choose the engine openvino",
}


def load_engine(name: str, engine: EngineName = "openvino", models: Path = MODELS, wait: bool = False) -> Engine:
    """Verify, compile and warm up the pack `models/name`; raises `EngineError` with one line that says what to do.

    A pack whose manifest names an `engine` under `preprocessing` runs in that one, whatever is asked for. TensorRT
    compiles in the background while OpenVINO serves, and OpenVINO serves again should the GPU fail; with `wait` it is
    compiled now, and nothing takes its place.
    """
    if engine not in ENGINES:
        raise EngineError(f"unknown engine {engine!r}: use one of {', '.join(ENGINES)}")
    pack = load_pack(models / name)
    only = pack.manifest.preprocessing.get("engine", engine)
    if only not in ENGINES:
        raise EngineError(f"the pack {name} wants the engine {only!r}, which is not there: update sidewitness")
    built = _build(pack, only, wait)
    built.warm_up()
    return built


def pack_names(models: Path = MODELS) -> list[str]:
    """Names of the packs in `models`, sorted: the folders that have a manifest."""
    return sorted(path.parent.name for path in models.glob("*/manifest.json"))


def _build(pack: ModelPack, engine: EngineName, wait: bool = False) -> Engine:
    # A runtime takes a tenth of a second or more to import: only the one that is asked for is.
    try:
        if engine == "onnx":
            from engines.runtimes.onnx import OnnxEngine

            return OnnxEngine(pack)
        if engine == "tensorrt":
            return _tensorrt(pack, wait)
        if engine in ("pytorch", "pytorch-fp16"):
            from engines.runtimes.pytorch.engine import TorchEngine

            return TorchEngine(pack, precision="fp16" if engine == "pytorch-fp16" else "fp32")
        from engines.runtimes.openvino import OpenVinoEngine

        return OpenVinoEngine(pack, bf16=engine == "openvino-bf16")
    except ImportError as error:
        raise EngineError(f"the engine {engine} cannot be imported ({error}): {INSTALL[engine]}") from None


def _tensorrt(pack: ModelPack, wait: bool) -> Engine:
    from engines.compose.swap import SwappingEngine
    from engines.runtimes.tensorrt.build import open_builder
    from engines.runtimes.tensorrt.engine import TensorRtEngine

    builder = open_builder()

    def build() -> Engine:
        return TensorRtEngine(pack, builder, builder.build(pack))

    return build() if wait else SwappingEngine(_build(pack, "openvino"), build)
