"""The sidecar without its HTTP surface: built in one function, run as a context, and embedded by platforms as it is.

At the end nobody is admitted any more, then participants end and their findings close, then the journal has them, then
sinks and readers are sent them, and only then what they need is released.
"""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack, closing
from types import TracebackType
from typing import TYPE_CHECKING, Self

import structlog

from monitor.alerts.policy.rules import Policy
from monitor.alerts.privacy.retention import of_erasures, sweeps
from monitor.alerts.sinks.metrics import SinkMetrics
from monitor.alerts.sinks.registry import NamedSink
from monitor.alerts.traces import open_traces
from monitor.alerts.wire import Message
from monitor.config import Settings
from monitor.host.acting import ActsAnywhere
from monitor.host.calls import Actions, Admission, participant_key
from monitor.host.components import (
    Components,
    Configured,
    Stores,
    Tenant,
    TenantParts,
    check_sinks,
    configured_of,
    stores,
)
from monitor.host.feed import Feed
from monitor.host.hosting import Hosting, in_this_process
from monitor.host.matrix_threads import ADVICE, is_one
from monitor.host.metrics import Metrics
from monitor.host.sources import ConfiguredSource
from monitor.host.tenants import Room, Tenancy
from monitor.identity.vault.open import open_vault
from monitor.identity.vault.sweeper import Sweep, Sweeper, of_vault
from monitor.identity.vault.vault import Vault
from monitor.storage.tenancy.names import DEFAULT_TENANT
from monitor.storage.tenancy.settings import of_tenant, prepare, tenants_of
from monitor.tap.media.source import Source
from monitor.types import Profile

if TYPE_CHECKING:
    from monitor.host.judging import Judging
    from monitor.session.models import Models


def build(settings: Settings, models: Callable[[], Models] | None = None, hosting: Hosting | None = None) -> Sidecar:
    """Make a sidecar, with everything opened that can fail and nothing running; enter it to run it.

    Says where the machine would lose time to the threads of matrices (`monitor.host.matrix_threads`).
    Blocks until the models are there; `models` waits for them where another thread is loading them, and `hosting` makes
    whoever judges, where that is not this process. Raises `ConfigError`, `VaultError` or `EngineError`.
    """
    # Here and not above: whoever brings another way of judging needs neither engines nor WebRTC.
    from monitor.detectors.registry import infos
    from monitor.host.judging import judging, load

    if not is_one(os.environ, os.cpu_count() or 1):
        structlog.stdlib.get_logger("serve").warning(ADVICE)
    places = {name: options.max_participants for name, options in tenants_of(settings).items()}
    every = {name: of_tenant(settings, name) for name in (DEFAULT_TENANT, *places)}
    names = [info.name for info in infos()]
    ways = {name: configured_of(name, own, names) for name, own in every.items()}
    check_sinks(ways)
    with ExitStack() as vaults:
        loaded: Models | None = None
        tenants: list[Tenant] = []
        for name, own in every.items():
            if name != DEFAULT_TENANT:
                prepare(own)
            vault = vaults.enter_context(closing(open_vault(own)))
            if loaded is None:
                loaded = models() if models is not None else load(settings)
            batched = tenants[0].judging.batched if tenants else None
            how = judging(own, vault, loaded, ways[name].policy, batched)
            tenants.append(Tenant(name, own, how, vault, ways[name], places.get(name)))
        sidecar = Sidecar(settings, assemble_tenants(tenants[0], tenants[1:], hosting))
        vaults.pop_all()
    return sidecar


def assemble(
    settings: Settings,
    judging: Judging,
    vault: Vault | None = None,
    sinks: Sequence[NamedSink] = (),
    sources: Sequence[ConfiguredSource] = (),
    policy: Policy | None = None,
    tenants: Sequence[Tenant] = (),
    hosting: Hosting | None = None,
) -> Components:
    """Connect the ways in to whoever judges, these to the journal, and the journal to whoever is told.

    All of it is the default tenant's; `tenants` are the others.
    """
    own = Configured(tuple(sources), tuple(sinks), policy or Policy())
    return assemble_tenants(Tenant(DEFAULT_TENANT, settings, judging, vault, own), tenants, hosting)


def assemble_tenants(first: Tenant, others: Sequence[Tenant], hosting: Hosting | None = None) -> Components:
    """Do as `assemble`, for the default tenant, whose settings are those of the machine, and others."""
    settings, judging = first.settings, first.judging
    metrics = Metrics(settings.metrics_min_participants)
    if judging.batched is not None:
        metrics.batching(judging.batched.load)
    traces = open_traces(settings.traces)
    counted = SinkMetrics(metrics.registry)
    tenants = (first, *others)
    opened = {tenant.name: stores(tenant, counted, traces) for tenant in tenants}
    tenancy = Tenancy({name: _room(own) for name, own in opened.items()})
    hosted = (hosting or in_this_process)(tenants, tenancy, metrics)
    hosted.watching.follow(tenancy)
    metrics.watching(hosted.watching.counts)
    for name, own in opened.items():
        ways: Actions = hosted.ways[name]
        own.policing.acts_by(ways if hosted.gateways is None else ActsAnywhere(ways, hosted.gateways, name))
    parts = {
        tenant.name: TenantParts(
            tenant.name,
            opened[tenant.name],
            hosted.calls[tenant.name],
            hosted.ways[tenant.name],
            tenant.settings,
        )
        for tenant in others
    }
    own = opened[first.name]
    return Components(
        first.judging,
        metrics,
        own.journal,
        own.hub,
        own.deliveries,
        own.recorder,
        hosted.host,
        hosted.ways[first.name],
        own.desk,
        own.policing,
        own.drills,
        own.vault,
        traces,
        own.follower,
        parts,
        hosted.gateways,
    )


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
            for own in (one.stores for one in parts.every_tenant):
                await asyncio.to_thread(own.journal.open)
                own.recorder.start()
                await own.deliveries.start()
            await parts.host.start()
            for own in (one.stores for one in parts.every_tenant):
                if own.follower is not None:
                    await own.follower.start()
        except BaseException:
            await self._release()
            raise
        self._sweeper = Sweeper(self._sweeps(), self._settings.retention_sweep_minutes * 60.0)
        self._sweeper.start()
        for one in parts.every_tenant:
            asyncio.get_running_loop().run_in_executor(None, one.stores.judging.warm_up)
            one.ingest.start()
        return self

    def _sweeps(self) -> list[Sweep]:
        made = []
        for one in self.components.every_tenant:
            own, settings = one.stores, one.settings or self._settings
            made += [of_vault(own.vault)] if own.vault is not None else []
            made.append(of_erasures(own.journal))
            made += sweeps(own.journal, own.desk.casework, settings.findings_days, settings.cases_days)
        return made

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
        tenant: str = DEFAULT_TENANT,
    ) -> Admission:
        """Judge a source as a participant of a tenant's call until it ends, or until they are removed.

        `identity` is the protected person that they claim to be; else the setting `claims` says, by `profile`, whom
        they are taken to claim to be. Whoever has the same name in the call is replaced.
        Raises `InvalidName`, or `AtCapacity` where there is no room now; the source is then closed.
        """
        try:
            key = participant_key(call, participant, identity)
        except BaseException:
            await source.close()
            raise
        return await self.components.of(tenant).calls.judge(key, source, profile)

    async def remove(self, call: str, participant: str, tenant: str = DEFAULT_TENANT) -> bool:
        """Stop judging a participant; False where there is none. Returns when they are judged no more."""
        return await self.components.of(tenant).calls.remove(call, participant)

    async def calls(self, tenant: str = DEFAULT_TENANT) -> list[Message]:
        """Describe every call of a tenant and who is judged in it, as `GET /v1/calls` does."""
        return await self.components.of(tenant).calls.calls()

    def alerts(
        self, after: int | None = None, states: bool = False, tenant: str = DEFAULT_TENANT
    ) -> AsyncIterator[Message]:
        """Give the messages that subscribers of `/v1/alerts` are sent, until the sidecar has ended.

        `after` is the sequence number of the last finding seen, None for those from now on. With `states` what is
        decided at every hop comes too. Raises `JournalError`.
        """
        # From the call on, not from the first read: what is found in between belongs to the reader.
        own = self.components.of(tenant).stores
        feed = Feed(own.hub, own.journal, own.journal.head().seq if after is None else after, states)
        self._feeds.add(feed)
        return feed

    async def drain(self) -> None:
        """Admit nobody, end everybody, and write and deliver what that closes; done once, however often it is asked."""
        if self._drained:
            return
        self._drained = True
        parts = self.components
        every = parts.every_tenant
        await asyncio.gather(parts.host.drain(), *(one.ingest.close() for one in every))
        await asyncio.gather(*(_let_go(one.stores) for one in every))
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
            for one in self._components.every_tenant:
                one.stores.deliveries.release()
                one.stores.journal.close()
                if one.stores.vault is not None:
                    one.stores.vault.close()

    async def _release(self) -> None:
        for feed in list(self._feeds):
            feed.end()
        if self._sweeper is not None:
            await self._sweeper.close()
        every = self._components.every_tenant if self._components is not None else []
        for own in (one.stores for one in every):
            if own.follower is not None:
                await own.follower.close()
        await asyncio.to_thread(self.close)


def _room(own: Stores) -> Room:
    return Room(own.hub, own.policing, own.judging, own.vault, own.journal, own.recorder)


async def _let_go(own: Stores) -> None:
    """Write and deliver what the end of everybody has closed; in this order."""
    await own.drills.close()
    await own.recorder.close()
    if own.follower is not None:
        await own.follower.close()
    await own.deliveries.close()
    await own.policing.close()
