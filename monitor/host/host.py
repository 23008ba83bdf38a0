"""The host: who is judged on this machine now, up to a fixed number, and how everybody is let go at the end.

Room is reserved before an offer is answered, so that half-open publications count; a second publication of the
same participant takes the place of the first where `monitor.host.replacing` says so, because a client that lost its
network publishes again at once. When the machine is too slow for all who are here, some are paused as
`monitor.host.shedding` says, and nobody new is admitted.
What is known of who leaves waits for them, as `monitor.host.departed` says, so that leaving sheds no evidence.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import structlog

from monitor.alerts.wire import Message
from monitor.host import shedding
from monitor.host.callbacks import Callbacks, Tells
from monitor.host.calls import AtCapacity, HostsAlive, Occupied
from monitor.host.claiming import Claiming
from monitor.host.cpu_load import threads_here
from monitor.host.departed import Departed, Past
from monitor.host.lags import LagWatch
from monitor.host.metrics import Metrics
from monitor.host.participant import Participant
from monitor.host.publication import Answer, PeerPublication
from monitor.host.quota import Holding, Quota
from monitor.host.remembering import Remembered, Remembers
from monitor.host.replacing import SILENT_SECONDS, may_replace
from monitor.host.session_pool import SessionPool
from monitor.host.shedding import Change, MachineLoad, Place
from monitor.host.step import Clock, SessionFactory, SessionLike
from monitor.host.watching import Watches, Watching
from monitor.identity.claimed import Claimed, stated
from monitor.tap.media.source import Connecting, Source
from monitor.types import ParticipantKey, Profile

if TYPE_CHECKING:
    # Not otherwise: a host in a process of its own has no database.
    from monitor.alerts.recorder import TakesFindings

ANSWER_SECONDS = 15.0
# A machine that is too slow now is so for longer than it takes somebody to leave.
OVERLOADED_RETRY_SECONDS = 15
REVIEW_SECONDS = 0.25


class Host:
    """Admits sources and runs one `Participant` for each; everything runs on one event loop and one pool of threads.

    The `Calls` of one process. `answer` opens the peer of an offer. `workers` threads judge, as many as there are cores
    unless it says otherwise; more would only take turns. `machine_load` is read a few times a second, and `pool` takes
    the place of the threads. Who left is remembered for `rejoin_seconds`. `claimed` says whom somebody who joins
    claims to be; it is asked in a thread. `quota` is what one subject may hold of the places. `packs` are the hashes of
    the model packs that judge, which findings keep. `memory` and `watching` take the place of this host's own, and
    `checkpoint` is told at every hop what would be known of a participant who left now, and whom they continue.
    """

    def __init__(
        self,
        factory: SessionFactory,
        answer: Answer,
        recorder: TakesFindings,
        hub: Tells,
        metrics: Metrics,
        hop_seconds: float = 0.5,
        max_participants: int = 8,
        workers: int | None = None,
        machine_load: Callable[[], MachineLoad] = MachineLoad,
        clock: Clock = time.monotonic,
        pool: Executor | None = None,
        rejoin_seconds: float = 600.0,
        claimed: Callable[[ParticipantKey, Profile], Claimed] = stated,
        quota: Quota | None = None,
        packs: Mapping[str, str] | None = None,
        memory: Remembers | None = None,
        watching: Watches | None = None,
        checkpoint: Callable[[Departed, str | None], None] | None = None,
    ) -> None:
        self._factory = factory
        self._answer = answer
        self._metrics = metrics
        self._hop = hop_seconds
        self._capacity = max_participants
        self._quota = quota or Quota(max_participants)
        self._participants: dict[Place, Participant] = {}
        self._reserved = 0
        self._replacing: set[Place] = set()
        # One at a time in a place: what is known of who leaves it may have to be asked for elsewhere.
        self._admitting: WeakValueDictionary[Place, asyncio.Lock] = WeakValueDictionary()
        # Who is published and who is about to be, by whom; None is this process itself.
        self._owners: dict[Place, str | None] = {}
        self._answering: dict[Place, list[str | None]] = {}
        self._pool = pool or SessionPool(workers or threads_here())
        self.claiming = Claiming(self._pool, claimed)
        self.memory: Remembers = memory or Remembered(rejoin_seconds, recorder.put, metrics, clock)
        self.watching: Watches = watching or Watching(hub.notice, clock)
        self._hub = hub
        self._lags = LagWatch(self.claiming.way_in)
        told = (self._state, recorder.put, self._remembers, self.memory, rejoin_seconds)
        self._callbacks = Callbacks(*told, packs or {}, checkpoint, self._lags.beside)
        self._keeps = False
        self._machine_load, self._clock = machine_load, clock
        self._shedding = shedding.initial()
        self._joined: dict[Place, int] = {}
        self._turn = count()
        self._overseer: asyncio.Task[None] | None = None
        self.draining = False

    def __len__(self) -> int:
        return len(self._participants)

    async def start(self) -> None:
        """Do nothing: it is begun by whoever joins."""

    @property
    def alive(self) -> HostsAlive:
        """One, which judges."""
        return HostsAlive(1, 1)

    @property
    def full(self) -> bool:
        """Whether nobody new is admitted because the machine is too slow for them."""
        return self._shedding.full

    @property
    def strained(self) -> bool:
        """Whether not all the work is done that there is: somebody is paused or judged lightly, or nobody admitted."""
        return self._shedding.full or self._shedding.light or bool(self._shedding.shed)

    @contextlib.contextmanager
    def reserve(self, key: ParticipantKey, owner: str | None = None) -> Iterator[None]:
        """Hold a place while an offer is answered and admitted; raises `AtCapacity` or `Occupied`."""
        place = (key.call, key.participant)
        replaces = place in self._participants and place not in self._replacing
        self._check_open()
        self._check_owner(place, owner)
        if not replaces:
            self._check_room(self._reserved)
            self._check_quota(owner)
            self._check_pressure()
        if replaces:
            self._replacing.add(place)
        else:
            self._reserved += 1
        self._answering.setdefault(place, []).append(owner)
        try:
            yield
        finally:
            self._answering[place].remove(owner)
            if not self._answering[place]:
                del self._answering[place]
            if replaces:
                self._replacing.discard(place)
                self._release(place)
            else:
                self._reserved -= 1

    async def admit(
        self, key: ParticipantKey, source: Source, owner: str | None = None, profile: Profile | None = None
    ) -> Participant:
        """Judge a source, inside `reserve`; ends the participant's earlier one, closes the source where that fails."""
        place = (key.call, key.participant)
        lock = self._admitting.setdefault(place, asyncio.Lock())
        async with lock:
            try:
                self._check_open()
                claimed = await self.claiming.ask(key, profile)
                session = await asyncio.get_running_loop().run_in_executor(self._pool, self._factory, claimed.key)
                while (earlier := self._participants.get(place)) is not None:
                    # Once more: whoever was silent when the offer came may have begun to speak.
                    self._check_owner(place, owner, is_reserved=True)
                    await earlier.end()
                self._check_room()
                past = await self.memory.past(claimed.key)
            except BaseException:
                await source.close()
                raise
            participant = self._seat(claimed, source, session, past, owner)
        self.claiming.joined(key, profile)
        # Publishing again is no way round the queue.
        participant.pause(place in self._shedding.shed)
        participant.light = self._shedding.light
        self._metrics.judged(len(self))
        structlog.stdlib.get_logger("host").info("a participant joined", judged=len(self))
        participant.start(lambda: self._forget(place, participant)).add_done_callback(_report_failure)
        self._oversee()
        return participant

    def _seat(
        self, claimed: Claimed, source: Source, session: SessionLike, past: Past, owner: str | None
    ) -> Participant:
        place = (claimed.key.call, claimed.key.participant)
        shared = (self._factory, self._pool, self._callbacks, self._metrics, self._hop, self._clock)
        participant = Participant(claimed, source, session, *shared, past)
        self._participants[place], self._owners[place] = participant, owner
        self._joined.setdefault(place, next(self._turn))
        self.watching.judged(claimed.key)
        return participant

    async def judge(self, key: ParticipantKey, source: Source, profile: Profile | None = None) -> Participant:
        """Judge a source that is open already; closes it and raises `AtCapacity` where there is no room."""
        try:
            with self.reserve(key):
                return await self.admit(key, source, profile=profile)
        except AtCapacity:
            await source.close()
            raise

    async def publish(
        self, key: ParticipantKey, offer: str, owner: str, profile: Profile | None = None
    ) -> PeerPublication:
        """Answer an offer and judge what it brings; raises `Occupied`, `AtCapacity`, `SdpError` or `TimeoutError`."""
        with self.reserve(key, owner):
            peer, answer = await asyncio.wait_for(self._answer(offer), ANSWER_SECONDS)
            return PeerPublication(await self.admit(key, peer, owner, profile), peer, answer)

    def show(self, key: ParticipantKey, profile: Profile) -> None:
        """Take what is shown now of somebody: where they are judged, whom they claim to be is decided anew."""
        judged = self.find(key.call, key.participant)
        if judged is not None:
            self.claiming.show(key, profile, judged)

    async def forget(self, call: str) -> None:
        """End everybody in a call and keep nothing of it but the findings that are written down."""
        await asyncio.gather(*(one.end() for (name, _), one in list(self._participants.items()) if name == call))
        self.memory.forget(call)
        self.watching.forget(call)

    async def remove(self, call: str, participant: str) -> bool:
        """Stop judging a participant; False where there is none."""
        judged = self.find(call, participant)
        if judged is not None:
            await judged.end()
        return judged is not None

    def find(self, call: str, participant: str) -> Participant | None:
        """Return who is judged under this name, or None."""
        return self._participants.get((call, participant))

    async def calls(self) -> list[Message]:
        """Describe every call."""
        names = sorted({call for call, _ in self._participants} | self.watching.calls())
        return [described for name in names if (described := self._describe(name))]

    async def call(self, name: str) -> Message | None:
        """Describe one call; None when nobody is in it."""
        return self._describe(name)

    async def explain(self, call: str, participant: str) -> Message | None:
        """Say by what a participant is taken to claim an identity; None where there is no such participant."""
        judged = self.find(call, participant)
        return judged.claimed.explain() if judged is not None else None

    async def drain(self, moved: str | None = None) -> None:
        """Admit nobody any more, end everybody, close their findings; then the threads are released.

        Where they are `moved`, for that reason, whoever remembers them keeps them, and their findings wait.
        """
        self.draining, self._keeps = True, moved is not None
        for participant in self._participants.values():
            participant.ends_for = moved or participant.ends_for
        if self._overseer is not None:
            self._overseer.cancel()
        await asyncio.gather(*(participant.end() for participant in list(self._participants.values())))
        self.watching.close()
        self.memory.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _describe(self, name: str) -> Message | None:
        judged = {place[1]: one.describe() for place, one in self._participants.items() if place[0] == name}
        return self.watching.describe(name, judged)

    def _state(self, message: Message, decided_at: float) -> None:
        self._hub.state(message, decided_at)
        self.watching.hop(message)

    def _check_open(self) -> None:
        if self.draining:
            self._metrics.refused.inc()
            raise AtCapacity("the server is shutting down")

    def _check_owner(self, place: Place, owner: str | None, is_reserved: bool = False) -> None:
        """Raise `Occupied` where somebody else is published in a place, or is about to be."""
        judged = self._participants.get(place)
        is_free = judged is None or may_replace(self._owners[place], owner, judged.silent_seconds)
        others = () if is_reserved or owner is None else self._answering.get(place, ())
        if not is_free or any(other != owner for other in others):
            self._metrics.refused.inc()
            raise Occupied(math.ceil(SILENT_SECONDS))

    def _check_room(self, reserved: int = 0) -> None:
        self._check_open()
        if len(self._participants) + reserved >= self._capacity:
            self._metrics.refused.inc()
            raise AtCapacity("all places are taken")

    def _check_quota(self, owner: str | None) -> None:
        """Raise `AtCapacity` where a subject holds all that it may; this process itself may hold every place."""
        refusal = self._quota.refusal(owner, self._held()) if owner is not None else None
        if refusal is not None:
            self._metrics.refused.inc()
            raise AtCapacity(refusal)

    def _held(self) -> Iterator[Holding]:
        for owners in self._answering.values():
            yield from (Holding(owner, connecting=True) for owner in owners if owner is not None)
        for place, owner in self._owners.items():
            if owner is not None and place not in self._answering:
                source = self._participants[place].source
                yield Holding(owner, isinstance(source, Connecting) and source.connecting)

    def _check_pressure(self) -> None:
        if self._shedding.full:
            self._metrics.refused.inc()
            raise AtCapacity("this machine is too slow for one more now", OVERLOADED_RETRY_SECONDS)

    def _forget(self, place: Place, participant: Participant) -> None:
        if self._participants.get(place) is participant:
            del self._participants[place], self._owners[place]
            self.claiming.left(place)
            self.watching.ended(place)
            self._lags.ended(place)
            self._metrics.judged(len(self))
            structlog.stdlib.get_logger("host").info(
                "a participant left", judged=len(self), reason=participant.end_reason
            )
            if place not in self._replacing:
                self._release(place)

    def _release(self, place: Place) -> None:
        """Forget when somebody joined and whether they were shed, once nobody is in their place."""
        if place not in self._participants and self._joined.pop(place, None) is not None:
            self._shedding = self._shedding.without(place)
            self._metrics.shed.set(len(self._shedding.shed))

    def _remembers(self) -> bool:
        return self.memory.seconds > 0.0 and not (self.draining and not self._keeps)

    def _oversee(self) -> None:
        if self._overseer is None or self._overseer.done():
            self._shedding = shedding.initial()
            self._overseer = asyncio.create_task(self._watch(), name="overseer")
            self._overseer.add_done_callback(_report_failure)

    async def _watch(self) -> None:
        """Read how it goes with everybody, for as long as there is somebody, and do what `shedding` says."""
        while self._joined:
            began = self._clock()
            await asyncio.sleep(REVIEW_SECONDS)
            try:
                self._review(self._clock() - began - REVIEW_SECONDS)
            except Exception:
                # Whoever is paused must not stay so because one reading failed.
                structlog.stdlib.get_logger("host").exception("the load could not be read")

    def _review(self, loop_delay: float) -> None:
        machine = replace(self._machine_load(), loop_delay_seconds=max(0.0, loop_delay))
        loads = [participant.load(self._joined[place]) for place, participant in self._participants.items()]
        self._shedding, change = shedding.advance(self._shedding, self._clock(), loads, machine)
        self._apply(change)

    def _apply(self, change: Change) -> None:
        for place in change.shed:
            self._participants[place].pause(True)
        for place in change.back:
            self._participants[place].pause(False)
        for participant in self._participants.values() if change.light is not None else ():
            participant.light = bool(change.light)
        if change.event is not None:
            paused, light = len(self._shedding.shed), self._shedding.light
            self._metrics.shed.set(paused)
            self._metrics.light.set(light)
            self._metrics.sheds.inc(len(change.shed))
            structlog.stdlib.get_logger("host").warning(change.event, paused=paused, light=light, here=len(self))


def _report_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        structlog.stdlib.get_logger("host").error("a participant's loop failed", exc_info=task.exception())
