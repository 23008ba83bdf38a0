"""Numbers as summaries hold them: rounded, and None where one could not be had. Pure."""

from __future__ import annotations

import math


def rounded(value: float, digits: int = 4) -> float | None:
    """Round a number for a file that people read; None for NaN and infinities, which JSON has not."""
    return round(value, digits) if math.isfinite(value) else None
