"""Tensors of a file that `torch.save` wrote before torch 1.6, read without torch; nothing that the file names is run.

Such a file is five pickles (a magic number, the version of the format, facts of the machine, the object, the names of
its storages) and then every storage as a count and its bytes. Of the classes that a pickle may name, the four that a
dictionary of float tensors needs are known here, and stand for functions of this file; any other is refused before
anything is made of it.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import struct
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.base import EngineError

MAGIC = 0x1950A86A20F9469CFC6C
FORMAT = 1001
# Real files have some dozens; more is no network.
MAX_STORAGES = 4096
# What a file may make of its own few bytes by nesting, in steps of `_found`.
MAX_DEPTH = 8

Arrays = dict[str, NDArray[np.float32]]


class TorchFormatError(EngineError):
    """A file is no such file, or holds more than tensors; the message is one line that says what to do."""


class _BeyondNumbersError(Exception):
    """A pickle holds what no tensor needs; the message names the kind of thing."""


@dataclass(frozen=True, slots=True)
class _Storage:
    """A storage by its key, and how many numbers it holds."""

    key: str
    count: int


@dataclass(frozen=True, slots=True)
class _View:
    """A tensor: where in a storage its numbers lie, in numbers."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def tensors(data: bytes, what: str) -> Arrays:
    """Read every float32 tensor by its name, those of inner dictionaries after the name of these and a dot.

    Raises `TorchFormatError` for whatever is no such file, is damaged or names a program; `what` is the file's name.
    """
    try:
        return _read(io.BytesIO(data))
    except _BeyondNumbersError as error:
        raise TorchFormatError(f"{what} holds {error} and is not opened: name the file as it was published") from None
    except Exception:
        # A damaged pickle raises whatever its parts raise.
        raise TorchFormatError(
            f"{what} is not a checkpoint of torch before 1.6, or is damaged: download it again"
        ) from None


def _read(file: io.BytesIO) -> Arrays:
    magic, version = (_Numbers(file).load() for _ in range(2))
    facts = _Numbers(file).load()
    if magic != MAGIC or version != FORMAT or not facts["little_endian"]:
        raise ValueError("format")
    views: dict[str, _View] = {}
    _found(_Numbers(file).load(), "", views)
    keys = _Numbers(file).load()
    if not isinstance(keys, list) or len(keys) > MAX_STORAGES:
        raise ValueError("storages")
    stored = {str(key): _stored(file) for key in keys}
    return {name: _array(view, stored[view.storage.key]) for name, view in views.items()}


def _found(value: Any, name: str, views: dict[str, _View], depth: int = 0) -> None:
    """Gather the tensors of a dictionary and of those in it."""
    if isinstance(value, _View):
        views[name] = value
    elif isinstance(value, Mapping) and depth < MAX_DEPTH:
        for key, inner in value.items():
            _found(inner, f"{name}.{key}" if name else str(key), views, depth + 1)


def _stored(file: io.BytesIO) -> NDArray[np.float32]:
    (count,) = struct.unpack("<q", file.read(8))
    # What is not there is not made room for.
    data = file.read(4 * count) if count >= 0 else b""
    if len(data) != 4 * count:
        raise ValueError("storage")
    return np.frombuffer(data, "<f4")


def _array(view: _View, stored: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut a tensor out of its storage; one that lies elsewhere than its numbers in a row is refused."""
    rows = tuple(math.prod(view.shape[n + 1 :]) for n in range(len(view.shape)))
    count = math.prod(view.shape)
    if view.strides != rows or min((*view.shape, 0)) < 0 or not 0 <= view.offset <= len(stored) - count:
        raise ValueError("tensor")
    return np.ascontiguousarray(stored[view.offset : view.offset + count].reshape(view.shape), np.float32)


# What torch wrote then is of pickle's second protocol. Later ones make room for as many bytes as a file says will come.
PROTOCOL = 2
_SPOKEN = {ord(operation.code) for operation in pickletools.opcodes if operation.proto <= PROTOCOL}


class _Numbers(pickle._Unpickler):
    """A reader of pickles that knows four names, and no operation that torch did not write.

    The one written in Python: the other makes room for as many values as a file says that it will name.
    """

    dispatch = {code: do for code, do in pickle._Unpickler.dispatch.items() if code in _SPOKEN}  # noqa: RUF012

    def find_class(self, module: str, name: str) -> Any:
        """Give what stands for a name; raises an error for one that no tensor needs."""
        known: Mapping[tuple[str, str], Callable[..., Any] | None] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("torch._utils", "_rebuild_parameter"): _parameter,
            # Only named as the kind of a storage, and never called.
            ("torch", "FloatStorage"): None,
        }
        if (module, name) not in known:
            raise _BeyondNumbersError("a program beside its numbers")
        return known[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        """Give a storage by what the file says of it."""
        kind, _type, key, _place, count, whole = pid
        if kind != "storage" or whole is not None or not isinstance(count, int):
            raise _BeyondNumbersError("another kind of storage")
        return _Storage(str(key), count)


def _tensor(storage: _Storage, offset: int, shape: Any, strides: Any, *_rest: Any) -> _View:
    if not isinstance(storage, _Storage):
        raise _BeyondNumbersError("a tensor of something else")
    return _View(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


def _parameter(view: _View, *_rest: Any) -> _View:
    return view
