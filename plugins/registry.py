"""The plug-ins there are: built-in ones, and those that installed packages bring by an entry point.

Entries of the group `sidewitness.plugins` name a `PluginSpec`. A plug-in is imported only where a configuration uses
it, so that none costs what it needs where it is not.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from plugins.base import PluginError, PluginSpec

GROUP = "sidewitness.plugins"
# As in pyproject.toml: a checkout is found here although nothing is installed.
BUILT_IN = (
    EntryPoint("folder", "plugins.folder:SPEC", GROUP),
    EntryPoint("janus", "plugins.janus:SPEC", GROUP),
    EntryPoint("livekit", "plugins.livekit:SPEC", GROUP),
    EntryPoint("rtp", "plugins.rtp:SPEC", GROUP),
    EntryPoint("whep", "plugins.whep:SPEC", GROUP),
    EntryPoint("zoom_rtms", "plugins.zoom_rtms:SPEC", GROUP),
)


def available() -> dict[str, EntryPoint]:
    """Return where each plug-in is to be loaded from; built-in ones cannot be replaced."""
    return {entry.name: entry for entry in (*entry_points(group=GROUP), *BUILT_IN)}


def load(entry: EntryPoint) -> PluginSpec:
    """Import a plug-in; raises `PluginError`."""
    try:
        spec = entry.load()
    except Exception as error:
        what_to_do = "reinstall the package that brings it, with the extra that it needs"
        if entry in BUILT_IN:
            what_to_do = f"pip install 'sidewitness[{entry.name}]'"
        raise PluginError(
            f"the plug-in {entry.name!r} cannot be loaded ({type(error).__name__}): {what_to_do}"
        ) from None
    if not isinstance(spec, PluginSpec):
        raise PluginError(f"the plug-in {entry.name!r} cannot be loaded: its entry point names no PluginSpec")
    return spec
