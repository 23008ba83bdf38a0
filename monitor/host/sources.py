"""The sources that the setting `sources` asks for: their plug-ins found and imported, their options checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    sources: list[ConfiguredSource] = []
    for number, chosen in enumerate(settings):
        entry = entries.get(chosen.plugin)
        if entry is None:
            names = ", ".join(sorted(entries))
            raise ConfigError(f"setting 'sources.{number}.plugin': there is no such plug-in, choose one of {names}")
        try:
            spec = load(entry)
        except PluginError as error:
            raise ConfigError(str(error)) from None
        sources.append(ConfiguredSource(number, spec, _options(number, chosen, spec)))
    return sources


def _options(number: int, chosen: SourceSettings, spec: PluginSpec) -> PluginOptions:
    options, there_are = chosen.model_extra or {}, spec.options.model_fields
    for name in options:
        if name not in there_are:
            raise ConfigError(
                f"setting 'sources.{number}.{name}': the plug-in {spec.name!r} has no such option, "
                f"choose from {', '.join(sorted(there_are))}"
            )
    try:
        return spec.options.model_validate(options)
    except ValidationError as error:
        raise ConfigError(describe_error(error, "sources", number)) from None
