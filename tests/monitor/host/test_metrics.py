from __future__ import annotations

from functools import partial

from prometheus_client import Counter, generate_latest

from engines.batching.queue import BatchLoad, Drop
from monitor.decision.words import OF_THE_HOST
from monitor.host.metrics import HARMLESS, MIN_PARTICIPANTS, Metrics
from monitor.tap.media.source import CONNECTION_FAILURES
from monitor.types import Reason, Verdict


def crowded() -> Metrics:
    """The metrics of a server with enough participants to hide among."""
    metrics = Metrics()
    metrics.judged(MIN_PARTICIPANTS)
    return metrics


def test_with_few_participants_no_verdict_is_counted_or_shown() -> None:
    """Nor do the counts of a full house, read afterwards, tell what was said while there were few."""
    metrics = Metrics(min_participants=3)
    exposed = partial(metrics.registry.get_sample_value, "sidewitness_hops_total", {"verdict": "alert", "reason": ""})
    metrics.judged(2)
    metrics.hop("alert", None)
    assert exposed() is None
    metrics.judged(3)
    assert exposed() is None
    metrics.hop("alert", None)
    assert exposed() == 1
    metrics.judged(2)
    assert exposed() is None
    assert "alert" not in generate_latest(metrics.registry).decode()
    assert metrics.registry.get_sample_value("sidewitness_hops_decided_total") == 2


def test_what_anybody_may_read_says_nothing_of_verdicts() -> None:
    """Whatever is new is kept back until somebody says that it is harmless."""
    metrics = crowded()
    metrics.hop("alert", "identity_mismatch")
    Counter("sidewitness_new", "A new one.", ("verdict",), registry=metrics.registry).labels("alert").inc()
    text = generate_latest(metrics.harmless).decode()
    assert not any(word in text for word in (*map(str, Verdict), *map(str, Reason)))
    names = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if line.startswith("sidewitness_")}
    assert {name.removesuffix("_total").removesuffix("_created") for name in names} <= HARMLESS
    assert "sidewitness_participants" in names


def test_labels_come_from_closed_sets() -> None:
    metrics = crowded()
    for verdict in Verdict:
        for reason in [*Reason, None]:
            metrics.hop(str(verdict), reason and str(reason))
    for n in range(1000):
        metrics.hop(f"verdict-{n}", f"reason-{n}")
    value = metrics.registry.get_sample_value
    assert value("sidewitness_hops_total", {"verdict": "other", "reason": "other"}) == 1000
    assert value("sidewitness_hops_total", {"verdict": "alert", "reason": ""}) == 1
    names = [sample.labels for metric in metrics.registry.collect() for sample in metric.samples]
    # Every verdict with every reason or none, and `other`.
    most = len(Verdict) * (len(Reason) + 1) + 1
    assert len([labels for labels in names if "verdict" in labels and "reason" in labels]) <= most


def test_what_the_host_says_is_counted_by_its_name_and_causes_begin_at_zero() -> None:
    metrics = crowded()
    for reason in (*OF_THE_HOST, "unheard_of"):
        metrics.hop("inconclusive", str(reason))
    value = metrics.registry.get_sample_value
    for reason in (*OF_THE_HOST, "other"):
        assert value("sidewitness_hops_total", {"verdict": "inconclusive", "reason": str(reason)}) == 1
    causes = [value("sidewitness_connections_failed_total", {"cause": cause}) for cause in CONNECTION_FAILURES]
    assert causes == [0, 0, 0]


def test_two_servers_in_one_process_do_not_share_numbers() -> None:
    one, other = Metrics(), Metrics()
    one.refused.inc()
    assert other.registry.get_sample_value("sidewitness_publications_refused_total") == 0


def test_batchers_are_told_where_there_are_any() -> None:
    metrics, loads = Metrics(), [BatchLoad(3, 256, 0.02, {Drop.DEADLINE: 2}, 10, 40)]
    assert metrics.registry.get_sample_value("sidewitness_batch_rows_waiting") is None
    metrics.batching(lambda: loads[-1])
    value = metrics.registry.get_sample_value
    assert value("sidewitness_batch_rows_waiting") == 3
    assert value("sidewitness_batch_wait_p95_seconds") == 0.02
    assert (value("sidewitness_batches_total"), value("sidewitness_batch_rows_total")) == (10, 40)
    dropped = {reason: value("sidewitness_batch_requests_dropped_total", {"reason": str(reason)}) for reason in Drop}
    assert dropped == {Drop.DEADLINE: 2, Drop.QUEUE_FULL: 0, Drop.CLOSED: 0}
    loads.append(BatchLoad(0))
    assert value("sidewitness_batch_rows_waiting") == 0
