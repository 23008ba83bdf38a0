"""What is counted of each sink, for Prometheus; the only label is the name that the operator gave it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

LABELS = ("sink",)
# A finding that waits for a receiver to come back is an hour old, and that is what is asked for.
DELAY_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)


class SinkMetrics:
    """The instruments of all sinks."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.delivered = Counter(
            "sidewitness_sink_findings_delivered", "Findings that a sink has accepted.", LABELS, registry=registry
        )
        self.failures = Counter(
            "sidewitness_sink_failures", "Deliveries that a sink did not accept.", LABELS, registry=registry
        )
        self.missed = Counter(
            "sidewitness_sink_findings_missed",
            "Findings that the journal pruned before a sink had accepted them.",
            LABELS,
            registry=registry,
        )
        self.dead = Counter(
            "sidewitness_sink_dead_letters", "Findings that a sink has refused for good.", LABELS, registry=registry
        )
        self.stopped = Gauge(
            "sidewitness_sink_stopped",
            "1 where the receiver wanted nothing more (410), until the next start.",
            LABELS,
            registry=registry,
        )
        self.waiting = Gauge(
            "sidewitness_sink_findings_waiting", "Findings that a sink has yet to accept.", LABELS, registry=registry
        )
        self.delay = Histogram(
            "sidewitness_sink_delivery_seconds",
            "From a finding's time to a sink having accepted it.",
            LABELS,
            buckets=DELAY_SECONDS,
            registry=registry,
        )
        self.healthy = Gauge(
            "sidewitness_sink_healthy", "1 where the last delivery was accepted, else 0.", LABELS, registry=registry
        )
