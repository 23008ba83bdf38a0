"""How long to wait before something that failed is tried again: pauses that double, with jitter. Pure."""

from __future__ import annotations

FIRST_RETRY_SECONDS = 0.5
# What the other side asks for may be longer than our own pauses, up to this.
LONGEST_ASKED_SECONDS = 300.0


def retry_delay_seconds(
    failures: int, jitter: float, longest_seconds: float, asked_seconds: float | None = None
) -> float:
    """Return the pause after `failures` attempts in a row (at least 1) have failed, in seconds.

    Its step is `FIRST_RETRY_SECONDS`, doubled with each failure up to `longest_seconds`. `jitter` in [0, 1) spreads it
    over the upper half of the step, so that those that failed together do not come back together. `asked_seconds` is
    what the other side asked for: it lengthens the pause, up to `LONGEST_ASKED_SECONDS`.
    """
    # 2**40 seconds are longer than anybody waits; a bounded exponent cannot overflow.
    step = min(longest_seconds, FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 40))
    return max(step * (1.0 + jitter) / 2.0, min(asked_seconds or 0.0, LONGEST_ASKED_SECONDS))
