"""The sources that the setting `sources` asks for: their plug-ins found and imported, their options checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint

from pydantic import ValidationError

from monitor.config import ConfigError, SourceSettings, describe_error
from plugins.base import PluginError, PluginOptions, PluginSpec
from plugins.registry import available, load


@dataclass(frozen=True, slots=True)
class ConfiguredSource:
    """A plug-in with the options of one entry of the setting; `number` is its place there."""

    number: int
    spec: PluginSpec
    options: PluginOptions


def configured_sources(settings: Sequence[SourceSettings]) -> list[ConfiguredSource]:
    """Return the sources that are asked for; raises `ConfigError` for what cannot be one."""
    entries = available() if settings else {}
    return [_configured(number, chosen, entries, ("sources", number)) for number, chosen in enumerate(settings)]


def requested_source(number: int, chosen: SourceSettings) -> ConfiguredSource:
    """Return a source that somebody asks a running sidecar for; raises `ConfigError`, which speaks of its options.

    Imports the plug-in: not on an event loop.
    """
    return _configured(number, chosen, available(), ())


def _configured(
    number: int, chosen: SourceSettings, entries: Mapping[str, EntryPoint], within: tuple[str | int, ...]
) -> ConfiguredSource:
    entry = entries.get(chosen.plugin)
    if entry is None:
        names = ", ".join(sorted(entries))
        raise ConfigError(f"{_named('plugin', within)}: there is no such plug-in, choose one of {names}")
    try:
        spec = load(entry)
    except PluginError as error:
        raise ConfigError(str(error)) from None
    return ConfiguredSource(number, spec, _options(chosen, spec, within))


def _options(chosen: SourceSettings, spec: PluginSpec, within: tuple[str | int, ...]) -> PluginOptions:
    options, there_are = chosen.model_extra or {}, spec.options.model_fields
    for name in options:
        if name not in there_are:
            raise ConfigError(
                f"{_named(name, within)}: the plug-in {spec.name!r} has no such option, "
                f"choose from {', '.join(sorted(there_are))}"
            )
    try:
        return spec.options.model_validate(options)
    except ValidationError as error:
        if within:
            raise ConfigError(describe_error(error, *within)) from None
        first = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"]) or "plugin"
        raise ConfigError(f"{_named(name, within)}: {first['msg'].removeprefix('Value error, ')}") from None


def _named(option: str, within: tuple[str | int, ...]) -> str:
    """Name an option of a source: where it stands in the settings, or by itself."""
    return f"setting '{'.'.join(map(str, (*within, option)))}'" if within else f"option {option!r}"
