"""Reads what people write, YAML and JSON, within bounds: no nesting without end, no numbers that are none.

A parser raises whatever it meets (a recursion, an overflow, a date that is none); here all of it is `DocumentError`.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NoReturn

import yaml

from engines.errors import SidewitnessError

# What parsers of YAML have been seen to raise besides their own.
OTHERS = (ValueError, ArithmeticError, LookupError, TypeError, AttributeError, RecursionError)
MAX_NESTING = 32
# Values in a document once its aliases are written out: a few lines of YAML can stand for billions.
MAX_VALUES = 100_000


class DocumentError(SidewitnessError):
    """A text cannot be read; `line` counts from 1, None where it is not known."""

    def __init__(self, why: str, line: int | None = None) -> None:
        super().__init__(why)
        self.line = line


def parse_yaml(data: bytes) -> Any:
    """Return the values of a YAML document in UTF-8; raises `DocumentError`."""
    try:
        parsed = yaml.safe_load(data.decode())
        _check_bounds(parsed)
    except DocumentError:
        raise
    except (yaml.YAMLError, *OTHERS) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        raise DocumentError(_short(error), None if line is None else line + 1) from None
    return parsed


def parse_json(data: bytes) -> Any:
    """Return the values of a JSON document; raises `DocumentError`."""
    try:
        parsed = json.loads(data, parse_constant=_no_number, parse_float=_finite)
        _check_bounds(parsed)
    except DocumentError:
        raise
    except (ValueError, RecursionError) as error:
        raise DocumentError(_short(error)) from None
    return parsed


def absolute_path(path: Path) -> Path:
    """Return a path with `~` written out; raises `ValueError` for what is no path here, as the home of nobody."""
    if "\0" in str(path):
        raise ValueError("a path has no null characters: correct it")
    try:
        return path.expanduser().absolute()
    except RuntimeError:
        raise ValueError("there is no such user's home directory: write the path out") from None


def _check_bounds(value: Any) -> None:
    level, depth, count = [value], 0, 0
    while level:
        depth, count = depth + 1, count + len(level)
        if depth > MAX_NESTING:
            raise DocumentError(f"nested deeper than {MAX_NESTING}")
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below += item.values()
            elif isinstance(item, list | tuple | set):
                below += item
            if count + len(below) > MAX_VALUES:
                raise DocumentError(f"more than {MAX_VALUES} values")
        level = below


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise DocumentError(f"{text[:20]} is no number")
    return value


def _no_number(text: str) -> NoReturn:
    raise DocumentError(f"{text} is no number")


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
