"""Convolution and pooling of ONNX in torch, over one, two or three axes, with padding that may differ at both ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from engines.base import EngineError

Attributes = Mapping[str, Any]
_MAX_POOL = (F.max_pool1d, F.max_pool2d, F.max_pool3d)
_AVERAGE_POOL = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)


def convolution(attributes: Attributes, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Run Conv: x (B, C, *axes), weight (out, C / group, *kernel)."""
    strides, dilations, begin, end = _window(attributes, x, weight.shape[2:])
    if begin != end:
        x, begin = padded(x, begin, end, 0.0), [0] * len(begin)
    group = attributes.get("group", 1)
    return torch.convolution(x, weight, bias, strides, begin, dilations, False, [0] * len(begin), group)


def max_pool(attributes: Attributes, x: Tensor) -> Tensor:
    """Run MaxPool; raises `EngineError` for `ceil_mode`."""
    kernel = attributes["kernel_shape"]
    strides, dilations, begin, end = _window(attributes, x, kernel)
    # torch pads by half a window at most; what it cannot is padded before.
    if begin != end or any(2 * pad > size for pad, size in zip(begin, kernel, strict=True)):
        x, begin = padded(x, begin, end, float("-inf")), [0] * len(begin)
    return _MAX_POOL[len(kernel) - 1](x, kernel, strides, begin, dilations)


def average_pool(attributes: Attributes, x: Tensor) -> Tensor:
    """Run AveragePool; raises `EngineError` for `ceil_mode`, dilation, and ends padded differently but not counted."""
    kernel = attributes["kernel_shape"]
    strides, dilations, begin, end = _window(attributes, x, kernel)
    counted = bool(attributes.get("count_include_pad", 0))
    if max(dilations) > 1 or (begin != end and not counted):
        raise EngineError("PyTorch runs no such AveragePool (dilations or pads) here: choose the engine onnx")
    if begin != end:
        x, begin = padded(x, begin, end, 0.0), [0] * len(begin)
    return _AVERAGE_POOL[len(kernel) - 1](x, kernel, strides, begin, False, counted)


def _window(
    attributes: Attributes, x: Tensor, kernel: Sequence[int]
) -> tuple[list[int], list[int], list[int], list[int]]:
    """Strides, dilations, and the padding at the beginning and at the end of each axis."""
    if attributes.get("ceil_mode", 0):
        raise EngineError("PyTorch runs no pooling with ceil_mode here: choose the engine onnx")
    axes = len(kernel)
    strides = list(attributes.get("strides", [1] * axes))
    dilations = list(attributes.get("dilations", [1] * axes))
    pads = list(attributes.get("pads", [0] * (2 * axes)))
    auto = attributes.get("auto_pad", "NOTSET")
    if auto == "NOTSET":
        return strides, dilations, pads[:axes], pads[axes:]
    if auto == "VALID":
        return strides, dilations, [0] * axes, [0] * axes
    total = [
        max((-(-length // stride) - 1) * stride + (size - 1) * dilation + 1 - length, 0)
        for length, stride, size, dilation in zip(x.shape[2:], strides, kernel, dilations, strict=True)
    ]
    less, more = [n // 2 for n in total], [n - n // 2 for n in total]
    return strides, dilations, *((less, more) if auto == "SAME_UPPER" else (more, less))


def padded(x: Tensor, begin: Sequence[int], end: Sequence[int], value: float) -> Tensor:
    """Pad the last axes of `x` with `value`, each by its own number at either end."""
    ends = [n for pair in zip(reversed(begin), reversed(end), strict=True) for n in pair]
    return F.pad(x, ends, value=value)
