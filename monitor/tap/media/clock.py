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

RATES: Mapping[TrackKind, int] = {"audio": 48_000, "video": 90_000}

REPORTS = 32
REORDER = 0.5
MAX_LEAD = 2.0
MAX_DRIFT = 500e-6
MIN_SPAN = 10.0
MIN_REPORTS = 4
REPORT_WINDOW = 60.0
STEP = 0.25
MAX_DISAGREEMENT = 2.0
PRIOR = 0.05
FLOOR = 0.005
REANCHORED = 0.15
ARRIVAL_UNCERTAINTY = 0.5

_WRAP = 1 << 32


def ntp_seconds(ntp: int) -> float:
    """Seconds since 1900 of a 64-bit NTP timestamp (RFC 5905 section 6)."""
    return (ntp >> 32) + (ntp & 0xFFFFFFFF) / _WRAP


@dataclass(frozen=True, slots=True)
class Report:
    """One sender report on the track's media timeline."""

    media: float
    ntp: float


@dataclass(frozen=True, slots=True)
class Line:
    """Sender's clock as a line over media time, exact at `(media, ntp)`.

    `spread` is the largest residual in seconds, `slack` the slope's half-width.
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
        ahead = abs(media - self.media)
        return FLOOR + self.spread + PRIOR / math.sqrt(self.reports) + self.extra + ahead * self.slack


def fit(reports: Sequence[Report]) -> Line:
    """Fit a line through sender reports: Theil-Sen slope once the span tells it (else 1), lowest-fifth intercept.

    Many senders pair the time of the report with the timestamp of their last frame, so reports are late by up to one
    frame and never early: the lower edge is the truth. A fifth, not the least, so that a few wild ones are ignored.
    """
    middle = median(r.media for r in reports)
    span = reports[-1].media - reports[0].media
    known = span >= MIN_SPAN and len(reports) >= MIN_REPORTS
    slope = _slope(reports, span / 4) if known else 1.0
    ntp = sorted(r.ntp - slope * (r.media - middle) for r in reports)[len(reports) // 5]
    spread = max(abs(r.ntp - ntp - slope * (r.media - middle)) for r in reports)
    slack = min(2 * spread / span, MAX_DRIFT) if known else MAX_DRIFT
    return Line(middle, ntp, slope, spread, slack, len(reports))


def _slope(reports: Sequence[Report], apart: float) -> float:
    slopes = [
        (b.ntp - a.ntp) / (b.media - a.media)
        for i, a in enumerate(reports)
        for b in reports[i + 1 :]
        if b.media - a.media > apart
    ]
    steepest, flattest = 1.0 + MAX_DRIFT, 1.0 - MAX_DRIFT
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
        self._fresh = 0.0
        self._lead: float | None = None
        self._reports: deque[Report] = deque(maxlen=REPORTS)
        self._stray: Report | None = None
        self._early: tuple[float, int, int] | None = None
        self._line: Line | None = None
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
        if ssrc != self._ssrc or self._latest + step < self._media - REORDER or ahead > MAX_LEAD:
            self._reanchor()
            return self._begin(timestamp, arrival, ssrc, self._media + max(arrival - self._fresh, 0.0))
        return self._advance(timestamp, arrival, self._latest + step)

    def sender_report(self, ntp: float, rtp: int, arrival: float, ssrc: int) -> None:
        """Take a sender report: `ntp` seconds on the sender's clock at RTP timestamp `rtp`.

        A report for an SSRC that has sent nothing yet waits for it (the newest one); a zero clock (RFC 3550 section
        6.4.1: no wall clock) and one that fits no plausible media time are left out.
        """
        if ntp <= 0.0:
            return
        if ssrc != self._ssrc:
            self._early = (ntp, rtp, ssrc)
            return
        step = self._step(rtp, max(arrival - self._arrival, 0.0))
        if abs(step) <= REPORT_WINDOW:
            self._accept(Report(self._latest + step, ntp))

    def reading(self, media: float) -> tuple[float, float, ClockState]:
        """Capture seconds, half-width in seconds, and state at a media time.

        Mapped: on the sender's clock. Unknown: on the arrival clock, at the least delay seen, so that jitter is not
        taken for motion.
        """
        line = self._line
        if line is None:
            return self.arrival_of(media), ARRIVAL_UNCERTAINTY, ClockState.UNKNOWN
        return line.at(media), line.uncertainty(media), ClockState.MAPPED

    def arrival_of(self, media: float) -> float:
        """When a frame of this media time arrives with the least delay seen."""
        return media - (self._lead or 0.0)

    def _begin(self, timestamp: int, arrival: float, ssrc: int, media: float) -> float:
        self._ssrc, self._latest = ssrc, media
        self._advance(timestamp, arrival, media)
        if self._early is not None and self._early[2] == ssrc:
            ntp, rtp, _ = self._early
            self._early = None
            self.sender_report(ntp, rtp, arrival, ssrc)
        return self._media

    def _advance(self, timestamp: int, arrival: float, media: float) -> float:
        self._timestamp, self._latest = timestamp & (_WRAP - 1), media
        self._lead = max(self._leading(arrival), media - arrival)
        self._arrival = max(self._arrival, arrival)
        if media >= self._media:
            self._media, self._fresh = media, self._arrival
        return self._media

    def _step(self, timestamp: int, elapsed: float) -> float:
        """Seconds from the latest timestamp, unwrapped to the value nearest to what has elapsed."""
        expected = round(elapsed * self._rate)
        apart = (timestamp - self._timestamp - expected + _WRAP // 2) % _WRAP - _WRAP // 2
        return (expected + apart) / self._rate

    def _leading(self, arrival: float) -> float:
        """Give the most that media time has led arrival, forgetting at the rate at which clocks may drift apart."""
        if self._lead is None:
            return self._latest - arrival
        return self._lead - MAX_DRIFT * max(arrival - self._arrival, 0.0)

    def _reanchor(self) -> None:
        self.resets += 1
        self._reports.clear()
        self._stray = None
        line = self._line
        if line is not None:
            self._line = replace(line, extra=line.extra + REANCHORED)

    def _accept(self, report: Report) -> None:
        """Add a report, unless it is the only one of its kind: two that agree on a step start a new line."""
        if self._reports:
            if report.ntp <= self._reports[-1].ntp and report.media == self._reports[-1].media:
                return
            if self._strays(report):
                return
        self._stray = None
        self._reports.append(report)
        self._line = fit(tuple(self._reports))

    def _strays(self, report: Report) -> bool:
        line = fit(tuple(self._reports))
        if abs(report.ntp - line.at(report.media)) <= STEP + line.spread:
            return False
        stray = self._stray
        self._stray = report
        if stray is None or abs((report.ntp - stray.ntp) - (report.media - stray.media)) > STEP:
            return True
        self._reports.clear()
        self._reports.append(stray)
        return False


class CallClock:
    """Both tracks of one participant on one clock.

    Capture time is the sender's clock shifted by a constant to begin near arrival, so that the change from unknown to
    mapped is small. It is unknown until both tracks are mapped, and while they disagree by more than two seconds about
    the delay between sender and here (one of them has been re-mapped, or a server writes impossible reports).
    """

    def __init__(self, rates: Mapping[TrackKind, int] = RATES) -> None:
        self.tracks: dict[TrackKind, TrackClock] = {kind: TrackClock(rate) for kind, rate in rates.items()}
        self._shift: float | None = None

    def sender_report(self, kind: TrackKind, ntp: float, rtp: int, arrival: float, ssrc: int) -> None:
        """Feed a sender report; see `TrackClock.sender_report`."""
        self.tracks[kind].sender_report(ntp, rtp, arrival, ssrc)

    def stamp(self, kind: TrackKind, rtp_ts: int, arrival: float, ssrc: int) -> Stamp:
        """Place a frame and stamp it; see `TrackClock.rtp`."""
        return self.at(kind, self.tracks[kind].rtp(rtp_ts, arrival, ssrc), arrival)

    def at(self, kind: TrackKind, media: float, arrival: float) -> Stamp:
        """Stamp a media time of a track with the present knowledge."""
        track = self.tracks[kind]
        if not self._agreed():
            return Stamp(media, track.arrival_of(media), ARRIVAL_UNCERTAINTY, ClockState.UNKNOWN, arrival)
        capture, uncertainty, state = track.reading(media)
        here = track.arrival_of(media)
        shift = self._shift
        if shift is None or abs(capture + shift - here) > 2 * MAX_DISAGREEMENT:
            self._shift = shift = here - capture
        return Stamp(media, capture + shift, uncertainty, state, arrival)

    def _agreed(self) -> bool:
        delays: list[float] = []
        for track in self.tracks.values():
            if not track.mapped:
                return False
            delays.append(track.delay)
        return max(delays) - min(delays) <= MAX_DISAGREEMENT
