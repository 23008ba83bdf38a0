"""What the settings ask of this machine: variables, the state directory, disk space and the port."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.detectors.check import Check

if TYPE_CHECKING:
    from monitor.config import Settings

MIN_FREE_BYTES = 1 << 30


def variables(settings: Settings) -> Check:
    """Check that no variable with our prefix is misspelt."""
    from monitor.config import unknown_variables

    unknown = unknown_variables(os.environ)
    if unknown:
        return Check(
            "settings", "optional", f"these variables set nothing: {', '.join(unknown)}", "correct or unset them"
        )
    return Check("settings", "ok", f"listening on {settings.host}:{settings.port}, engine {settings.engine}")


def state_dir(settings: Settings) -> Check:
    """Check that the state directory can be written, or made."""
    place = _existing(settings.state_dir)
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        remedy = "make it writable for this user, or set SIDEWITNESS_STATE_DIR"
        return Check("state directory", "failed", f"{place} cannot be written ({error.strerror})", remedy)
    return Check("state directory", "ok", f"{settings.state_dir} is writable")


def disk(settings: Settings) -> Check:
    """Check that there is room for the journal."""
    place = _existing(settings.state_dir)
    free = shutil.disk_usage(place).free
    if free < MIN_FREE_BYTES:
        remedy = "free 1 GiB there, or set SIDEWITNESS_STATE_DIR to a larger disk"
        return Check("disk space", "failed", f"{free / 1e6:.0f} MB free at {place}", remedy)
    return Check("disk space", "ok", f"{free / 1e9:.1f} GB free at {place}")


def port(settings: Settings) -> Check:
    """Check that the port can be listened on."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[
            0
        ]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        remedy = "stop what listens there, or choose another with SIDEWITNESS_PORT or SIDEWITNESS_HOST"
        return Check("port", "failed", f"{settings.host}:{settings.port} cannot be used ({error.strerror})", remedy)
    return Check("port", "ok", f"{settings.host}:{settings.port} is free")


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.exists())
