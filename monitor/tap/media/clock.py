"""From RTP time to the sender's clock through RTCP sender reports (RFC 3550 section 6.4.1). Pure: no wall clock.

Two invariants. A track's media time never steps back and never jumps ahead of what has arrived, whatever the sender
does to its timestamps. Capture time is claimed only when both tracks of a participant are mapped by their own reports
and agree with arrival; until then it is the arrival time, and says so. Readings may be taken from another thread: they
see one immutable line at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace

from monitor.tap.media.clock_line import ClockLine, ReportRange, SenderReport, fit_line
from monitor.tap.media.least_delay import LeastDelay
from monitor.tap.media.lru import LruTable
from monitor.types import ClockState, Stamp, TrackKind

# RTP clock rates of Opus (RFC 7587 section 4.1) and of every video payload format.
CLOCK_RATES_HZ: Mapping[TrackKind, int] = {"audio": 48_000, "video": 90_000}

# Placing frames: packets further back than this, or further ahead of their arrival, are a new timeline.
MAX_REORDER_SECONDS = 0.5
MAX_LEAD_SECONDS = 2.0

MAX_REPORTS = 32
# Of how many other SSRCs the newest report is remembered.
MAX_EARLY_REPORTS = 8
REPORT_WINDOW_SECONDS = 60.0
MAX_DELAY_DIFFERENCE_SECONDS = 2.0
# A report confirms that RTP time stood still where it says so for as long as arrivals do, to within this.
MAX_STANDSTILL_DIFFERENCE_SECONDS = 0.5
# A track without media for longer says nothing of the network.
ON_TIME_SECONDS = 1.0

REANCHOR_UNCERTAINTY_SECONDS = 0.15
ARRIVAL_UNCERTAINTY_SECONDS = 0.5

# RTP timestamps and the fraction of an NTP timestamp are 32-bit numbers.
_RTP_WRAP = 1 << 32


def ntp_seconds(ntp: int) -> float:
    """Seconds since 1900 of a 64-bit NTP timestamp (RFC 5905 section 6)."""
    return (ntp >> 32) + (ntp & 0xFFFFFFFF) / _RTP_WRAP


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
        self._delay = LeastDelay()
        self._reports: deque[SenderReport] = deque(maxlen=MAX_REPORTS)
        self._deviant: SenderReport | None = None
        self._early_reports: LruTable[int, tuple[float, int]] = LruTable(MAX_EARLY_REPORTS)
        self._line: ClockLine | None = None
        self.beside: tuple[TrackClock, ...] = ()
        """The tracks that come by the same way."""
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

    def is_on_time(self, arrival: float) -> bool:
        """Whether media have just come, with no more than jitter: the network is no slower than it was."""
        return self._ssrc is not None and arrival - self._arrival < ON_TIME_SECONDS and not self._delay.lag

    def rtp(self, timestamp: int, arrival: float, ssrc: int) -> float:
        """Place a frame's 32-bit RTP timestamp; returns media seconds, 0.0 for the first frame, never less than before.

        `arrival` is monotonic seconds. A change of SSRC, a step back of more than half a second and a step ahead of
        what can have arrived are re-anchored: media time goes on by the time that passed. So is RTP time that stood
        still, as soon as a sender report confirms it or no report has explained the lag for two seconds; unless another
        track is on time meanwhile, the track is then unknown until a report comes.
        """
        if self._ssrc is None:
            return self._begin(timestamp, arrival, ssrc, 0.0)
        elapsed = max(arrival - self._arrival, 0.0)
        step = self._step(timestamp, elapsed)
        ahead = self._latest + step - arrival - self._delay.lead(arrival)
        if ssrc != self._ssrc or self._latest + step < self._media - MAX_REORDER_SECONDS or ahead > MAX_LEAD_SECONDS:
            self._reanchor()
            return self._begin(timestamp, arrival, ssrc, self._media + max(arrival - self._advance_arrival, 0.0))
        return self._advance(timestamp, arrival, self._latest + step)

    def sender_report(self, ntp: float, rtp: int, arrival: float, ssrc: int) -> None:
        """Take a sender report: `ntp` seconds on the sender's clock at RTP timestamp `rtp`.

        The newest report of an SSRC that is not placed here yet waits for it; a zero clock (RFC 3550 section
        6.4.1: no wall clock) and one that fits no plausible media time are left out.
        """
        if ntp <= 0.0:
            return
        if ssrc != self._ssrc:
            self._early_reports.put(ssrc, (ntp, rtp))
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
        return self._delay.arrival_of(media)

    def _begin(self, timestamp: int, arrival: float, ssrc: int, media: float) -> float:
        self._ssrc, self._latest = ssrc, media
        self._advance(timestamp, arrival, media)
        early = self._early_reports.entries.pop(ssrc, None)
        if early is not None:
            self.sender_report(*early, arrival, ssrc)
        return self._media

    def _advance(self, timestamp: int, arrival: float, media: float) -> float:
        self._arrival = max(self._arrival, arrival)
        self._delay.note(media, arrival)
        if self._delay.is_lasting:
            media += self._end_lag()
        self._timestamp, self._latest = timestamp & (_RTP_WRAP - 1), media
        if media >= self._media:
            self._media, self._advance_arrival = media, self._arrival
        return self._media

    def _step(self, timestamp: int, elapsed: float) -> float:
        """Seconds from the latest timestamp, unwrapped to the value nearest to what has elapsed."""
        expected = round(elapsed * self._rate)
        difference = (timestamp - self._timestamp - expected + _RTP_WRAP // 2) % _RTP_WRAP - _RTP_WRAP // 2
        return (expected + difference) / self._rate

    def _end_lag(self) -> float:
        """Say what a lasting lag was; returns the seconds for which RTP time stood still, 0.0 for a slower network."""
        lag = self._delay.lag
        if self._delay.is_explained:
            self._delay.accept_lag()
            return 0.0
        self._reanchor()
        if not any(track.is_on_time(self._arrival) for track in self.beside):
            # It may have been the network after all: only a report can tell.
            self._line = None
        return lag

    def _reanchor(self) -> None:
        self.resets += 1
        self._reports.clear()
        self._deviant = None
        self._delay.forget_lag()
        line = self._line
        if line is not None:
            self._line = replace(line, extra=line.extra + REANCHOR_UNCERTAINTY_SECONDS)

    def _accept(self, report: SenderReport) -> None:
        """Add a report, unless it is wild: two such in a row that agree with each other start a new line."""
        if self._reports:
            if report.ntp <= self._reports[-1].ntp and report.media == self._reports[-1].media:
                return
            usual = ReportRange.of(tuple(self._reports))
            deviation = usual.deviation(report)
            if deviation:
                if self._has_stood_still(deviation):
                    self._accept(self._resume(report, deviation))
                    return
                previous, self._deviant = self._deviant, report
                if previous is None or not usual.agree(previous, report):
                    self._line = usual.provisional(deviation, report.media - self._reports[-1].media)
                    return
                self._reports.clear()
                self._reports.append(previous)
        self._deviant = None
        self._delay.explain_lag()
        self._reports.append(report)
        self._line = fit_line(tuple(self._reports))

    def _has_stood_still(self, deviation: float) -> bool:
        """Whether a report that is off the line by so many seconds says of the lag what arrivals say."""
        lag = self._delay.lag
        return lag > 0.0 and deviation > 0.0 and abs(deviation - lag) <= MAX_STANDSTILL_DIFFERENCE_SECONDS

    def _resume(self, report: SenderReport, deviation: float) -> SenderReport:
        """Move media time on by the time for which RTP time stood still, which keeps the line; returns the report."""
        stood = min(deviation, self._delay.lag)
        self.resets += 1
        self._latest += stood
        self._deviant = None
        self._delay.forget_lag()
        return replace(report, media=report.media + stood)


class CallClock:
    """Both tracks of one participant on one clock.

    Capture time is the sender's clock shifted by a constant to begin near arrival, so that the change from unknown to
    mapped is small. It is unknown until both tracks are mapped, and while they disagree by more than two seconds about
    the delay between sender and here (one of them has been re-mapped, or a server writes impossible reports).
    """

    def __init__(self, rates: Mapping[TrackKind, int] = CLOCK_RATES_HZ) -> None:
        self.tracks: dict[TrackKind, TrackClock] = {kind: TrackClock(rate) for kind, rate in rates.items()}
        for kind, track in self.tracks.items():
            track.beside = tuple(other for name, other in self.tracks.items() if name != kind)
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
        return Stamp(media, capture + shift, uncertainty, state, arrival, expected - capture - shift)

    def _agreed(self) -> bool:
        delays: list[float] = []
        for track in self.tracks.values():
            if not track.mapped:
                return False
            delays.append(track.delay)
        return max(delays) - min(delays) <= MAX_DELAY_DIFFERENCE_SECONDS
