"""Runs the sources: each in a task of its own, opened again after a while whenever it fails, so that it harms nobody.

Whoever a source has brought is ended with it. Sources come from the configuration, and more may be added and removed
while the sidecar runs. At the end every source is cancelled and has a few seconds to leave.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import count

import structlog

from monitor.alerts.retry import retry_delay_seconds
from monitor.alerts.wire import Message
from monitor.config import SourceSettings
from monitor.host.acting import acted
from monitor.host.calls import ActionStatus, Admission, AtCapacity, InvalidName, Outcome, participant_key
from monitor.host.judges import SourceHost
from monitor.host.metrics import Metrics
from monitor.host.sources import ConfiguredSource, requested_source
from monitor.host.supervision import LONGEST_RETRY_SECONDS, SourcePhase, Supervision
from monitor.tap.media.source import Source, SourceError
from monitor.types import Action, ActionKind, ParticipantKey, Profile
from plugins.base import Acting, Listed, NoRoom, Plugin, Unavailable

CLOSE_SECONDS = 3.0
MAX_SOURCES = 256


class Ingest:
    """Every source of a tenant and its runner, by number; `numbers` gives those of sources that are added."""

    def __init__(
        self,
        sources: Sequence[ConfiguredSource],
        host: SourceHost,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        numbers: Iterator[int] | None = None,
    ) -> None:
        self._metrics = metrics
        self._make = partial(
            SourceRunner, host=host, changed=self._measure, clock=clock, sleep=sleep, jitter=jitter, failed=self._failed
        )
        self._runners = {source.number: self._make(source) for source in sources}
        # Never given twice: whoever removes a source must not meet another one.
        self._numbers = numbers or count(max(self._runners, default=-1) + 1)
        self._measured: Counter[SourcePhase] = Counter()
        self._running = False
        self._closing = False
        self._measure()

    def start(self) -> None:
        """Begin, on the running loop."""
        self._running = True
        for runner in self._runners.values():
            runner.start()

    def describe(self) -> list[Message]:
        """Describe every source: its plug-in, its phase and since when, failures, and how many it has brought."""
        return [runner.describe() for runner in self._runners.values()]

    async def add(self, settings: SourceSettings, number: int | None = None) -> Message:
        """Open one more source and describe it; it is not there any more after the next start.

        `number` is what it is called by, where whoever asks has numbers of their own. Raises `ConfigError` for what
        cannot be one, `AtCapacity` where there are `MAX_SOURCES` or all are ended.
        """
        number = next(self._numbers) if number is None else number
        source = await asyncio.to_thread(requested_source, number, settings)
        # After the only wait: two who ask at once are both counted.
        if self._closing:
            raise AtCapacity("the sidecar is shutting down")
        if len(self._runners) >= MAX_SOURCES:
            raise AtCapacity(f"there are {MAX_SOURCES} sources already: remove one that is not needed any more")
        runner = self._runners[number] = self._make(source)
        runner.log().info("a source was added")
        if self._running:
            runner.start()
        self._measure()
        return runner.describe()

    def offers(self) -> list[Message]:
        """Say of every source what can be done there now, and in whose calls: `actions` and `places`."""
        return [{"source": one.number, "actions": one.actions, "places": one.places} for one in self._runners.values()]

    async def remove(self, number: int) -> bool:
        """End a source and whom it has brought, wherever it came from; False where there is none of this number."""
        runner = self._runners.pop(number, None)
        if runner is None:
            return False
        await runner.close()
        runner.log().info("a source was removed")
        self._measure()
        return True

    def possible(self, call: str, participant: str) -> frozenset[ActionKind]:
        """Return what can be done to a participant; see `Actions.possible`."""
        return frozenset().union(*(runner.actions for runner in self._with(call, participant)))

    async def act(self, call: str, participant: str, action: Action) -> Outcome:
        """Do something to a participant, or in the room that they are in; see `Actions.act`."""
        runners = self._with(call, participant)
        if not runners:
            return Outcome(ActionStatus.NOT_HERE, "they came by no source, or are here no more")
        return await next((one for one in runners if action.kind in one.actions), runners[0]).act(
            call, participant, action
        )

    def _with(self, call: str, participant: str) -> list[SourceRunner]:
        """Return the sources that have brought somebody, then those that only list them."""
        runners = self._runners.values()
        brought = [runner for runner in runners if runner.has_brought(call, participant)]
        return brought + [one for one in runners if one not in brought and one.lists(call, participant)]

    async def close(self) -> None:
        """End every source and whom it has brought, all at once; nothing can be added any more."""
        self._closing = True
        await asyncio.gather(*(runner.close() for runner in self._runners.values()))

    def _measure(self) -> None:
        counts = Counter(runner.status.phase for runner in self._runners.values())
        for phase in SourcePhase:
            # Not set: the sources of other tenants are in the same number.
            self._metrics.sources.labels(str(phase)).inc(counts[phase] - self._measured[phase])
        self._measured = counts

    def _failed(self) -> None:
        self._metrics.source_failures.inc()


class SourceRunner:
    """Opens one source and runs it, again and again until it says that it has ended; it is its plug-in's `Intake`."""

    def __init__(
        self,
        source: ConfiguredSource,
        host: SourceHost,
        changed: Callable[[], None],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        jitter: Callable[[], float],
        failed: Callable[[], None] = lambda: None,
    ) -> None:
        self.status = Supervision(since=clock())
        self._failed = failed
        self._source, self._host, self._changed = source, host, changed
        self._clock, self._jitter = clock, jitter
        self._sleep = sleep
        self._admissions: set[Admission] = set()
        self._listed: dict[str, frozenset[str]] = {}
        self._plugin: Plugin | None = None
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, on the running loop."""
        self._task = asyncio.create_task(self._run(), name=f"source {self._source.number}")

    async def close(self) -> None:
        """Cancel the plug-in, wait a while for it to leave, and end whom it has brought."""
        self._closing = True
        if self._task is not None:
            self._task.cancel()
            ended, late = await asyncio.wait([self._task], timeout=CLOSE_SECONDS)
            # It may have failed at this very moment, which concerns nobody any more.
            await asyncio.gather(*ended, return_exceptions=True)
            if late:
                self.log().warning("a source does not end: it is left behind")
        await self._end_everybody()

    def describe(self) -> Message:
        """Describe the source, without its options."""
        return {
            "source": self._source.number,
            "plugin": self._source.spec.name,
            "phase": str(self.status.phase),
            "seconds": round(self._clock() - self.status.since, 3),
            "failures": self.status.failures,
            "why": self.status.why,
            "participants": len(self._here()),
        }

    async def admit(
        self,
        call: str,
        participant: str,
        source: Source,
        identity: str | None = None,
        profile: Profile | None = None,
    ) -> Admission:
        """Have a participant judged; see `plugins.base.Intake.admit`."""
        if self._closing:
            await source.close()
            raise NoRoom("the sidecar is shutting down")
        try:
            key = participant_key(call, participant, identity)
            admission = await self._host.judge(key, source, self._known(profile))
        except AtCapacity as refusal:
            raise NoRoom(str(refusal), float(refusal.retry_after)) from None
        except InvalidName as refusal:
            await source.close()
            raise SourceError(str(refusal)) from None
        self._admissions = {*self._here(), admission}
        return admission

    def roster(self, call: str, listed: Sequence[Listed]) -> None:
        """Take whom the platform lists in a call; see `plugins.base.Intake.roster`."""
        if self._closing:
            return
        keys = {one.participant: _checked(call, one.participant, one.identity) for one in listed}
        self._listed = {name: who for name, who in self._listed.items() if name != call}
        self._listed |= {call: frozenset(keys)} if listed else {}
        self._host.watching.listed(self._source.number, call, listed)
        brought = {one.key.participant for one in self._admissions if not one.ended and one.key.call == call}
        for one in listed:
            if one.participant in brought and one.profile is not None:
                self._host.show(keys[one.participant], self._known(one.profile))

    async def claims(
        self, call: str, participant: str, identity: str | None = None, profile: Profile | None = None
    ) -> bool:
        """Say whether somebody claims a protected person; see `plugins.base.Intake.claims`."""
        key = _checked(call, participant, identity)
        return (await self._host.claiming.ask(key, self._known(profile))).key.identity is not None

    async def forget(self, call: str) -> None:
        """Delete what is kept of a call; see `plugins.base.Intake.forget`."""
        await self._host.forget(call)
        self.log().info("what was kept of a call is deleted")

    def _known(self, profile: Profile | None) -> Profile:
        return replace(profile or Profile(), plugin=self._source.spec.name)

    def connected(self) -> None:
        """Take note that the plug-in has joined the other side."""
        self._set(self.status.connected(self._clock()))

    def waiting(self, why: str) -> None:
        """Take note that the plug-in has nothing to bring yet."""
        self._set(self.status.waiting(self._clock(), why))

    async def sleep(self, seconds: float) -> None:
        """Wait on behalf of the plug-in."""
        await self._sleep(seconds)

    @property
    def number(self) -> int:
        """Its number."""
        return self._source.number

    @property
    def places(self) -> frozenset[tuple[str, str]]:
        """Whom it has brought and whom its platform lists, by call and participant."""
        listed = ((call, name) for call, names in self._listed.items() for name in names)
        return frozenset((*listed, *((one.key.call, one.key.participant) for one in self._here())))

    def has_brought(self, call: str, participant: str) -> bool:
        """Whether it has brought somebody who is judged."""
        return any((one.key.call, one.key.participant) == (call, participant) for one in self._here())

    def lists(self, call: str, participant: str) -> bool:
        """Whether its platform lists somebody."""
        return participant in self._listed.get(call, ())

    @property
    def actions(self) -> frozenset[ActionKind]:
        """What its plug-in can do now."""
        return self._plugin.actions if isinstance(self._plugin, Acting) else frozenset()

    async def act(self, call: str, participant: str, action: Action) -> Outcome:
        """Have its plug-in do something; see `Actions.act`."""
        plugin = self._plugin
        why: str | None
        if plugin is None:
            status, why = ActionStatus.FAILED, "the source is not connected now: see `sidewitness sources list`"
        elif not isinstance(plugin, Acting) or action.kind not in plugin.actions:
            status, why = ActionStatus.UNSUPPORTED, "the way in that they came by cannot do it as it is configured"
        else:
            status, why = await acted(plugin, call, participant, action)
        self.log().info("an action was asked for", action=str(action.kind), outcome=str(status))
        return Outcome(status, why, self._source.spec.name)

    def _here(self) -> list[Admission]:
        return [admission for admission in self._admissions if not admission.ended]

    async def _run(self) -> None:
        while True:
            self._set(self.status.begin(self._clock()))
            failure = await self._attempt()
            if failure is None:
                self._set(self.status.ended(self._clock()))
                return
            await self._sleep(self._note_failure(failure))

    async def _attempt(self) -> BaseException | None:
        """Run the plug-in once and end whom it has brought; return what it has raised, if anything."""
        failed = True
        try:
            self._plugin = self._source.spec.open(self._source.options)
            await self._plugin.run(self)
            failed = False
        except (Exception, asyncio.CancelledError) as error:
            if self._closing:
                raise
            # One that cancels itself has failed like any other.
            return error
        finally:
            self._plugin = None
            await self._end_everybody(is_lost=failed and not self._closing)
        return None

    async def _end_everybody(self, is_lost: bool = False) -> None:
        """End whom the plug-in has brought; where it is lost they are somewhere out there, and that is told."""
        watching = self._host.watching
        if is_lost:
            watching.lost(self._source.number, [one.key for one in self._here()])
        else:
            watching.closed(self._source.number)
        await asyncio.gather(*(admission.end() for admission in self._admissions), return_exceptions=True)
        self._admissions = set()
        if not is_lost:
            self._listed = {}

    def _note_failure(self, error: BaseException) -> float:
        # Of what is not ours only the type: its text may quote names and secrets.
        why = str(error) if isinstance(error, SourceError) else f"{type(error).__name__} in the plug-in"
        is_new = (why, self.status.failures > 0) != (self.status.why, True)
        status = self.status.failed(self._clock(), why)
        retry_after_seconds = error.retry_after_seconds if isinstance(error, Unavailable) else None
        delay = retry_delay_seconds(status.failures, self._jitter(), LONGEST_RETRY_SECONDS, retry_after_seconds)
        self._set(status)
        self._failed()
        if is_new:
            self.log().warning("a source failed: it is tried again", retry_seconds=round(delay, 1), exc_info=error)
        return delay

    def _set(self, status: Supervision) -> None:
        before, self.status = self.status, status
        if status.phase is not before.phase:
            self._changed()
        # A source that is tried again and again says so once.
        if status is not before and status.phase not in (SourcePhase.CONNECTING, SourcePhase.RETRYING):
            self.log().info("a source changed")

    def log(self) -> structlog.stdlib.BoundLogger:
        """Return a logger that says which source it is, and how it is doing."""
        logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("ingest")
        return logger.bind(
            source=self._source.number,
            plugin=self._source.spec.name,
            phase=str(self.status.phase),
            failures=self.status.failures,
        )


def _checked(call: str, participant: str, identity: str | None) -> ParticipantKey:
    try:
        return participant_key(call, participant, identity)
    except InvalidName as refusal:
        raise SourceError(str(refusal)) from None
