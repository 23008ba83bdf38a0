"""How exact an engine is, decided in the graph: strongly typed runtimes compute what the ONNX says and nothing else.

A pack in another precision is a pack like any other, with a hash of its own, which every engine runs and the parity
gate judges. Its inputs and outputs stay float32, whatever lies between. Needs `onnx`; onnxruntime brings the tools.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from engines.base import MODEL, Arrays, EngineError, FloatArray, ModelPack
from engines.seal import seal
from engines.trust import MANIFEST

# What TensorRT asks of explicit quantisation: no zero points, and biases left in floating point.
# https://docs.nvidia.com/deeplearning/tensorrt/latest/inference-library/work-quantized-types.html
TENSORRT_INT8 = {
    "ActivationSymmetric": True,
    "WeightSymmetric": True,
    "QuantizeBias": False,
    "AddQDQPairToWeight": True,
}


def float16_graph(pack: ModelPack) -> bytes:
    """Return the pack's ONNX with float16 between float32 inputs and outputs; raises `EngineError`."""
    try:
        import onnx
        from onnxruntime.transformers.float16 import convert_float_to_float16
    except ImportError as error:
        raise EngineError(f"float16 needs onnx ({error}): install `sidewitness[tensorrt]`") from None
    try:
        half = convert_float_to_float16(onnx.load(pack.model), keep_io_types=True)
    except Exception as error:
        reason = type(error).__name__
        raise EngineError(f"{pack.manifest.name} cannot be written in float16 ({reason}): keep float32") from None
    return bytes(half.SerializeToString())


def int8_graph(pack: ModelPack, examples: Iterable[Arrays], options: Mapping[str, Any] = TENSORRT_INT8) -> bytes:
    """Return the pack's ONNX with explicit int8 Q/DQ nodes, ranges taken from `examples`: batches of real inputs.

    Weights have a scale per output channel. What comes back is only as good as the examples are like what will be seen.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class Examples(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._batches: Iterator[Arrays] = iter(examples)

        def get_next(self) -> dict[str, FloatArray] | None:
            batch = next(self._batches, None)
            return None if batch is None else dict(batch)

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "model.onnx"
        quantize_static(
            pack.model,
            out,
            Examples(),
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            extra_options=dict(options),
        )
        return out.read_bytes()


def write_variant(pack: ModelPack, model: bytes, precision: str, out: Path) -> Path:
    """Write the pack with another graph to `out/<name>`, which must not be there; return that folder.

    All else of the pack comes along; its manifest says the precision and what it was made of.
    """
    folder = out / pack.folder.name
    try:
        shutil.copytree(pack.folder, folder)
        manifest = json.loads((folder / MANIFEST).read_text())
        manifest["recipe"] = {**manifest.get("recipe", {}), "precision": precision, "made_of": manifest["sha256"]}
        manifest["version"] = f"{manifest['version']}-{precision}"
        (folder / MODEL).write_bytes(model)
        seal(folder, manifest)
    except FileExistsError:
        raise EngineError(f"{folder} is there already: name a new folder") from None
    except OSError as error:
        raise EngineError(f"{folder} cannot be written ({error.strerror}): name another folder") from None
    return folder
