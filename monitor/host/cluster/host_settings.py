"""What a host is told of the settings: how it judges and takes media in, and none of the gateway's secrets. Pure.

A host reads what strangers send. It has no key of the vault, no database and no token; whom it compares with it is
given when somebody claims to be them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monitor.config import OTHER_VARIABLES, PREFIX, IceServer, Settings

TOLD = (
    "host",
    "engine",
    "batching",
    "packs",
    "window_seconds",
    "hop_seconds",
    "false_alerts_per_hour",
    "max_participants",
    "allowed_networks",
    "max_sdp_bytes",
    "leave_seconds",
    "rejoin_seconds",
    "metrics_min_participants",
    "log_level",
    "log_format",
)
# Libraries of mathematics start a thread a core unless they are told otherwise: of several processes these only fight.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def told(settings: Settings, threads: int) -> dict[str, Any]:
    """Return the settings of a host of so many threads as JSON, with the credentials of relays."""
    plain = settings.model_dump(mode="json", include=set(TOLD))
    servers = [_ice_server(server) for server in settings.ice_servers]
    return {**plain, "ice_servers": servers, "workers": threads}


def settings_of(words: Mapping[str, Any]) -> Settings:
    """Return the settings that a host was told; raises `pydantic.ValidationError` for what is none."""
    return Settings.model_validate(dict(words))


def environment(environ: Mapping[str, str], threads: int) -> dict[str, str]:
    """Return the environment of a host of so many threads: without the settings of the gateway."""
    kept = {
        name: value
        for name, value in environ.items()
        if not name.upper().startswith(PREFIX) or (name in OTHER_VARIABLES and name != "SIDEWITNESS_CONFIG")
    }
    return {**kept, **dict.fromkeys(THREADS, str(threads))}


def processes_of(wanted: int | str, cores: float) -> int:
    """Return how many hosts there are to be: as many as the machine has whole cores, where that is `auto`."""
    return max(1, int(cores)) if wanted == "auto" else int(wanted)


def threads_of(hosts: int, cores: float) -> int:
    """Return how many threads judge in each of so many hosts: their share of the cores, at least one."""
    return max(1, round(cores / hosts))


def _ice_server(server: IceServer) -> dict[str, Any]:
    credential = server.credential.get_secret_value() if server.credential is not None else None
    return {"url": server.url, "username": server.username, "credential": credential}
