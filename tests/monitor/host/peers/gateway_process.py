"""One gateway of several, in a process that can be killed: the whole surface, hosts that judge as `toy_host` says.

Run as `python -m tests.monitor.host.peers.gateway_process SETTINGS`, which are JSON; prints its address when it is
ready, and ends in order when it is told to.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from monitor.alerts.policy.document import load as load_policy
from monitor.config import Settings
from monitor.host import logging as log
from monitor.host.cluster.gateway import hosting
from monitor.host.cluster.host_settings import THREADS, environment
from monitor.host.cluster.launch import Launch, local_processes
from monitor.host.sidecar import Sidecar, assemble
from monitor.serve import other_gateways, serve
from tests.monitor.host.cluster.site import TOY
from tests.monitor.rig import scripted

ROOT = Path(__file__).parents[4]


def launch_of(settings: Settings) -> Launch:
    """Return what begins its hosts: actors of the cluster of the settings, else processes."""
    if settings.cluster is None:
        return local_processes(TOY, environment(os.environ, 1))
    from monitor.host.cluster.ray_hosts import ray_actors

    return ray_actors(settings.cluster, TOY, {"PYTHONPATH": str(ROOT), **dict.fromkeys(THREADS, "1")})


def main(words: str) -> None:
    """Serve until told to end."""
    settings = Settings.model_validate_json(words)
    assert settings.token is not None
    log.configure(settings.log_level, "json", [])
    hosts = hosting(settings, launch_of(settings), other_gateways(settings))
    policy = load_policy(settings.policy, [], ["synchrony"])
    sidecar = Sidecar(settings, assemble(settings, scripted(), policy=policy, hosting=hosts))

    def ready(base: str, admin: str) -> None:
        sys.stdout.write(f"{base} {admin}\n")
        sys.stdout.flush()

    asyncio.run(serve(sidecar, settings, settings.token.get_secret_value(), ready))


if __name__ == "__main__":
    main(sys.argv[1])
