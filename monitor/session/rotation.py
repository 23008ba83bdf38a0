"""Detectors that are asked by turns: at every second hop each, those of an even place beside those of an odd one. Pure.

What such a detector judges is a window of several seconds, of which a hop brings a tenth anew. In between its last
score stands, for one hop: every phase of the decision, which bets once a window, still bets on windows that share no
evidence, and they end a hop earlier.
"""

from __future__ import annotations

from monitor.detectors.base import Hop, LiveDetector
from monitor.types import Score


class Rotation:
    """Asks one detector of one participant; `offset` is the turn at which it is asked first."""

    def __init__(self, live: LiveDetector, every: int = 1, offset: int = 0) -> None:
        self.live = live
        self.every, self._offset = every, offset
        self._hops = 0
        self._standing: Score | None = None
        self._left = 0
        self._part: bytes | None = None

    def forget(self) -> None:
        """Let no score stand."""
        self._standing, self._left = None, 0

    def score(self, hop: Hop) -> Score:
        """Score a hop, or let the last score stand; raises what the detector does.

        An obstacle is never passed over, nor that a reference was erased or made anew.
        """
        turn, self._hops = (self._hops + self._offset) % self.every, self._hops + 1
        free = hop.obstacle is None and hop.face_obstacle is None and not hop.settled
        if turn and free and hop.part == self._part and self._standing is not None and self._left:
            self._left -= 1
            return self._standing
        self.forget()
        self._part = hop.part
        score = self.live.score(hop)
        if score.value is not None:
            self._standing, self._left = score, self.every - 1
        return score
