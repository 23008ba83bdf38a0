"""From RTP time to the sender's clock through RTCP sender reports (RFC 3550 section 6.4.1). Pure: no wall clock.

Two invariants. A track's media time never steps back and never jumps ahead of what has arrived, whatever the sender
does to its timestamps. Capture time is claimed only when both tracks of a participant are mapped by their own reports
and agree with arrival; until then it is the arrival time, and says so. Readings may be taken from another thread: they
see one immutable line at a time.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from monitor.types import ClockState, Stamp, TrackKind

# RTP clock rates of Opus (RFC 7587 section 4.1) and of every video payload format.
CLOCK_RATES_HZ: Mapping[TrackKind, int] = {"audio": 48_000, "video": 90_000}

# Placing frames: packets further back than this, or further ahead of their arrival, are a new timeline.
MAX_REORDER_SECONDS = 0.5
MAX_LEAD_SECONDS = 2.0
# Crystals differ by less than 500 parts per million.
MAX_DRIFT_RATIO = 500e-6

# Fitting the line: the slope is only measured over this span and number of reports.
MAX_REPORTS = 32
MIN_SPAN_SECONDS = 10.0
MIN_REPORTS = 4
REPORT_WINDOW_SECONDS = 60.0
# A report further from the line is an outlier, or the first of a clock that was set anew.
MAX_RESIDUAL_SECONDS = 0.25
MAX_DELAY_DIFFERENCE_SECONDS = 2.0

PRIOR_UNCERTAINTY_SECONDS = 0.05
MIN_UNCERTAINTY_SECONDS = 0.005
REANCHOR_UNCERTAINTY_SECONDS = 0.15
ARRIVAL_UNCERTAINTY_SECONDS = 0.5

# RTP timestamps and the fraction of an NTP timestamp are 32-bit numbers.
_RTP_WRAP = 1 << 32


def ntp_seconds(ntp: int) -> float:
    """Seconds since 1900 of a 64-bit NTP timestamp (RFC 5905 section 6)."""
    return (ntp >> 32) + (ntp & 0xFFFFFFFF) / _RTP_WRAP


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
        prior = PRIOR_UNCERTAINTY_SECONDS / math.sqrt(self.reports)
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


class TrackClock:
    """One RTP track: a continuous media timeline, and its line to the sender's clock once reports have come."""

    def __init__(self, clock_rate: int) -> None:
        self._rate = clock_rate
        self._ssrc: int | None = None
        self._timestamp = 0
        self._latest = 0.0
        self._media = 0.0
        self._arrival = 0.0
        self._advance_arrival = 0.0
        self._lead: float | None = None
        self._reports: deque[SenderReport] = deque(maxlen=MAX_REPORTS)
        self._outlier: SenderReport | None = None
        self._early_report: tuple[float, int, int] | None = None
        self._line: ClockLine | None = None
        self.resets = 0

    @property
    def mapped(self) -> bool:
        """Whether a sender report has tied this track to the sender's clock."""
        return self._line is not None

    @property
    def drift(self) -> float:
        """Sender seconds gained for each second of media; 0.0 while unknown."""
        return self._line.slope - 1.0 if self._line else 0.0

    @property
    def delay(self) -> float:
        """Arrival minus capture at the latest frame, in seconds; holds the unknown offset between the two clocks."""
        capture, _, _ = self.reading(self._latest)
        return self.arrival_of(self._latest) - capture

    def rtp(self, timestamp: int, arrival: float, ssrc: int) -> float:
        """Place a frame's 32-bit RTP timestamp; returns media seconds, 0.0 for the first frame, never less than before.

        `arrival` is monotonic seconds. A change of SSRC, a step back of more than half a second and a step ahead of
        what can have arrived are re-anchored: media time goes on by the time that passed.
        """
        if self._ssrc is None:
            return self._begin(timestamp, arrival, ssrc, 0.0)
        elapsed = max(arrival - self._arrival, 0.0)
        step = self._step(timestamp, elapsed)
        ahead = self._latest + step - arrival - self._leading(arrival)
        if ssrc != self._ssrc or self._latest + step < self._media - MAX_REORDER_SECONDS or ahead > MAX_LEAD_SECONDS:
            self._reanchor()
            return self._begin(timestamp, arrival, ssrc, self._media + max(arrival - self._advance_arrival, 0.0))
        return self._advance(timestamp, arrival, self._latest + step)

    def sender_report(self, ntp: float, rtp: int, arrival: float, ssrc: int) -> None:
        """Take a sender report: `ntp` seconds on the sender's clock at RTP timestamp `rtp`.

        A report for an SSRC that has sent nothing yet waits for it (the newest one); a zero clock (RFC 3550 section
        6.4.1: no wall clock) and one that fits no plausible media time are left out.
        """
        if ntp <= 0.0:
            return
        if ssrc != self._ssrc:
            self._early_report = (ntp, rtp, ssrc)
            return
        step = self._step(rtp, max(arrival - self._arrival, 0.0))
        if abs(step) <= REPORT_WINDOW_SECONDS:
            self._accept(SenderReport(self._latest + step, ntp))

    def reading(self, media: float) -> tuple[float, float, ClockState]:
        """Capture seconds, half-width in seconds, and state at a media time.

        Mapped: on the sender's clock. Unknown: on the arrival clock, at the least delay seen, so that jitter is not
        taken for motion.
        """
        line = self._line
        if line is None:
            return self.arrival_of(media), ARRIVAL_UNCERTAINTY_SECONDS, ClockState.UNKNOWN
        return line.at(media), line.uncertainty(media), ClockState.MAPPED

    def arrival_of(self, media: float) -> float:
        """When a frame of this media time arrives with the least delay seen."""
        return media - (self._lead or 0.0)

    def _begin(self, timestamp: int, arrival: float, ssrc: int, media: float) -> float:
        self._ssrc, self._latest = ssrc, media
        self._advance(timestamp, arrival, media)
        if self._early_report is not None and self._early_report[2] == ssrc:
            ntp, rtp, _ = self._early_report
            self._early_report = None
            self.sender_report(ntp, rtp, arrival, ssrc)
        return self._media

    def _advance(self, timestamp: int, arrival: float, media: float) -> float:
        self._timestamp, self._latest = timestamp & (_RTP_WRAP - 1), media
        self._lead = max(self._leading(arrival), media - arrival)
        self._arrival = max(self._arrival, arrival)
        if media >= self._media:
            self._media, self._advance_arrival = media, self._arrival
        return self._media

    def _step(self, timestamp: int, elapsed: float) -> float:
        """Seconds from the latest timestamp, unwrapped to the value nearest to what has elapsed."""
        expected = round(elapsed * self._rate)
        difference = (timestamp - self._timestamp - expected + _RTP_WRAP // 2) % _RTP_WRAP - _RTP_WRAP // 2
        return (expected + difference) / self._rate

    def _leading(self, arrival: float) -> float:
        """Give the most that media time has led arrival, forgetting at the rate at which clocks may drift apart."""
        if self._lead is None:
            return self._latest - arrival
        return self._lead - MAX_DRIFT_RATIO * max(arrival - self._arrival, 0.0)

    def _reanchor(self) -> None:
        self.resets += 1
        self._reports.clear()
        self._outlier = None
        line = self._line
        if line is not None:
            self._line = replace(line, extra=line.extra + REANCHOR_UNCERTAINTY_SECONDS)

    def _accept(self, report: SenderReport) -> None:
        """Add a report, unless it is a lone outlier: two outliers that agree with each other start a new line."""
        if self._reports:
            if report.ntp <= self._reports[-1].ntp and report.media == self._reports[-1].media:
                return
            if self._is_outlier(report):
                return
        self._outlier = None
        self._reports.append(report)
        self._line = fit_line(tuple(self._reports))

    def _is_outlier(self, report: SenderReport) -> bool:
        """Whether a report is a lone outlier; two in a row that agree with each other replace what came before."""
        line = fit_line(tuple(self._reports))
        if abs(report.ntp - line.at(report.media)) <= MAX_RESIDUAL_SECONDS + line.spread:
            return False
        previous = self._outlier
        self._outlier = report
        if (
            previous is None
            or abs((report.ntp - previous.ntp) - (report.media - previous.media)) > MAX_RESIDUAL_SECONDS
        ):
            return True
        self._reports.clear()
        self._reports.append(previous)
        return False


class CallClock:
    """Both tracks of one participant on one clock.

    Capture time is the sender's clock shifted by a constant to begin near arrival, so that the change from unknown to
    mapped is small. It is unknown until both tracks are mapped, and while they disagree by more than two seconds about
    the delay between sender and here (one of them has been re-mapped, or a server writes impossible reports).
    """

    def __init__(self, rates: Mapping[TrackKind, int] = CLOCK_RATES_HZ) -> None:
        self.tracks: dict[TrackKind, TrackClock] = {kind: TrackClock(rate) for kind, rate in rates.items()}
        self._shift: float | None = None

    def sender_report(self, kind: TrackKind, ntp: float, rtp: int, arrival: float, ssrc: int) -> None:
        """Feed a sender report; see `TrackClock.sender_report`."""
        self.tracks[kind].sender_report(ntp, rtp, arrival, ssrc)

    def stamp(self, kind: TrackKind, rtp_ts: int, arrival: float, ssrc: int) -> Stamp:
        """Place a frame and stamp it; see `TrackClock.rtp`."""
        return self.at(kind, self.tracks[kind].rtp(rtp_ts, arrival, ssrc), arrival)

    def at(self, kind: TrackKind, media: float, arrival: float) -> Stamp:
        """Stamp a media time in seconds by the clocks as they are known now; `arrival` is monotonic seconds."""
        track = self.tracks[kind]
        if not self._agreed():
            return Stamp(media, track.arrival_of(media), ARRIVAL_UNCERTAINTY_SECONDS, ClockState.UNKNOWN, arrival)
        capture, uncertainty, state = track.reading(media)
        expected = track.arrival_of(media)
        shift = self._shift
        if shift is None or abs(capture + shift - expected) > 2 * MAX_DELAY_DIFFERENCE_SECONDS:
            self._shift = shift = expected - capture
        return Stamp(media, capture + shift, uncertainty, state, arrival)

    def _agreed(self) -> bool:
        delays: list[float] = []
        for track in self.tracks.values():
            if not track.mapped:
                return False
            delays.append(track.delay)
        return max(delays) - min(delays) <= MAX_DELAY_DIFFERENCE_SECONDS
