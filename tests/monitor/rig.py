"""A source and a session that do what the test says, in place of a camera and of the models."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import structlog

from monitor.decision.decide import Decision, DecisionConfig, DecisionState, Transition, initial
from monitor.decision.report import HopReport
from monitor.host import logging as log
from monitor.host.components import Components
from monitor.host.host import Host
from monitor.host.judging import Judging
from monitor.host.publication import Answer, Peer
from monitor.host.step import SessionFactory
from monitor.identity.claimed import Claimed, stated
from monitor.types import (
    AudioBlock,
    ClockState,
    FloatArray,
    MediaItem,
    ParticipantKey,
    Profile,
    Reason,
    Score,
    Stamp,
    TrackFault,
    Verdict,
)

GENUINE, OPEN, UPDATE, CLOSE, CRASH, REFUSE = 0.0, 1.0, 2.0, 3.0, 4.0, 5.0


@contextlib.contextmanager
def quiet_log() -> Iterator[None]:
    """Configure logging as the server does, and undo it."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    log.configure("error", "json")
    try:
        yield
    finally:
        root.handlers = handlers
        root.setLevel(level)
        structlog.reset_defaults()


def block(order: float, arrival: float = 0.0, capture: float = 0.0) -> AudioBlock:
    """An audio block whose first sample is an order to the scripted session."""
    return AudioBlock(Stamp(0.0, capture, 0.0, ClockState.MAPPED, arrival), np.array([order], np.float32))


class ScriptedSource:
    """Yields what is put; drops the oldest beyond its capacity."""

    def __init__(self, capacity: int = 1000) -> None:
        self._items: list[MediaItem] = []
        self._capacity = capacity
        self._ready = asyncio.Event()
        self._closed = False
        self.dropped = 0
        self.fail: Exception | None = None
        self.pauses: list[bool] = []

    def pause(self, paused: bool) -> None:
        self.pauses.append(paused)

    def put(self, *items: MediaItem) -> None:
        self._items += items
        excess = max(0, len(self._items) - self._capacity)
        self.dropped += excess
        del self._items[:excess]
        self._ready.set()

    def break_down(self, error: Exception) -> None:
        self.fail = error
        self._ready.set()

    async def __aiter__(self) -> AsyncIterator[MediaItem]:
        while True:
            while self._items:
                yield self._items.pop(0)
            if self.fail is not None:
                raise self.fail
            if self._closed:
                return
            self._ready.clear()
            await self._ready.wait()

    async def close(self) -> None:
        self._closed = True
        self._ready.set()


@dataclass
class ScriptedSession:
    """Obeys the orders in its media; reports at every tick that follows one, else once in 0.1 s."""

    key: ParticipantKey
    seen: list[MediaItem] = field(default_factory=list)
    order: float | None = None
    reported: float = 0.0
    rested: int = 0
    evidence: DecisionState = field(default_factory=lambda: initial(DecisionConfig()))

    memories: dict[str, Any] = field(default_factory=dict)

    def resume(self, evidence: DecisionState, memories: Mapping[str, Any] | None = None) -> None:
        self.evidence = evidence

    looks: int = 0

    def face(self) -> FloatArray:
        raise AssertionError("nobody looks at it")

    def link(self, evidence: DecisionState) -> None:
        self.evidence = evidence

    def push(self, item: MediaItem) -> None:
        self.seen.append(item)
        if isinstance(item, TrackFault):
            return
        assert isinstance(item, AudioBlock)
        self.order = float(item.samples[0])
        if self.order == CRASH:
            raise ValueError("a message that names " + self.key.participant)

    def tick(self, now: float) -> HopReport | None:
        if self.order is None and now - self.reported < 0.1:
            return None
        order, self.order, self.reported = self.order or GENUINE, None, now
        capture = next((item.stamp.capture for item in reversed(self.seen) if isinstance(item, AudioBlock)), None)
        return HopReport(self.key, now, capture, decision(order), quality={"fps": 30.0})

    def rest(self, now: float) -> HopReport | None:
        if now - self.reported < 0.1:
            return None
        self.reported = now
        self.rested += 1
        score = Score("synchrony", None, Reason.OVERLOADED, one_sided=True)
        return HopReport(self.key, now, None, Decision(Verdict.INCONCLUSIVE, Reason.OVERLOADED, (score,), 0.0, 7200.0))


def decision(order: float) -> Decision:
    transition = {OPEN: Transition.OPENED, UPDATE: Transition.UPDATED, CLOSE: Transition.CLOSED}.get(order)
    verdict = Verdict.ALERT if order in (OPEN, UPDATE) else Verdict.INCONCLUSIVE
    reason = Reason.LIPS_DISAGREE_WITH_VOICE if order in (OPEN, UPDATE) else Reason.NOT_ENROLLED
    evidence = {"offsets_ms": [-40, 0, 40], "agreement": [0.1, 0.2, float("nan")]}
    score = Score("synchrony", -0.2, p_value=0.001, one_sided=True, evidence=evidence)
    return Decision(
        verdict,
        reason,
        (score,),
        float("inf"),
        7200.0,
        transition,
        reason if transition else None,
        {"synchrony": evidence},
    )


def factory(key: ParticipantKey) -> ScriptedSession:
    if key.participant == "unbuildable":
        raise RuntimeError("no session")
    return ScriptedSession(key)


async def no_answer(_offer: str) -> tuple[Peer, str]:
    raise AssertionError("nobody publishes here")


def host_of(components: Components) -> Host:
    """The host of this process."""
    assert isinstance(components.host, Host)
    return components.host


def scripted(
    sessions: SessionFactory = factory,
    answer: Answer = no_answer,
    claimed: Callable[[ParticipantKey, Profile], Claimed] = stated,
) -> Judging:
    """Judging by scripted sessions, without models."""
    no_models: Any = None
    return Judging(sessions, answer, no_models, claimed=claimed)
