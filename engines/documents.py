"""Reads what people write, YAML and JSON, within bounds: no nesting without end, no numbers that are none.

A parser raises whatever it meets (a recursion, an overflow, a date that is none); here all of it is `DocumentError`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import yaml

from engines.errors import SidewitnessError

# What parsers of YAML have been seen to raise besides their own.
OTHERS = (ValueError, ArithmeticError, LookupError, TypeError, AttributeError, RecursionError)
MAX_NESTING = 32
# Values in a document once its aliases are written out: a few lines of YAML can stand for billions.
MAX_VALUES = 100_000
MAX_SECRET_BYTES = 65536
# `$${` stands for `${` itself.
REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
OF_FILE = "file:"


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


def expand(document: Any, environ: Mapping[str, str]) -> Any:
    """Return a document with the references in its texts written out: `${NAME}`, `${NAME:-else}`, `${file:/PATH}`.

    It is done after parsing, so what a variable holds is a text and nothing else, whatever stands in it. A variable
    that is empty counts as missing. Raises `DocumentError`, which names variables and files and quotes no value.
    """
    missing: list[str] = []
    expanded = _expanded(document, environ, missing)
    if missing:
        names = ", ".join(dict.fromkeys(missing))
        raise DocumentError(f"these variables are not set or empty: {names}: export them before the start")
    return expanded


def absolute_path(path: Path) -> Path:
    """Return a path with `~` written out; raises `ValueError` for what is no path here, as the home of nobody."""
    if "\0" in str(path):
        raise ValueError("a path has no null characters: correct it")
    try:
        return path.expanduser().absolute()
    except RuntimeError:
        raise ValueError("there is no such user's home directory: write the path out") from None


def _expanded(value: Any, environ: Mapping[str, str], missing: list[str]) -> Any:
    if isinstance(value, str):
        return "".join(_parts(value, environ, missing))
    if isinstance(value, dict):
        return {key: _expanded(item, environ, missing) for key, item in value.items()}
    if isinstance(value, list):
        return [_expanded(item, environ, missing) for item in value]
    return value


def _parts(text: str, environ: Mapping[str, str], missing: list[str]) -> Iterator[str]:
    end = 0
    for found in REFERENCE.finditer(text):
        yield text[end : found.start()]
        end = found.end()
        yield "${" if found.group() == "$${" else _referenced(found.group(1) or "", environ, missing)
    yield text[end:]


def _referenced(reference: str, environ: Mapping[str, str], missing: list[str]) -> str:
    if reference.startswith(OF_FILE):
        return _secret(Path(reference.removeprefix(OF_FILE)))
    variable = VARIABLE.fullmatch(reference)
    if variable is None:
        # What stands there is not quoted: it may be a password.
        raise DocumentError(
            "a ${ names no variable: write ${NAME}, ${file:/PATH}, or $${ for the characters themselves"
        )
    name, otherwise = variable.groups()
    if not (value := environ.get(name) or otherwise or "") and otherwise is None:
        missing.append(name)
    return value


def _secret(path: Path) -> str:
    """Return what a file of a secret holds, less the line break at its end."""
    try:
        with absolute_path(path).open("rb") as file:
            data = file.read(MAX_SECRET_BYTES + 1)
        text = data.decode().removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise DocumentError(f"{path} cannot be read ({error.strerror}): name a readable file") from None
    except ValueError:
        raise DocumentError(f"{path} is no text: name a file that holds a secret") from None
    if len(data) > MAX_SECRET_BYTES or not text:
        raise DocumentError(f"{path} is empty or longer than {MAX_SECRET_BYTES} bytes: name a file that holds a secret")
    return text


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
