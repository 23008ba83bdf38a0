"""How many processes judge: what the settings ask for, and what a sidecar that runs here says of itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from monitor.detectors.check import Check

if TYPE_CHECKING:
    from monitor.config import Settings

NAME = "processes"
ASK_SECONDS = 1.0
MAX_ANSWER_BYTES = 65536


def processes(settings: Settings) -> Check:
    """Check how many processes judge; where none runs, say how many would."""
    from monitor.host.cluster.host_settings import processes_of
    from monitor.host.cpu_load import cores_here

    cores = cores_here()
    wanted = processes_of(settings.processes, cores)
    living = alive(settings)
    if living is not None:
        count, of = living
        if count < of:
            return Check(NAME, "failed", f"{count} of {of} judge now", "see the log for why a host is gone")
        return Check(NAME, "ok", f"{count} of {of} judge now")
    unit = "process" if wanted == 1 else "processes"
    hint = ", --processes auto would use them all" if wanted == 1 and cores >= 2 else ""
    return Check(NAME, "ok", f"{wanted} {unit} would judge on {cores:g} cores{hint}")


def alive(settings: Settings) -> tuple[int, int] | None:
    """Ask a sidecar that runs with these settings how many of its processes judge; None where none answers."""
    if settings.health_port == 0:
        return None
    url = f"http://{settings.admin_host}:{settings.health_port}/readyz"
    # A proxy of the environment has no business here.
    opener = build_opener(ProxyHandler({}))
    try:
        try:
            with opener.open(url, timeout=ASK_SECONDS) as answer:
                body = json.loads(answer.read(MAX_ANSWER_BYTES))
        except URLError as error:
            # 503 says why, and how many.
            body = json.loads(error.read(MAX_ANSWER_BYTES)) if hasattr(error, "read") else {}
        return int(body["hosts"]["alive"]), int(body["hosts"]["of"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
