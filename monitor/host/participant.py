"""One participant's live loop: media off the source, in batches, through a session in a thread, a report each hop.

At most one step in the pool, which also decodes where the source leaves that to it: the order of the items stays and a
slow session only makes its own source drop. Whatever a session raises, the participant is shown as inconclusive, gets a
fresh session a few times, and nobody else notices. One who is paused costs a decision a hop, and no media.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import structlog

from monitor.alerts.conditions import Minute
from monitor.alerts.finding import Finding, FindingTracker
from monitor.alerts.wire import Message, state_message
from monitor.decision.decide import DecisionState
from monitor.decision.rejoin import Join, joined, linked, reclaimed, resumed
from monitor.decision.report import HopReport
from monitor.face.looks import LOOKS
from monitor.host.backlog import backlog_of
from monitor.host.callbacks import Callbacks
from monitor.host.departed import LINKED_STATISTIC, Departed, Past
from monitor.host.lag_meter import AgeMeter, LagMeter
from monitor.host.metrics import Metrics
from monitor.host.shedding import ParticipantLoad
from monitor.host.status import Status
from monitor.host.step import Clock, SessionFactory, SessionLike, SessionStep
from monitor.identity.claimed import Claimed
from monitor.tap.media.source import Connecting, Explaining, Hearing, Source
from monitor.types import FloatArray, MediaItem, Reason, TrackFault, Verdict

# From the beginning of one step to that of the next: rarer ones hand over more at once, which costs less, and make
# scores older by as much.
STEP_INTERVAL_SECONDS = 0.125
MAX_RESTARTS = 3
CLOSE_SECONDS = 5.0
CONNECTING = "connecting"
ENDED = "ended"
FAILED = "session_failed"
# The claim under which somebody was judged so far is not theirs any more.
RENAMED = "claims_somebody_else"
SUSPECTED = (str(Verdict.SUSPECT), str(Verdict.ALERT))


class Participant:
    """Runs until its source ends or `end` is called; it has ended when the last word has been given out.

    `claimed` says who they are, `past` what is known of them from before they left and joined again.
    """

    def __init__(
        self,
        claimed: Claimed,
        source: Source,
        session: SessionLike,
        factory: SessionFactory,
        pool: Executor,
        callbacks: Callbacks,
        metrics: Metrics,
        hop_seconds: float,
        clock: Clock = time.monotonic,
        past: Past | None = None,
    ) -> None:
        self.claimed, self.key = claimed, claimed.key
        self.source = source
        self.ends_for: str = ENDED
        self.paused = self.light = False
        self._link = source if isinstance(source, Connecting) else None
        first = CONNECTING if self._connecting else str(Reason.WARMING_UP)
        self.status = Status(str(Verdict.INCONCLUSIVE), first, datetime.now(UTC))
        past = past or Past()
        if past.state is not None:
            session.resume(past.state, past.memories)
        self._session: SessionLike | None = session
        self._evidence = session.evidence
        self._joins = past.joins
        self.continues: str | None = None
        self._face: FloatArray | None = None
        self._worth_a_look, self._compared_at = LINKED_STATISTIC, float("-inf")
        self._memories: Mapping[str, Any] = past.memories
        self._factory = factory
        self._pool = pool
        self._callbacks = callbacks
        self._metrics = metrics
        self._hop_seconds = hop_seconds
        self._clock = clock
        self._tracker = FindingTracker(self.key, finding=past.finding)
        self._backlog = backlog_of(source)
        self._minute = Minute(callbacks.packs)
        self._lag, self._age = LagMeter(clock), AgeMeter()
        self._restarts = 0
        self._claim: Claimed | None = None
        self._dropped = 0
        self._reported_at = self._heard_at = clock()
        self._awake = asyncio.Event()
        self._done = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self, on_end: Callable[[], None]) -> asyncio.Task[None]:
        """Begin; call once. `on_end` is called just before the last word, so that nobody asks for one who is gone."""
        self._task = asyncio.create_task(self._run(on_end), name="participant")
        return self._task

    @property
    def ended(self) -> bool:
        """Whether the last word has been given out."""
        return self._done.is_set()

    @property
    def end_reason(self) -> str:
        """The reason of the last state, once the source has ended."""
        return (self.source.end_reason if isinstance(self.source, Explaining) else None) or self.ends_for

    @property
    def silent_seconds(self) -> float:
        """For how long no media have come; whoever joins is given the time that silence has."""
        heard = self.source.heard_at if isinstance(self.source, Hearing) else None
        return self._clock() - max(self._heard_at, float("-inf") if heard is None else heard)

    async def wait(self) -> None:
        """Wait for the last word."""
        await self._done.wait()

    async def end(self) -> None:
        """Close the source and wait for the last word; safe to call twice."""
        await self._close_source()
        try:
            await asyncio.wait_for(self._done.wait(), CLOSE_SECONDS)
        except TimeoutError:
            if self._task is not None:
                self._task.cancel()
            await self._done.wait()

    def pause(self, paused: bool) -> None:
        """Stop looking, and say so at every hop, or look again; safe to call twice."""
        if paused != self.paused:
            self.paused = paused
            self.source.pause(paused)
            self._awake.set()

    def claim(self, claimed: Claimed) -> None:
        """Take somebody else for the one whom they claim to be, before the next step."""
        self._claim = claimed
        self._awake.set()

    def load(self, joined: int) -> ParticipantLoad:
        """Return how it went since this was last asked; `joined` is lower for who came earlier."""
        lag, judged, dropped = self._lag.read(self.source.dropped)
        return ParticipantLoad(
            (self.key.call, self.key.participant),
            joined,
            lag,
            judged,
            dropped,
            claimed=self.key.identity is not None,
            suspected=self.status.verdict in SUSPECTED,
        )

    def describe(self) -> Message:
        """Return the participant's entry in `GET /v1/calls`."""
        return {**self.status.describe(self.key), **self.claimed.describe(), "continues": self.continues}

    async def _run(self, on_end: Callable[[], None]) -> None:
        self._backlog.start(self._awake.set)
        try:
            await self._judge()
        finally:
            self._backlog.stop()
            await self._close_source()
            on_end()
            # A session URL may outlive its participant; its buffers must not.
            self._release_session()
            self._note_failure()
            self._leave()
            self._done.set()

    def _leave(self) -> None:
        """Give the last word, and what is to be known of them should they come back."""
        stays = self._callbacks.remembers()
        self._say_inconclusive(self.end_reason)
        self._send(self._tracker.end(datetime.now(UTC), self.end_reason, stays), self._clock())
        if stays:
            self._callbacks.memory.left(self._departed(self.end_reason))

    def _departed(self, reason: str) -> Departed:
        evidence = self._evidence if self._session is None else self._session.evidence
        finding, left = self._tracker.finding, self._clock()
        return Departed(self.key, left, reason, evidence, finding, self._joins, self._memories, self._face)

    async def _take_claim(self) -> None:
        """Go on as whoever claims to be another: what needed no identity stays with them, as when they join again."""
        claimed, self._claim = self._claim, None
        if claimed is None:
            return
        before, self.claimed = self.key, claimed
        if claimed.key == before:
            self.key = claimed.key
            return
        self._release_session()
        memory, stays = self._callbacks.memory, self._callbacks.remembers()
        self._send(self._tracker.end(datetime.now(UTC), RENAMED, stays), self._clock())
        if stays:
            memory.left(self._departed(RENAMED))
        self.key = claimed.key
        past = await memory.past(self.key) if stays else Past(resumed(reclaimed(self._evidence)), joins=self._joins)
        self._evidence, self._joins = past.state or self._evidence, past.joins
        self._tracker = FindingTracker(self.key, finding=past.finding)
        structlog.stdlib.get_logger("participant").info("a participant is taken to claim somebody else")
        await self._begin(self._evidence)

    async def _recognise(self, session: SessionLike, now: float) -> None:
        """Look whether this is somebody who left the call under another name, and keep the face of who may do so."""
        if session.looks < LOOKS or not self._callbacks.remembers():
            return
        statistic = session.evidence.unclaimed.statistic
        if statistic >= self._worth_a_look:
            # Anew where much has changed: a face may change with the evidence.
            self._face, self._worth_a_look = await self._see(session), 10.0 * statistic
        memory = self._callbacks.memory
        if not memory.seeks(self.key, self._compared_at):
            return
        face = self._face if self._face is not None else await self._see(session)
        earlier = await memory.link(self.key, face, self._compared_at) if face is not None else None
        self._compared_at = now
        if earlier is not None:
            self._take_up(session, earlier, now)

    def _take_up(self, session: SessionLike, earlier: Departed, now: float) -> None:
        self.continues = earlier.key.participant
        state = linked(session.evidence, earlier.state, earlier.key.identity == self.key.identity)
        self._joins = (*earlier.joins, *(Join(join.at, earlier.state.judged) for join in self._joins[-1:]))
        session.link(joined(state, self._joins, now, self._callbacks.rejoin_seconds))
        self._metrics.linked.inc()
        structlog.stdlib.get_logger("participant").info("one who left is here under another name")

    async def _see(self, session: SessionLike) -> FloatArray | None:
        """Compute the identity vectors of the face; None where that fails."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, session.face)
        except Exception:
            structlog.stdlib.get_logger("participant").exception("a face could not be compared")
            return None

    def _release_session(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            self._evidence, self._memories = session.evidence, {}
            try:
                self._memories = session.memories
            except Exception:
                # One that broke down may be of two minds; its evidence is a value and stays.
                structlog.stdlib.get_logger("participant").exception("what detectors remember could not be kept")

    @property
    def _connecting(self) -> bool:
        return self._link is not None and self._link.connecting

    def _note_failure(self) -> None:
        failure = self._link.failure if self._link is not None else None
        if failure is not None:
            self._metrics.connections_failed.labels(failure.reason).inc()
            event = "not connected" if self._connecting else "connection lost"
            structlog.stdlib.get_logger("participant").warning(event, why=failure.detail)

    async def _judge(self) -> None:
        began = self._clock()
        while not self._backlog.ended:
            await self._wait_for_turn(began)
            items = self._backlog.take()
            began = now = self._clock()
            self._note_heard(items, now)
            await self._take_claim()
            if self._session is None or self._connecting:
                if now - self._reported_at >= self._hop_seconds:
                    self._say_inconclusive(CONNECTING if self._connecting else FAILED)
                    # Whoever comes back is not through yet: their finding waits as it did while they were away.
                    if not self._connecting:
                        self._send(self._tracker.end(datetime.now(UTC), FAILED), now)
            elif self.paused:
                await self._rest(self._session, now)
            else:
                # The session knows when its hop is due; asking it costs next to nothing.
                await self._step(self._session, [*items, *self._overload(now)], now)
                if self._session is not None:
                    await self._recognise(self._session, now)

    def _note_heard(self, items: list[MediaItem], now: float) -> None:
        """Take note that media have come, of a source that does not say so itself; while it is paused nobody knows."""
        if not isinstance(self.source, Hearing) and (self.paused or not all(isinstance(i, TrackFault) for i in items)):
            self._heard_at = now

    async def _wait_for_turn(self, began: float) -> None:
        """Wait until the next step is due, or the backlog has enough for one."""
        # A timer that sets the event: eight times a second, `wait_for` would make a task and cancel it.
        interval = self._hop_seconds / 4 if self.paused else min(STEP_INTERVAL_SECONDS, self._hop_seconds / 4)
        pause = max(0.0, began + interval - self._clock())
        timer = asyncio.get_running_loop().call_later(pause, self._awake.set)
        await self._awake.wait()
        timer.cancel()
        self._awake.clear()

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
        total = self.source.dropped
        dropped, self._dropped = total - self._dropped, total
        if dropped <= 0:
            return []
        self._metrics.dropped.inc(dropped)
        return [TrackFault("video", Reason.OVERLOADED, "media was dropped because this machine is too slow", now)]

    async def _step(self, session: SessionLike, items: list[MediaItem], now: float) -> None:
        self._lag.begin(items, self._backlog.oldest_arrival)
        step = SessionStep(session, self._backlog, now, self._clock, self.light)
        try:
            result = await asyncio.get_running_loop().run_in_executor(self._pool, step, items)
        except Exception:
            await self._recover()
            return
        finally:
            self._lag.finish(items)
        self._metrics.step.observe(result.seconds)
        self._age.note(items)
        if result.report is not None:
            hops = int((result.decided_at - self._reported_at) / self._hop_seconds)
            self._metrics.late_hops.inc(max(0, hops - 1))
            self._say(replace(result.report, dropped=self.source.dropped), result.decided_at)

    async def _recover(self) -> None:
        structlog.stdlib.get_logger("participant").exception(
            "a session failed", restarts_left=MAX_RESTARTS - self._restarts
        )
        self._metrics.session_failures.inc()
        self._release_session()
        begins_anew = self._restarts < MAX_RESTARTS
        self._say_inconclusive(FAILED)
        self._send(self._tracker.end(datetime.now(UTC), FAILED, begins_anew), self._clock())
        if not begins_anew:
            return
        self._restarts += 1
        # Whoever brings a session down must not shed their evidence by it.
        await self._begin(resumed(self._evidence))

    async def _begin(self, evidence: DecisionState) -> None:
        """Begin a session that goes on from evidence; without one, where that fails, they are shown as failed."""
        try:
            session = await asyncio.get_running_loop().run_in_executor(self._pool, self._factory, self.key)
        except Exception:
            structlog.stdlib.get_logger("participant").exception("a session could not be begun anew")
            return
        session.resume(evidence, self._memories)
        self._session = session

    def _say(self, report: HopReport, decided_at: float) -> None:
        report, now = self._callbacks.beside(report), datetime.now(UTC)
        self._set_status(self.status.decided(report, now))
        age = self._age.age(report.capture, decided_at)
        if age is not None:
            self._metrics.score_age.observe(age)
        self._callbacks.state(state_message(report, now), decided_at)
        self._minute.note(report, now)
        self._send(self._tracker.advance(report.decision, now, self._minute.describe), decided_at)
        if self._callbacks.checkpoint is not None:
            self._callbacks.checkpoint(replace(self._departed(ENDED), memories={}), self.continues)

    def _say_inconclusive(self, reason: str) -> None:
        now, decided_at = datetime.now(UTC), self._clock()
        self._set_status(self.status.inconclusive(reason, now))
        self._callbacks.state(self.status.message(self.key, now), decided_at)

    def _send(self, finding: Finding | None, decided_at: float) -> None:
        if finding is not None:
            self._callbacks.finding(finding, decided_at)

    def _set_status(self, status: Status) -> None:
        self.status = status
        self._reported_at = self._clock()
        self._metrics.hop(status.verdict, status.reason)

    async def _close_source(self) -> None:
        try:
            await asyncio.wait_for(self.source.close(), CLOSE_SECONDS)
        except Exception:
            structlog.stdlib.get_logger("participant").exception("a source could not be closed")
