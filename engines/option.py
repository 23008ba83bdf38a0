"""The option `--engine` of a command: any engine there is, third-party ones included."""

from __future__ import annotations

from functools import cache
from typing import Any

import typer

from engines.registry import EngineName, engine_names


def engine_option(text: str) -> Any:
    """Make the option, with `text` as its help; a name that no engine has is bad usage."""
    return typer.Option(parser=parse_engine, metavar=_choices(), help=text)


def parse_engine(value: str) -> EngineName:
    """Return the name of an engine; raises `typer.BadParameter` with all names in one line."""
    names = engine_names()
    if value not in names:
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(map(repr, names))}.")
    return value


@cache
def _choices() -> str:
    # Searching the installed packages takes some 10 ms: once for all commands.
    return f"[{'|'.join(engine_names())}]"
