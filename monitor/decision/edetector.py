"""The sequential detector: evidence added up over windows against a threshold that means a rate of false alerts.

Shiryaev-Roberts e-detector (Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential change
detection", 2022): M_t = e_t (M_{t-1} + 1). While the participant is genuine the mean of M_t is at most t, hence the
average number of windows to a crossing of c is at least c, wherever a change may happen. Windows overlap, so there is
one statistic per phase of non-overlapping windows and the detector reads their mean. The invariant: two windows of
one phase never share more than half a hop.

The bound is exact for one phase. The mean over phases may cross in the middle of another phase's window, which the
theory does not cover; `monitor.decision.simulate` measures the rate instead of assuming it.

Time here is media that was judged, not wall-clock time: a window on which every detector abstained moves
nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

SECONDS_PER_HOUR = 3600.0


def threshold(false_alerts_per_hour: float, window_seconds: float) -> float:
    """Level whose average time to a false crossing is at least 1 / `false_alerts_per_hour` hours of judged media."""
    return SECONDS_PER_HOUR / window_seconds / false_alerts_per_hour


@dataclass(frozen=True, slots=True)
class EDetector:
    """The phases' statistics and the stream time of each phase's newest window; `advance` gives the next one."""

    window_seconds: float
    hop_seconds: float
    cap: float
    phases: tuple[float, ...]
    judged: tuple[float, ...]

    @classmethod
    def start(cls, window_seconds: float, hop_seconds: float, cap: float, level: float = 0.0) -> EDetector:
        """Make a detector with window / hop phases at `level`, which stay at or below `cap` and so never overflow."""
        count = max(1, round(window_seconds / hop_seconds))
        return cls(window_seconds, hop_seconds, cap, (level,) * count, (-math.inf,) * count)

    @property
    def statistic(self) -> float:
        """Mean of the phases' statistics."""
        return sum(self.phases) / len(self.phases)

    @property
    def agreed(self) -> float:
        """The highest level that two phases half a window apart have both reached.

        Their windows share half of their media, the least that two phases can: one stretch of peculiar media that
        fills the windows of one phase is not enough for both.
        """
        apart = len(self.phases) // 2
        return max(min(pair) for pair in zip(self.phases, (*self.phases[apart:], *self.phases[:apart]), strict=True))

    def advance(self, time: float, e_value: float) -> EDetector:
        """Add the e-value of the window that ends at `time` (seconds) to the phase that has waited longest.

        Nothing changes when that phase's newest window still overlaps this one (a hop came early or twice). When time
        steps back, the clock was re-anchored and the phases' times are forgotten.
        """
        judged = self.judged if time >= max(self.judged) else (-math.inf,) * len(self.judged)
        turn = judged.index(min(judged))
        if time - judged[turn] < self.window_seconds - self.hop_seconds / 2:
            return self
        value = min(self.cap, e_value * (self.phases[turn] + 1.0))
        return replace(
            self,
            phases=(*self.phases[:turn], value, *self.phases[turn + 1 :]),
            judged=(*judged[:turn], time, *judged[turn + 1 :]),
        )
