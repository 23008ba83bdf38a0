"""The hosts of a gateway as an operator sees them: how each is doing, and having one, or all, begun anew."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

from monitor.alerts.wire import Message
from monitor.host.cluster.far_host import FarHost
from monitor.host.cluster.fleet import Fleet
from monitor.host.supervision import SourcePhase

PHASES = {
    SourcePhase.CONNECTING: "starting",
    SourcePhase.CONNECTED: "ready",
    SourcePhase.RETRYING: "retrying",
}


@dataclass(frozen=True, slots=True)
class FleetHosts:
    """A `monitor.host.calls.Hosts` over those of a fleet."""

    fleet: Fleet

    def describe(self) -> Message:
        """Describe every host; see `Hosts.describe`."""
        return {
            "hosts": [self._describe(host) for host in self.fleet.hosts],
            "rolling": self.fleet.renewal.describe(),
            "capacity": {"participants": len(self.fleet), **asdict(self.fleet.sizing.hints)},
        }

    def drain(self, host: int) -> bool:
        """Have a host's participants go on elsewhere, and it begun anew; see `Hosts.drain`."""
        is_one = 0 <= host < len(self.fleet.hosts)
        if is_one:
            self.fleet.renewal.ask([host])
        return is_one

    def roll(self) -> None:
        """Do so with every host; see `Hosts.roll`."""
        self.fleet.renewal.ask([host.number for host in self.fleet.hosts])

    def _describe(self, host: FarHost) -> Message:
        view = self.fleet.view(host)
        return {
            "host": host.number,
            "phase": "draining" if host.leaving else PHASES[host.status.phase],
            "seconds": round(max(0.0, time.monotonic() - host.status.since), 3),
            "participants": view.judged,
            "full": host.full,
            "cores_used": None if host.used is None else round(host.used, 3),
            "starts": host.starts,
            "why": host.status.why,
            "node": None if host.running is None else host.running.node,
        }
