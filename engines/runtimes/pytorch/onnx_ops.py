"""ONNX operators as torch functions: the table that says what of ONNX can be run.

A function takes the node's attributes and its inputs and gives a tensor or a tuple of them; it reads no value out of a
tensor, because on a GPU that is a wait and inside a CUDA graph an error. What has to be known as numbers (shapes, axes)
comes as lists: `Op.host` names those inputs. Semantics: onnx.ai/onnx/operators, operator sets 13 to 23.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from engines.base import EngineError
from engines.runtimes.pytorch.onnx_shapes import SHAPES
from engines.runtimes.pytorch.onnx_windows import average_pool, convolution, max_pool

Attributes = Mapping[str, Any]
Precision = Literal["low", "wide", "follow"]


@dataclass(frozen=True, slots=True)
class Op:
    """How an operator is run.

    `precision` says what happens where the network runs in half precision: "low" takes its inputs in half (products
    with weights, where the time goes), "wide" in float32 (sums, roots, exponentials, and products of what was computed
    with itself, where half overflows), "follow" as they come.
    `of_shape` needs its input's shape and not its numbers.
    """

    run: Callable[..., Tensor | tuple[Tensor, ...]]
    host: frozenset[int] = frozenset()
    precision: Precision = "follow"
    of_shape: bool = False


def _unary(function: Callable[[Tensor], Tensor]) -> Callable[[Attributes, Tensor], Tensor]:
    return lambda _, x: function(x)


def _divide(_: Attributes, a: Tensor, b: Tensor) -> Tensor:
    return a / b if a.is_floating_point() else torch.div(a, b, rounding_mode="trunc")


def _most(_: Attributes, first: Tensor, *others: Tensor) -> Tensor:
    for other in others:
        first = torch.maximum(first, other)
    return first


def _least(_: Attributes, first: Tensor, *others: Tensor) -> Tensor:
    for other in others:
        first = torch.minimum(first, other)
    return first


def _clip(_: Attributes, x: Tensor, low: float | None = None, high: float | None = None) -> Tensor:
    return x if low is None and high is None else torch.clamp(x, low, high)


def _prelu(_: Attributes, x: Tensor, slope: Tensor) -> Tensor:
    if x.dim() > 1 and slope.dim() == x.dim() - 1 and slope.numel() == slope.shape[0] == x.shape[1]:
        return F.prelu(x, slope.flatten())
    return torch.where(x < 0, slope * x, x)


def _softmax(attributes: Attributes, x: Tensor) -> Tensor:
    return torch.softmax(x, attributes.get("axis", -1))


def _gemm(attributes: Attributes, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    a = a.T if attributes.get("transA", 0) else a
    b = b.T if attributes.get("transB", 0) else b
    alpha, beta = attributes.get("alpha", 1.0), attributes.get("beta", 1.0)
    return alpha * (a @ b) if c is None else torch.addmm(c, a, b, alpha=alpha, beta=beta)


def _layer_norm(attributes: Attributes, x: Tensor, scale: Tensor, bias: Tensor | None = None) -> Tensor:
    return F.layer_norm(x, x.shape[attributes.get("axis", -1) :], scale, bias, attributes.get("epsilon", 1e-5))


def _batch_norm(attributes: Attributes, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, var: Tensor) -> Tensor:
    if attributes.get("training_mode", 0):
        raise EngineError("a network that is still being trained cannot be run: export it in evaluation mode")
    return F.batch_norm(x, mean, var, scale, bias, eps=attributes.get("epsilon", 1e-5))


def _reduction(
    reduce: Callable[[Tensor, list[int], bool], Tensor], alone: Callable[[Tensor], Tensor]
) -> Callable[[Attributes, Tensor, Sequence[int] | None], Tensor]:
    def run(attributes: Attributes, x: Tensor, axes: Sequence[int] | None = None) -> Tensor:
        # Up to operator set 17 the axes were an attribute.
        axes = attributes.get("axes", axes)
        if not axes and attributes.get("noop_with_empty_axes", 0):
            return alone(x)
        return reduce(x, list(axes or range(x.dim())), bool(attributes.get("keepdims", 1)))

    return run


def _global_average(_: Attributes, x: Tensor) -> Tensor:
    return x.mean(tuple(range(2, x.dim())), keepdim=True)


_WIDE: dict[str, Callable[[Tensor], Tensor]] = {
    "Cos": torch.cos,
    "Erf": torch.erf,
    "Exp": torch.exp,
    "Reciprocal": torch.reciprocal,
    "Sigmoid": torch.sigmoid,
    "Sin": torch.sin,
    "Sqrt": torch.sqrt,
    "Tanh": torch.tanh,
}
# What is done over axes, and what to each number where there are no axes.
_REDUCTIONS: dict[str, tuple[Callable[[Tensor, list[int], bool], Tensor], Callable[[Tensor], Tensor]]] = {
    "ReduceL2": (lambda x, axes, keep: torch.linalg.vector_norm(x, dim=axes, keepdim=keep), torch.abs),
    "ReduceMax": (torch.amax, torch.clone),
    "ReduceMean": (torch.mean, torch.clone),
    "ReduceSum": (torch.sum, torch.clone),
}

OPS: dict[str, Op] = {
    "Add": Op(lambda _, a, b: a + b),
    "AveragePool": Op(average_pool),
    "BatchNormalization": Op(_batch_norm, precision="wide"),
    "Clip": Op(_clip, frozenset((1, 2))),
    "Conv": Op(convolution, precision="low"),
    "Div": Op(_divide, precision="wide"),
    "Gemm": Op(_gemm, precision="low"),
    "GlobalAveragePool": Op(_global_average, precision="wide"),
    "LayerNormalization": Op(_layer_norm, precision="wide"),
    "MatMul": Op(lambda _, a, b: a @ b, precision="low"),
    "Max": Op(_most),
    "MaxPool": Op(max_pool),
    "Min": Op(_least),
    "Mul": Op(lambda _, a, b: a * b),
    "Neg": Op(_unary(torch.neg)),
    "PRelu": Op(_prelu),
    "Pow": Op(lambda _, a, b: torch.pow(a, b).to(a.dtype), precision="wide"),
    "Relu": Op(_unary(torch.relu)),
    "Softmax": Op(_softmax, precision="wide"),
    "Sub": Op(lambda _, a, b: a - b),
    **{name: Op(_unary(function), precision="wide") for name, function in _WIDE.items()},
    **{name: Op(_reduction(*functions), frozenset((1,)), "wide") for name, functions in _REDUCTIONS.items()},
    **{name: Op(run, frozenset(host), of_shape=of_shape) for name, (run, host, of_shape) in SHAPES.items()},
}
