"""What a subscriber sees of a benchmark's participants, and when. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(slots=True)
class Witness:
    """What a subscriber saw of each participant; times on the monotonic clock."""

    media: dict[str, float] = field(default_factory=dict)
    states: dict[str, list[float]] = field(default_factory=dict)
    scored: dict[str, list[float]] = field(default_factory=dict)
    verdicts: Counter[str] = field(default_factory=Counter)
    delays: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    def take(self, message: dict[str, Any], now: float, wall: float) -> None:
        """Take a message that came at `now`, `wall` on the clock of its own `time`."""
        if message.get("type") != "state":
            return
        who = message["participant"]
        self.states.setdefault(who, []).append(now)
        if any(score["score"] is not None for score in message["scores"].values()):
            self.scored.setdefault(who, []).append(now)
        self.verdicts["/".join(filter(None, (message["verdict"], message["reason"])))] += 1
        self.rates += [message["quality"]["fps"]] if "fps" in message["quality"] else []
        self.delays.append(wall - datetime.fromisoformat(message["time"]).timestamp())

    def first(self, seen: dict[str, list[float]]) -> list[float]:
        """Give the seconds from each participant's first media to its first moment in `seen`, where it has one."""
        found = []
        for who, began in self.media.items():
            after = [at for at in seen.get(who, []) if at >= began]
            found += [after[0] - began] if after else []
        return found

    def begin_span(self) -> None:
        """Forget verdicts, delays and frame rates so far."""
        self.verdicts.clear()
        self.delays.clear()
        self.rates.clear()
