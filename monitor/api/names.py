"""What calls, participants and claimed identities may be called. Names are opaque: nothing is normalised."""

from __future__ import annotations

import re

from monitor.api.problem import Problem

MAX_NAME = 128
NAME = re.compile(r"\w[\w.~:@+\-]{0,127}")


def check_name(kind: str, name: str) -> str:
    """Return `name` if it may name a call or participant; raises `Problem` 400."""
    if not NAME.fullmatch(name):
        raise Problem(
            400, f"the {kind} must be 1 to {MAX_NAME} letters, digits or . _ ~ : @ + -, starting with a letter"
        )
    return name


def check_identity(name: str | None) -> str | None:
    """Return the claimed identity, None where none is claimed; raises `Problem` 400."""
    if name is None or name == "":
        return None
    if len(name) > MAX_NAME or not name.isprintable() or name != name.strip():
        raise Problem(400, f"the identity must be 1 to {MAX_NAME} printable characters without spaces around them")
    return name
