"""One participant's live loop: media off the source, in batches, through a session in a thread, a report each hop.

At most one job in the pool, which also decodes where the source leaves that to it: the order of the items is kept and a
slow session only makes its own source drop. Whatever a session raises, the participant is shown as inconclusive,
gets a fresh session a few times, and nobody else notices. One who is paused costs a decision a hop, and no media.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog

from monitor.alerts.finding import Finding, FindingTracker, describe_scores
from monitor.alerts.plain import plain
from monitor.alerts.wire import Message, state_message
from monitor.decision.report import HopReport
from monitor.host.metrics import Metrics
from monitor.host.shedding import Reading
from monitor.tap.media.source import PullSource, Source
from monitor.types import (
    AudioBlock,
    ClockState,
    MediaItem,
    ParticipantKey,
    Reason,
    TrackFault,
    Verdict,
    VideoFrame,
    rfc3339,
)

BATCH = 16
# Most encoded frames that are decoded at once: all that may wait of one track.
MOST = 64
# From the beginning of one batch to that of the next: rarer ones hand over more at once, which costs less, and make
# scores older by as much.
BEAT = 0.125
RESTARTS = 3
CLOSE_SECONDS = 5.0
ENDED = "ended"
FAILED = "session_failed"
SUSPECTED = (str(Verdict.SUSPECT), str(Verdict.ALERT))


class SessionLike(Protocol):
    """What the loop needs of `monitor.session.session.Session`: synchronous, used by one thread at a time."""

    def push(self, item: MediaItem) -> None:
        """Take one item."""
        ...

    def tick(self, now: float) -> HopReport | None:
        """Decide, if a hop has passed at the arrival clock `now`."""
        ...

    def rest(self, now: float) -> HopReport | None:
        """Abstain, if a hop has passed: there was no time to look."""
        ...


Clock = Callable[[], float]
SessionFactory = Callable[[ParticipantKey], SessionLike]


@dataclass(frozen=True, slots=True)
class Outlets:
    """Where a participant's words go. `finding` must not block; both get the monotonic time of the decision."""

    state: Callable[[Message, float], None]
    finding: Callable[[Finding, float], None]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is said of a participant now."""

    verdict: str
    reason: str | None
    since: datetime
    scores: dict[str, Any] = field(default_factory=dict)
    statistic: float | None = None
    threshold: float | None = None
    quality: dict[str, float] = field(default_factory=dict)


class Participant:
    """Runs until its source ends or `end` is called; `done` is set when the last word has been given out."""

    def __init__(
        self,
        key: ParticipantKey,
        source: Source,
        session: SessionLike,
        factory: SessionFactory,
        pool: Executor,
        outlets: Outlets,
        metrics: Metrics,
        hop_seconds: float,
        clock: Clock = time.monotonic,
    ) -> None:
        self.key = key
        self.source = source
        self.done = asyncio.Event()
        self._session: SessionLike | None = session
        self._factory = factory
        self._pool = pool
        self._outlets = outlets
        self._metrics = metrics
        self._hop = hop_seconds
        self._clock = clock
        self._tracker = FindingTracker(key)
        self._pulled = source if isinstance(source, PullSource) else None
        self._waiting: list[MediaItem] = []
        self._room = asyncio.Event()
        self._full = asyncio.Event()
        self._restarts = 0
        self._dropped = 0
        self._told = clock()
        self._fare = Fare(clock)
        self.paused = False
        self._transit: float | None = None
        self._task: asyncio.Task[None] | None = None
        self.standing = Standing(str(Verdict.INCONCLUSIVE), str(Reason.WARMING_UP), datetime.now(UTC))

    def start(self, left: Callable[[], None]) -> asyncio.Task[None]:
        """Begin; call once. `left` is called just before the last word, so that nobody asks for one who is gone."""
        self._task = asyncio.create_task(self._run(left), name="participant")
        return self._task

    async def end(self) -> None:
        """Close the source and wait for the last word; safe to call twice."""
        await self._close_source()
        try:
            await asyncio.wait_for(self.done.wait(), CLOSE_SECONDS)
        except TimeoutError:
            if self._task is not None:
                self._task.cancel()
            await self.done.wait()

    @property
    def ended(self) -> bool:
        """Whether the last word has been given out."""
        return self.done.is_set()

    async def wait(self) -> None:
        """Wait for the last word."""
        await self.done.wait()

    def pause(self, paused: bool) -> None:
        """Stop looking, and say so at every hop, or look again; safe to call twice."""
        if paused != self.paused:
            self.paused = paused
            self.source.pause(paused)
            self._full.set()

    def reading(self, joined: int) -> Reading:
        """Tell how this participant has fared since this was last asked; `joined` is lower for who came earlier."""
        lag, taken, dropped = self._fare.read(self.source.dropped)
        return Reading(
            (self.key.call, self.key.participant),
            joined,
            lag,
            taken,
            dropped,
            claimed=self.key.identity is not None,
            suspected=self.standing.verdict in SUSPECTED,
        )

    def describe(self) -> Message:
        """Return the participant's entry in `GET /v1/calls`."""
        now = self.standing
        told: Message = plain(
            {
                "participant": self.key.participant,
                "identity": self.key.identity,
                "verdict": now.verdict,
                "reason": now.reason,
                "since": rfc3339(now.since),
                "scores": now.scores,
                "statistic": now.statistic,
                "threshold": now.threshold,
                "quality": now.quality,
            }
        )
        return told

    async def _run(self, left: Callable[[], None]) -> None:
        feeder = None if self._pulled else asyncio.create_task(self._feed(), name="feeder")
        try:
            await self._pump(feeder)
        finally:
            if feeder is not None:
                feeder.cancel()
            await self._close_source()
            left()
            # A session URL may outlive its participant; its buffers must not.
            self._session, self._waiting = None, []
            self._say_inconclusive(ENDED)
            self.done.set()

    async def _feed(self) -> None:
        try:
            async for item in self.source:
                while len(self._waiting) >= BATCH:
                    self._full.set()
                    self._room.clear()
                    await self._room.wait()
                self._waiting.append(item)
        except Exception:
            structlog.stdlib.get_logger("participant").exception("a source failed; its participant leaves")
        finally:
            self._full.set()

    async def _pump(self, feeder: asyncio.Task[None] | None) -> None:
        begun = self._clock()
        while not self._over(feeder):
            # A timer that sets the event: eight times a second, `wait_for` would make a task and cancel it.
            beat = self._hop / 4 if self.paused else min(BEAT, self._hop / 4)
            rest = max(0.0, begun + beat - self._clock())
            alarm = asyncio.get_running_loop().call_later(rest, self._full.set)
            await self._full.wait()
            alarm.cancel()
            batch, self._waiting = self._waiting, []
            self._full.clear()
            self._room.set()
            begun = now = self._clock()
            if self.paused and self._session is not None:
                await self._rest(self._session, now)
            elif self._session is not None:
                # The session knows when its hop is due; asking it costs next to nothing.
                await self._work(self._session, [*batch, *self._overload(now)], now)
            elif now - self._told >= self._hop:
                self._say_inconclusive(FAILED)

    def _over(self, feeder: asyncio.Task[None] | None) -> bool:
        if feeder is None:
            return self._pulled is None or self._pulled.ended
        return feeder.done() and not self._waiting

    async def _rest(self, session: SessionLike, now: float) -> None:
        """Say that nobody looked. Not in the pool: it is next to nothing, and must not wait behind those who look."""
        self._dropped = self.source.dropped
        try:
            report = session.rest(now)
        except Exception:
            await self._recover()
            return
        if report is not None:
            self._say(replace(report, dropped=self._dropped), now)

    def _overload(self, now: float) -> list[TrackFault]:
        dropped = self.source.dropped
        fresh, self._dropped = dropped - self._dropped, dropped
        if fresh <= 0:
            return []
        self._metrics.dropped.inc(fresh)
        return [TrackFault("video", Reason.OVERLOADED, "media was dropped because this machine is too slow", now)]

    async def _work(self, session: SessionLike, batch: list[MediaItem], now: float) -> None:
        loop = asyncio.get_running_loop()
        self._fare.begun(batch, self._pulled.oldest if self._pulled else None)
        step = _Step(session, self._pulled, now, self._clock)
        try:
            report, decided, seconds = await loop.run_in_executor(self._pool, step, batch)
        except Exception:
            await self._recover()
            return
        finally:
            self._fare.done(batch)
        self._metrics.step.observe(seconds)
        self._transit = _transit(batch, self._transit)
        if report is not None:
            self._metrics.late_hops.inc(max(0, int((decided - self._told) / self._hop) - 1))
            self._say(replace(report, dropped=self.source.dropped), decided)

    async def _recover(self) -> None:
        structlog.stdlib.get_logger("participant").exception(
            "a session failed", restarts_left=RESTARTS - self._restarts
        )
        self._metrics.session_failures.inc()
        self._session = None
        self._say_inconclusive(FAILED)
        if self._restarts >= RESTARTS:
            return
        self._restarts += 1
        try:
            self._session = await asyncio.get_running_loop().run_in_executor(self._pool, self._factory, self.key)
        except Exception:
            structlog.stdlib.get_logger("participant").exception("a session could not be begun anew")

    def _say(self, report: HopReport, decided: float) -> None:
        decision, now = report.decision, datetime.now(UTC)
        reason = decision.reason and str(decision.reason)
        self._stand(str(decision.verdict), reason, now, report)
        if report.capture is not None and self._transit is not None:
            # A change of clock may move capture time by any amount: such a sample says nothing.
            age = decided - report.capture - self._transit
            if 0.0 <= age < 60.0:
                self._metrics.score_age.observe(age)
        self._outlets.state(state_message(report, now), decided)
        finding = self._tracker.advance(decision, now)
        if finding is not None:
            self._outlets.finding(finding, decided)

    def _say_inconclusive(self, reason: str) -> None:
        now, decided = datetime.now(UTC), self._clock()
        self._stand(str(Verdict.INCONCLUSIVE), reason, now)
        self._outlets.state(
            {
                "type": "state",
                "call": self.key.call,
                "participant": self.key.participant,
                "time": rfc3339(now),
                "verdict": str(Verdict.INCONCLUSIVE),
                "reason": reason,
                "scores": {},
                "statistic": None,
                "threshold": None,
                "quality": {},
            },
            decided,
        )
        finding = self._tracker.end(now, reason)
        if finding is not None:
            self._outlets.finding(finding, decided)

    def _stand(self, verdict: str, reason: str | None, now: datetime, report: HopReport | None = None) -> None:
        since = self.standing.since if self.standing.verdict == verdict else now
        self._told = self._clock()
        self._metrics.hop(verdict, reason)
        if report is None:
            self.standing = Standing(verdict, reason, since)
            return
        decision = report.decision
        quality = {**report.quality, "dropped": float(report.dropped)}
        scores = describe_scores(decision.scores, evidence=True)
        self.standing = Standing(verdict, reason, since, scores, decision.statistic, decision.threshold, quality)

    async def _close_source(self) -> None:
        try:
            await asyncio.wait_for(self.source.close(), CLOSE_SECONDS)
        except Exception:
            structlog.stdlib.get_logger("participant").exception("a source could not be closed")


class Fare:
    """How a participant fares: how late the media judged last were, and what was judged and lost since it was asked."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._in_hand: float | None = None
        self._lag = 0.0
        self._taken = 0
        self._lost = 0

    def begun(self, batch: Sequence[MediaItem], oldest: float | None = None) -> None:
        """Note that a batch is about to be judged, and when the oldest of it arrived, where that is known already."""
        arrivals = (item.stamp.arrival for item in batch if not isinstance(item, TrackFault))
        self._in_hand = oldest if oldest is not None else next(arrivals, None)

    def done(self, batch: Sequence[MediaItem]) -> None:
        """Note that a batch was judged."""
        arrivals = [item.stamp.arrival for item in batch if not isinstance(item, TrackFault)]
        self._in_hand = None
        self._lag = self._clock() - arrivals[-1] if arrivals else 0.0
        self._taken += len(arrivals)

    def read(self, dropped: int) -> tuple[float, int, int]:
        """Give the lag in seconds, items judged and items lost since the last call; `dropped` is lost so far."""
        lag = self._lag if self._in_hand is None else max(self._lag, self._clock() - self._in_hand)
        lost, self._lost = dropped - self._lost, dropped
        taken, self._taken = self._taken, 0
        return lag, taken, lost


@dataclass(frozen=True, slots=True)
class _Step:
    """A job in the pool: a batch through the session; what a `Pulled` source holds is decoded into it first."""

    session: SessionLike
    source: PullSource | None
    now: float
    clock: Clock

    def __call__(self, batch: list[MediaItem]) -> tuple[HopReport | None, float, float]:
        began = self.clock()
        if self.source is not None:
            batch[:0] = self.source.take(MOST)
        for item in batch:
            self.session.push(item)
        report = self.session.tick(self.now)
        decided = self.clock()
        return report, decided, decided - began


def _transit(batch: list[MediaItem], last: float | None) -> float | None:
    """Seconds from the sender's clock to ours, delay included: the smallest in the batch."""
    stamps = [item.stamp for item in batch if isinstance(item, VideoFrame | AudioBlock)]
    known = [stamp.arrival - stamp.capture for stamp in stamps if stamp.state is ClockState.MAPPED]
    return min(known, default=last)
