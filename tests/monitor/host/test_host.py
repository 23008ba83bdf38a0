from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from monitor.alerts.journal import Entry, Journal
from monitor.alerts.push import Hub
from monitor.alerts.recorder import Recorder
from monitor.host import logging as log
from monitor.host.backlog import BATCH_ITEMS
from monitor.host.calls import AtCapacity, Publication
from monitor.host.host import Host
from monitor.host.metrics import Metrics
from monitor.host.participant import MAX_RESTARTS
from monitor.host.step import SessionFactory
from monitor.types import MediaItem, ParticipantKey, Reason, TrackFault
from tests.monitor.alerts.build import findings_of, ready_journal
from tests.monitor.rig import (
    CLOSE,
    CRASH,
    GENUINE,
    OPEN,
    UPDATE,
    ScriptedSession,
    ScriptedSource,
    block,
    factory,
    no_answer,
    quiet_log,
)

PATIENCE = 10.0
HOP = 0.1


@dataclass
class Bench:
    """A host, its journal, and everything that it says."""

    host: Host
    journal: Journal
    recorder: Recorder
    metrics: Metrics
    states: list[dict[str, Any]] = field(default_factory=list)
    findings: list[Entry] = field(default_factory=list)
    said: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self.said.clear()
                await self.said.wait()

    async def admit(self, key: ParticipantKey, source: ScriptedSource | None = None) -> ScriptedSource:
        made = source or ScriptedSource()
        with self.host.reserve(key):
            await self.host.admit(key, made)
        return made

    def number(self, name: str) -> float:
        return self.metrics.registry.get_sample_value(f"sidewitness_{name}") or 0.0


def bench_with(folder: Path, sessions: SessionFactory, places: int = 2, **more: Any) -> Bench:
    hub, metrics, opened = Hub(), Metrics(), ready_journal(folder)

    def committed(seq: int, finding: Any, decided_at: float) -> None:
        made.findings.append(Entry(seq, finding))
        made.said.set()

    def told(message: dict[str, Any], decided_at: float | None = None) -> None:
        made.states.append(message)
        made.said.set()

    hub.state = told  # type: ignore[method-assign]
    recorder = Recorder(opened, committed)
    recorder.start()
    made = Bench(Host(sessions, no_answer, recorder, hub, metrics, HOP, places, **more), opened, recorder, metrics)
    return made


ADA = ParticipantKey("board", "ada", "Ada L")
BOB = ParticipantKey("board", "bob")
EVE = ParticipantKey("other", "eve")


async def test_an_episode_is_told_written_and_shown(bench: Bench) -> None:
    source = await bench.admit(ADA)
    assert await bench.host.call("board") is not None
    source.put(block(OPEN))
    await bench.until(lambda: len(bench.findings) == 1)
    source.put(block(UPDATE))
    await bench.until(lambda: len(bench.findings) == 2)
    call = await bench.host.call("board")
    assert call is not None
    shown = call["participants"][0]
    assert (shown["participant"], shown["identity"], shown["threshold"]) == ("ada", "Ada L", 7200.0)
    assert shown["statistic"] is None
    assert shown["quality"] == {"fps": 30.0, "dropped": 0.0}
    assert shown["scores"]["synchrony"]["evidence"]["agreement"] == [0.1, 0.2, None]
    source.put(block(CLOSE))
    await bench.until(lambda: len(bench.findings) == 3)
    assert [entry.finding.action for entry in bench.findings] == ["opened", "updated", "closed"]
    assert len({entry.finding.id for entry in bench.findings}) == 1
    assert bench.journal.read(0) == bench.findings


async def test_a_finding_waits_for_who_left_and_says_so(bench: Bench) -> None:
    source = await bench.admit(ADA)
    source.put(block(OPEN))
    await bench.until(lambda: len(bench.findings) == 1)
    await source.close()
    await bench.until(lambda: len(bench.findings) == 2)
    last = bench.findings[-1].finding
    assert (last.action, last.verdict, last.reason) == ("updated", "inconclusive", "ended")
    assert (bench.states[-1]["verdict"], bench.states[-1]["reason"]) == ("inconclusive", "ended")
    assert await bench.host.calls() == []


class Abandoned(ScriptedSource):
    """A source that knows that it ended because nothing came any more."""

    end_reason = "media_ended"


async def test_the_last_word_says_why_where_the_source_knows_it(bench: Bench) -> None:
    source = await bench.admit(ADA, Abandoned())
    source.put(block(OPEN))
    await bench.until(lambda: len(bench.findings) == 1)
    await source.close()
    await bench.until(lambda: len(bench.findings) == 2)
    assert (bench.findings[-1].finding.action, bench.findings[-1].finding.reason) == ("updated", "media_ended")
    assert (bench.states[-1]["verdict"], bench.states[-1]["reason"]) == ("inconclusive", "media_ended")


async def test_capacity_counts_half_open_publications(bench: Bench) -> None:
    await bench.admit(ADA)
    with bench.host.reserve(BOB), pytest.raises(AtCapacity), bench.host.reserve(EVE):
        pass
    await bench.admit(EVE)
    assert [call["call"] for call in await bench.host.calls()] == ["board", "other"]
    assert bench.number("participants") == 2
    assert bench.number("publications_refused_total") == 1


async def test_publishing_again_replaces_also_when_full(bench: Bench) -> None:
    first = await bench.admit(ADA)
    await bench.admit(BOB)
    second = await bench.admit(ADA)
    found = bench.host.find("board", "ada")
    assert found is not None
    assert found.source is second
    assert found.source is not first
    assert [state["reason"] for state in bench.states if state["reason"] == "ended"] == ["ended"]
    assert len(bench.host) == 2


async def test_a_crashing_session_harms_nobody_and_is_begun_anew(bench: Bench) -> None:
    ada, bob = await bench.admit(ADA), await bench.admit(BOB)
    ada.put(block(OPEN))
    await bench.until(lambda: len(bench.findings) == 1)
    ada.put(block(CRASH))
    await bench.until(lambda: len(bench.findings) == 2)
    assert (bench.findings[1].finding.action, bench.findings[1].finding.reason) == ("updated", "session_failed")
    ada.put(block(GENUINE))
    bob.put(block(OPEN))
    await bench.until(lambda: len(bench.findings) == 3)
    failed = next(n for n, state in enumerate(bench.states) if state["reason"] == "session_failed")
    await bench.until(
        lambda: ("ada", "not_enrolled") in {(state["participant"], state["reason"]) for state in bench.states[failed:]}
    )
    assert bench.findings[2].finding.key == BOB


async def test_a_session_that_is_begun_anew_goes_on_with_the_evidence_of_the_one_that_crashed(tmp_path: Path) -> None:
    made: list[ScriptedSession] = []

    def sessions(key: ParticipantKey) -> ScriptedSession:
        made.append(ScriptedSession(key))
        return made[-1]

    with quiet_log():
        bench = bench_with(tmp_path, sessions)
        source = await bench.admit(ADA)
        made[0].evidence = replace(made[0].evidence, judged=42.0)
        source.put(block(CRASH))
        await bench.until(lambda: len(made) == 2 and made[1].reported > 0.0)
        assert made[1].evidence.judged == 42.0
        await bench.host.drain()
        await bench.recorder.close()
        bench.journal.close()


async def test_a_session_that_keeps_crashing_stays_inconclusive(bench: Bench) -> None:
    source = await bench.admit(ADA)
    for n in range(MAX_RESTARTS + 1):
        source.put(block(CRASH))
        await bench.until(lambda n=n: bench.number("session_failures_total") == n + 1)  # type: ignore[misc]
    told = len(bench.states)
    await bench.until(lambda: len(bench.states) >= told + 2)
    assert {state["reason"] for state in bench.states[told:]} == {"session_failed"}


async def test_a_session_that_cannot_be_begun_anew(tmp_path: Path) -> None:
    begun: list[ParticipantKey] = []

    def once(key: ParticipantKey) -> ScriptedSession:
        begun.append(key)
        if len(begun) > 1:
            raise MemoryError
        return factory(key)

    with quiet_log():
        bench = bench_with(tmp_path, once)
        source = await bench.admit(ADA)
        source.put(block(CRASH))
        await bench.until(lambda: bench.number("session_failures_total") == 1)
        told = len(bench.states)
        await bench.until(lambda: len(bench.states) > told)
        assert bench.states[-1]["reason"] == "session_failed"
        await bench.host.drain()
        await bench.recorder.close()
        bench.journal.close()


async def test_a_source_that_fails_is_a_participant_that_leaves(bench: Bench) -> None:
    source = await bench.admit(ADA)
    source.break_down(OSError("unplugged"))
    await bench.until(lambda: bool(bench.states) and bench.states[-1]["reason"] == "ended")
    assert len(bench.host) == 0


async def test_a_session_that_cannot_be_built_closes_the_source(bench: Bench) -> None:
    source = ScriptedSource()
    with pytest.raises(RuntimeError):
        await bench.admit(ParticipantKey("board", "unbuildable"), source)
    assert [item async for item in source] == []
    assert len(bench.host) == 0


async def test_overload_drops_in_the_source_and_is_reported(tmp_path: Path) -> None:
    """While the session is held, the loop takes one batch and what the source holds beyond its capacity is lost."""
    entered, release = threading.Event(), threading.Event()
    sessions: list[Slow] = []

    class Slow(ScriptedSession):
        def push(self, item: MediaItem) -> None:
            entered.set()
            assert release.wait(PATIENCE)
            super().push(item)

    def make(key: ParticipantKey) -> Slow:
        sessions.append(Slow(key))
        return sessions[-1]

    bench = bench_with(tmp_path, make)
    source = await bench.admit(ADA, ScriptedSource(capacity=2 * BATCH_ITEMS))
    source.put(block(GENUINE))
    await asyncio.to_thread(entered.wait, PATIENCE)
    for n in range(5 * BATCH_ITEMS):
        source.put(block(GENUINE, arrival=float(n)))
    assert source.dropped > 0
    release.set()
    await bench.until(lambda: any(state["quality"].get("dropped") == source.dropped for state in bench.states))
    await bench.until(lambda: any(isinstance(item, TrackFault) for item in sessions[0].seen))
    fault = next(item for item in sessions[0].seen if isinstance(item, TrackFault))
    assert fault.reason is Reason.OVERLOADED
    assert bench.number("media_items_dropped_total") == source.dropped
    arrivals = [item.stamp.arrival for item in sessions[0].seen if not isinstance(item, TrackFault)]
    assert arrivals == sorted(arrivals)
    await bench.host.drain()
    await bench.recorder.close()
    bench.journal.close()


async def test_score_age_is_measured_on_the_senders_clock(bench: Bench) -> None:
    loop = asyncio.get_running_loop()
    source = await bench.admit(ADA)
    source.put(block(GENUINE, arrival=loop.time(), capture=5000.0))
    await bench.until(lambda: bench.number("score_age_seconds_count") > 0)
    assert bench.number("score_age_seconds_sum") < PATIENCE


async def test_drain_ends_everybody_and_admits_nobody(bench: Bench) -> None:
    source = await bench.admit(ADA)
    source.put(block(OPEN))
    await bench.until(lambda: len(bench.findings) == 1)
    await bench.host.drain()
    assert await bench.recorder.close() == 0
    assert findings_of(bench.journal)[-1].reason == "ended"
    with pytest.raises(AtCapacity, match="shutting down"):
        await bench.admit(BOB)


async def test_a_source_that_will_not_end_is_cancelled(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stubborn(ScriptedSource):
        async def close(self) -> None:
            raise RuntimeError("will not close")

    monkeypatch.setattr("monitor.host.participant.CLOSE_SECONDS", 0.05)
    await bench.admit(ADA, Stubborn())
    found = bench.host.find("board", "ada")
    assert found is not None
    await found.end()
    assert found.ended


async def test_what_an_offer_brings_is_judged_until_it_is_removed(bench: Bench) -> None:
    class Peer(ScriptedSource):
        etag = "ice-1"

        async def add_candidates(self, fragment: str) -> None:
            fragments.append(fragment)

    async def answer(offer: str) -> tuple[Peer, str]:
        return Peer(), f"the answer to {offer}"

    fragments: list[str] = []
    bench.host._answer = answer
    publication: Publication = await bench.host.publish(ADA, "an offer", "alice")
    assert (publication.key, publication.answer, publication.etag) == (ADA, "the answer to an offer", "ice-1")
    await publication.add_candidates("a candidate")
    assert fragments == ["a candidate"]
    assert not publication.ended
    assert await bench.host.remove("board", "ada")
    assert publication.ended
    assert await bench.host.calls() == []
    assert not await bench.host.remove("board", "ada")


async def test_an_offer_that_is_not_answered_in_time_leaves_its_place(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_offer: str) -> Any:
        await asyncio.Event().wait()

    bench.host._answer = never
    monkeypatch.setattr("monitor.host.host.ANSWER_SECONDS", 0.01)
    for key in (ADA, BOB, EVE):
        with pytest.raises(TimeoutError):
            await bench.host.publish(key, "an offer", "alice")


async def test_names_and_messages_of_errors_stay_out_of_the_log(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    log.configure("debug", "json")
    source = await bench.admit(ADA)
    source.put(block(CRASH))
    await bench.until(lambda: bench.number("session_failures_total") == 1)
    written = capsys.readouterr().err
    assert '"error": "ValueError"' in written
    assert "rig.py:" in written
    assert "ada" not in written.lower()
