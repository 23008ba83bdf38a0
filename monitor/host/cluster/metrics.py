"""The numbers of all hosts as those of one sidecar: added up, and never falling when a host is gone. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from monitor.host.cluster.sizing import Hints

# What the gateway counts itself, by what it hears: a host's own would count it twice, or too little of it.
OF_THE_GATEWAY = frozenset(
    {
        "sidewitness_participants",
        "sidewitness_subscribers",
        "sidewitness_findings_waiting",
        "sidewitness_hops",
        "sidewitness_hops_decided",
        "sidewitness_linked",
        "sidewitness_departed_dropped",
    }
)
# Of the processes only what adds up.
PROCESS_SUMS = frozenset({"process_cpu_seconds", "process_resident_memory_bytes", "process_open_fds"})

Labels = tuple[tuple[str, str], ...]
Key = tuple[str, Labels]


def families_of(registry: CollectorRegistry) -> list[dict[str, Any]]:
    """Return what a host counts, to be sent."""
    return [
        {
            "name": family.name,
            "kind": family.type,
            "text": family.documentation,
            "samples": [[one.name, dict(one.labels), float(one.value)] for one in family.samples],
        }
        for family in registry.collect()
        if _adds_up(family.name)
    ]


def _adds_up(name: str) -> bool:
    is_ours = name.startswith("sidewitness_") and name not in OF_THE_GATEWAY
    return is_ours or name in PROCESS_SUMS


class Sums:
    """What all hosts count, added up; `retire` keeps what a host had counted when it went."""

    def __init__(self) -> None:
        self._now: dict[int, dict[Key, float]] = {}
        self._gone: dict[Key, float] = {}
        self._counters: set[str] = set()
        self.families: dict[str, tuple[str, str, frozenset[str]]] = {}

    def take(self, host: int, families: Iterable[Mapping[str, Any]]) -> None:
        """Take what a host counts now."""
        found: dict[Key, float] = {}
        for family in families:
            names = frozenset(name for name, _, _ in family["samples"])
            self.families[family["name"]] = family["kind"], family["text"], names
            if family["kind"] in ("counter", "histogram"):
                self._counters |= names
            for name, labels, value in family["samples"]:
                # When a counter was made is of one process.
                if not name.endswith("_created"):
                    found[name, tuple(sorted(labels.items()))] = value
        self._now[host] = found

    def retire(self, host: int) -> None:
        """Take note that a host is gone: what it had counted stays counted, what it measured is over."""
        for key, value in self._now.pop(host, {}).items():
            if key[0] in self._counters:
                self._gone[key] = self._gone.get(key, 0.0) + value

    def total(self) -> dict[Key, float]:
        """Return the sums, by sample and labels."""
        found = dict(self._gone)
        for samples in self._now.values():
            for key, value in samples.items():
                found[key] = found.get(key, 0.0) + value
        return found


class Merged(Collector):
    """The families of a registry with what the hosts count added to the samples of the same name and labels.

    Those that only hosts have come after them.
    """

    def __init__(self, own: CollectorRegistry, sums: Sums) -> None:
        self._own, self._sums = own, sums

    def collect(self) -> Iterator[Metric]:
        """Give the families of one scrape."""
        total = self._sums.total()
        own: set[str] = set()
        for family in self._own.collect():
            own.add(family.name)
            yield _added(family, total)
        for name, (kind, text, _) in self._sums.families.items():
            if name not in own:
                yield _added(Metric(name, text, kind), total, self._sums.families[name][2])


class HintMetrics(Collector):
    """What an autoscaler may go by; each family is there once it is measured."""

    def __init__(self, hints: Callable[[], Hints]) -> None:
        self._hints = hints

    def collect(self) -> Iterator[Metric]:
        """Give the families of one scrape."""
        hints = self._hints()
        for name, text, value in (
            ("cores_per_participant", "Cores that a participant costs, as measured.", hints.cores_per_participant),
            ("participants_fit", "Participants that still fit, at the target use.", hints.participants_fit),
            ("hosts_wanted", "Hosts that would suit the participants there are.", hints.hosts_wanted),
        ):
            if value is not None:
                yield GaugeMetricFamily(f"sidewitness_{name}", text, float(value))


def _added(family: Metric, total: Mapping[Key, float], names: frozenset[str] = frozenset()) -> Metric:
    made = Metric(family.name, family.documentation, family.type, family.unit)
    seen: set[Key] = set()
    for one in family.samples:
        key = one.name, tuple(sorted(one.labels.items()))
        seen.add(key)
        made.samples.append(one._replace(value=one.value + total.get(key, 0.0)))
    names = names or frozenset(one.name for one in family.samples) or frozenset({family.name})
    for (name, labels), value in total.items():
        if name in names and (name, labels) not in seen:
            made.add_sample(name, dict(labels), value)
    return made
