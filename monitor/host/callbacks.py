"""Where a participant's words go, and what they ask of those around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from monitor.alerts.finding import Finding
from monitor.alerts.wire import Message
from monitor.host.departed import Departed, Past
from monitor.types import FloatArray, ParticipantKey


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Where states and findings go; `finding` must not block. Both get the monotonic time of the decision.

    `remembers` says whether whoever leaves now may come back, `left` takes what is to be known of them then, and `past`
    gives it. `seeks` says whether somebody has left the call under another name since then, and `link` who of them has
    this face. `packs` are the hashes of the model packs that judge, by name, for the findings.
    """

    state: Callable[[Message, float], None]
    finding: Callable[[Finding, float], None]
    remembers: Callable[[], bool]
    left: Callable[[Departed], None]
    rejoin_seconds: float = 0.0
    seeks: Callable[[ParticipantKey, float], bool] = lambda _key, _since: False
    link: Callable[[ParticipantKey, FloatArray, float], Departed | None] = lambda _key, _face, _since: None
    past: Callable[[ParticipantKey], Past] = lambda _key: Past()
    packs: Mapping[str, str] = field(default_factory=dict)
