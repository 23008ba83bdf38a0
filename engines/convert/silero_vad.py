"""Silero's voice activity detector to the pack `speech_presence`: weights of its published file, a graph of our own.

The published file is `silero_vad_16k_sequence.onnx` (Silero Team, MIT), which the package `silero-vad` carries. That
package would install torch: its wheel is read as an archive, or as files that are there, and nothing of it is
imported. The computation is that of the published graph; batch and time are axes of their own, and the two vectors
that the LSTM remembers are one input `state` and one output `state_out`, as in every streaming pack.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from engines.base import EngineError, TensorSpec
from engines.convert.builder import OPSET, GraphBuilder
from engines.convert.cards import SPEECH_PRESENCE_CARD
from engines.convert.pack import of_wheel, provenance, write_pack

PACK = "speech_presence"
PACKAGE = "silero-vad"
MEMBER = "silero_vad_16k_sequence.onnx"
SHA256 = "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85"
FRAME, CONTEXT = 512, 64
WIDTH = 128
# Samples mirrored at both ends of a frame before its short-time spectrum, whose first column is then left out.
_MIRROR = 128
# Convolutions after the spectrum: weights and biases by their published names, and the stride.
_LAYERS = tuple((f"encoder.{n}.weight", f"encoder.{n}.bias", stride) for n, stride in enumerate((1, 2, 2, 1)))
_SPECTRUM, _HEAD = "stft.forward_basis_buffer", ("output.weight", "output.bias")
_SHAPES = {
    _SPECTRUM: (258, 1, 256),
    "encoder.0.weight": (128, 129, 3),
    "encoder.1.weight": (64, 128, 3),
    "encoder.2.weight": (64, 64, 3),
    "encoder.3.weight": (128, 64, 3),
    "encoder.0.bias": (128,),
    "encoder.1.bias": (64,),
    "encoder.2.bias": (64,),
    "encoder.3.bias": (128,),
    "output.weight": (1, WIDTH, 1),
    "output.bias": (1,),
}
_LSTM = ((1, 4 * WIDTH, WIDTH), (1, 4 * WIDTH, WIDTH), (1, 8 * WIDTH))

Weights = dict[str, NDArray[np.float32]]


def published() -> Path:
    """Find the file in the installed package, without importing it; raises `EngineError` when it is not there."""
    return of_wheel(PACKAGE, MEMBER)


def convert(file: Path | None, out: Path) -> Path:
    """Write the pack into `out` and return its folder; raises `EngineError` with one line that says what to do.

    `file` is the published file, or a wheel that holds it; by default that of the installed package.
    """
    file = published() if file is None else file
    data = _read(file)
    digest = hashlib.sha256(data).hexdigest()
    model = build(weights(data, file))
    folder = out / PACK
    about = {
        "name": PACK,
        **provenance(data, file, "silero-vad", SHA256),
        "preprocessing": {
            "rate_hz": 16000,
            "frame_samples": FRAME,
            "context_samples": CONTEXT,
            # Small and with a state: a runtime that starts at once, on the thread that asks.
            "engine": "onnx",
        },
        "recipe": {"script": "engines/convert/silero_vad.py", "opset": OPSET, "file_sha256": digest},
    }
    inputs = TensorSpec("frames", (-1, CONTEXT + FRAME)), TensorSpec("state", (2 * WIDTH,))
    outputs = TensorSpec("presence", (-1, 1)), TensorSpec("state_out", (2 * WIDTH,))
    write_pack(folder, model, inputs, outputs, about, SPEECH_PRESENCE_CARD.format(sha256=digest))
    return folder


def _read(file: Path) -> bytes:
    try:
        data = file.read_bytes()
        if not zipfile.is_zipfile(io.BytesIO(data)):
            return data
        with zipfile.ZipFile(io.BytesIO(data)) as wheel:
            names = [name for name in wheel.namelist() if name.endswith(f"/{MEMBER}")]
            if names:
                return wheel.read(names[0])
    except OSError as error:
        raise EngineError(f"{file} cannot be read ({error.strerror or error}): check the path") from None
    except zipfile.BadZipFile:
        raise EngineError(f"{file} is a damaged archive: download it again") from None
    raise EngineError(f"{file} holds no {MEMBER}: name a wheel of {PACKAGE} 6.2 or later")


def weights(data: bytes, file: Path) -> Weights:
    """Read the weights of the published file by their names; raises `EngineError` when it is another network."""
    try:
        graph = onnx.load_model_from_string(data).graph
        found: Weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        lstm = next(node for node in graph.node if node.op_type == "LSTM")
        parts = {f"lstm.{n}": found[name] for n, name in enumerate(lstm.input[1:4])}
        named = {name: found[name] for name in _SHAPES} | parts
    except Exception:
        # Whatever is no ONNX file raises whatever protobuf raises.
        raise EngineError(f"{file} is not Silero's network: name {MEMBER}, or a wheel of {PACKAGE}") from None
    wanted = _SHAPES | {f"lstm.{n}": shape for n, shape in enumerate(_LSTM)}
    if any(named[name].shape != shape or named[name].dtype != np.float32 for name, shape in wanted.items()):
        raise EngineError(f"{file} holds a network of another size: name {MEMBER}, or a wheel of {PACKAGE}")
    return named


def build(named: Weights) -> bytes:
    """Make the ONNX model: `frames` (N, T, 576) and `state` (N, 256) to `presence` (N, T, 1) and `state_out`."""
    graph = GraphBuilder()
    frames = graph.node("Reshape", "frames", graph.integers([-1, CONTEXT + FRAME]))
    mirrored = graph.node("Pad", frames, graph.integers([0, _MIRROR, 0, _MIRROR]), mode="reflect")
    waves = graph.node("Unsqueeze", mirrored, graph.integers([1]))
    spectrum = graph.node("Conv", waves, graph.weight(named[_SPECTRUM]), strides=[128])
    parts = [graph.slice(graph.slice(spectrum, 1, begin, begin + 129), 2, 1, 1 << 30) for begin in (0, 129)]
    newest = graph.node("Sqrt", graph.node("Add", *(graph.node("Mul", part, part) for part in parts)))
    for weight, bias, stride in _LAYERS:
        inputs = newest, graph.weight(named[weight]), graph.weight(named[bias])
        newest = graph.node("Relu", graph.node("Conv", *inputs, strides=[stride], pads=[1, 1]))
    # (N * T, 128, 1) to (T, N, 128).
    shape = graph.node("Concat", graph.slice(graph.node("Shape", "frames"), 0, 0, 2), graph.integers([WIDTH]), axis=0)
    steps = graph.node("Transpose", graph.node("Reshape", newest, shape), perm=[1, 0, 2])
    hidden, cell = (
        graph.node("Unsqueeze", graph.slice("state", 1, begin, begin + WIDTH), graph.integers([0]))
        for begin in (0, WIDTH)
    )
    lstm = [graph.weight(named[f"lstm.{n}"]) for n in range(3)]
    graph.add("LSTM", [steps, *lstm, "", hidden, cell], ["remembered", "hidden", "cell"], hidden_size=WIDTH)
    said = graph.node("Relu", graph.node("Squeeze", "remembered", graph.integers([1])))
    head, offset = (named[name] for name in _HEAD)
    logits = graph.node("Add", graph.node("MatMul", said, graph.weight(head.reshape(WIDTH, 1))), graph.weight(offset))
    graph.add("Transpose", [graph.node("Sigmoid", logits)], ["presence"], perm=[1, 0, 2])
    last = [graph.node("Squeeze", name, graph.integers([0])) for name in ("hidden", "cell")]
    graph.add("Concat", last, ["state_out"], axis=1)
    ends: dict[str, list[str | int | None]] = {
        "frames": ["batch", "time", CONTEXT + FRAME],
        "state": ["batch", 2 * WIDTH],
    }
    return graph.model(PACK, ends, {"presence": ["batch", "time", 1], "state_out": ["batch", 2 * WIDTH]})
