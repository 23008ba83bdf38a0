"""ONNX operators that move numbers without changing them, and those that make them from shapes, in torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor

from engines.base import EngineError
from engines.runtimes.pytorch.onnx_windows import padded

Attributes = Mapping[str, Any]
# By number of onnx.TensorProto.DataType.
_TYPES = {
    1: torch.float32,
    2: torch.uint8,
    3: torch.int8,
    6: torch.int32,
    7: torch.int64,
    9: torch.bool,
    10: torch.float16,
    11: torch.float64,
    16: torch.bfloat16,
}


def dtype(number: int) -> torch.dtype:
    """Look up a type of ONNX; raises `EngineError` for one that torch has no room for here."""
    if number not in _TYPES:
        raise EngineError(f"PyTorch has no numbers of ONNX type {number} here: choose the engine onnx")
    return _TYPES[number]


def _constant(attributes: Attributes) -> Tensor:
    given = {key: value for key, value in attributes.items() if key.startswith("value")}
    (key, value), *_ = given.items()
    if isinstance(value, Tensor):
        return value
    return torch.tensor(value, dtype=torch.float32 if key.startswith("value_float") else torch.int64)


def _reshape(attributes: Attributes, x: Tensor, shape: Sequence[int]) -> Tensor:
    if not attributes.get("allowzero", 0):
        shape = [x.shape[n] if size == 0 else size for n, size in enumerate(shape)]
    return x.reshape(tuple(shape))


def _flatten(attributes: Attributes, x: Tensor) -> Tensor:
    axis = attributes.get("axis", 1)
    axis += x.dim() if axis < 0 else 0
    return x.reshape(x.shape[:axis].numel(), x.shape[axis:].numel())


def _transpose(attributes: Attributes, x: Tensor) -> Tensor:
    return x.permute(attributes.get("perm", list(reversed(range(x.dim())))))


def _squeeze(_: Attributes, x: Tensor, axes: Sequence[int] | None = None) -> Tensor:
    if axes is None:
        return x.squeeze()
    for axis in axes:
        if x.shape[axis] != 1:
            raise ValueError("an axis to squeeze is longer than 1")
    return x.squeeze(tuple(axes))


def _unsqueeze(_: Attributes, x: Tensor, axes: Sequence[int]) -> Tensor:
    for axis in sorted(axis % (x.dim() + len(axes)) for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _slice(
    _: Attributes,
    x: Tensor,
    starts: Sequence[int],
    ends: Sequence[int],
    axes: Sequence[int] | None = None,
    steps: Sequence[int] | None = None,
) -> Tensor:
    axes = range(len(starts)) if axes is None else axes
    for start, end, axis, step in zip(starts, ends, axes, steps or [1] * len(starts), strict=True):
        picked = range(*slice(start, end, step).indices(x.shape[axis]))
        # torch knows no steps backwards; a range turned round has positive ones.
        forwards = picked if step > 0 else picked[::-1]
        x = _along(x, axis, slice(forwards.start, forwards.stop, forwards.step) if picked else slice(0))
        x = x if step > 0 else x.flip(axis)
    return x


def _along(x: Tensor, axis: int, part: slice) -> Tensor:
    return x[(*[slice(None)] * (axis % x.dim()), part)]


def _split(attributes: Attributes, x: Tensor, sizes: list[int] | None = None) -> tuple[Tensor, ...]:
    axis = attributes.get("axis", 0)
    if sizes is None:
        count = attributes.get("num_outputs", attributes["outputs"])
        return torch.split(x, -(-x.shape[axis] // count), axis)
    return torch.split(x, sizes, axis)


def _concat(attributes: Attributes, *parts: Tensor) -> Tensor:
    return torch.cat(parts, attributes["axis"])


def _expand(_: Attributes, x: Tensor, shape: Sequence[int]) -> Tensor:
    both = zip_longest(reversed(x.shape), reversed(shape), fillvalue=1)
    return x.expand([mine if theirs == 1 else theirs for mine, theirs in both][::-1])


def _pad(
    attributes: Attributes,
    x: Tensor,
    pads: Sequence[int],
    value: float | Sequence[float] | None = None,
    axes: Sequence[int] | None = None,
) -> Tensor:
    if attributes.get("mode", "constant") != "constant":
        raise EngineError("PyTorch pads with a constant only here: choose the engine onnx")
    begin, end = [0] * x.dim(), [0] * x.dim()
    chosen = range(x.dim()) if axes is None else axes
    for axis, first, last in zip(chosen, pads[: len(pads) // 2], pads[len(pads) // 2 :], strict=True):
        begin[axis], end[axis] = first, last
    filling = value[0] if isinstance(value, Sequence) else value or 0
    return padded(x, begin, end, filling)


def _gather(attributes: Attributes, x: Tensor, index: Tensor) -> Tensor:
    axis = attributes.get("axis", 0) % x.dim()
    picked = x.index_select(axis, _positive(index, x.shape[axis]).flatten())
    return picked.reshape((*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]))


def _gather_elements(attributes: Attributes, x: Tensor, index: Tensor) -> Tensor:
    axis = attributes.get("axis", 0)
    return x.gather(axis, _positive(index, x.shape[axis]))


def _gather_nd(attributes: Attributes, x: Tensor, index: Tensor) -> Tensor:
    if attributes.get("batch_dims", 0):
        raise EngineError("PyTorch runs no GatherND with batch_dims here: choose the engine onnx")
    return x[index.unbind(-1)]


def _positive(index: Tensor, size: int) -> Tensor:
    return torch.where(index < 0, index + size, index)


def _shape(attributes: Attributes, x: Tensor) -> Tensor:
    return torch.tensor(x.shape[attributes.get("start", 0) : attributes.get("end")], dtype=torch.int64)


def _eye_like(attributes: Attributes, x: Tensor) -> Tensor:
    kind = dtype(attributes["dtype"]) if "dtype" in attributes else x.dtype
    made = torch.zeros(x.shape, dtype=kind)
    made.diagonal(attributes.get("k", 0)).fill_(1)
    return made


def _constant_of_shape(attributes: Attributes, shape: Sequence[int]) -> Tensor:
    value: Tensor = attributes.get("value", torch.zeros(1))
    return value.flatten()[0].expand(tuple(shape)).clone()


def _range(_: Attributes, start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    return torch.arange(start.item(), limit.item(), delta.item(), dtype=start.dtype)


# The function, which inputs it takes as lists, and whether it needs no more of a tensor than its shape.
SHAPES: dict[str, tuple[Callable[..., Tensor | tuple[Tensor, ...]], tuple[int, ...], bool]] = {
    "Cast": (lambda attributes, x: x.to(dtype(attributes["to"])), (), False),
    "Concat": (_concat, (), False),
    "Constant": (_constant, (), False),
    "ConstantOfShape": (_constant_of_shape, (0,), False),
    "Expand": (_expand, (1,), False),
    "EyeLike": (_eye_like, (), True),
    "Flatten": (_flatten, (), False),
    "Gather": (_gather, (), False),
    "GatherElements": (_gather_elements, (), False),
    "GatherND": (_gather_nd, (), False),
    "Identity": (lambda _, x: x, (), False),
    "Pad": (_pad, (1, 2, 3), False),
    "Range": (_range, (), False),
    "Reshape": (_reshape, (1,), False),
    "Shape": (_shape, (), True),
    "Slice": (_slice, (1, 2, 3, 4), False),
    "Split": (_split, (1,), False),
    "Squeeze": (_squeeze, (1,), False),
    "Transpose": (_transpose, (), False),
    "Unsqueeze": (_unsqueeze, (1,), False),
    "Where": (lambda _, condition, a, b: torch.where(condition, a, b), (), False),
}
