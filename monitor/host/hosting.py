"""Who judges the participants of all tenants: the one host of this process, unless somebody brings another way."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from monitor.host.calls import Gateways
from monitor.host.components import Tenant
from monitor.host.cpu_load import LoadMeter
from monitor.host.host import Host
from monitor.host.ingest import Ingest
from monitor.host.judges import Judges, WaysIn
from monitor.host.metrics import Metrics
from monitor.host.quota import Quota
from monitor.host.tenants import Tenancy, TenantCalls, TenantHost
from monitor.host.watching import Watching
from monitor.storage.tenancy.names import DEFAULT_TENANT


@dataclass(frozen=True, slots=True)
class Hosted:
    """Whoever judges, the coverage, and what each tenant has of them, by its name; and the other gateways, if any."""

    host: Judges
    watching: Watching
    calls: Mapping[str, TenantCalls]
    ways: Mapping[str, WaysIn]
    gateways: Gateways | None = None


# Makes whoever judges for these tenants, the default one first, whose settings are the machine's.
Hosting = Callable[[Sequence[Tenant], Tenancy, Metrics], Hosted]


def in_this_process(tenants: Sequence[Tenant], tenancy: Tenancy, metrics: Metrics) -> Hosted:
    """Make the one host of this process, and the ways in of every tenant."""
    settings, judging = tenants[0].settings, tenants[0].judging
    watching = Watching(tenancy.notice, time.monotonic)
    batch_load = judging.batched.load if judging.batched is not None else None
    host = Host(
        tenancy.session,
        judging.answer,
        tenancy,
        tenancy,
        metrics,
        settings.hop_seconds,
        settings.max_participants,
        settings.session_threads,
        LoadMeter(batch_load).read,
        rejoin_seconds=settings.rejoin_seconds,
        quota=Quota(settings.max_participants, settings.max_participants_per_token, settings.max_connecting_per_token),
        claimed=tenancy.claimed,
        packs=judging.packs,
        watching=watching,
    )
    calls = {tenant.name: TenantHost(tenant.name, host, tenant.places) for tenant in tenants}
    # Sources are told apart by their number alone, over all tenants.
    numbers = count(len(tenants[0].configured.sources))
    ways = {}
    for tenant in tenants:
        sources = tenant.configured.sources
        if tenant.name != DEFAULT_TENANT:
            sources = tuple(replace(source, number=next(numbers)) for source in sources)
        ways[tenant.name] = Ingest(sources, calls[tenant.name], metrics, numbers=numbers)
    return Hosted(host, watching, calls, ways)
