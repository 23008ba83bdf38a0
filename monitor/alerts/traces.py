"""The way of a finding as OpenTelemetry spans: decided, committed to the journal, pushed to subscribers, delivered.

Every change of an episode is a trace of its own, whose number follows from the episode's id and the step. So what is
delivered an hour later, or by another process, belongs to the trace of the decision, and nothing is remembered for it.
No span holds the name of a call or a person. The extra `otel` brings the SDK; where it sends to, and how much of it,
are the SDK's own variables (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_TRACES_SAMPLER`, ...).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from engines.extras import require
from monitor.alerts.finding import Finding
from monitor.alerts.journal import Entry

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.id_generator import IdGenerator

SERVICE = "sidewitness"
NANOSECONDS = 1_000_000_000
SHUTDOWN_MILLISECONDS = 2000


class Traces(Protocol):
    """Where the way of findings is told; never fails and never waits."""

    def committed(self, seq: int, finding: Finding, decided_at: float, committed_at: float) -> None:
        """Tell that a finding was decided, committed and has just been pushed; times are monotonic seconds."""
        ...

    def delivered(self, sink: str, entries: Sequence[Entry], began_at: float) -> None:
        """Tell that a sink has just accepted findings that it was sent from `began_at` on."""
        ...

    def close(self) -> None:
        """Send what waits, for two seconds at most."""
        ...


class NoTraces:
    """Tells nobody."""

    def committed(self, seq: int, finding: Finding, decided_at: float, committed_at: float) -> None:
        """See `Traces`."""

    def delivered(self, sink: str, entries: Sequence[Entry], began_at: float) -> None:
        """See `Traces`."""

    def close(self) -> None:
        """See `Traces`."""


class SpanTraces:
    """Tells a tracer provider of the SDK. `clock` is in monotonic seconds."""

    def __init__(self, processor: SpanProcessor, clock: Callable[[], float] = time.monotonic) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider

        self._clock = clock
        self._ids: Any = _ids()
        resource = Resource.create({"service.name": SERVICE})
        self._provider: TracerProvider = TracerProvider(resource=resource, id_generator=self._ids)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("monitor.alerts")

    def committed(self, seq: int, finding: Finding, decided_at: float, committed_at: float) -> None:
        """See `Traces`."""
        from opentelemetry.trace import set_span_in_context

        wall = self._wall()
        trace_id, span_id = numbers_of(finding)
        self._ids.next = (trace_id, span_id)
        attributes: dict[str, str | int] = {
            "sidewitness.finding.seq": seq,
            "sidewitness.finding.step": finding.step,
            "sidewitness.finding.action": str(finding.action),
            "sidewitness.verdict": str(finding.verdict),
        }
        root = self._tracer.start_span("finding", attributes=attributes, start_time=wall(decided_at))
        self._ids.next = None
        within = set_span_in_context(root)
        for name, begin, end in (
            ("journal", decided_at, committed_at),
            ("push", committed_at, self._clock()),
        ):
            span = self._tracer.start_span(name, within, start_time=wall(begin))
            span.end(wall(end))
        root.end(wall(self._clock()))

    def delivered(self, sink: str, entries: Sequence[Entry], began_at: float) -> None:
        """See `Traces`."""
        from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

        wall = self._wall()
        for entry in entries:
            trace_id, span_id = numbers_of(entry.finding)
            decided = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
            attributes: dict[str, str | int] = {"sidewitness.sink": sink, "sidewitness.finding.seq": entry.seq}
            within = set_span_in_context(NonRecordingSpan(decided))
            span = self._tracer.start_span("sink", within, attributes=attributes, start_time=wall(began_at))
            span.end(wall(self._clock()))

    def close(self) -> None:
        """See `Traces`."""
        self._provider.force_flush(SHUTDOWN_MILLISECONDS)
        self._provider.shutdown()

    def _wall(self) -> Callable[[float], int]:
        """Return what makes nanoseconds since 1970 of monotonic seconds, the same for all spans of one call."""
        epoch = time.time_ns() - int(self._clock() * NANOSECONDS)
        return lambda monotonic: epoch + int(monotonic * NANOSECONDS)


def numbers_of(finding: Finding) -> tuple[int, int]:
    """Return the numbers of the trace and of the first span of a finding: the same in every process."""
    digest = hashlib.sha256(f"{finding.id}/{finding.step}".encode()).digest()
    # Zero is no number of either (W3C Trace Context, 3.2.2).
    return int.from_bytes(digest[:16]) or 1, int.from_bytes(digest[16:24]) or 1


def open_traces(kind: str) -> Traces:
    """Return where traces go: nowhere for `off`, by OTLP over HTTP for `otlp`; raises `MissingExtraError`."""
    if kind == "off":
        return NoTraces()
    require("the setting traces", "otel")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    # Its queue is bounded and drops what is too much; sending is done by a thread of its own.
    return SpanTraces(BatchSpanProcessor(OTLPSpanExporter()))


def _ids() -> IdGenerator:
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class FindingIds(RandomIdGenerator):
        """Gives the next span the numbers in `next`, and all others such as nobody has."""

        next: tuple[int, int] | None = None

        def generate_trace_id(self) -> int:
            return self.next[0] if self.next is not None else super().generate_trace_id()

        def generate_span_id(self) -> int:
            return self.next[1] if self.next is not None else super().generate_span_id()

    return FindingIds()
