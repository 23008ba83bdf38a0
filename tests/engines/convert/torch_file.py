"""Files as `torch.save` wrote them before torch 1.6, made without torch: what the reader of numbers is held against."""

from __future__ import annotations

import io
import pickle
import struct
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.convert.torch_numbers import FORMAT, MAGIC

Arrays = Mapping[str, NDArray[np.float32]]


# The pickler in Python, whose steps can be replaced; types know only the other one.
_Pickler: Any = getattr(pickle, "_Pickler")  # noqa: B009


class Global:
    """Pickles as the name of something in a module, whether or not it is there."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class _Tensor:
    def __init__(self, key: str, offset: int, array: NDArray[np.float32], total: int) -> None:
        self.key, self.offset, self.array, self.total = key, offset, array, total


class _Named:
    """A stand-in for a function that only its name is written of; never called."""


class Writer(_Pickler):  # type: ignore[misc]
    """Writes `_Tensor` as torch did, and `Global` as the name that it is."""

    def persistent_id(self, value: Any) -> Any:
        """Storages are named, and written behind."""
        if isinstance(value, tuple) and value and value[0] == "storage":
            return value
        return None

    def save(self, value: Any, save_persistent_id: bool = True) -> Any:
        if isinstance(value, Global):
            self.write(pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode())
            return None
        if isinstance(value, _Tensor):
            shape = value.array.shape
            strides = tuple(int(np.prod(shape[n + 1 :], dtype=int)) for n in range(len(shape)))
            storage = ("storage", Global("torch", "FloatStorage"), value.key, "cuda:0", value.total, None)
            self.save(Global("torch._utils", "_rebuild_tensor_v2"))
            self.write(pickle.MARK + pickle.MARK)
            for named in storage:
                self.save(named)
            self.write(pickle.TUPLE + pickle.BINPERSID)
            rest: tuple[Any, ...] = (value.offset, shape, strides, False, OrderedDict())
            for part in rest:
                self.save(part)
            self.write(pickle.TUPLE + pickle.REDUCE)
            return None
        return super().save(value, save_persistent_id)


def pickled(value: Any) -> bytes:
    """One pickle of the file."""
    file = io.BytesIO()
    Writer(file, 2).dump(value)
    return file.getvalue()


def torch_file(arrays: Arrays, root: str = "model_state", shared: bool = True) -> bytes:
    """A checkpoint whose tensors lie in one storage behind each other, as cuDNN laid them, or each in its own."""
    state: dict[str, Any] = {}
    stored: dict[str, list[NDArray[np.float32]]] = {}
    total = sum(array.size for array in arrays.values())
    offset = 0
    for n, (name, array) in enumerate(arrays.items()):
        key = "one" if shared else f"s{n}"
        stored.setdefault(key, []).append(array.reshape(-1))
        state[name] = _Tensor(key, offset if shared else 0, array, total if shared else array.size)
        offset += array.size
    facts = {"protocol_version": FORMAT, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    keys = sorted(stored)
    parts = [pickled(MAGIC), pickled(FORMAT), pickled(facts), pickled({"step": 3, root: state}), pickled(keys)]
    for key in keys:
        numbers = np.concatenate(stored[key]).astype("<f4")
        parts.append(struct.pack("<q", len(numbers)) + numbers.tobytes())
    return b"".join(parts)
