"""What a subscriber sees of a benchmark's participants, and when. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class SpanMessages:
    """Messages of a span: verdicts by participant, hops with a score by detector, delays, frame rates, mean size.

    `delays_seconds` are seconds from a message's own time to its arrival.
    """

    verdict_counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    scored: Mapping[str, int] = field(default_factory=dict)
    delays_seconds: list[float] = field(default_factory=list)
    frame_rates: list[float] = field(default_factory=list)
    state_bytes: float | None = None

    @property
    def verdicts(self) -> dict[str, int]:
        """How often each word was said, of all participants together."""
        return dict(sum((Counter(counts) for counts in self.verdict_counts.values()), Counter()))

    @property
    def hops(self) -> int:
        """How often anything was said."""
        return sum(self.verdicts.values())

    def share(self, who: str, word: str) -> float:
        """Return how much of what was said of a participant is this word, 0 where nothing was said."""
        counts = self.verdict_counts.get(who, {})
        return counts.get(word, 0) / sum(counts.values()) if counts else 0.0


@dataclass(slots=True)
class Observer:
    """What a subscriber saw of each participant; times on the monotonic clock."""

    media: dict[str, float] = field(default_factory=dict)
    states: dict[str, list[float]] = field(default_factory=dict)
    scored: dict[str, list[float]] = field(default_factory=dict)
    unmonitored: dict[str, list[float]] = field(default_factory=dict)
    _words: dict[str, Counter[str]] = field(default_factory=dict)
    _by: Counter[str] = field(default_factory=Counter)
    _delays: list[float] = field(default_factory=list)
    _rates: list[float] = field(default_factory=list)
    _bytes: int = 0

    def observe(self, message: dict[str, Any], now: float, wall: float, size: int = 0) -> None:
        """Take a message of `size` bytes that came at `now`, `wall` on the clock of its own `time`."""
        if message.get("type") == "unmonitored" and message["action"] == "began":
            self.unmonitored.setdefault(message["participant"], []).append(now)
        if message.get("type") != "state":
            return
        who = message["participant"]
        self.states.setdefault(who, []).append(now)
        by = [name for name, score in message["scores"].items() if score["score"] is not None]
        if by:
            self.scored.setdefault(who, []).append(now)
        self._by.update(by)
        self._words.setdefault(who, Counter())["/".join(filter(None, (message["verdict"], message["reason"])))] += 1
        self._rates += [message["quality"]["fps"]] if "fps" in message["quality"] else []
        self._bytes += size
        self._delays.append(wall - datetime.fromisoformat(message["time"]).timestamp())

    def first(self, moments: dict[str, list[float]]) -> list[float]:
        """Return the seconds from each participant's first media to its first moment in `moments`, where it has one."""
        found = []
        for who, began in self.media.items():
            after = [at for at in moments.get(who, []) if at >= began]
            found += [after[0] - began] if after else []
        return found

    def begin_span(self) -> None:
        """Forget words, scores, delays, frame rates and sizes so far."""
        self._words, self._by, self._delays, self._rates, self._bytes = {}, Counter(), [], [], 0

    def messages(self) -> SpanMessages:
        """Return the messages since the span began."""
        return SpanMessages(
            {who: dict(words) for who, words in self._words.items()},
            dict(self._by),
            list(self._delays),
            list(self._rates),
            self._bytes / len(self._delays) if self._bytes else None,
        )

    def forget(self) -> None:
        """Forget everybody: other participants come."""
        self.media, self.states, self.scored, self.unmonitored = {}, {}, {}, {}
        self.begin_span()
