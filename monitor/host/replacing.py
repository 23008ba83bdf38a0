"""Whether a publication may take the place of another of the same name. Pure."""

from __future__ import annotations

# A client that lost its network publishes again within seconds; whose media come has not left.
SILENT_SECONDS = 5.0


def may_replace(owner: str | None, by: str | None, silent_seconds: float) -> bool:
    """Whether `by` may end a publication of `owner`, of whom no media have come for `silent_seconds`.

    None is this process itself: a way in that the operator configured, or who embeds the sidecar. It may replace
    anybody, and like everybody it is replaced by others only when its media have stopped.
    """
    return by is None or by == owner or silent_seconds >= SILENT_SECONDS
