"""How much of a stream is lost on the way, by sequence numbers (RFC 3550 appendix A.3). Pure."""

from __future__ import annotations

from collections import deque

_MASK = 0xFFFF
_HALF = 0x8000
# A step of more than this is a restart of the sender, not loss (MAX_DROPOUT of RFC 3550 appendix A.1).
_MAX_STEP = 3000
_PERIODS = 3
# Under so many expected packets, such as in discontinuous transmission, nothing is said.
_MIN_PACKETS = 10


class LossMeter:
    """Counts one SSRC's packets; `close` ends a period, and the share is over the last three."""

    def __init__(self) -> None:
        self._highest: int | None = None
        self._expected = self._received = 0
        self._periods: deque[tuple[int, int]] = deque(maxlen=_PERIODS)

    def add(self, sequence: int) -> None:
        """Count a packet; late ones count as received, those from before a restart do not."""
        step = sequence - self._highest & _MASK if self._highest is not None else 1
        if step >= _HALF:
            if _MASK + 1 - step > _MAX_STEP:
                self._highest, self._expected = sequence, self._expected + 1
            self._received += 1
            return
        self._expected += step if step <= _MAX_STEP else 1
        self._received += 1 if step else 0
        self._highest = sequence

    def close(self) -> float:
        """End a period; returns the share of packets lost over the last three, 0 to 1."""
        self._periods.append((self._expected, self._received))
        self._expected = self._received = 0
        expected = sum(period[0] for period in self._periods)
        received = sum(period[1] for period in self._periods)
        return max(0.0, 1.0 - received / expected) if expected >= _MIN_PACKETS else 0.0
