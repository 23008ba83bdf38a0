"""The sidecar without its HTTP surface: built in one function, run as a context, and embedded by platforms as it is.

At the end nobody is admitted any more, then participants end and their findings close, then the journal has them, then
sinks and readers are sent them, and only then what they need is released.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import structlog

from monitor.alerts.casework.desk import Desk
from monitor.alerts.casework.store import Casework
from monitor.alerts.finding import Finding
from monitor.alerts.follow import Follower
from monitor.alerts.journal import Entry, Journal
from monitor.alerts.policy.document import load as load_policy
from monitor.alerts.policy.rules import Policy
from monitor.alerts.privacy.retention import sweeps
from monitor.alerts.push import Hub
from monitor.alerts.recorder import Recorder
from monitor.alerts.sinks.base import Item
from monitor.alerts.sinks.delivery import Deliveries
from monitor.alerts.sinks.registry import NamedSink, open_sinks
from monitor.alerts.traces import NoTraces, Traces, open_traces
from monitor.alerts.wire import Message
from monitor.config import Settings
from monitor.host.calls import Actions, Admission, Calls, Sources, participant_key
from monitor.host.cpu_load import LoadMeter
from monitor.host.drills import Drills
from monitor.host.feed import Feed
from monitor.host.host import Host
from monitor.host.ingest import Ingest
from monitor.host.metrics import Metrics
from monitor.host.policing import Policing
from monitor.host.quota import Quota
from monitor.host.sources import ConfiguredSource, configured_sources
from monitor.host.watching import Watching
from monitor.identity.vault.anchor import open_anchors
from monitor.identity.vault.open import open_vault
from monitor.identity.vault.sweeper import Sweep, Sweeper, of_vault
from monitor.identity.vault.vault import Vault
from monitor.tap.media.source import Source
from monitor.types import ParticipantKey, Profile

if TYPE_CHECKING:
    from monitor.host.judging import Judging
    from monitor.session.models import Models


class Judges(Calls, Protocol):
    """Whoever judges: a host in this process, or several in others."""

    async def start(self) -> None:
        """Begin; raises `SidewitnessError` where nobody can be judged."""
        ...

    async def judge(self, key: ParticipantKey, source: Source, profile: Profile | None = None) -> Admission:
        """Judge a source that is open already; closes it and raises `AtCapacity` where there is no room."""
        ...

    async def drain(self) -> None:
        """Admit nobody any more, end everybody, and close their findings."""
        ...


class WaysIn(Sources, Actions, Protocol):
    """The sources of whoever judges."""

    def start(self) -> None:
        """Begin, on the running loop."""
        ...

    async def close(self) -> None:
        """End every source and whom it has brought."""
        ...


# Makes whoever judges, the ways in and the coverage: of the settings, how it is judged, the vault, where findings and
# states go, the numbers, and the configured ways in.
Hosting = Callable[
    [Settings, "Judging", Vault | None, Policing, Hub, Metrics, Sequence[ConfiguredSource]],
    tuple[Judges, WaysIn, Watching],
]


@dataclass(frozen=True, slots=True)
class Components:
    """What a sidecar is made of; `vault` is None where nobody can be enrolled."""

    judging: Judging
    metrics: Metrics
    journal: Journal
    hub: Hub
    deliveries: Deliveries
    recorder: Recorder
    host: Judges
    ingest: WaysIn
    desk: Desk
    policing: Policing
    drills: Drills
    vault: Vault | None = None
    traces: Traces = field(default_factory=NoTraces)
    follower: Follower | None = None


def build(settings: Settings, models: Callable[[], Models] | None = None, hosting: Hosting | None = None) -> Sidecar:
    """Make a sidecar, with everything opened that can fail and nothing running; enter it to run it.

    Blocks until the models are there; `models` waits for them where another thread is loading them, and `hosting` makes
    whoever judges, where that is not this process. Raises `ConfigError`, `VaultError` or `EngineError`.
    """
    # Here and not above: whoever brings another way of judging needs neither engines nor WebRTC.
    from monitor.detectors.registry import infos
    from monitor.host.judging import judging, load

    sources, sinks = configured_sources(settings.sources), open_sinks(settings.sinks)
    policy = load_policy(settings.policy, [sink.name for sink in sinks], [info.name for info in infos()])
    vault = open_vault(settings)
    try:
        how = judging(settings, vault, models() if models is not None else load(settings), policy)
        return Sidecar(settings, assemble(settings, how, vault, sinks, sources, policy, hosting))
    except BaseException:
        vault.close()
        raise


def assemble(
    settings: Settings,
    judging: Judging,
    vault: Vault | None = None,
    sinks: Sequence[NamedSink] = (),
    sources: Sequence[ConfiguredSource] = (),
    policy: Policy | None = None,
    hosting: Hosting | None = None,
) -> Components:
    """Connect the ways in to whoever judges, these to the journal, and the journal to whoever is told."""
    metrics = Metrics(settings.metrics_min_participants)
    if judging.batched is not None:
        metrics.batching(judging.batched.load)
    sign, anchor_dir = vault.sign_finding if vault is not None else None, settings.anchor_dir or settings.state_dir
    anchors = open_anchors(settings.anchors, anchor_dir, "journal")
    journal = Journal(settings.journal_url, settings.findings_kept, sign, anchors)
    hub = Hub()
    desk = Desk(Casework(journal, sign, open_anchors(settings.anchors, anchor_dir, "casework")), hub)
    traces = open_traces(settings.traces)

    def accepted(sink: str, items: Sequence[Item]) -> None:
        policing.accepted(sink, items)
        drills.accepted(sink, items)

    deliveries = Deliveries(sinks, journal, metrics.registry, traces, accepted=accepted)

    def committed(seq: int, finding: Finding, decided_at: float) -> None:
        committed_at = time.monotonic()
        hub.finding(Entry(seq, finding), decided_at)
        traces.committed(seq, finding, decided_at, committed_at)
        deliveries.committed(seq)
        follower.committed(seq)

    recorder, follower = Recorder(journal, committed), Follower(journal, hub.newer, deliveries.committed)
    policing = Policing(policy or Policy(), recorder, desk, judging.tags)
    drills = Drills(policing, recorder, desk, [sink.name for sink in sinks], judging.learn_tags)
    host, ingest, watching = (hosting or in_this_process)(settings, judging, vault, policing, hub, metrics, sources)
    watching.follow(policing)
    metrics.watching(watching.counts)
    policing.acts_by(ingest)
    inner = judging, metrics, journal, hub, deliveries, recorder, host
    return Components(*inner, ingest, desk, policing, drills, vault, traces, follower)


def in_this_process(
    settings: Settings,
    judging: Judging,
    vault: Vault | None,
    findings: Policing,
    hub: Hub,
    metrics: Metrics,
    sources: Sequence[ConfiguredSource],
) -> tuple[Judges, WaysIn, Watching]:
    """Make the one host of this process, and its ways in."""
    watching = Watching(hub.notice, time.monotonic)
    batch_load = judging.batched.load if judging.batched is not None else None
    host = Host(
        judging.session,
        judging.answer,
        findings,
        hub,
        metrics,
        settings.hop_seconds,
        settings.max_participants,
        settings.session_threads,
        LoadMeter(batch_load).read,
        rejoin_seconds=settings.rejoin_seconds,
        quota=Quota(settings.max_participants, settings.max_participants_per_token, settings.max_connecting_per_token),
        claimed=judging.claimed,
        packs=judging.packs,
        watching=watching,
    )
    return host, Ingest(sources, host, metrics), watching


class Sidecar:
    """Judges participants while its context is open.

    `Sidecar(settings)` builds itself as it is entered, in a thread; `build` makes one that is built already.
    """

    def __init__(self, settings: Settings, components: Components | None = None) -> None:
        self._settings = settings
        self._components = components
        self._sweeper: Sweeper | None = None
        self._feeds: weakref.WeakSet[Feed] = weakref.WeakSet()
        self._drained = False

    @property
    def components(self) -> Components:
        """What it is made of, for whoever puts a surface on it."""
        if self._components is None:
            raise RuntimeError("the sidecar does not run yet: use `async with Sidecar(settings) as sidecar`")
        return self._components

    async def __aenter__(self) -> Self:
        """Begin; raises `ConfigError`, `VaultError`, `EngineError` or `JournalError`."""
        if self._components is None:
            self._components = (await asyncio.to_thread(build, self._settings)).components
        parts = self._components
        try:
            await asyncio.to_thread(parts.journal.open)
            parts.recorder.start()
            await parts.deliveries.start()
            await parts.host.start()
            if parts.follower is not None:
                await parts.follower.start()
        except BaseException:
            await self._release()
            raise
        self._sweeper = Sweeper(self._sweeps(), self._settings.retention_sweep_minutes * 60.0)
        self._sweeper.start()
        asyncio.get_running_loop().run_in_executor(None, parts.judging.warm_up)
        parts.ingest.start()
        return self

    def _sweeps(self) -> list[Sweep]:
        parts, settings = self.components, self._settings
        own = [of_vault(parts.vault)] if parts.vault is not None else []
        return own + sweeps(parts.journal, parts.desk.casework, settings.findings_days, settings.cases_days)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let everybody go and release everything."""
        try:
            if not self._drained:
                await self.within_drain_seconds(self.drain())
        finally:
            await self._release()

    async def admit(
        self,
        call: str,
        participant: str,
        source: Source,
        identity: str | None = None,
        profile: Profile | None = None,
    ) -> Admission:
        """Judge a source as a participant of a call until it ends, or until they are removed.

        `identity` is the protected person that they claim to be; else the setting `claims` says, by `profile`, whom
        they are taken to claim to be. Whoever has the same name in the call is replaced.
        Raises `InvalidName`, or `AtCapacity` where there is no room now; the source is then closed.
        """
        try:
            key = participant_key(call, participant, identity)
        except BaseException:
            await source.close()
            raise
        return await self.components.host.judge(key, source, profile)

    async def remove(self, call: str, participant: str) -> bool:
        """Stop judging a participant; False where there is none. Returns when they are judged no more."""
        return await self.components.host.remove(call, participant)

    async def calls(self) -> list[Message]:
        """Describe every call and who is judged in it, as `GET /v1/calls` does."""
        return await self.components.host.calls()

    def alerts(self, after: int | None = None, states: bool = False) -> AsyncIterator[Message]:
        """Give the messages that subscribers of `/v1/alerts` are sent, until the sidecar has ended.

        `after` is the sequence number of the last finding seen, None for those from now on. With `states` what is
        decided at every hop comes too. Raises `JournalError`.
        """
        # From the call on, not from the first read: what is found in between belongs to the reader.
        after = self.components.journal.head().seq if after is None else after
        feed = Feed(self.components.hub, self.components.journal, after, states)
        self._feeds.add(feed)
        return feed

    async def drain(self) -> None:
        """Admit nobody, end everybody, and write and deliver what that closes; done once, however often it is asked."""
        if self._drained:
            return
        self._drained = True
        parts = self.components
        await asyncio.gather(parts.host.drain(), parts.ingest.close())
        await parts.drills.close()
        await parts.recorder.close()
        if parts.follower is not None:
            await parts.follower.close()
        await parts.deliveries.close()
        await parts.policing.close()
        await asyncio.to_thread(parts.traces.close)
        for feed in list(self._feeds):
            feed.end()

    async def within_drain_seconds(self, work: Awaitable[None]) -> None:
        """Wait for some of the end, no longer than the settings allow."""
        seconds = self._settings.drain_seconds
        try:
            await asyncio.wait_for(work, seconds)
        except TimeoutError:
            structlog.stdlib.get_logger("serve").warning("not everything could be let go in time", seconds=seconds)

    def close(self) -> None:
        """Release what building it took; for a sidecar that is not entered, safe to call twice."""
        if self._components is not None:
            if self._components.judging.batched is not None:
                self._components.judging.batched.close()
            self._components.deliveries.release()
            self._components.journal.close()
            if self._components.vault is not None:
                self._components.vault.close()

    async def _release(self) -> None:
        for feed in list(self._feeds):
            feed.end()
        if self._sweeper is not None:
            await self._sweeper.close()
        if self._components is not None and self._components.follower is not None:
            await self._components.follower.close()
        await asyncio.to_thread(self.close)
