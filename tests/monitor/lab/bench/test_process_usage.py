"""What is read of processes and of /metrics."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest
from prometheus_client import generate_latest

from monitor.host.metrics import AGE_SECONDS as AGE_BOUNDS
from monitor.host.metrics import Metrics
from monitor.lab.bench import process_usage
from monitor.lab.bench.exposition import Exposition, Histogram
from monitor.lab.bench.process_usage import (
    Usage,
    cpu_seconds,
    describe_machine,
    machine_seconds,
    main_thread_seconds,
    processor_name,
    rss_bytes,
)
from monitor.lab.bench.subscriber import percentile, slope


def test_processor_time_is_what_the_kernel_counts() -> None:
    before = sum(os.times()[:2])
    used = cpu_seconds(os.getpid())
    assert before <= used + 0.02
    assert used <= sum(os.times()[:2]) + 0.02
    assert machine_seconds() >= used


def test_this_process_can_be_read() -> None:
    pid = os.getpid()
    assert 0 < main_thread_seconds(pid) <= cpu_seconds(pid)
    assert rss_bytes(pid) > 1e6
    assert Usage.read(pid, 5.0).since(Usage.read(pid, 3.0)).at == 2.0
    machine = describe_machine()
    assert machine["cores"] >= 1
    assert machine["versions"]["openvino"][0].isdigit()


def test_a_process_that_has_ended_cannot_be_read() -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as ended:
        ended.wait()
    for read in (cpu_seconds, main_thread_seconds, rss_bytes):
        with pytest.raises(psutil.Error):
            read(ended.pid)


def test_a_package_that_is_absent_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_usage, "PACKAGES", ("surely-not-here",))
    assert describe_machine()["versions"] == {"surely-not-here": "not installed"}


def test_a_processor_without_a_name_is_told_by_its_architecture() -> None:
    assert processor_name("processor : 0\nmodel name\t: Fast One\nmodel name\t: Other\n") == "Fast One"
    assert processor_name("processor : 0\nBogoMIPS : 50\n") != ""


def test_histograms_are_read_back_over_a_span() -> None:
    metrics = Metrics()
    metrics.score_age.observe(9.0)
    metrics.dropped.inc(2)
    before = Exposition.parse(generate_latest(metrics.registry).decode())
    for age in (0.15, 0.15, 0.15, 0.65):
        metrics.score_age.observe(age)
    metrics.dropped.inc(3)
    after = Exposition.parse(generate_latest(metrics.registry).decode())
    span = after.histogram("score_age_seconds").since(before.histogram("score_age_seconds"))
    assert span.bounds == (*AGE_BOUNDS, float("inf"))
    assert span.total == 4
    assert span.quantile(0.5) == pytest.approx(0.1 + 0.1 * 2 / 3)
    assert 0.5 < (span.quantile(0.95) or 0.0) <= 0.7
    assert after.value("media_items_dropped_total") - before.value("media_items_dropped_total") == 3
    assert after.value("no_such_thing") == 0.0
    assert after.histogram("no_such_thing").quantile(0.5) is None


def test_a_quantile_above_the_last_bound_is_that_bound() -> None:
    histogram = Histogram((0.1, 1.0, float("inf")), (0.0, 1.0, 10.0))
    assert histogram.quantile(0.95) == 1.0
    assert histogram.quantile(0.05) == pytest.approx(0.1 + 0.9 * 0.5)
    assert Histogram((0.1, float("inf")), (4.0, 4.0)).quantile(0.5) == pytest.approx(0.05)
    assert Histogram((0.1, float("inf")), (4.0, 4.0)).quantile(1.0) == pytest.approx(0.1)
    assert Histogram((0.1, float("inf")), (0.0, 0.0)).quantile(0.5) is None


def test_percentiles_and_slopes() -> None:
    assert percentile([], 0.95) is None
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([float(n) for n in range(100)], 0.95) == 95.0
    assert percentile([1.0], 1.0) == 1.0
    growing = [(float(at), 1_000_000 * at) for at in range(11)]
    assert slope(growing) == pytest.approx(3600.0)
    assert slope([(at, 5) for at, _ in growing]) == 0.0
    assert slope([(0.0, 1)]) == 0.0
