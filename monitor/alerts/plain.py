"""Strict JSON: numbers that JSON cannot hold become null, numpy's values plain numbers, enums their values."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from enum import Enum
from typing import Any

import numpy as np


def encode(message: Mapping[str, Any]) -> str:
    """Return compact strict JSON."""
    return json.dumps(plain(message), separators=(",", ":"), allow_nan=False)


def plain(value: Any) -> Any:
    """Return `value` with every part made a JSON type; raises `TypeError` for what has no place in a message."""
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    raise TypeError(f"{type(value).__name__} has no place in a message")
