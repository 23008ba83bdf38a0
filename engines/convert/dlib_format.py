"""dlib's own file format, as much of it as a convolutional network needs: bytes in, layers out. Pure.

Integers are a control byte (how many bytes follow, the high bit for a minus) and little-endian bytes; a floating-point
number is two of them, mantissa and power of two; a string is its length and its characters; a tensor is a version, four
sizes and float32 values. A network is nested from the outside in: first the version numbers of all its layers, then the
innermost layer, then each further layer's own fields followed by buffers of the training, which are dropped here. Read
off `dlib/serialize.h`, `dlib/cuda/tensor.h` and `dlib/dnn/core.h` of dlib 20.0 (Boost Software License).

Nothing in a file is run, and no length in it is believed before that many bytes are known to be there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engines.base import EngineError

Floats = NDArray[np.float32]

# Networks nest a few hundred deep; a file that says more is not one.
MAX_DEPTH = 4096
MAX_NAME_BYTES = 64
# What an outer layer's version number says: it has fields of its own, or it only marks a place (tag, skip).
_INNERMOST, _LAYER, _MARK = 3, 2, 1


class FormatError(EngineError):
    """The bytes are not a network in dlib's format; the message says where and what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One step of a network, in the order in which data pass it.

    `kind` is dlib's name without its version ("con", "affine", "relu", "max_pool", "avg_pool", "add_prev", "fc",
    "input_rgb_image_sized"; "mark" for a tag or a skip, whose number the file does not hold). `numbers` are its sizes,
    `values` its parameters.
    """

    kind: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    values: Mapping[str, Floats] = field(default_factory=dict)


class Reader:
    """Walks through the bytes once, front to back."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def remaining(self) -> int:
        """How many bytes were not read yet."""
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        """Read `count` bytes."""
        if count > self.remaining:
            raise FormatError(f"the file ends after {len(self._data)} bytes, inside a field: download it again")
        self._at += count
        return self._data[self._at - count : self._at]

    def integer(self) -> int:
        """Read a whole number."""
        control = self.take(1)[0]
        if control & 0x70 or not 1 <= control & 0x0F <= 8:
            raise FormatError(f"no whole number at byte {self._at - 1}: name a network saved by dlib")
        size = int.from_bytes(self.take(control & 0x0F), "little")
        return -size if control & 0x80 else size

    def size(self, limit: int) -> int:
        """Read a whole number in 0..limit."""
        value = self.integer()
        if not 0 <= value <= limit:
            raise FormatError(f"a size of {value} at byte {self._at} cannot be: name a network saved by dlib")
        return value

    def real(self) -> float:
        """Read a floating-point number; infinity and NaN are refused."""
        mantissa, power = self.integer(), self.integer()
        try:
            return math.ldexp(mantissa, power)
        except OverflowError:
            raise FormatError(f"a number before byte {self._at} is not finite: download the file again") from None

    def text(self) -> str:
        """Read a short string."""
        return self.take(self.size(MAX_NAME_BYTES)).decode("ascii", "replace")

    def flag(self) -> bool:
        """Read a truth value."""
        value = self.take(1)
        if value not in b"01":
            raise FormatError(f"no truth value at byte {self._at - 1}: name a network saved by dlib")
        return value == b"1"

    def shape(self) -> tuple[int, int, int, int]:
        """Read the four sizes of a tensor."""
        a, b, c, d = (self.size(len(self._data)) for _ in range(4))
        return a, b, c, d

    def tensor(self) -> Floats:
        """Read a tensor with its values, flat."""
        self._version(2)
        return np.frombuffer(self.take(4 * math.prod(self.shape())), "<f4").astype(np.float32)

    def alias(self) -> tuple[int, int, int, int]:
        """Read the shape of a view into another tensor."""
        self._version(1)
        return self.shape()

    def versions(self) -> list[int]:
        """Read the version numbers that open a network, the outermost first; the last is the innermost layer's."""
        numbers: list[int] = []
        while not numbers or numbers[-1] != _INNERMOST:
            numbers.append(self.integer())
            if numbers[-1] not in (_MARK, _LAYER, _INNERMOST) or len(numbers) > MAX_DEPTH:
                raise FormatError(f"version {numbers[-1]} of a layer is not known: name the file as it was published")
        return numbers

    def _version(self, expected: int) -> None:
        version = self.integer()
        if version != expected:
            raise FormatError(
                f"version {version} of a tensor is not known, {expected} is: name the file as it was published"
            )


def network(data: bytes) -> list[Layer]:
    """Read a network with a metric loss, first the input; raises `FormatError` with one line that says what to do."""
    reader = Reader(data)
    # The loss: its version, its name and its two settings.
    if reader.integer() != 1 or reader.text() != "loss_metric_2":
        raise FormatError(
            "this is not a network with dlib's metric loss: name dlib_face_recognition_resnet_model_v1.dat"
        )
    reader.real(), reader.real()
    outer = reader.versions()
    layers = [_input(reader)]
    for version in reversed(outer):
        if version == _MARK:
            layers.append(Layer("mark"))
            continue
        layers.append(_layer(reader))
        _training(reader, version)
    if reader.remaining:
        raise FormatError(f"{reader.remaining} bytes follow the network: name the file as it was published")
    return layers


def _input(reader: Reader) -> Layer:
    name = reader.text()
    if name != "input_rgb_image_sized":
        raise FormatError(f"the network reads {name!r}, not colour pictures of one size: name the face network")
    means = {colour: reader.real() for colour in ("red", "green", "blue")}
    return Layer(name, {**means, "rows": reader.integer(), "columns": reader.integer()})


def _training(reader: Reader, version: int) -> None:
    """Drop what a layer keeps of the training: three flags, three buffers, and the innermost a factor."""
    for _ in range(3):
        reader.flag()
    for _ in range(3):
        reader.tensor()
    if version == _INNERMOST:
        reader.integer()


def _layer(reader: Reader) -> Layer:
    name = reader.text()
    if name == "con_4":
        return _convolution(reader)
    if name == "affine_":
        values = reader.tensor()
        gamma, beta = math.prod(reader.alias()), math.prod(reader.alias())
        mode = reader.integer()
        return Layer("affine", {"mode": mode}, dict(_views(values, {"gamma": (gamma,), "beta": (beta,)})))
    if name in ("max_pool_2", "avg_pool_2"):
        return Layer(name.removesuffix("_2"), _window(reader))
    if name == "fc_2":
        return _dense(reader)
    if name in ("relu_", "add_prev_"):
        return Layer(name.removesuffix("_"))
    raise FormatError(f"a layer {name!r} is not known: name the file as it was published")


def _convolution(reader: Reader) -> Layer:
    values = reader.tensor()
    reader.integer()
    window = _window(reader)
    shapes = {"weight": reader.alias(), "bias": (math.prod(reader.alias()),)}
    _rates(reader)
    return Layer("con", window, dict(_views(values, shapes)))


def _dense(reader: Reader) -> Layer:
    outputs, inputs = reader.integer(), reader.integer()
    values = reader.tensor()
    weight = reader.alias()
    bias = math.prod(reader.alias())
    reader.integer()
    _rates(reader)
    shapes: dict[str, tuple[int, ...]] = {"weight": (math.prod(weight),), "bias": (bias,)}
    return Layer("fc", {"outputs": outputs, "inputs": inputs}, dict(_views(values, shapes)))


def _window(reader: Reader) -> dict[str, float]:
    names = ("rows", "columns", "stride_y", "stride_x", "padding_y", "padding_x")
    return {name: reader.integer() for name in names}


def _rates(reader: Reader) -> None:
    for _ in range(4):
        reader.real()


def _views(values: Floats, shapes: Mapping[str, tuple[int, ...]]) -> Iterator[tuple[str, Floats]]:
    """Cut the flat parameters of a layer into its tensors."""
    sizes = [math.prod(shape) for shape in shapes.values()]
    if sum(sizes) != len(values):
        raise FormatError(f"a layer has {len(values)} parameters where {sum(sizes)} are named: download the file again")
    if not np.isfinite(values).all():
        raise FormatError("the network has parameters that are not finite: download the file again")
    at = 0
    for (name, shape), size in zip(shapes.items(), sizes, strict=True):
        yield name, values[at : at + size].reshape(shape)
        at += size
