"""Participants whose source takes its time to connect, and those whose source never does."""

from __future__ import annotations

import json
from io import StringIO

import pytest

from monitor.host import logging as log
from monitor.tap.media.source import CONNECTION_FAILURES, ConnectionFailure
from tests.monitor.host.test_host import ADA, Bench
from tests.monitor.rig import ScriptedSource


class Dialling(ScriptedSource):
    """A source that connects when the test says so, or fails."""

    connecting = True
    failure: ConnectionFailure | None = None

    @property
    def end_reason(self) -> str | None:
        return self.failure.reason if self.failure else None


async def test_nobody_is_judged_before_they_have_connected(bench: Bench) -> None:
    source = await bench.admit(ADA, Dialling())
    call = await bench.host.call("board")
    assert call is not None
    assert (call["participants"][0]["verdict"], call["participants"][0]["reason"]) == ("inconclusive", "connecting")
    await bench.until(lambda: len(bench.states) >= 3)
    assert {state["reason"] for state in bench.states} == {"connecting"}
    assert bench.number("step_seconds_count") == 0
    assert isinstance(source, Dialling)
    source.connecting = False
    await bench.until(lambda: bench.states[-1]["reason"] == "not_enrolled")


@pytest.mark.parametrize(("connected", "event"), [(False, "not connected"), (True, "connection lost")])
async def test_who_never_connected_or_was_lost_says_why(bench: Bench, connected: bool, event: str) -> None:
    """In the last state, once in the log, and once in a counter."""
    logged = StringIO()
    log.configure("info", "json", stream=logged)
    source = Dialling()
    source.connecting = not connected
    await bench.admit(ADA, source)
    source.failure = ConnectionFailure("dtls_failed", "DTLS handshake failed: no SRTP profile in common")
    await source.close()
    await bench.until(lambda: bool(bench.states) and bench.states[-1]["reason"] == "dtls_failed")
    assert await bench.host.calls() == []
    value = bench.metrics.registry.get_sample_value
    assert value("sidewitness_connections_failed_total", {"cause": "dtls_failed"}) == 1
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    (line,) = [line for line in lines if "why" in line]
    assert (line["event"], line["why"]) == (event, source.failure.detail)
    assert "ada" not in logged.getvalue().lower()


async def test_who_leaves_before_connecting_has_not_failed(bench: Bench) -> None:
    source = await bench.admit(ADA, Dialling())
    await source.close()
    await bench.until(lambda: bool(bench.states) and bench.states[-1]["reason"] == "ended")
    value = bench.metrics.registry.get_sample_value
    assert {value("sidewitness_connections_failed_total", {"cause": cause}) for cause in CONNECTION_FAILURES} == {0}
