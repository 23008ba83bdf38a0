"""How a host judges in tests: no media and no models, and findings that can be counted; in a real process of its own.

Each participant goes through one episode after another: a finding opens, is updated and closes, each at a hop, then
there is a hop without. Where they are in it is their evidence, and the number of the episode is in each finding.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from engines.base import EngineError
from monitor.config import Settings
from monitor.decision.decide import Decision, DecisionConfig, DecisionState, Transition, initial
from monitor.decision.report import HopReport
from monitor.host.cluster.far_gateway import FarLookup, FarVault
from monitor.host.judging import Judging
from monitor.storage.tenancy.names import inside, outside
from monitor.types import FloatArray, MediaItem, ParticipantKey, Reason, Score, Verdict

STEPS = (Transition.OPENED, Transition.UPDATED, Transition.CLOSED, None)
# What an offer makes the host do in place of being published.
HANG, BREAK = "hang", "break"


class ToyPeer:
    """Media that never come, until it is closed."""

    dropped = 0
    etag = "etag"

    def __init__(self) -> None:
        self._closed = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[MediaItem]:
        await self._closed.wait()
        return
        yield

    def pause(self, paused: bool) -> None:
        """Nothing comes anyway."""

    async def close(self) -> None:
        self._closed.set()

    async def add_candidates(self, fragment: str) -> None:
        if fragment == "leave":
            self._closed.set()


@dataclass
class ToySession:
    """Decides at every hop what comes next."""

    key: ParticipantKey
    hop_seconds: float
    lookup: FarLookup | None
    evidence: DecisionState = field(default_factory=lambda: initial(DecisionConfig()))
    due: float = 0.0
    looks: int = 0
    memories: dict[str, Any] = field(default_factory=dict)

    def resume(self, evidence: DecisionState, memories: Mapping[str, Any] | None = None) -> None:
        self.evidence = evidence

    def link(self, evidence: DecisionState) -> None:
        self.evidence = evidence

    def face(self) -> FloatArray:
        return np.zeros((0, 0), np.float32)

    def push(self, item: MediaItem) -> None:
        """Nothing comes."""

    def tick(self, now: float) -> HopReport | None:
        if now < self.due:
            return None
        self.due = now + self.hop_seconds
        episode, step = divmod(int(self.evidence.judged), len(STEPS))
        self.evidence = replace(self.evidence, judged=self.evidence.judged + 1)
        known = self.lookup() if self.lookup is not None else None
        reference = None if known is None else known.made
        evidence = {"episode": episode, "process": os.getpid(), "reference": reference}
        score = Score("synchrony", 1.0, p_value=0.5, one_sided=True, evidence=evidence)
        reason, transition = Reason.LIPS_DISAGREE_WITH_VOICE, STEPS[step]
        told = reason if transition is not None else None
        decided = Decision(Verdict.ALERT, reason, (score,), 1.0, 10.0, transition, told, {"synchrony": evidence})
        return HopReport(self.key, now, None, decided, quality={})

    def rest(self, now: float) -> HopReport | None:
        return None


async def answer(offer: str) -> tuple[ToyPeer, str]:
    if offer == HANG:
        os.kill(os.getpid(), signal.SIGSTOP)
    if offer == BREAK:
        raise RuntimeError("a message with a secret")
    return ToyPeer(), f"answer of {os.getpid()}"


def judging(settings: Settings, vault: FarVault) -> Judging:
    def session(key: ParticipantKey) -> ToySession:
        lookup = vault.reference(inside(outside(key.call)[0], key.identity)) if key.identity is not None else None
        return ToySession(key, settings.hop_seconds, lookup)

    no_models: Any = None
    return Judging(session, answer, no_models, claimed=vault.claimed, packs={"toy": "0" * 64})


def broken(settings: Settings, vault: FarVault) -> Judging:
    raise EngineError("the pack toy is missing: install it")
