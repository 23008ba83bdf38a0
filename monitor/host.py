"""The host: who is judged on this machine now, up to a fixed number, and how everybody is let go at the end.

Room is reserved before an offer is answered, so that half-open publications count; a second publication of the
same participant takes the place of the first, because a client that lost its network publishes again at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from monitor import log
from monitor.alerts.push import Hub
from monitor.alerts.recorder import Recorder
from monitor.alerts.wire import Message
from monitor.metrics import Metrics
from monitor.participant import Outlets, Participant, SessionFactory
from monitor.report import ParticipantKey
from monitor.tap.source import Source

RETRY_SECONDS = 5
Place = tuple[str, str]


class AtCapacity(Exception):  # noqa: N818 - a refusal, not a failure
    """No room: the server is full or shutting down. `retry_after` is in seconds."""

    retry_after = RETRY_SECONDS


class Host:
    """Admits sources and runs one `Participant` for each; everything runs on one event loop and one pool of threads."""

    def __init__(
        self,
        factory: SessionFactory,
        recorder: Recorder,
        hub: Hub,
        metrics: Metrics,
        hop_seconds: float = 0.5,
        max_participants: int = 8,
        workers: int | None = None,
    ) -> None:
        self._factory = factory
        self._metrics = metrics
        self._hop = hop_seconds
        self._capacity = max_participants
        self._participants: dict[Place, Participant] = {}
        self._reserved = 0
        self._replacing: set[Place] = set()
        self._pool = ThreadPoolExecutor(workers or len(os.sched_getaffinity(0)), thread_name_prefix="session")
        self._outlets = Outlets(hub.state, recorder.put)
        self.draining = False

    def __len__(self) -> int:
        return len(self._participants)

    @contextlib.contextmanager
    def reserve(self, key: ParticipantKey) -> Iterator[None]:
        """Hold a place while an offer is answered and admitted; raises `AtCapacity`."""
        place = (key.call, key.participant)
        replaces = place in self._participants and place not in self._replacing
        self._check_open()
        if not replaces:
            self._check_room(self._reserved)
        if replaces:
            self._replacing.add(place)
        else:
            self._reserved += 1
        try:
            yield
        finally:
            if replaces:
                self._replacing.discard(place)
            else:
                self._reserved -= 1

    async def admit(self, key: ParticipantKey, source: Source) -> Participant:
        """Judge a source, inside `reserve`; ends the participant's earlier one, closes the source where that fails."""
        place = (key.call, key.participant)
        try:
            self._check_open()
            session = await asyncio.get_running_loop().run_in_executor(self._pool, self._factory, key)
            while (earlier := self._participants.get(place)) is not None:
                await earlier.end()
            self._check_room()
        except BaseException:
            await source.close()
            raise
        participant = Participant(
            key, source, session, self._factory, self._pool, self._outlets, self._metrics, self._hop
        )
        self._participants[place] = participant
        self._metrics.participants.set(len(self))
        log.get("host").info("a participant joined", judged=len(self))
        participant.start(lambda: self._forget(place, participant)).add_done_callback(_report_failure)
        return participant

    def find(self, call: str, participant: str) -> Participant | None:
        """Return who is judged under this name, or None."""
        return self._participants.get((call, participant))

    def calls(self) -> list[Message]:
        """Describe every call."""
        return [
            described for name in sorted({call for call, _ in self._participants}) if (described := self.call(name))
        ]

    def call(self, name: str) -> Message | None:
        """Describe one call; None when nobody in it is judged."""
        members = [self._participants[place] for place in sorted(self._participants) if place[0] == name]
        return {"call": name, "participants": [member.describe() for member in members]} if members else None

    async def drain(self) -> None:
        """Admit nobody any more, end everybody, close their findings; then the threads are released."""
        self.draining = True
        await asyncio.gather(*(participant.end() for participant in list(self._participants.values())))
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _check_open(self) -> None:
        if self.draining:
            self._metrics.refused.inc()
            raise AtCapacity("the server is shutting down")

    def _check_room(self, reserved: int = 0) -> None:
        self._check_open()
        if len(self._participants) + reserved >= self._capacity:
            self._metrics.refused.inc()
            raise AtCapacity("all places are taken")

    def _forget(self, place: Place, participant: Participant) -> None:
        if self._participants.get(place) is participant:
            del self._participants[place]
            self._metrics.participants.set(len(self))
            log.get("host").info("a participant left", judged=len(self))


def _report_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.get("host").error("a participant's loop failed", exc_info=task.exception())
