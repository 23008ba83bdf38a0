"""Writes networks as dlib writes them, so that tests need no published file.

Numpy only: dlib's environment runs it too. `residual` is the face network with chosen widths and seeded weights; with
`WIDTHS` dlib itself loads it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

WIDTHS = (32, 64, 128, 256)
# Blocks of each level after the one that halves; the first level has no such one.
DEPTHS = (3, 3, 2, 2, 0)
OUTPUTS = 128
EMPTY = np.zeros((0, 0, 0, 0), np.float32)


def integer(value: int) -> bytes:
    size = max((abs(value).bit_length() + 7) // 8, 1)
    return bytes([size | (0x80 if value < 0 else 0)]) + abs(value).to_bytes(size, "little")


def real(value: float) -> bytes:
    fraction, power = math.frexp(value)
    return integer(int(fraction * (1 << 24))) + integer(power - 24)


def text(value: str) -> bytes:
    return integer(len(value)) + value.encode()


def shape(sizes: Sequence[int]) -> bytes:
    return b"".join(integer(n) for n in sizes)


def tensor(values: Floats) -> bytes:
    return integer(2) + shape(values.shape) + values.astype("<f4").tobytes()


def alias(sizes: Sequence[int]) -> bytes:
    return integer(1) + shape(sizes)


def flat(*values: Floats) -> Floats:
    return np.concatenate([value.reshape(-1) for value in values]).reshape(-1, 1, 1, 1).astype(np.float32)


def window(side: int, stride: int, padding: int) -> bytes:
    return b"".join(integer(n) for n in (side, side, stride, stride, padding, padding))


def rates() -> bytes:
    return real(1.0) * 4


def con(weight: Floats, bias: Floats, stride: int) -> bytes:
    side = weight.shape[2]
    sizes = alias(weight.shape) + alias((1, len(weight), 1, 1))
    inside = window(side, stride, side // 2 if stride == 1 else 0)
    return text("con_4") + tensor(flat(weight, bias)) + integer(len(weight)) + inside + sizes + rates()


def affine(gamma: Floats, beta: Floats) -> bytes:
    sizes = alias((1, len(gamma), 1, 1)) * 2
    return text("affine_") + tensor(flat(gamma, beta)) + sizes + integer(0)


def dense(weight: Floats) -> bytes:
    inputs, outputs = weight.shape
    sizes = alias((inputs, outputs, 1, 1)) + alias((0, 0, 0, 0))
    return text("fc_2") + integer(outputs) + integer(inputs) + tensor(flat(weight)) + sizes + integer(1) + rates()


def pool(kind: str, side: int, stride: int) -> bytes:
    return text(f"{kind}_2") + window(side, stride, 0)


def pixels(side: int = 150) -> bytes:
    means = b"".join(real(float(np.float32(mean))) for mean in (122.782, 117.001, 104.298))
    return text("input_rgb_image_sized") + means + integer(side) * 2


def network(steps: Sequence[bytes | None], opening: bytes | None = None) -> bytes:
    """Nest `steps`, the innermost first and None for a tag or a skip, round the input layer."""
    kinds = [3, *(1 if step is None else 2 for step in steps[1:])]
    head = integer(1) + text("loss_metric_2") + real(0.04) + real(0.6)
    body = [pixels() if opening is None else opening]
    for step, kind, after in zip(steps, kinds, [*steps[1:], None], strict=True):
        if step is not None:
            # dlib writes affine layers and rectifiers over what they read, and marks what is gone.
            gone = after is not None and after.startswith((text("affine_"), text("relu_")))
            body += [step, b"111" if gone else b"110", tensor(EMPTY) * 3, integer(1) if kind == 3 else b""]
    return head + b"".join(integer(kind) for kind in reversed(kinds)) + b"".join(body)


def residual(widths: Sequence[int] = WIDTHS, depths: Sequence[int] = DEPTHS, seed: int = 0) -> bytes:
    """The face network with seeded weights: a stem, and levels of which all but the first begin by halving."""
    return network(list(_steps(widths, depths, np.random.default_rng(seed))))


def _steps(widths: Sequence[int], depths: Sequence[int], random: np.random.Generator) -> Iterator[bytes | None]:
    def convolution(inputs: int, outputs: int, side: int, stride: int) -> Iterator[bytes]:
        scale = math.sqrt(2 / (inputs * side * side))
        weight = (scale * random.standard_normal((outputs, inputs, side, side))).astype(np.float32)
        yield con(weight, (0.1 * random.standard_normal(outputs)).astype(np.float32), stride)
        gamma = random.uniform(0.5, 1.1, outputs).astype(np.float32)
        yield affine(gamma, (0.1 * random.standard_normal(outputs)).astype(np.float32))

    def block(inputs: int, outputs: int, stride: int) -> Iterator[bytes | None]:
        yield None
        yield from convolution(inputs, outputs, 3, stride)
        yield text("relu_")
        yield from convolution(outputs, outputs, 3, 1)
        if stride == 2:
            yield None
            yield None
            yield pool("avg_pool", 2, 2)
        yield text("add_prev_")
        yield text("relu_")

    # The last level is as wide as the one before it.
    outputs = [*widths, *[widths[-1]] * (len(depths) - len(widths))]
    yield from convolution(3, outputs[0], 7, 2)
    yield text("relu_")
    yield pool("max_pool", 3, 2)
    now = outputs[0]
    for level, (width, depth) in enumerate(zip(outputs, depths, strict=True)):
        if level:
            yield from block(now, width, 2)
        for _ in range(depth):
            yield from block(width, width, 1)
        now = width
    yield pool("avg_pool", 0, 1)
    yield dense((random.standard_normal((now, OUTPUTS)) / math.sqrt(now)).astype(np.float32))
