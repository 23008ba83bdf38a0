"""A finding's way as spans: in one trace wherever its parts happen, and without anybody's name."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext
from prometheus_client import CollectorRegistry

from monitor.alerts.finding import Finding
from monitor.alerts.journal import Entry, Journal
from monitor.alerts.recorder import Recorder
from monitor.alerts.sinks.delivery import Deliveries
from monitor.alerts.sinks.registry import open_sinks
from monitor.alerts.traces import NoTraces, SpanTraces, numbers_of, open_traces
from monitor.config import SinkSettings
from tests.monitor.alerts.build import KEY, finding, ready_journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = ready_journal(tmp_path)
    yield made
    made.close()


def tracer() -> tuple[SpanTraces, InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    return SpanTraces(SimpleSpanProcessor(exporter)), exporter


def context(span: ReadableSpan) -> SpanContext:
    found = span.get_span_context()
    assert found is not None
    return found


def by_name(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in exporter.get_finished_spans()}


async def test_the_way_from_the_decision_to_a_sink_is_one_trace(journal: Journal, tmp_path: Path) -> None:
    traces, exporter = tracer()
    # As after a restart: whoever delivers remembers nothing of the decision.
    elsewhere, delivered = tracer()
    target = tmp_path / "alerts.jsonl"
    sinks = open_sinks((SinkSettings.model_validate({"kind": "jsonl", "path": str(target)}),))
    registry = CollectorRegistry()
    deliveries = Deliveries(sinks, journal, registry, elsewhere)

    def committed(seq: int, found: Finding, decided_at: float) -> None:
        traces.committed(seq, found, decided_at, time.monotonic())
        deliveries.committed(seq)

    recorder = Recorder(journal, committed)
    await deliveries.start()
    recorder.start()
    recorder.put(replace(finding("one"), time=datetime.now(UTC)), time.monotonic())
    await recorder.close()
    await deliveries.close()
    assert json.loads(target.read_text())["id"] == "one"
    ours, theirs = by_name(exporter), by_name(delivered)
    assert (set(ours), set(theirs)) == ({"finding", "journal", "push"}, {"sink"})
    root = context(ours["finding"])
    assert (root.trace_id, root.span_id) == numbers_of(finding("one"))
    for span in (ours["journal"], ours["push"], theirs["sink"]):
        assert span.parent is not None
        assert (span.parent.trace_id, span.parent.span_id) == (root.trace_id, root.span_id)
        assert context(span).span_id != root.span_id
    times = [ours["finding"].start_time, ours["journal"].end_time, ours["push"].start_time, ours["finding"].end_time]
    assert times == sorted(times, key=lambda at: at or 0)
    assert dict(theirs["sink"].attributes or {}) == {"sidewitness.sink": "jsonl", "sidewitness.finding.seq": 1}
    said = "".join(span.to_json() for span in (*ours.values(), *theirs.values()))
    assert not [name for name in (KEY.call, KEY.participant, str(KEY.identity)) if f'"{name}"' in said]
    observed = registry.get_sample_value("sidewitness_sink_delivery_seconds_count", {"sink": "jsonl"})
    assert observed == 1.0


def test_every_change_of_an_episode_is_a_trace_of_its_own() -> None:
    changes = {numbers_of(finding(episode, step)) for episode in ("a", "b") for step in range(3)}
    assert len({trace for trace, _ in changes}) == len({span for _, span in changes}) == 6
    traces, exporter = tracer()
    for step in range(2):
        traces.committed(step + 1, finding("a", step), 0.0, 0.0)
    assert len({context(span).trace_id for span in exporter.get_finished_spans()}) == 2


def test_a_collector_is_sent_them(monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[ExportTraceServiceRequest] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        traces = open_traces("otlp")
        traces.committed(1, finding("one"), time.monotonic(), time.monotonic())
        traces.delivered("siem", [Entry(1, finding("one"))], time.monotonic())
        traces.close()
        server.shutdown()
    spans = [s for request in received for r in request.resource_spans for scope in r.scope_spans for s in scope.spans]
    assert {span.name for span in spans} == {"finding", "journal", "push", "sink"}
    assert {int.from_bytes(span.trace_id) for span in spans} == {numbers_of(finding("one"))[0]}


def test_nobody_is_told_unless_the_operator_says_so() -> None:
    assert isinstance(open_traces("off"), NoTraces)
