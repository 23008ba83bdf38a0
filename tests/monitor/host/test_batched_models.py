"""Participants that are computed together are judged as they would be alone, and what is dropped is an abstention."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from engines.base import Engine
from engines.batching.queue import BatchConfig
from monitor.config import Settings
from monitor.decision.report import HopReport
from monitor.detectors.synchrony.live import LoadedSynchrony
from monitor.host.batched_models import BatchedModels
from monitor.host.judging import judging
from monitor.session.models import Models, load_models
from monitor.session.session import Session
from monitor.tap.replay import read_clip
from monitor.types import MediaItem, ParticipantKey, Reason, TrackFault, Verdict
from tests.engines.refusing import Refusing
from tests.monitor import people
from tests.monitor.api.people import vault_in
from tests.monitor.loaded import pairwise, persona, with_detector
from tests.monitor.session.test_session import mixed, pictures, sound

CLIP = "clips/real/LivePortrait__d20.mp4"
PATIENT = BatchConfig(max_delay=0.002, patience=60.0)


@pytest.fixture(scope="module")
def models() -> Models:
    return load_models()


@pytest.fixture
def batched(models: Models) -> Iterator[BatchedModels]:
    made = BatchedModels(models, PATIENT)
    yield made
    made.close()


def run(models: Models, items: Sequence[MediaItem], identity: str | None = None) -> list[HopReport]:
    """Every report of a session over items; whoever claims to be somebody has a reference of other packs."""
    key = ParticipantKey("call", "ann", identity)
    session, reports = Session(key, models, reference=people.reference()), list[HopReport | None]()
    for item in items:
        now = item.arrival if isinstance(item, TrackFault) else item.stamp.arrival
        reports.append(session.tick(now))
        session.push(item)
    return [report for report in reports if report is not None]


def batchers() -> list[str]:
    return sorted(thread.name for thread in threading.enumerate() if thread.name.startswith("batcher-"))


def engines(models: Models) -> list[Engine]:
    return [models.detector, models.landmarks, models.lips, models.voice]


def test_each_participant_has_clients_of_their_own_of_the_same_engines(models: Models, batched: BatchedModels) -> None:
    one, other = batched.models(), batched.models()
    for mine, theirs, shared in zip(engines(one), engines(other), engines(models), strict=True):
        assert mine is not theirs
        assert mine.manifest is theirs.manifest is shared.manifest
    assert one.of(LoadedSynchrony) is models.of(LoadedSynchrony)
    face, whole = pairwise(one).encoders, pairwise(models).encoders
    assert face is not None
    assert whole is not None
    assert face.key == whole.key
    movement, shared_movement = persona(one).engines, persona(models).engines
    assert movement is not None
    assert shared_movement is not None
    assert (movement.key, movement.has_companion) == (shared_movement.key, shared_movement.has_companion)
    batched.close()


def test_every_engine_has_one_batcher_however_many_take_part(batched: BatchedModels) -> None:
    batched.models()
    names = batchers()
    batched.models()
    assert names == batchers()
    assert len(set(names)) == len(names) >= 4
    batched.close()
    assert batchers() == []


@pytest.mark.data
def test_together_they_are_judged_as_alone(models: Models, batched: BatchedModels, data_dir: Path) -> None:
    items = list(islice(read_clip(data_dir / CLIP), 300))
    alone = run(models, items, "Jane Doe")
    with ThreadPoolExecutor(2) as threads:
        together = list(threads.map(lambda _: run(batched.models(), items, "Jane Doe"), range(2)))
    load = batched.load()
    assert load.rows > load.batches
    assert load.dropped == {}
    scored = 0
    for reports in together:
        for mine, want in zip(reports, alone, strict=True):
            assert mine.decision.verdict is want.decision.verdict
            for got, score in zip(mine.decision.scores, want.decision.scores, strict=True):
                assert got.reason is score.reason
                assert got.value == (score.value and pytest.approx(score.value, abs=1e-3))
                scored += score.value is not None
    assert scored


@pytest.mark.parametrize("identity", [None, "Jane Doe"])
def test_whoever_gets_no_answer_is_overloaded_and_does_not_fail(batched: BatchedModels, identity: str | None) -> None:
    own = batched.models()
    batched.close()
    reports = run(own, mixed(pictures(6), sound(6)), identity)
    assert len(reports) >= 10
    assert {report.decision.verdict for report in reports} == {Verdict.INCONCLUSIVE}
    assert {report.decision.reason for report in reports} == {Reason.OVERLOADED}
    assert batched.load().dropped_total == 0


@pytest.mark.data
@pytest.mark.parametrize("name", ["detector", "landmarks", "lips", "voice"])
def test_what_is_dropped_leaves_a_gap_and_the_call_goes_on(models: Models, data_dir: Path, name: str) -> None:
    engine = Refusing(getattr(models, name))
    failing = replace(models, **{name: engine})  # type: ignore[arg-type]
    session, reports = Session(ParticipantKey("call", "ann"), failing), list[HopReport]()
    for item in read_clip(data_dir / CLIP):
        assert not isinstance(item, TrackFault)
        engine.refuses = 0.0 <= item.stamp.arrival < 1.5
        report = session.tick(item.stamp.arrival)
        reports += [report] if report is not None else []
        session.push(item)
    early = [report for report in reports if report.now < 2.0]
    assert Reason.OVERLOADED in {report.decision.reason for report in early}
    assert {report.decision.scores[0].value for report in early} == {None}
    assert reports[-1].decision.scores[0].value is not None


@pytest.mark.data
def test_detectors_of_a_claim_that_get_no_answer_say_so(models: Models, data_dir: Path) -> None:
    refusing = pairwise(models).through(lambda engine: Refusing(engine, refuses=True))
    able = with_detector(models, refusing)
    items = islice(read_clip(data_dir / CLIP), 150)
    assert {report.decision.scores[1].reason for report in run(able, list(items), "Jane Doe")[2:]} == {
        Reason.OVERLOADED
    }


def test_the_server_computes_participants_together_where_that_is_asked(models: Models, tmp_path: Path) -> None:
    with closing(vault_in(tmp_path)) as vault:
        alone = judging(Settings(state_dir=tmp_path, batching="off"), vault, models)
        live = judging(Settings(state_dir=tmp_path, batching="on"), vault, models)
        assert alone.batched is None
        assert live.batched is not None
        sessions = [live.session(ParticipantKey("call", name)) for name in ("ann", "bob")]
        for item in mixed(pictures(0.5), sound(0.5)):
            for session in sessions:
                session.push(item)
        assert live.batched.load().rows > 0
        live.batched.close()
        assert batchers() == []
