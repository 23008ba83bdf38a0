"""What a sidecar is made of: what the machine has once, and what each tenant has of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitor.alerts.casework.desk import Desk
from monitor.alerts.casework.store import Casework
from monitor.alerts.finding import Finding
from monitor.alerts.follow import Follower
from monitor.alerts.journal import Entry, Journal
from monitor.alerts.policy.document import load as load_policy
from monitor.alerts.policy.rules import Policy
from monitor.alerts.push import Hub
from monitor.alerts.recorder import Recorder
from monitor.alerts.sinks.base import Item
from monitor.alerts.sinks.delivery import Deliveries
from monitor.alerts.sinks.metrics import SinkMetrics
from monitor.alerts.sinks.registry import NamedSink, open_sinks
from monitor.alerts.traces import NoTraces, Traces
from monitor.config import ConfigError, Settings
from monitor.host.calls import Gateways
from monitor.host.drills import Drills
from monitor.host.judges import Judges, WaysIn
from monitor.host.metrics import Metrics
from monitor.host.policing import Policing
from monitor.host.sources import ConfiguredSource, configured_sources
from monitor.host.tenants import TenantCalls
from monitor.identity.vault.anchor import open_anchors
from monitor.identity.vault.vault import Vault
from monitor.storage.tenancy.names import DEFAULT_TENANT

if TYPE_CHECKING:
    from monitor.host.judging import Judging


@dataclass(frozen=True, slots=True)
class Configured:
    """What a tenant's settings ask for, opened and checked: ways into calls, who is told, and by what policy."""

    sources: tuple[ConfiguredSource, ...] = ()
    sinks: tuple[NamedSink, ...] = ()
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant before anything of it is connected; `places` is how many of the machine's it may hold, None for all."""

    name: str
    settings: Settings
    judging: Judging
    vault: Vault | None = None
    configured: Configured = Configured()
    places: int | None = None


@dataclass(frozen=True, slots=True)
class Stores:
    """What a tenant has of its own, and shares with no other; `vault` is None where nobody can be enrolled."""

    judging: Judging
    journal: Journal
    hub: Hub
    deliveries: Deliveries
    recorder: Recorder
    desk: Desk
    policing: Policing
    drills: Drills
    vault: Vault | None = None
    follower: Follower | None = None


@dataclass(frozen=True, slots=True)
class TenantParts:
    """What the surface of a tenant is a surface of; `settings` are its own, None for those of the machine."""

    name: str
    stores: Stores
    calls: TenantCalls
    ingest: WaysIn
    settings: Settings | None = None


@dataclass(frozen=True, slots=True)
class Components:
    """What a sidecar is made of; `vault` is None where nobody can be enrolled.

    `host`, `metrics`, `traces` and `gateways` are the machine's, the rest is the default tenant's; `tenants` are the
    others.
    """

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
    tenants: Mapping[str, TenantParts] = field(default_factory=dict)
    gateways: Gateways | None = None

    def of(self, tenant: str) -> TenantParts:
        """Return what a tenant's surface is a surface of; raises `ConfigError` where there is no such tenant."""
        if tenant != DEFAULT_TENANT:
            if tenant not in self.tenants:
                raise ConfigError("there is no such tenant: see the setting tenants")
            return self.tenants[tenant]
        stores = Stores(
            self.judging,
            self.journal,
            self.hub,
            self.deliveries,
            self.recorder,
            self.desk,
            self.policing,
            self.drills,
            self.vault,
            self.follower,
        )
        return TenantParts(tenant, stores, TenantCalls(DEFAULT_TENANT, self.host), self.ingest)

    @property
    def every_tenant(self) -> list[TenantParts]:
        """The parts of all tenants, the default one's first."""
        return [self.of(DEFAULT_TENANT), *self.tenants.values()]


def configured_of(tenant: str, settings: Settings, detectors: Sequence[str]) -> Configured:
    """Return what a tenant's settings ask for; raises `ConfigError`, which names a tenant that is not the default."""
    try:
        sources, sinks = configured_sources(settings.sources), open_sinks(settings.sinks)
        policy = load_policy(settings.policy, [sink.name for sink in sinks], detectors)
    except ConfigError as error:
        if tenant == DEFAULT_TENANT:
            raise
        raise ConfigError(f"tenant {tenant!r}: {error}") from None
    return Configured(tuple(sources), tuple(sinks), policy or Policy())


def check_sinks(configured: Mapping[str, Configured]) -> None:
    """Hold sinks to names of their own over all tenants, since metrics tell them apart by these alone.

    Raises `ConfigError`.
    """
    seen: dict[str, str] = {}
    for tenant, ways in configured.items():
        for sink in ways.sinks:
            if seen.setdefault(sink.name, tenant) != tenant:
                raise ConfigError(f"tenant {tenant!r}: another tenant has a sink {sink.name!r}: set another name")


def stores(tenant: Tenant, counted: SinkMetrics, traces: Traces) -> Stores:
    """Connect a tenant's policy to its journal, and the journal to whom the tenant tells."""
    settings, judging, vault = tenant.settings, tenant.judging, tenant.vault
    sign, anchor_dir = vault.sign_finding if vault is not None else None, settings.anchor_dir or settings.state_dir
    anchors = open_anchors(settings.anchors, anchor_dir, "journal")
    journal = Journal(settings.journal_url, settings.findings_kept, sign, anchors)
    hub = Hub()
    desk = Desk(Casework(journal, sign, open_anchors(settings.anchors, anchor_dir, "casework")), hub)
    sinks = tenant.configured.sinks

    def accepted(sink: str, items: Sequence[Item]) -> None:
        policing.accepted(sink, items)
        drills.accepted(sink, items)

    deliveries = Deliveries(sinks, journal, counted, traces, accepted=accepted)

    def committed(seq: int, finding: Finding, decided_at: float) -> None:
        committed_at = time.monotonic()
        hub.finding(Entry(seq, finding), decided_at)
        traces.committed(seq, finding, decided_at, committed_at)
        deliveries.committed(seq)
        follower.committed(seq)

    recorder, follower = Recorder(journal, committed), Follower(journal, hub.newer, deliveries.committed)
    policing = Policing(tenant.configured.policy, recorder, desk, judging.tags)
    drills = Drills(policing, recorder, desk, [sink.name for sink in sinks], judging.learn_tags)
    return Stores(judging, journal, hub, deliveries, recorder, desk, policing, drills, vault, follower)
