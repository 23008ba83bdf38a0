"""Lags of the voices of a call beside each other: what a session measures of one is held against what others show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from monitor.decision.lag import Lags, follow, measured, shown
from monitor.decision.report import HopReport

Place = tuple[str, str]
# A call, and by which way its participants came: None where they published here themselves.
Path = tuple[str, str | None]


class LagWatch:
    """Keeps what is known of those who are here, on the event loop; `way_in` says by which way somebody came."""

    def __init__(self, way_in: Callable[[Place], str | None]) -> None:
        self._way_in = way_in
        self._paths: dict[Path, Lags] = {}

    def beside(self, report: HopReport) -> HopReport:
        """Take what a hop measured and give its report with what that is beside the others'."""
        call, who = report.key.call, report.key.participant
        path = call, self._way_in((call, who))
        lag = measured(
            report.decision.scores,
            report.quality.get("clock_uncertainty", 0.0),
            bool(report.quality.get("clock_mapped")),
        )
        lags = self._paths[path] = follow(self._paths.get(path, Lags()), who, report.now, lag)
        told = lags.told(who)
        return report if told is None else replace(report, decision=shown(report.decision, told))

    def ended(self, place: Place) -> None:
        """Let go of somebody, and of a path on which nobody is left."""
        call, who = place
        left = {path: lags.without(who) if path[0] == call else lags for path, lags in self._paths.items()}
        self._paths = {path: lags for path, lags in left.items() if lags.people}
