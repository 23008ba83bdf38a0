"""Somebody who leaves and joins again, in virtual time: real sessions of a host, a detector that knows its score."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from monitor.alerts.finding import Finding
from monitor.alerts.push import Hub
from monitor.alerts.recorder import Recorder
from monitor.detectors.base import Hop
from monitor.detectors.synchrony.info import INFO
from monitor.face.looks import LOOKS
from monitor.host import departed
from monitor.host.host import Host
from monitor.host.metrics import Metrics
from monitor.host.shedding import MachineLoad
from monitor.session.models import Models, load_models
from monitor.session.session import Session
from monitor.types import FloatArray, ParticipantKey, Reason, Score
from tests.monitor.alerts.build import ready_journal
from tests.monitor.frames import block
from tests.monitor.rig import no_answer, quiet_log
from tests.monitor.virtual import Camera, VirtualPool, run, seconds_for

HOP, KEEP = 0.5, 600.0
# Hops without a score until a window that was begun anew has two seconds of speech.
WARM_UP = 4
ADA = ParticipantKey("board", "ada")


class Scripted:
    """A detector that gives every full window the same p-value."""

    info = INFO

    def __init__(self, p_value: float, info: Any = INFO) -> None:
        self.p_value, self.info = p_value, info
        self.recalled: list[int] = []

    def live(self, window_seconds: float, compilation: Any) -> Any:
        return ScriptedLive(self)


class ScriptedLive:
    observe = None

    def __init__(self, scripted: Scripted) -> None:
        self._scripted, self._hops = scripted, 0

    def restart(self, buffer: Any) -> None:
        self._hops = 0

    def remember(self) -> int:
        return self._hops

    def recall(self, memory: int) -> None:
        self._scripted.recalled.append(memory)

    def score(self, hop: Hop) -> Score:
        self._hops += 1
        if self._hops <= WARM_UP:
            return self._scripted.info.abstain(Reason.WARMING_UP)
        return Score(self._scripted.info.name, 0.1, p_value=self._scripted.p_value)


@dataclass
class Site:
    """A host in virtual time, all that it says, and all that it finds, with the time of each."""

    host: Host
    metrics: Metrics
    states: list[tuple[float, dict[str, Any]]]
    findings: list[tuple[float, Finding]]

    described: list[tuple[str, str | None]] = field(default_factory=list)

    async def stay(self, seconds: float, key: ParticipantKey = ADA, describe: bool = False) -> None:
        """Publish for so long, and leave."""
        camera = Camera([block(np.zeros(480, np.float32), 0.0)], 0.5)
        with self.host.reserve(key):
            participant = await self.host.admit(key, camera)
        await asyncio.sleep(seconds)
        if describe:
            self.described.append((key.participant, participant.describe()["continues"]))
        await participant.end()

    def changes(self) -> list[tuple[str, str | None]]:
        return [(finding.action, finding.reason) for _, finding in self.findings]

    def reasons(self) -> set[str | None]:
        return {state["reason"] for _, state in self.states}


@pytest.fixture(scope="module")
def models() -> Models:
    return load_models()


@asynccontextmanager
async def site(
    folder: Path, models: Models, *detectors: Any, seconds: float = KEEP, session: type[Session] = Session
) -> AsyncIterator[Site]:
    loop = asyncio.get_running_loop()
    hub, metrics, journal = Hub(), Metrics(), ready_journal(folder)
    states: list[tuple[float, dict[str, Any]]] = []
    findings: list[tuple[float, Finding]] = []

    def state(message: dict[str, Any], decided_at: float | None = None) -> None:
        states.append((loop.time(), message))

    def put(finding: Finding, decided_at: float) -> None:
        findings.append((loop.time(), finding))

    hub.state = state  # type: ignore[method-assign]
    recorder = Recorder(journal, lambda *_: None)
    recorder.put = put  # type: ignore[method-assign]
    scripted = replace(models, detectors=detectors)
    host = Host(
        lambda key: session(key, scripted),
        no_answer,
        recorder,
        hub,
        metrics,
        HOP,
        machine_load=lambda: MachineLoad(0.1),
        clock=loop.time,
        pool=VirtualPool(1, seconds_for(0.0, 0.0)),
        rejoin_seconds=seconds,
    )
    try:
        yield Site(host, metrics, states, findings)
    finally:
        await host.drain()
        journal.close()


def virtually(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    with quiet_log():
        return run(work)


def judged_until_alert(folder: Path, models: Models, pieces: Sequence[float], seconds: float = KEEP) -> int | None:
    """Hops that were judged before a finding opened, of a dub in pieces under one name."""

    async def work() -> int | None:
        async with site(folder, models, Scripted(0.02), seconds=seconds) as here:
            for piece in pieces:
                await here.stay(piece)
            opened = [at for at, finding in here.findings if finding.action == "opened"]
            judged = [at for at, state in here.states if any(s["p_value"] for s in state["scores"].values())]
            return sum(at < opened[0] for at in judged) if opened else None

    result: int | None = virtually(work)
    return result


def test_a_dub_in_three_pieces_alerts_on_no_more_judged_media_than_in_one(tmp_path: Path, models: Models) -> None:
    whole = judged_until_alert(tmp_path, models, [60.0])
    pieces = judged_until_alert(tmp_path, models, [20.0, 20.0, 20.0])
    assert whole is not None
    assert pieces is not None
    assert pieces <= whole
    # It was those that went before which counted: where nothing is remembered there is no alert.
    assert judged_until_alert(tmp_path, models, [20.0, 20.0, 20.0], seconds=0.0) is None


def test_somebody_genuine_who_joins_again_and_again_is_not_accused(tmp_path: Path, models: Models) -> None:
    async def work() -> None:
        async with site(tmp_path, models, Scripted(0.5)) as here:
            for _ in range(12):
                await here.stay(10.0)
            assert here.findings == []
            assert {state["verdict"] for _, state in here.states} == {"inconclusive"}
            assert {"warming_up", "rejoining", "ended"} <= here.reasons()

    virtually(work)


def test_a_finding_waits_for_the_time_that_is_set_and_is_closed_then(tmp_path: Path, models: Models) -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        async with site(tmp_path, models, Scripted(0.005)) as here:
            await here.stay(60.0)
            left = loop.time()
            assert here.changes()[-1] == ("updated", "ended")
            await asyncio.sleep(KEEP - 1.0)
            assert here.changes()[-1] == ("updated", "ended")
            await asyncio.sleep(2.0)
            at, last = here.findings[-1]
            assert (last.action, last.reason) == ("closed", "ended")
            assert at == pytest.approx(left + KEEP, abs=0.1)
            assert len({finding.id for _, finding in here.findings}) == 1
            assert [finding.step for _, finding in here.findings] == list(range(len(here.findings)))
            # What is over is over: the next is a finding of its own, and has to be earned anew.
            await here.stay(10.0)
            assert len({finding.id for _, finding in here.findings}) == 1

    virtually(work)


def test_a_finding_goes_on_under_its_id_and_is_told_of_at_once(tmp_path: Path, models: Models) -> None:
    async def work() -> None:
        async with site(tmp_path, models, Scripted(0.005)) as here:
            await here.stay(60.0)
            before = len(here.findings)
            await here.stay(5.0)
            assert here.changes()[before:] == [("updated", "lips_disagree_with_voice"), ("updated", "ended")]
            assert len({finding.id for _, finding in here.findings}) == 1

    virtually(work)


def test_what_a_detector_remembers_goes_along_with_the_evidence(tmp_path: Path, models: Models) -> None:
    async def work() -> None:
        scripted = Scripted(0.5)
        async with site(tmp_path, models, scripted) as here:
            for claim in (None, None, "Ada L"):
                await here.stay(10.0, replace(ADA, identity=claim))
            await here.stay(1.0, replace(ADA, participant="bob"))
            assert scripted.recalled == [pytest.approx(20, abs=1)] * 2

    virtually(work)


def test_another_name_and_another_call_share_nothing(tmp_path: Path, models: Models) -> None:
    async def work() -> None:
        async with site(tmp_path, models, Scripted(0.02)) as here:
            for key in (ADA, replace(ADA, participant="bob"), replace(ADA, call="other")):
                await here.stay(20.0, key)
            statistics = [state["statistic"] for _, state in here.states if state["statistic"] is not None]
            assert here.findings == []
            assert statistics.count(0.0) == 3 * WARM_UP

    virtually(work)


def test_another_claim_sheds_nothing_that_needed_no_identity(tmp_path: Path, models: Models) -> None:
    async def work() -> None:
        face = replace(INFO, name="pairwise", needs_identity=True)
        async with site(tmp_path, models, Scripted(0.02), Scripted(0.9, face)) as here:
            claims = ("Ada L", None, "Bob", None, "Ada L", None)
            for claim in claims:
                await here.stay(15.0, replace(ADA, identity=claim))
            assert ("opened", "lips_disagree_with_voice") in here.changes()

    virtually(work)


def test_who_had_to_make_room_is_counted_and_their_finding_closed(
    tmp_path: Path, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(departed, "MAX_IN_CALL", 1)

    async def work() -> None:
        async with site(tmp_path, models, Scripted(0.005)) as here:
            await here.stay(60.0)
            await here.stay(1.0, replace(ADA, participant="bob"))
            assert here.changes()[-1] == ("closed", "ended")
            assert here.metrics.registry.get_sample_value("sidewitness_departed_dropped_total") == 1.0

    virtually(work)


class Faced(Session):
    """A session that has looked at a face: the one that goes with its participant's name."""

    looks = LOOKS
    asked: ClassVar[list[str]] = []

    def face(self) -> FloatArray:
        self.asked.append(self.key.participant)
        angle = 0.0 if self.key.participant.startswith("ada") else 1.5
        return np.array([[np.cos(angle), np.sin(angle)]], np.float32)


def test_the_same_face_goes_on_under_another_name_and_another_face_does_not(tmp_path: Path, models: Models) -> None:
    async def work() -> None:
        Faced.asked.clear()
        async with site(tmp_path, models, Scripted(0.1), session=Faced) as here:
            await here.stay(15.0)
            at_leave = here.states[-2][1]["statistic"]
            for name in ("bob", "ada2"):
                before = len(here.states)
                await here.stay(10.0, replace(ADA, participant=name), describe=True)
                first = next(s["statistic"] for _, s in here.states[before + 2 :] if s["statistic"] is not None)
                assert (first >= at_leave) == (name == "ada2")
            assert here.described == [("bob", None), ("ada2", "ada")]
            assert here.metrics.registry.get_sample_value("sidewitness_linked_total") == 1.0
            # A third name with the face is a third join.
            await here.stay(5.0, replace(ADA, participant="ada3"))
            assert "rejoining" in here.reasons()

    virtually(work)


def test_nobody_looks_at_a_face_while_nobody_has_left_and_nothing_was_found(tmp_path: Path, models: Models) -> None:
    async def work() -> None:
        Faced.asked.clear()
        async with site(tmp_path, models, Scripted(0.9), session=Faced) as here:
            for name in ("ada", "bob", "ada2"):
                await here.stay(20.0, replace(ADA, participant=name))
            assert Faced.asked == []

    virtually(work)


def test_a_dub_under_a_new_name_every_20_seconds_alerts(tmp_path: Path, models: Models) -> None:
    async def work() -> None:
        async with site(tmp_path, models, Scripted(0.02), session=Faced) as here:
            for n in range(4):
                await here.stay(20.0, replace(ADA, participant=f"ada{n}"))
            assert "opened" in {finding.action for _, finding in here.findings}

    virtually(work)
