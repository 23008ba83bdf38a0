"""The kinds of sinks there are, and the sinks that the setting `sinks` asks for.

Kinds come from `BUILT_IN` and from the entry-point group `sidewitness.sinks` of installed packages, whose entries name
a `SinkSpec`. A kind is imported only where a configuration uses it, so that none costs what it needs where it is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from pydantic import ValidationError

from monitor.alerts.sinks.base import Sink, SinkSpec
from monitor.config import ConfigError, SinkSettings, describe_error

GROUP = "sidewitness.sinks"
KINDS = (
    "webhook", "ocsf", "syslog", "splunk", "otlp", "elastic", "sentinel", "slack", "teams", "pagerduty", "jsonl",
)  # fmt: skip
# The file of a kind has its name.
BUILT_IN = tuple(EntryPoint(kind, f"monitor.alerts.sinks.{kind}:SPEC", GROUP) for kind in KINDS)


@dataclass(frozen=True, slots=True)
class NamedSink:
    """A sink as it was configured; its cursor goes by `name`."""

    name: str
    sink: Sink
    batch_entries: int
    from_beginning: bool = False


def kinds() -> dict[str, EntryPoint]:
    """Return where each kind is to be loaded from; built-in kinds cannot be replaced."""
    return {entry.name: entry for entry in (*entry_points(group=GROUP), *BUILT_IN)}


def open_sinks(settings: Sequence[SinkSettings]) -> list[NamedSink]:
    """Return the sinks that are asked for; raises `ConfigError` for what cannot be one."""
    found = kinds()
    sinks: list[NamedSink] = []
    for index, chosen in enumerate(settings):
        entry, name = found.get(chosen.kind), chosen.name or chosen.kind
        if entry is None:
            raise ConfigError(f"setting 'sinks.{index}.kind': there is no such sink, choose one of {_listed(found)}")
        if name in (named.name for named in sinks):
            raise ConfigError(f"setting 'sinks.{index}.name': two sinks have this name, set another one")
        sinks.append(_open(index, chosen, name, load(entry)))
    return sinks


def load(entry: EntryPoint) -> SinkSpec:
    """Import a kind; raises `ConfigError`."""
    try:
        spec = entry.load()
    except Exception as error:
        raise ConfigError(
            f"the sink {entry.name!r} cannot be loaded ({type(error).__name__}): reinstall the package that brings it"
        ) from None
    if not isinstance(spec, SinkSpec):
        raise ConfigError(f"the sink {entry.name!r} cannot be loaded: its entry point names no SinkSpec")
    return spec


def _open(index: int, chosen: SinkSettings, name: str, spec: SinkSpec) -> NamedSink:
    try:
        options = spec.options.model_validate(chosen.model_extra or {})
    except ValidationError as error:
        raise ConfigError(describe_error(error, "sinks", index)) from None
    return NamedSink(name, spec.open(options), spec.batch_entries, chosen.start == "beginning")


def _listed(found: dict[str, EntryPoint]) -> str:
    return ", ".join(sorted(found))
