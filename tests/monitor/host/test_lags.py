"""Lags of a call beside each other, where it is wired in: by call and way in, on the card and in the finding."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from monitor.decision.report import HopReport
from monitor.host.lags import LagWatch
from monitor.types import Aspect, ParticipantKey, Profile
from tests.monitor.host.test_host import bench_with
from tests.monitor.rig import OPEN, ScriptedSession, ScriptedSource, block, quiet_log

LAGS_MS = {"ada": 200, "bob": 0, "eve": 40}
SEGMENTS = 20


def lagging(report: HopReport, milliseconds: int, now: float | None = None) -> HopReport:
    """The report with what synchrony would say of a voice that lags by so much."""
    (score,) = report.decision.scores
    evidence = {**score.evidence, "accumulated": {"path_ms": [milliseconds] * SEGMENTS}}
    decided = replace(report.decision, scores=(replace(score, evidence=evidence, aspect=Aspect.LIPS),))
    quality = {"clock_uncertainty": 0.0, "clock_mapped": 1.0}
    return replace(report, now=report.now if now is None else now, decision=decided, quality=quality)


def report_of(call: str, who: str) -> HopReport:
    session = ScriptedSession(ParticipantKey(call, who))
    session.push(block(OPEN))
    report = session.tick(1.0)
    assert report is not None
    return report


def watched(watch: LagWatch, call: str, seconds: float = 12.0) -> dict[str, HopReport]:
    last = {}
    for hop in range(round(2 * seconds)):
        for who, milliseconds in LAGS_MS.items():
            last[who] = watch.beside(lagging(report_of(call, who), milliseconds, hop / 2))
    return last


def test_who_came_another_way_is_compared_with_nobody_and_so_is_another_call() -> None:
    watch = LagWatch(lambda _place: "whep")
    told = watched(watch, "board")
    assert told["ada"].decision.scores[0].evidence["lag"]["others_ms"] == [0, 40]
    assert told["ada"].decision.evidence["synchrony"]["lag"]["ms"] == 200
    assert "lag" not in told["bob"].decision.scores[0].evidence
    apart = LagWatch(lambda place: "janus" if place[1] == "ada" else "whep")
    assert "lag" not in watched(apart, "board")["ada"].decision.scores[0].evidence
    alone = watch.beside(lagging(report_of("other", "ada"), 200, 30.0))
    assert "lag" not in alone.decision.scores[0].evidence


def test_nothing_is_kept_of_whom_left() -> None:
    watch = LagWatch(lambda _place: None)
    watched(watch, "board")
    for who in LAGS_MS:
        watch.ended(("board", who))
    assert watch._paths == {}
    assert "lag" not in watch.beside(lagging(report_of("board", "ada"), 200)).decision.scores[0].evidence


class Lagging(ScriptedSession):
    """A session whose voice lags; its clock runs ten seconds a hop, so that nobody waits."""

    hops = 0

    def tick(self, now: float) -> HopReport | None:
        report = super().tick(now)
        if report is None:
            return None
        self.hops += 1
        return lagging(report, LAGS_MS[self.key.participant], 10.0 * self.hops)


async def test_it_is_shown_of_who_is_here_and_kept_with_a_finding(tmp_path: Path) -> None:
    with quiet_log():
        bench = bench_with(tmp_path, Lagging, places=3)
        sources = {}
        for who in reversed(LAGS_MS):
            sources[who] = ScriptedSource()
            await bench.host.judge(ParticipantKey("board", who), sources[who], Profile(plugin="whep"))

        def shown() -> list[object]:
            evidence = [state["scores"]["synchrony"].get("evidence", {}) for state in bench.states if state["scores"]]
            return [one["lag"] for one in evidence if "lag" in one]

        await bench.until(lambda: bool(shown()))
        sources["ada"].put(block(OPEN))
        await bench.until(lambda: bool(bench.findings))
        assert bench.findings[0].finding.key.participant == "ada"
        assert bench.findings[0].finding.evidence["synchrony"]["lag"]["ms"] == 200
        call = await bench.host.call("board")
        assert call is not None
        by_name = {one["participant"]: one["scores"]["synchrony"]["evidence"] for one in call["participants"]}
        assert by_name["ada"]["lag"]["others_ms"] == [0, 40]
        assert "lag" not in by_name["eve"]
        await bench.host.drain()
        await bench.recorder.close()
        bench.journal.close()
