"""The composition of a gateway: a sidecar whose participants are judged by hosts in other processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from engines.base import MODELS
from engines.extras import require
from engines.load import defer_engine
from monitor.config import ConfigError, Settings
from monitor.host.calls import Actions, Gateways
from monitor.host.cluster.audience import Audience
from monitor.host.cluster.fleet import Fleet
from monitor.host.cluster.fleet_sources import TenantSources
from monitor.host.cluster.host_settings import THREADS, environment, processes_of, threads_of, told
from monitor.host.cluster.launch import Launch, local_processes
from monitor.host.cluster.operating import FleetHosts
from monitor.host.cluster.sizing import Sizing
from monitor.host.components import Tenant
from monitor.host.cpu_load import cores_here
from monitor.host.hosting import Hosted, Hosting
from monitor.host.judges import Judges
from monitor.host.metrics import Metrics
from monitor.host.quota import Quota
from monitor.host.sidecar import Sidecar
from monitor.host.sidecar import build as build_sidecar
from monitor.host.tenants import Tenancy, TenantCalls

if TYPE_CHECKING:
    from monitor.session.models import Models


class Asked(Gateways, Protocol):
    """Other gateways, as the surface of one asks them, and as they ask it."""

    def acts_by(self, ways: Mapping[str, Actions]) -> None:
        """Have what others want done done by the ways in of each tenant here, by its name."""
        ...


# Makes what is told of a gateway to others, and what is asked of them, for the tenancy and the metrics of this one.
Beside = Callable[[Tenancy, Metrics], tuple[Audience, Asked]]
JUDGING = "monitor.host.cluster.hosted_judging:judging"


def is_wanted(settings: Settings) -> bool:
    """Whether hosts in other processes are to judge: several, some on a cluster, or those of one gateway of several."""
    return settings.cluster is not None or processes(settings) > 1 or bool(settings.peers)


def processes(settings: Settings) -> int:
    """Return how many processes are to judge on this machine."""
    return processes_of(settings.processes, cores_here())


def hosts_of(judges: Judges) -> FleetHosts | None:
    """Return the hosts of whoever judges, as an operator sees them; None where that is this process."""
    return FleetHosts(judges) if isinstance(judges, Fleet) else None


def models_of(settings: Settings) -> Models:
    """Load the models of this process: of a gateway, which judges nobody, only to look at; they compile when used.

    Raises `EngineError`.
    """
    from monitor.session.models import load_models

    if is_wanted(settings):
        return load_models(settings.engine, settings.packs or MODELS, load=defer_engine)
    return load_models(settings.engine, settings.packs or MODELS, defer=True)


def build(settings: Settings, models: Callable[[], Models], beside: Beside | None = None) -> Sidecar:
    """Make a gateway, with everything opened that can fail and nothing running; see `monitor.host.sidecar.build`."""
    return build_sidecar(settings, models, hosting(settings, beside=beside))


def hosting(settings: Settings, launch: Launch | None = None, beside: Beside | None = None) -> Hosting:
    """Return what makes the hosts of a gateway: processes of this machine, or actors of the cluster of the settings.

    `launch` begins each in another way; `beside` makes what the gateway knows of others. Raises `ConfigError` where
    there is no such cluster, or nothing to reach one.
    """
    count, threads, launcher = begins(settings) if launch is None else (processes(settings), 1, launch)

    def hosts(tenants: Sequence[Tenant], tenancy: Tenancy, metrics: Metrics) -> Hosted:
        settings = tenants[0].settings
        token = settings.token.get_secret_value() if settings.token is not None else None
        words = {"settings": told(settings, threads), "secrets": [token] if token else []}
        audience, others = beside(tenancy, metrics) if beside is not None else (None, None)
        fleet = Fleet(
            count,
            launcher,
            lambda number: {**words, "number": number},
            tenancy,
            tenancy,
            tenancy,
            metrics,
            Quota(settings.max_participants, settings.max_participants_per_token, settings.max_connecting_per_token),
            settings.rejoin_seconds,
            {tenant.name: tenant.settings.sources for tenant in tenants},
            sizing=Sizing(settings.target_use),
            cores=float(threads),
            audience=audience,
        )
        calls = {tenant.name: TenantCalls(tenant.name, fleet, tenant.places) for tenant in tenants}
        ways = {tenant.name: TenantSources(fleet.sources, tenant.name) for tenant in tenants}
        if others is None:
            return Hosted(fleet, fleet.watching, calls, ways)
        others.acts_by(ways)
        return Hosted(fleet, fleet.watching, calls, ways, others)

    return hosts


def begins(settings: Settings) -> tuple[int, int, Launch]:
    """Return how many hosts there are to be, of how many threads each, and what begins one."""
    if settings.cluster is None:
        count = processes(settings)
        threads = settings.workers or threads_of(count, cores_here())
        return count, threads, local_processes(JUDGING, environment(os.environ, threads))
    require("the setting cluster", "cluster")
    # Here and not above: few have it, and it is large.
    from monitor.host.cluster.ray_hosts import connect, cores_of_cluster, ray_actors

    threads = settings.workers or 1
    try:
        connect(settings.cluster)
    except OSError as error:
        raise ConfigError(f"setting 'cluster': {error.strerror}") from None
    launch = ray_actors(settings.cluster, JUDGING, dict.fromkeys(THREADS, str(threads)), float(threads))
    return processes_of(settings.processes, cores_of_cluster() / threads), threads, launch
