"""The least delay with which a track's media arrive, and for how long they have all come later than that. Pure.

Jitter passes; a lag stays. Media that lag were either held up by a network that has become slower, or their sender's
RTP time stood still for a while (a mute, a laptop that slept): which of the two, arrivals alone cannot say.
"""

from __future__ import annotations

from monitor.tap.media.clock_line import MAX_DRIFT_RATIO

# Jitter buffers of WebRTC reach up to about this.
MAX_JITTER_SECONDS = 0.4
# Not one packet in so long has come as early as all used to.
LAG_SECONDS = 2.0


class LeastDelay:
    """Takes media times and arrivals in seconds, as they come.

    `is_explained`: a sender report has fitted the media since the lag began.
    """

    def __init__(self) -> None:
        self._lead: float | None = None
        self._arrival = 0.0
        self._lag_began: float | None = None
        self._lag_lead = 0.0
        self.is_explained = False

    @property
    def lag(self) -> float:
        """Seconds by which the least delay has grown; 0.0 where the latest media came with no more than jitter."""
        return (self._lead or 0.0) - self._lag_lead if self._lag_began is not None else 0.0

    @property
    def is_lasting(self) -> bool:
        """Whether the lag has lasted for longer than a network needs to deliver what it has held up."""
        return self._lag_began is not None and self._arrival - self._lag_began >= LAG_SECONDS

    def note(self, media: float, arrival: float) -> None:
        """Take the arrival of a frame."""
        lead = media - arrival
        most = lead if self._lead is None else self.lead(arrival)
        self._arrival = max(self._arrival, arrival)
        self._lead = max(most, lead)
        if lead >= most - MAX_JITTER_SECONDS:
            self._lag_began = None
        elif self._lag_began is None:
            self._lag_began, self._lag_lead, self.is_explained = arrival, lead, False
        else:
            self._lag_lead = max(self._lag_lead, lead)

    def lead(self, arrival: float) -> float:
        """Give the most that media time has led arrival, forgetting at the rate at which clocks may drift apart."""
        return (self._lead or 0.0) - MAX_DRIFT_RATIO * max(arrival - self._arrival, 0.0)

    def arrival_of(self, media: float) -> float:
        """When a frame of this media time arrives with the least delay."""
        return media - (self._lead or 0.0)

    def explain_lag(self) -> None:
        """Take note that media time still fits the sender's clock: the lag, if there is one, is the network's."""
        self.is_explained = True

    def accept_lag(self) -> None:
        """Take the lag for what media need by now."""
        self._lead = (self._lead or 0.0) - self.lag
        self._lag_began = None

    def forget_lag(self) -> None:
        """Begin to watch anew: the media have been moved."""
        self._lag_began = None
