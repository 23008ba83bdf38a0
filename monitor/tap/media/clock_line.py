"""The sender's clock as a line through its sender reports, and when a report says that the clock has stepped. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

# Crystals differ by less than 500 parts per million.
MAX_DRIFT_RATIO = 500e-6
# The slope is only measured over this span and number of reports.
MIN_SPAN_SECONDS = 10.0
MIN_REPORTS = 4

# How late all reports may be, as long as they are few.
PRIOR_UNCERTAINTY_SECONDS = 0.05
MIN_UNCERTAINTY_SECONDS = 0.005

# A report is wild, or the first of a clock that was set anew, where it is so far outside the range of those before it.
# Few reports have not shown their range yet.
MIN_STEP_SECONDS = 0.05
MIN_STEP_OF_FEW_SECONDS = 0.25
MIN_RANGE_REPORTS = 3
# What a single report can change, and the interval of reports up to which the next one is waited for.
MAX_PROVISIONAL_SECONDS = 0.5
FREQUENT_SECONDS = 2.5


@dataclass(frozen=True, slots=True)
class SenderReport:
    """A sender report (RFC 3550 section 6.4.1): `ntp` seconds on the sender's clock at `media` seconds of the track."""

    media: float
    ntp: float


@dataclass(frozen=True, slots=True)
class ClockLine:
    """The sender's clock as a line over media time through `(media, ntp)`, both in seconds.

    `slope` is sender seconds for each media second, `slack` its half-width; `spread` is the largest residual in seconds
    of the `reports` that were fitted; `extra` is uncertainty in seconds from media that were placed by arrival.
    """

    media: float
    ntp: float
    slope: float
    spread: float
    slack: float
    reports: int
    extra: float = 0.0

    def at(self, media: float) -> float:
        """Sender's clock at a media time."""
        return self.ntp + self.slope * (media - self.media)

    def uncertainty(self, media: float) -> float:
        """Half-width in seconds at a media time: report jitter, what was re-anchored, and drift since the middle."""
        drift = abs(media - self.media) * self.slack
        prior = PRIOR_UNCERTAINTY_SECONDS / math.sqrt(max(1, self.reports - MIN_REPORTS))
        return MIN_UNCERTAINTY_SECONDS + self.spread + prior + self.extra + drift


def fit_line(reports: Sequence[SenderReport]) -> ClockLine:
    """Fit a line through sender reports: Theil-Sen slope where the span allows (else 1), lowest-fifth intercept.

    Many senders pair the time of the report with the timestamp of their last frame, so reports are late by up to one
    frame and never early: the lower edge is the truth. A fifth, not the least, so that a few wild ones are ignored.
    """
    middle = median(r.media for r in reports)
    span = reports[-1].media - reports[0].media
    measurable = span >= MIN_SPAN_SECONDS and len(reports) >= MIN_REPORTS
    slope = _slope(reports, span / 4) if measurable else 1.0
    ntp = sorted(r.ntp - slope * (r.media - middle) for r in reports)[len(reports) // 5]
    spread = max(abs(r.ntp - ntp - slope * (r.media - middle)) for r in reports)
    slack = min(2 * spread / span, MAX_DRIFT_RATIO) if measurable else MAX_DRIFT_RATIO
    return ClockLine(middle, ntp, slope, spread, slack, len(reports))


def _slope(reports: Sequence[SenderReport], min_distance: float) -> float:
    """Median slope over pairs more than `min_distance` seconds apart (Theil-Sen), limited to the drift of clocks."""
    slopes = [
        (b.ntp - a.ntp) / (b.media - a.media)
        for i, a in enumerate(reports)
        for b in reports[i + 1 :]
        if b.media - a.media > min_distance
    ]
    steepest, flattest = 1.0 + MAX_DRIFT_RATIO, 1.0 - MAX_DRIFT_RATIO
    return float(min(max(median(slopes), flattest), steepest))


@dataclass(frozen=True, slots=True)
class ReportRange:
    """Where the residuals of sender reports lie, in seconds over their line, without the fifth at either end.

    `margin` is by how much a report may lie outside.
    """

    line: ClockLine
    low: float
    high: float
    margin: float

    @classmethod
    def of(cls, reports: Sequence[SenderReport]) -> ReportRange:
        """Fit reports and take the range of their residuals."""
        line = fit_line(reports)
        residuals = sorted(r.ntp - line.at(r.media) for r in reports)
        trim = len(residuals) // 5
        margin = MIN_STEP_SECONDS if len(reports) >= MIN_RANGE_REPORTS else MIN_STEP_OF_FEW_SECONDS
        return cls(line, residuals[trim], residuals[-1 - trim], margin)

    def deviation(self, report: SenderReport) -> float:
        """Seconds by which a report is off the line, 0.0 where it is not outside the range."""
        residual = report.ntp - self.line.at(report.media)
        return 0.0 if self.low - self.margin <= residual <= self.high + self.margin else residual

    def provisional(self, deviation: float, interval: float) -> ClockLine:
        """Give the line until the next report says whether one that is so far off was wild, or the first of a step.

        The uncertainty covers both. Reports are late now and then, and hardly ever early: an early one is believed for
        the time being, and a late one where reports come so seldom, `interval` seconds apart, that waiting costs more.
        Far ones are not.
        """
        is_likely = deviation < 0.0 or interval > FREQUENT_SECONDS
        step = deviation if is_likely and abs(deviation) <= MAX_PROVISIONAL_SECONDS else 0.0
        return replace(self.line, ntp=self.line.ntp + step, extra=abs(deviation))

    def agree(self, first: SenderReport, second: SenderReport) -> bool:
        """Whether two reports outside the range are as near to each other as those in it are."""
        apart = (second.ntp - first.ntp) - (second.media - first.media)
        return abs(apart) <= self.high - self.low + self.margin
