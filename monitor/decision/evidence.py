"""What has been added up of a participant: over the windows of each detector alone, of all together, and of brief ones.

Three kinds of sequential detectors stand side by side, each an e-detector by itself, and so is their weighted mean,
whatever they have to do with each other. What each is fed is one e-value a hop (`monitor.decision.weigh`):

- `windows`, of all detectors of whole windows together: the product over what of somebody they look at. Face, voice,
  movement and lips are bets on different things, so who fails in two of them is found in the square of the time.
- `alone`, of each that compares with a reference: it pays for the others once, by its weight, and not at every window
  as a mean of e-values does. Whoever falls silent costs it nothing.
- `brief`, of detectors with brief windows, which bet two and a half times as often.

There are more brief windows in an hour, so theirs is counted in windows of the other length: one threshold then means
one rate of false alerts for all. What was never given anything takes no part and costs the others nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from monitor.decision.edetector import EDetector

# Of the weight; the rest is shared evenly. Fixed before anything is seen.
TOGETHER = 0.5
# What a second aspect must have come to by itself before two are said to agree.
WITNESS = 10.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """Sequential detectors of `windows`, `brief` windows, and each detector `alone` by its name.

    Who stands alone later begins at the level `begun`.
    """

    windows: EDetector
    brief: EDetector
    alone: Mapping[str, EDetector] = field(default_factory=dict)
    begun: float = 0.0

    @property
    def statistic(self) -> float:
        """Weighted mean of the statistics of those that were given something; 0 before any was."""
        together = [self.windows.statistic] if _is_taken(self.windows) else []
        others = [one.statistic for one in self.alone.values()]
        others += [self.brief.statistic * self._brief_scale] if _is_taken(self.brief) else []
        if not together or not others:
            return sum(together) or (sum(others) / len(others) if others else 0.0)
        return TOGETHER * together[0] + (1.0 - TOGETHER) * sum(others) / len(others)

    @property
    def agreed(self) -> float:
        """The highest level that two have both reached: two phases half a window apart, in any of them, or two aspects.

        Two aspects agree on all that was added up together where the second of them has come to `WITNESS` alone.
        """
        phases = max(one.agreed * scale for one, scale in self._all())
        alone = sorted(one.statistic for one in self.alone.values())
        return max(phases, self.windows.statistic) if len(alone) > 1 and alone[-2] >= WITNESS else phases

    def advance(
        self, time: float, e_value: float | None, brief: float | None, alone: Mapping[str, float] | None = None
    ) -> Evidence:
        """Add the e-values of the windows that end at `time` (seconds); None, or absent, where nothing was judged."""
        fresh = {
            name: (self.alone.get(name) or _empty(self.windows, self.begun)).advance(time, value)
            for name, value in (alone or {}).items()
        }
        return Evidence(
            self.windows if e_value is None else self.windows.advance(time, e_value),
            self.brief if brief is None else self.brief.advance(time, brief),
            {**self.alone, **fresh},
            self.begun,
        )

    def capped(self, level: float) -> Evidence:
        """Bring every phase down to at most `level`, and let none rise above it from now on."""
        return self._each(lambda one, scale: replace(_lowered(one, level / scale), cap=level / scale))

    def lowered(self, level: float) -> Evidence:
        """Bring every phase down to at most `level` for now."""
        return self._each(lambda one, scale: _lowered(one, level / scale))

    def raised(self, level: float) -> Evidence:
        """Begin every phase at `level`, counted in whole windows, or at the cap; also of whoever stands alone later."""
        return replace(self._each(lambda one, scale: _begun(one, level / scale)), begun=level)

    def higher(self, other: Evidence) -> Evidence:
        """Go on with the higher of both in every phase."""
        alone = {
            name: _higher(self.alone.get(name, one), other.alone.get(name, one))
            for name, one in {**other.alone, **self.alone}.items()
        }
        begun = max(self.begun, other.begun)
        return Evidence(_higher(self.windows, other.windows), _higher(self.brief, other.brief), alone, begun)

    def _each(self, change: Callable[[EDetector, float], EDetector]) -> Evidence:
        alone = {name: change(one, 1.0) for name, one in self.alone.items()}
        return Evidence(change(self.windows, 1.0), change(self.brief, self._brief_scale), alone, self.begun)

    @property
    def _brief_scale(self) -> float:
        """What a level of brief windows is worth at the length of whole ones."""
        return self.brief.window_seconds / self.windows.window_seconds

    def _all(self) -> list[tuple[EDetector, float]]:
        return [(self.windows, 1.0), (self.brief, self._brief_scale), *((one, 1.0) for one in self.alone.values())]


def _is_taken(one: EDetector) -> bool:
    return max(one.judged) > -math.inf or max(one.phases) > 0.0


def _empty(one: EDetector, level: float) -> EDetector:
    return EDetector.start(one.window_seconds, one.hop_seconds, one.cap, min(level, one.cap))


def _begun(one: EDetector, level: float) -> EDetector:
    return replace(one, phases=tuple(min(one.cap, level) for _ in one.phases))


def _higher(one: EDetector, other: EDetector) -> EDetector:
    return replace(one, phases=tuple(map(max, one.phases, other.phases)))


def _lowered(one: EDetector, level: float) -> EDetector:
    return replace(one, phases=tuple(min(level, phase) for phase in one.phases))
