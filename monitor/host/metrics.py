"""What the process counts and times, for Prometheus. Labels come from closed sets only, so their number cannot grow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from engines.batching.queue import BatchLoad, Drop
from monitor.decision.words import OF_THE_HOST
from monitor.tap.media.source import CONNECTION_FAILURES
from monitor.types import Reason, Verdict

LATENCY_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
AGE_SECONDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 5.0, 10.0)
VERDICTS = frozenset(str(verdict) for verdict in Verdict)
# What says nothing of anybody's judgement, and so may be told to whoever reaches the public port. Whatever is new stays
# on the listener of the operator until it is named here.
HARMLESS = frozenset(
    {
        "sidewitness_participants",
        "sidewitness_subscribers",
        "sidewitness_publications_refused",
        "sidewitness_callers_turned_away",
        "sidewitness_connections_failed",
        "sidewitness_media_items_dropped",
        "sidewitness_sources",
        "sidewitness_source_failures",
    }
)
HARMLESS_PREFIXES = ("process_", "python_")
MIN_PARTICIPANTS = 5
REASONS = frozenset(str(reason) for reason in (*Reason, *OF_THE_HOST)) | {""}


class TurnedAway(StrEnum):
    """Why a caller is turned away before the application is asked."""

    HOST = "host"
    ORIGIN = "origin"
    ADDRESS = "address"
    FULL = "full"
    IDLE = "idle"
    SILENT = "silent"
    TOO_LARGE = "too_large"


class Metrics:
    """The instruments of one server, in a registry of their own.

    With fewer participants than `min_participants` no verdict is counted by its name, and none is shown: whoever knows
    who is in the call would know whose it is.
    """

    def __init__(self, min_participants: int = MIN_PARTICIPANTS) -> None:
        self.registry = CollectorRegistry()
        self.shown: Collector = self.registry
        self._refresh: Callable[[], Awaitable[None]] | None = None
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.participants = self._gauge("participants", "Participants that are judged now.")
        self.subscribers = self._gauge("subscribers", "Alert subscribers connected now.")
        self.findings_waiting = self._gauge("findings_waiting", "Findings not yet committed to the journal.")
        self.findings_dropped = self._gauge("findings_dropped", "Findings lost while the journal could not be written.")
        self.refused = self._counter("publications_refused", "Publications refused: the server is full or draining.")
        self.dropped = self._counter(
            "media_items_dropped", "Frames and audio blocks dropped because the machine is too slow."
        )
        self.shed = self._gauge("participants_shed", "Participants that are not judged now, for want of time.")
        self.light = self._gauge("judged_lightly", "1 while everybody is judged with less work, for want of time.")
        self.sheds = self._counter("sheds", "Times that a participant was shed because the machine was too slow.")
        self.linked = self._counter("linked", "Participants who had left under another name, by their face.")
        self.departed_dropped = self._counter(
            "departed_dropped", "Participants who left and were forgotten before their time, because too many did."
        )
        self.late_hops = self._counter("hops_late", "Hops skipped because the one before was not finished.")
        self.session_failures = self._counter("session_failures", "Sessions that failed and were begun anew.")
        self.slow_subscribers = self._counter("subscribers_too_slow", "Subscribers closed with 4008.")
        self.score_age = self._histogram(
            "score_age_seconds", "From arrival of the newest judged media to its score.", AGE_SECONDS
        )
        self.step = self._histogram("step_seconds", "Worker time of one batch of one participant.", LATENCY_SECONDS)
        self.decision_to_socket = self._histogram(
            "decision_to_socket_seconds",
            "From a decision to its message being written to a subscriber.",
            LATENCY_SECONDS,
        )
        self.sources = Gauge(
            "sidewitness_sources", "Configured ways into calls, by phase.", ("phase",), registry=self.registry
        )
        self.source_failures = self._counter("source_failures", "Attempts of ways into calls that failed.")
        self.connections_failed = Counter(
            "sidewitness_connections_failed",
            "Publications that never connected or were lost, by cause.",
            ("cause",),
            registry=self.registry,
        )
        for cause in CONNECTION_FAILURES:
            self.connections_failed.labels(cause)
        self.turned_away = Counter(
            "sidewitness_callers_turned_away",
            "Requests and connections that were refused before anything was asked of them, by cause.",
            ("cause",),
            registry=self.registry,
        )
        for turned_away in TurnedAway:
            self.turned_away.labels(str(turned_away))
        self.tokens_refused = Counter(
            "sidewitness_tokens_refused", "Bearer tokens refused, by cause.", ("cause",), registry=self.registry
        )
        self._decided = self._counter("hops_decided", "Hops decided, whatever the verdict.")
        self._hops = _Hops(min_participants)
        self.registry.register(self._hops)

    def hop(self, verdict: str, reason: str | None) -> None:
        """Count a decided hop; a word outside the closed sets counts as `other`."""
        reason = reason or ""
        self._decided.inc()
        self._hops.count(verdict if verdict in VERDICTS else "other", reason if reason in REASONS else "other")

    def judged(self, participants: int) -> None:
        """Say how many participants are judged now."""
        self.participants.set(participants)
        self._hops.participants = participants

    @property
    def harmless(self) -> Collector:
        """What of the registry may be told to anybody."""
        return _Harmless(self.shown)

    def merge(self, shown: Collector, refresh: Callable[[], Awaitable[None]]) -> None:
        """Show other numbers than those of the registry from now on; `refresh` is awaited before they are."""
        self.shown, self._refresh = shown, refresh

    async def fresh(self) -> None:
        """Wait until what is shown is of now."""
        if self._refresh is not None:
            await self._refresh()

    def watching(self, counts: Callable[[], tuple[int, int]]) -> None:
        """Tell from now on how many are in calls, and how many of them are watched; call once."""
        self.registry.register(_Watching(counts))

    def batching(self, load: Callable[[], BatchLoad]) -> None:
        """Tell from now on how the batchers are doing; call once, and only where there are any."""
        self.registry.register(_Batching(load))

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"sidewitness_{name}", text, registry=self.registry)

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(f"sidewitness_{name}", text, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"sidewitness_{name}", text, buckets=buckets, registry=self.registry)


class _Hops(Collector):
    """Verdicts by name, counted and shown only while there are enough participants to hide among."""

    def __init__(self, min_participants: int) -> None:
        self._min_participants = min_participants
        self._counts: dict[tuple[str, str], int] = {}
        self.participants = 0

    def count(self, verdict: str, reason: str) -> None:
        """Count one, where there are enough."""
        if self.participants >= self._min_participants:
            self._counts[verdict, reason] = self._counts.get((verdict, reason), 0) + 1

    def collect(self) -> Iterator[Metric]:
        """Give the family of one scrape; without samples where there are too few participants."""
        hops = CounterMetricFamily(
            "sidewitness_hops",
            "Hops decided while there were enough participants, by verdict.",
            labels=("verdict", "reason"),
        )
        if self.participants >= self._min_participants:
            for labels, count in self._counts.items():
                hops.add_metric(labels, count)
        yield hops


class _Harmless(Collector):
    """The families that say nothing of anybody's judgement."""

    def __init__(self, registry: Collector) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """Give the families of one scrape."""
        for family in self._registry.collect():
            if family.name in HARMLESS or family.name.startswith(HARMLESS_PREFIXES):
                yield family


class _Watching(Collector):
    """Asks once for each scrape, so that the share is of one moment."""

    def __init__(self, counts: Callable[[], tuple[int, int]]) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """Give the families of one scrape."""
        listed, watched = self._counts()
        yield GaugeMetricFamily("sidewitness_call_participants", "People in calls now, judged or not.", listed)
        yield GaugeMetricFamily("sidewitness_call_participants_watched", "Those of them who are watched now.", watched)


class _Batching(Collector):
    """Asks once for each scrape, so that the numbers of one belong together."""

    def __init__(self, load: Callable[[], BatchLoad]) -> None:
        self._load = load

    def collect(self) -> Iterator[Metric]:
        """Give the families of one scrape."""
        now = self._load()
        yield GaugeMetricFamily("sidewitness_batch_rows_waiting", "Rows that wait for an engine now.", now.waiting)
        yield GaugeMetricFamily(
            "sidewitness_batch_wait_p95_seconds", "95th percentile of what requests lately waited.", now.wait_p95
        )
        yield CounterMetricFamily("sidewitness_batches", "Batches that engines were given.", value=now.batches)
        yield CounterMetricFamily("sidewitness_batch_rows", "Rows that engines were given in batches.", value=now.rows)
        dropped = CounterMetricFamily(
            "sidewitness_batch_requests_dropped", "Requests that were not computed.", labels=["reason"]
        )
        for reason in Drop:
            dropped.add_metric([str(reason)], now.dropped.get(reason, 0))
        yield dropped
