"""Ways into calls over HTTP."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict

from monitor.api.schemas.base import Shape


class SourceOrder(Shape):
    """A source that is asked for: the plug-in, and its options beside it, as in the setting `sources`."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, extra="allow")

    plugin: str
    """The name of the plug-in."""


class Source(Shape):
    """How a source is doing; its options are told to nobody."""

    source: int
    """Remove it by this."""
    plugin: str
    phase: Literal["connecting", "connected", "waiting", "retrying", "ended"]
    seconds: float
    """How long it has been in this phase."""
    failures: int
    """Attempts in a row that failed."""
    why: str | None
    """What is wrong and what to do, or what is waited for; null where all is well."""
    participants: int
    """How many of those whom it has brought are judged now."""


class Sources(Shape):
    """Every source, those of the configuration first."""

    sources: list[Source]
