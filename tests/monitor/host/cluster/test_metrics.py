"""The numbers of several hosts as those of one."""

from __future__ import annotations

import json

from prometheus_client import CollectorRegistry, generate_latest

from monitor.host.cluster.metrics import HintMetrics, Merged, Sums, families_of
from monitor.host.cluster.sizing import Hints
from monitor.host.metrics import Metrics


def counted(steps: int, participants: int = 1) -> Metrics:
    metrics = Metrics()
    for _ in range(steps):
        metrics.step.observe(0.01)
    metrics.judged(participants)
    metrics.shed.set(1)
    metrics.connections_failed.labels("dtls_failed").inc()
    return metrics


def text(merged: Merged) -> list[str]:
    return generate_latest(merged).decode().splitlines()


def taken(sums: Sums, host: int, metrics: Metrics) -> None:
    sums.take(host, json.loads(json.dumps(families_of(metrics.registry))))


def test_counts_add_up_and_do_not_fall_when_a_host_is_gone() -> None:
    own, sums = Metrics(), Sums()
    own.judged(2)
    own.step.observe(0.01)
    merged = Merged(own.registry, sums)
    taken(sums, 0, counted(2))
    taken(sums, 1, counted(3))
    shown = text(merged)
    assert "sidewitness_step_seconds_count 6.0" in shown
    assert 'sidewitness_step_seconds_bucket{le="0.01"} 6.0' in shown
    assert "sidewitness_participants_shed 2.0" in shown
    assert 'sidewitness_connections_failed_total{cause="dtls_failed"} 2.0' in shown
    # Counted by what the gateway hears.
    assert "sidewitness_participants 2.0" in shown
    sums.retire(1)
    sums.retire(1)
    shown = text(merged)
    assert "sidewitness_step_seconds_count 6.0" in shown
    assert "sidewitness_participants_shed 1.0" in shown
    taken(sums, 1, counted(1))
    assert "sidewitness_step_seconds_count 7.0" in text(merged)


def test_what_only_hosts_have_is_shown_too() -> None:
    sums = Sums()
    taken(sums, 0, counted(4))
    shown = text(Merged(CollectorRegistry(), sums))
    assert "# TYPE sidewitness_step_seconds histogram" in shown
    assert "sidewitness_step_seconds_count 4.0" in shown
    assert not [line for line in shown if line.startswith("sidewitness_hops_decided")]


def test_labels_that_the_gateway_has_not_seen_come_besides() -> None:
    own, host, sums = Metrics(), Metrics(), Sums()
    host.sources.labels("connected").set(1)
    taken(sums, 0, host)
    assert 'sidewitness_sources{phase="connected"} 1.0' in text(Merged(own.registry, sums))


def test_hints_are_shown_once_they_are_measured() -> None:
    own, hints = CollectorRegistry(), [Hints()]
    own.register(HintMetrics(lambda: hints[-1]))
    assert text(Merged(own, Sums())) == []
    hints.append(Hints(0.35, 0, 2))
    shown = [line for line in text(Merged(own, Sums())) if not line.startswith("#")]
    assert shown == [
        "sidewitness_cores_per_participant 0.35",
        "sidewitness_participants_fit 0.0",
        "sidewitness_hosts_wanted 2.0",
    ]
