"""In what conditions somebody was judged: the last minute before a change of a finding, bounded. Pure.

It is kept with the finding and never sent: a page or a report of the finding shows it. One point a second of the
statistic and the verdict, and of every measure of the media what it is now and the range it had.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from monitor.decision.report import HopReport

SPAN = timedelta(seconds=60)
# Below one a second, should the clock be set back and forth.
MAX_POINTS = 64
SIGNIFICANT_DIGITS = 4


class Minute:
    """The last minute of one participant; `note` it at every hop, `describe` it where a finding changes.

    `packs` are the hashes of the model packs that judge, by name.
    """

    def __init__(self, packs: Mapping[str, str] | None = None) -> None:
        self._packs = dict(packs or {})
        self._points: deque[tuple[datetime, float, str]] = deque(maxlen=MAX_POINTS)
        self._quality: deque[tuple[datetime, Mapping[str, float]]] = deque(maxlen=MAX_POINTS)
        self._report: HopReport | None = None

    def note(self, report: HopReport, time: datetime) -> None:
        """Take a hop, decided at `time`; of those within one second of the clock the last one stays."""
        self._report = report
        self._forget(time)
        if self._points and int(self._points[-1][0].timestamp()) == int(time.timestamp()):
            self._points.pop()
            self._quality.pop()
        self._points.append((time, report.decision.statistic, str(report.decision.verdict)))
        self._quality.append((time, {**report.quality, "dropped": float(report.dropped)}))

    def describe(self, opens: bool = False) -> dict[str, Any]:
        """Return JSON values: `statistic`, `threshold`, `quality`, `ranges` and `points`; nothing before the first hop.

        `points` are `[seconds before now, statistic, verdict]`, the oldest first; `ranges` the lowest and the highest
        of each measure of `quality` in that time. `packs` are there where the finding opens: what judges does not
        change while a process lives.
        """
        if self._report is None:
            return {}
        decision, now = self._report.decision, self._points[-1][0]
        quality = self._quality[-1][1]
        return {
            "statistic": _short(decision.statistic),
            "threshold": _short(decision.threshold),
            "quality": dict(quality),
            "ranges": {name: self._range(name) for name in quality},
            "points": [
                [round((time - now).total_seconds(), 1), _short(statistic), verdict]
                for time, statistic, verdict in self._points
            ],
            **({"packs": self._packs} if opens else {}),
        }

    def _range(self, name: str) -> list[float]:
        values = [quality[name] for _, quality in self._quality if name in quality]
        return [min(values), max(values)]

    def _forget(self, now: datetime) -> None:
        # Where the clock was set back, what came before has no place any more.
        while self._points and not now - SPAN <= self._points[0][0] <= now:
            self._points.popleft()
            self._quality.popleft()


def _short(value: float) -> float:
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
