"""How long a sink that does not accept is left alone: half a second to five minutes, doubling, with jitter; pure."""

from __future__ import annotations

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 300.0


def retry_delay_seconds(failures: int, jitter: float, asked_seconds: float | None = None) -> float:
    """Return the pause after `failures` failures in a row (at least 1).

    `jitter` in [0, 1) spreads it over the upper half of the step, so that sinks that failed together do not come back
    together. `asked_seconds` is what the receiver asked for; it lengthens the pause, up to the longest.
    """
    # Beyond 2**10 the longest pause is reached; a bounded exponent cannot overflow.
    step = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 1, 10))
    return min(LONGEST_SECONDS, max(step * (1.0 + jitter) / 2.0, asked_seconds or 0.0))
