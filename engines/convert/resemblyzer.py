"""Resemblyzer's voice encoder to the pack `voice_identity`: weights of its published file, a graph of our own.

The published file is `pretrained.pt` (Corentin Jemine, Resemble AI; Apache-2.0), which the package `resemblyzer`
carries: GE2E (Wan et al., ICASSP 2018), an LSTM of three layers whose last state becomes 256 numbers of unit length.
That package would install torch: its wheel is read as an archive, or the file as it is there, nothing of it is
imported, and of the checkpoint only numbers are read (`engines.convert.torch_numbers`).
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.base import EngineError, TensorSpec
from engines.convert.builder import OPSET, GraphBuilder
from engines.convert.cards import VOICE_IDENTITY_CARD
from engines.convert.pack import of_wheel, provenance, write_pack
from engines.convert.torch_numbers import tensors

PACK = "voice_identity"
PACKAGE = "resemblyzer"
MEMBER = "pretrained.pt"
SHA256 = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"
FRAMES, BANDS, WIDTH, LAYERS = 160, 40, 256, 3
# Where the network is in the checkpoint.
_ROOT = "model_state."
_MIN_NORM = 1e-6

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
        **provenance(data, file, "resemblyzer", SHA256),
        "preprocessing": {
            "rate_hz": 16000,
            "frames": FRAMES,
            "bands": BANDS,
            "sound": "40 mel bands of power, 25 ms every 10 ms, at -30 dB of full scale (monitor.voice.mel40)",
            "distance": "cosine, between embeddings, which have unit length",
        },
        "recipe": {"script": "engines/convert/resemblyzer.py", "opset": OPSET, "file_sha256": digest},
    }
    inputs, outputs = (TensorSpec("frames", (FRAMES, BANDS)),), (TensorSpec("embedding", (WIDTH,)),)
    write_pack(folder, model, inputs, outputs, about, VOICE_IDENTITY_CARD.format(sha256=digest))
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
    raise EngineError(f"{file} holds no {MEMBER}: name a wheel of {PACKAGE} 0.1.4 or later")


def shapes() -> dict[str, tuple[int, ...]]:
    """Give the shape of every weight by its published name."""
    named: dict[str, tuple[int, ...]] = {"linear.weight": (WIDTH, WIDTH), "linear.bias": (WIDTH,)}
    for n in range(LAYERS):
        named |= {f"lstm.weight_ih_l{n}": (4 * WIDTH, WIDTH if n else BANDS)}
        named |= {f"lstm.weight_hh_l{n}": (4 * WIDTH, WIDTH)}
        named |= {f"lstm.bias_{part}_l{n}": (4 * WIDTH,) for part in ("ih", "hh")}
    return named


def weights(data: bytes, file: Path) -> Weights:
    """Read the weights of the published file by their names; raises `EngineError` when it is another network."""
    found = tensors(data, file.name)
    named = {name: found.get(_ROOT + name) for name in shapes()}
    known = {name: value for name, value in named.items() if value is not None}
    if any(name not in known or known[name].shape != shape for name, shape in shapes().items()):
        raise EngineError(f"{file} holds another network: name {MEMBER}, or a wheel of {PACKAGE}")
    if not all(np.isfinite(value).all() for value in known.values()):
        raise EngineError(f"{file} holds numbers that are not finite: download it again")
    return known


def build(named: Weights) -> bytes:
    """Make the ONNX model: `frames` (N, 160, 40) to `embedding` (N, 256)."""
    graph = GraphBuilder()
    steps = graph.node("Transpose", "frames", perm=[1, 0, 2])
    for n in range(LAYERS):
        biases = np.concatenate([_gates(named[f"lstm.bias_{part}_l{n}"]) for part in ("ih", "hh")])
        parts = [_gates(named[f"lstm.weight_{part}_l{n}"])[None] for part in ("ih", "hh")]
        inputs = [steps, *map(graph.weight, (*parts, biases[None]))]
        graph.add("LSTM", inputs, [f"y{n}", f"h{n}"], hidden_size=WIDTH)
        steps = graph.node("Squeeze", f"y{n}", graph.integers([1]))
    last = graph.node("Squeeze", f"h{LAYERS - 1}", graph.integers([0]))
    said = graph.node("MatMul", last, graph.weight(named["linear.weight"].T))
    raw = graph.node("Relu", graph.node("Add", said, graph.weight(named["linear.bias"])))
    length = graph.node("ReduceL2", raw, axes=[1], keepdims=1)
    # A network of other weights may say nothing at all: then the numbers are zero and not undefined.
    graph.add("Div", [raw, graph.node("Max", length, graph.weight(np.array([_MIN_NORM], np.float32)))], ["embedding"])
    return graph.model(PACK, {"frames": ["batch", FRAMES, BANDS]}, {"embedding": ["batch", WIDTH]})


def _gates(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Order gates as ONNX has them (input, output, forget, cell); torch has input, forget, cell, output."""
    enter, forget, cell, leave = np.split(rows, 4)
    return np.concatenate([enter, leave, forget, cell])
