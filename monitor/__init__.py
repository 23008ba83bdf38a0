"""Sidewitness: the sidecar itself, from the tap to the alert.

What a platform that embeds it needs can be imported from here, and is only loaded when it is asked for:

    from monitor import Sidecar, load_settings

    async with Sidecar(load_settings()) as sidecar:
        await sidecar.admit("board", "ada", source, identity="Ada Lovelace")
        async for message in sidecar.alerts():
            ...
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engines.errors import SidewitnessError
    from monitor.config import ConfigError, Settings
    from monitor.config import load as load_settings
    from monitor.host.calls import Admission, AtCapacity, InvalidName
    from monitor.host.logging import configure as configure_logging
    from monitor.host.sidecar import Sidecar
    from monitor.tap.media.source import PullSource, Source, SourceError
    from monitor.tap.replay import ReplaySource
    from monitor.types import AudioBlock, ClockState, MediaItem, Reason, Stamp, TrackFault, Verdict, VideoFrame

__all__ = [
    "Admission",
    "AtCapacity",
    "AudioBlock",
    "ClockState",
    "ConfigError",
    "InvalidName",
    "MediaItem",
    "PullSource",
    "Reason",
    "ReplaySource",
    "Settings",
    "Sidecar",
    "SidewitnessError",
    "Source",
    "SourceError",
    "Stamp",
    "TrackFault",
    "Verdict",
    "VideoFrame",
    "configure_logging",
    "load_settings",
]

_HOMES = {
    "engines.errors": ("SidewitnessError",),
    "monitor.config": ("ConfigError", "Settings"),
    "monitor.host.calls": ("Admission", "AtCapacity", "InvalidName"),
    "monitor.host.sidecar": ("Sidecar",),
    "monitor.tap.media.source": ("PullSource", "Source", "SourceError"),
    "monitor.tap.replay": ("ReplaySource",),
    "monitor.types": (
        "AudioBlock", "ClockState", "MediaItem", "Reason", "Stamp", "TrackFault", "Verdict", "VideoFrame",
    ),
}  # fmt: skip
_EXPORTS = {name: (module, name) for module, names in _HOMES.items() for name in names} | {
    "configure_logging": ("monitor.host.logging", "configure"),
    "load_settings": ("monitor.config", "load"),
}


def __getattr__(name: str) -> Any:
    """Load what is asked for."""
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _EXPORTS[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
