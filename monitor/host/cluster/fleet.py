"""Everybody who is judged on several hosts, as one `Calls`: where they are placed, what stays when a host is gone.

What hosts say goes the way that it goes in one process: findings to the policy and the journal, states to subscribers,
coverage to the map. What is known of each participant is kept here at every hop, so that a host takes nothing of it
along when it dies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

import structlog
from prometheus_client import Counter, Gauge

from monitor.alerts.recorder import TakesFindings
from monitor.alerts.wire import Message
from monitor.config import SourceSettings
from monitor.decision.words import CONNECTING, HOST_DRAINED, HOST_LOST
from monitor.host.callbacks import Tells
from monitor.host.calls import Admission, AtCapacity, HostsAlive
from monitor.host.cluster.answers import Answers, Knows
from monitor.host.cluster.audience import Audience, Told
from monitor.host.cluster.clocks import departed_moved
from monitor.host.cluster.far_host import FarHost, Timing
from monitor.host.cluster.far_publication import FarPublication
from monitor.host.cluster.fleet_sources import FleetSources
from monitor.host.cluster.launch import Launch
from monitor.host.cluster.ledger import Ledger, Place
from monitor.host.cluster.link import LinkLost
from monitor.host.cluster.metrics import HintMetrics, Merged, Sums
from monitor.host.cluster.placement import HostView, places
from monitor.host.cluster.refusals import HostError
from monitor.host.cluster.renewal import Renewal
from monitor.host.cluster.sizing import HostLoad, Sizing
from monitor.host.cluster.taking_off import TakingOff, place_of
from monitor.host.metrics import Metrics
from monitor.host.quota import Holding, Quota
from monitor.host.remembering import Remembered
from monitor.host.watching import Watching
from monitor.tap.media.source import Source
from monitor.types import ParticipantKey, Profile, rfc3339

PUBLISH_SECONDS = 25.0
METRICS_SECONDS = 1.0
DRAIN_SECONDS = 30.0


class Fleet:
    """The hosts of one gateway. `knows` is how a gateway answers them; `words` is what each is told first.

    Keys and messages are those of all tenants together; `sources` are the ways in of each tenant, by its name. Each
    host has so many `cores`. `audience` is told what happens, while it happens.
    """

    def __init__(
        self,
        hosts: int,
        launch: Launch,
        words: Callable[[int], Mapping[str, Any]],
        knows: Knows,
        findings: TakesFindings,
        hub: Tells,
        metrics: Metrics,
        quota: Quota,
        rejoin_seconds: float,
        sources: Mapping[str, Sequence[SourceSettings]] | None = None,
        timing: Timing | None = None,
        sizing: Sizing | None = None,
        cores: float = 1.0,
        audience: Audience | None = None,
    ) -> None:
        self.audience = audience or Audience()
        self._findings, self._hub = findings, Told(hub, self.audience)
        self._metrics, self._quota = metrics, quota
        self._clock = (timing or Timing()).clock
        self.draining = self._hands_over = False
        self.watching = Watching(self._hub.notice, self._clock)
        self.memory = Remembered(rejoin_seconds, findings.put, metrics, self._clock, self.audience.remembered)
        self.taking_off = TakingOff(self.watching, self._hub, metrics, findings, self.memory)
        self.ledger = Ledger()
        self.sizing, self._cores = sizing or Sizing(), cores
        self._knows = knows
        self._answers = Answers(knows, self.memory, self.ledger, self._clock, self.audience)
        self.hosts = [FarHost(number, launch, words(number), self, timing) for number in range(hosts)]
        self.sources = FleetSources(self, sources or {}, self._clock)
        self.renewal = Renewal(self, self._clock, (timing or Timing()).sleep)
        self._owners: dict[Place, str] = {}
        self._publishing: list[tuple[Place, int, str]] = []
        self._numbers = count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._sums = Sums()
        self._alive = Gauge("sidewitness_hosts", "Processes that judge now.", registry=metrics.registry)
        self._starts = Counter("sidewitness_host_starts", "Processes begun that judge.", registry=metrics.registry)
        metrics.registry.register(HintMetrics(lambda: self.sizing.hints))
        metrics.merge(Merged(metrics.registry, self._sums), self._refresh)

    def __len__(self) -> int:
        return len(self.ledger)

    @property
    def full(self) -> bool:
        """Whether all places are taken."""
        return self._taken >= self._quota.capacity

    @property
    def _taken(self) -> int:
        return len(self) + len({p for p, _, _ in self._publishing if self.ledger.seat(p) is None})

    @property
    def alive(self) -> HostsAlive:
        """How many hosts judge, of how many there are to be."""
        return HostsAlive(sum(host.ready for host in self.hosts), len(self.hosts))

    async def start(self) -> None:
        """Begin all hosts, and wait until one judges; raises `CannotStart` where none can."""
        for host in self.hosts:
            host.start()
        failures = await asyncio.gather(*(host.first_start() for host in self.hosts), return_exceptions=True)
        error = next((one for one in failures if one is not None), None)
        if error is not None and not self.alive.alive:
            await self.drain()
            raise error
        await self.audience.start(self)

    async def publish(
        self, key: ParticipantKey, offer: str, owner: str, profile: Profile | None = None
    ) -> FarPublication:
        """Have an offer answered by a host; raises `Occupied`, `AtCapacity`, `SdpError` or `TimeoutError`."""
        place = (key.call, key.participant)
        refusal: Exception = AtCapacity("no host judges now", 1)
        for number in self._candidates(place, owner):
            host = self.hosts[number]
            trial = (place, number, owner)
            self._publishing.append(trial)
            try:
                return await self._publish(host, key, offer, owner, profile)
            except AtCapacity as error:
                # It may be less busy elsewhere.
                refusal = error
            except (LinkLost, HostError) as error:
                structlog.stdlib.get_logger("cluster").warning("an offer was not answered", why=str(error))
                refusal = AtCapacity("the host that was asked has failed", 1)
            finally:
                self._publishing.remove(trial)
        self._metrics.refused.inc()
        raise refusal

    async def judge(self, key: ParticipantKey, source: Source, profile: Profile | None = None) -> Admission:
        """Refuse a source of this process: it would have to be judged here."""
        await source.close()
        raise AtCapacity("a gateway judges nobody itself: set `processes` to 1 where sources are admitted by a program")

    async def remove(self, call: str, participant: str) -> bool:
        """Stop judging a participant; False where there is none."""
        seat = self.ledger.seat((call, participant))
        if seat is None:
            return False
        try:
            return bool(await self.hosts[seat.host].ask("remove", (call, participant), seconds=DRAIN_SECONDS))
        except LinkLost:
            return False

    async def calls(self) -> list[Message]:
        """Describe every call."""
        return [described for name in sorted(self.watching.calls()) if (described := self._describe(name))]

    async def call(self, name: str) -> Message | None:
        """Describe one call; None when nobody is in it."""
        return self._describe(name)

    async def explain(self, call: str, participant: str) -> Message | None:
        """Say by what a participant is taken to claim an identity; None where there is no such participant."""
        seat = self.ledger.seat((call, participant))
        return None if seat is None else seat.claimed.explain()

    async def drain(self) -> None:
        """Admit nobody any more, end everybody, close their findings; then let the hosts go.

        Where somebody takes over, everybody is moved and findings wait there.
        """
        self.draining, self._hands_over = True, self.audience.takes_over
        self.renewal.close()
        self.audience.leaving()
        await asyncio.gather(*(self._drain(host) for host in self.hosts))
        for host in self.hosts:
            # What a host did not come to say.
            self._take_off(host)
        self.watching.close()
        handed_over = await self.audience.close()
        self.memory.close(keeps=self._hands_over and handed_over)

    async def _drain(self, host: FarHost) -> None:
        if host.ready:
            try:
                await host.ask("drain", HOST_DRAINED if self._hands_over else None, seconds=DRAIN_SECONDS)
            except (LinkLost, TimeoutError, HostError):
                structlog.stdlib.get_logger("cluster").warning("a host was not let go in order", host=host.number)
        await host.close()

    # `Hears`: what comes of the hosts.

    def said(self, host: FarHost, op: str, body: Any) -> None:
        """Take what a host says."""
        match op:
            case "state":
                self._state(host, body["state"], body["at"] + host.behind)
            case "finding":
                self.ledger.found(host.number, body["finding"])
                self.audience.finding(body["finding"], body["at"] + host.behind)
                self._findings.put(body["finding"], body["at"] + host.behind)
            case "checkpoint":
                known = departed_moved(body["known"], host.behind)
                self.ledger.checkpoint(host.number, known, body["continues"])
                self.audience.checkpoint(known, body["continues"])
            case "judged":
                self._judged(host, body)
            case "claimed":
                self.ledger.claimed(host.number, body)
                self.audience.claimed(body)
            case "ended":
                self._ended(host, body)
            case "left":
                self._left(departed_moved(body, host.behind))
            case "listed" | "lost" | "closed" | "forget":
                self.sources.said(host, op, body)
            case "beat":
                self.sources.said(host, op, body)
                self._size()
            case _:
                raise LookupError("a host says what nobody knows here")

    async def asked(self, host: FarHost, op: str, body: Any) -> Any:
        """Answer what a host asks."""
        return await self._answers.answer(host, op, body)

    def _size(self) -> None:
        if self.sizing.due(now := self._clock()):
            open_now = [(host, self.view(host)) for host in self.hosts if host.open]
            loads = [HostLoad(view.cores, host.used, view.judged, host.strained) for host, view in open_now]
            self.sizing = self.sizing.look(now, loads, self._quota.capacity - len(self))

    def came(self, host: FarHost) -> None:
        """Take note that a host is ready."""
        self._alive.set(self.alive.alive)
        self._starts.inc()
        self.sources.came(host)
        self._begin(self._warm_up(host))

    def gone(self, host: FarHost) -> None:
        """Take everybody off a host that is there no more: what is known of them waits for them."""
        self._alive.set(self.alive.alive)
        self._sums.retire(host.number)
        self._take_off(host)
        self.sources.gone(host)

    async def _warm_up(self, host: FarHost) -> None:
        """Have a host compile what only a claimed identity needs, where there is anybody to be claimed."""
        vaults = self._knows.vaults.values()
        if await asyncio.to_thread(lambda: any(vault.list() for vault in vaults)):
            host.say("warm_up")

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _take_off(self, host: FarHost) -> None:
        """Have everybody who was on a host waited for, as if they had left, and say that they are not watched."""
        reason = HOST_DRAINED if host.leaving or self._hands_over else HOST_LOST
        lost = self.ledger.lost(host.number, self._clock(), reason)
        for place in (place_of(one.seat) for one in lost if one.seat is not None):
            self._owners.pop(place, None)
            self.audience.ended(place)
        self.taking_off.take(lost, -1 - host.number, reason, self._clock(), self.remembers)
        self._metrics.judged(len(self))

    @property
    def remembers(self) -> bool:
        """Whether whoever is gone now may come back, here or where somebody takes over."""
        return self.memory.seconds > 0.0 and (not self.draining or self._hands_over)

    def _state(self, host: FarHost, state: Message, at: float) -> None:
        self.ledger.said(host.number, state)
        self._metrics.hop(state["verdict"], state["reason"])
        self._hub.state(state, at)
        self.watching.hop(state)

    def _judged(self, host: FarHost, claimed: Any) -> None:
        key: ParticipantKey = claimed.key
        self.audience.seated(self.ledger.judged(host.number, claimed, rfc3339(datetime.now(UTC))))
        self.watching.judged(key)
        self._metrics.judged(len(self))
        for departed in self.memory.memory.departed:
            if departed.key.call == key.call and departed.face is not None:
                self._tell_stranger(host, departed.key, departed.left)

    def _ended(self, host: FarHost, place: Place) -> None:
        if self.ledger.ended(host.number, place):
            self._owners.pop(place, None)
            self.audience.ended(place)
            if host.leaving or self._hands_over:
                # They have not left the call: they are to be judged elsewhere.
                self.watching.host_lost(-1 - host.number, [place], HOST_DRAINED)
            else:
                self.watching.ended(place)
            self._metrics.judged(len(self))
            if place[0] not in self.ledger.counts(host.number):
                host.say("call_is_over", place[0])

    def _left(self, departed: Any) -> None:
        self.memory.left(departed)
        if departed.face is not None:
            for host in self.hosts:
                if departed.key.call in self.ledger.counts(host.number):
                    self._tell_stranger(host, departed.key, departed.left)

    def _tell_stranger(self, host: FarHost, key: ParticipantKey, left: float) -> None:
        host.say("stranger", {"call": key.call, "participant": key.participant, "left": left - host.behind})

    def _candidates(self, place: Place, owner: str) -> list[int]:
        """Return the hosts that may answer an offer, in their order; raises `AtCapacity` where there is no room."""
        if self.draining:
            self._metrics.refused.inc()
            raise AtCapacity("the server is shutting down")
        seat = self.ledger.seat(place)
        there = seat.host if seat is not None else next((n for p, n, _ in self._publishing if p == place), None)
        if there is not None:
            if self.hosts[there].leaving:
                self._metrics.refused.inc()
                raise AtCapacity("the process that judges them is begun anew: publish again in a moment", 1)
            return [there]
        refusal = "all places are taken" if self.full else self._quota.refusal(owner, self._held())
        if refusal is not None:
            self._metrics.refused.inc()
            raise AtCapacity(refusal)
        return places(map(self.view, self.hosts), place[0])

    def view(self, host: FarHost) -> HostView:
        """Return a host as whoever places somebody sees it."""
        calls = self.ledger.counts(host.number)
        for place, number, _ in self._publishing:
            if number == host.number and self.ledger.seat(place) is None:
                calls[place[0]] = calls.get(place[0], 0) + 1
        stale = host.number in self.renewal.rolling.stale
        return HostView(host.number, host.open, host.full, sum(calls.values()), calls, self._cores, stale)

    def _held(self) -> Iterator[Holding]:
        for place, owner in self._owners.items():
            seat = self.ledger.seat(place)
            if seat is not None:
                yield Holding(owner, seat.entry["reason"] == CONNECTING)
        for place, _, owner in self._publishing:
            if place not in self._owners:
                yield Holding(owner, connecting=True)

    async def _publish(
        self, host: FarHost, key: ParticipantKey, offer: str, owner: str, profile: Profile | None
    ) -> FarPublication:
        number = next(self._numbers)
        body = {"id": number, "key": key, "offer": offer, "owner": owner, "profile": profile}
        made = await host.ask("publish", body, seconds=PUBLISH_SECONDS)
        # Whoever is told that they are published may ask another gateway next.
        await self.audience.arrived()
        self._owners[key.call, key.participant] = owner
        publication = FarPublication(host, number, key, made["answer"], made["etag"])
        publication.follow()
        return publication

    def _describe(self, name: str) -> Message | None:
        return self.watching.describe(name, self.ledger.describe(name))

    async def _refresh(self) -> None:
        """Have every host say what it has counted; one that is too busy is told of as it was."""
        await asyncio.gather(*(self._refresh_of(host) for host in self.hosts if host.ready))

    async def _refresh_of(self, host: FarHost) -> None:
        try:
            self._sums.take(host.number, await host.ask("metrics", seconds=METRICS_SECONDS))
        except (LinkLost, TimeoutError, HostError):
            return
