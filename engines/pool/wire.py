"""What crosses between a pool and those who ask it: names, shapes and bytes, and a word for what was not computed.

Plain values of Python, so that nothing of ours is unpickled at either end. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TypeAlias

import numpy as np

from engines.base import Arrays, EngineError, FloatArray, InputError
from engines.batching.queue import Drop, Dropped

Tensor: TypeAlias = tuple[str, tuple[int, ...], bytes]
Answer: TypeAlias = tuple[str, str, tuple[Tensor, ...]]
# A tensor of an encoder has a few; whatever has more is none.
MAX_AXES = 8


def packed(arrays: Arrays) -> tuple[Tensor, ...]:
    """Return arrays of float32 as they cross; raises `InputError` for any other type."""
    made = []
    for name, array in arrays.items():
        if array.dtype != np.float32:
            raise InputError(f"{name!r} is {array.dtype}, not float32: convert it with .astype(numpy.float32)")
        made.append((name, array.shape, np.ascontiguousarray(array).tobytes()))
    return tuple(made)


def unpacked(tensors: Iterable[Tensor]) -> dict[str, FloatArray]:
    """Return what `packed` was given, as arrays of the caller's own; raises `InputError` for what cannot be."""
    made: dict[str, FloatArray] = {}
    for name, shape, data in tensors:
        is_shape = len(shape) <= MAX_AXES and all(size >= 0 for size in shape)
        if not is_shape or 4 * math.prod(shape) != len(data):
            raise InputError(f"{name!r} has other bytes than its shape says: update both ends of the pool")
        made[str(name)] = np.frombuffer(data, np.float32).reshape(shape).copy()
    return made


def answered(arrays: Arrays) -> Answer:
    """Return an answer that was computed."""
    return "ok", "", packed(arrays)


def refused(error: EngineError) -> Answer:
    """Return an answer that says why nothing was computed."""
    if isinstance(error, Dropped):
        return "dropped", str(error.reason), ()
    return ("input" if isinstance(error, InputError) else "failed"), str(error), ()


def result(answer: Answer) -> dict[str, FloatArray]:
    """Return what was computed; raises `Dropped`, `InputError` or `EngineError`, as the pool did."""
    kind, why, tensors = answer
    match kind:
        case "ok":
            return unpacked(tensors)
        case "dropped":
            raise Dropped(Drop(why))
        case "input":
            raise InputError(why)
        case _:
            raise EngineError(why)
