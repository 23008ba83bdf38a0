"""What has been added up of a participant: over the detectors' windows, and over brief ones where a detector has them.

A detector that judges brief windows bets two and a half times as often, and a person's one peculiar second is averaged
with less of what is usual for them. The statistic is the mean of the two: each is an e-detector by itself, so is their
mean. There are more brief windows in an hour, so theirs is counted in windows of the other length: one threshold then
means one rate of false alerts for both. One of them that was never given anything takes no part and costs the other
nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from monitor.decision.edetector import EDetector


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two sequential detectors, `windows` and `brief`, and their mean."""

    windows: EDetector
    brief: EDetector

    @property
    def statistic(self) -> float:
        """Mean of the statistics of those that were given something; 0 before any was."""
        taken = [one.statistic * scale for one, scale in self._both() if _is_taken(one)]
        return sum(taken) / len(taken) if taken else 0.0

    @property
    def agreed(self) -> float:
        """The highest level that two phases half a window apart have both reached, in either."""
        return max(one.agreed * scale for one, scale in self._both())

    def advance(self, time: float, e_value: float | None, brief: float | None) -> Evidence:
        """Add the e-values of the windows that end at `time` (seconds); None where nothing was judged."""
        return Evidence(
            self.windows if e_value is None else self.windows.advance(time, e_value),
            self.brief if brief is None else self.brief.advance(time, brief),
        )

    def capped(self, level: float) -> Evidence:
        """Bring every phase down to at most `level`, and let none rise above it from now on."""
        return Evidence(*(replace(_lowered(one, level / scale), cap=level / scale) for one, scale in self._both()))

    def lowered(self, level: float) -> Evidence:
        """Bring every phase down to at most `level` for now."""
        return Evidence(*(_lowered(one, level / scale) for one, scale in self._both()))

    def raised(self, level: float) -> Evidence:
        """Begin every phase at `level`, counted in whole windows, or at the cap."""
        return Evidence(
            *(
                replace(one, phases=tuple(min(one.cap, level / scale) for _ in one.phases))
                for one, scale in self._both()
            )
        )

    def higher(self, other: Evidence) -> Evidence:
        """Go on with the higher of both in every phase."""
        return Evidence(_higher(self.windows, other.windows), _higher(self.brief, other.brief))

    def _both(self) -> tuple[tuple[EDetector, float], tuple[EDetector, float]]:
        """Each beside what a level of it is worth at the length of whole windows."""
        return (self.windows, 1.0), (self.brief, self.brief.window_seconds / self.windows.window_seconds)


def _is_taken(one: EDetector) -> bool:
    return max(one.judged) > -math.inf or max(one.phases) > 0.0


def _higher(one: EDetector, other: EDetector) -> EDetector:
    return replace(one, phases=tuple(map(max, one.phases, other.phases)))


def _lowered(one: EDetector, level: float) -> EDetector:
    return replace(one, phases=tuple(min(level, phase) for phase in one.phases))
