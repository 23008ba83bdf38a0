"""How facts stand in the card of a model pack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def bullets(facts: Mapping[str, Any]) -> str:
    """Write a Markdown list, a fact a line."""
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())
