"""From clips to a verdict: enrolled by the command, compared by scan and by a session, erased while a call runs."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from monitor import cli
from monitor.config import Settings
from monitor.decision.report import HopReport
from monitor.detectors.reference import Reference
from monitor.identity.enrolment.config import EnrolConfig
from monitor.identity.enrolment.enrol import enrol
from monitor.identity.vault.open import open_vault
from monitor.identity.vault.registry import Identities
from monitor.session.clip import scan
from monitor.session.models import Models
from monitor.session.session import Session
from monitor.tap.replay import read_clip
from monitor.types import Aspect, AudioBlock, ParticipantKey, Reason, Score, TrackFault, Verdict
from tests.monitor.identity.build import CLERK, JANE, consent
from tests.monitor.identity.enrolment.test_enrol import LEAST

pytestmark = pytest.mark.data
CLAIM = ParticipantKey("call", "ann", JANE)


@pytest.fixture(scope="module")
def reference(models: Models, speaker: list[Path]) -> Reference:
    return enrol(speaker[:2], models, LEAST).reference


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models: Models) -> Path:
    """A state directory for commands, which run on these models and ask for little."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SIDEWITNESS_{name.upper()}", raising=False)
    monkeypatch.setenv("SIDEWITNESS_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr("monitor.session.models.load_models", lambda *_: models)
    less = partial(EnrolConfig, min_face_seconds=5.0, min_speech_seconds=2.5, gallery=24)
    monkeypatch.setattr("monitor.identity.enrolment.config.EnrolConfig", less)
    return tmp_path / "state"


def face(report: HopReport) -> Score:
    return report.decision.scores[1]


def test_somebody_else_under_the_name(models: Models, reference: Reference, data_dir: Path) -> None:
    clip = data_dir / "clips/real/LivePortrait__d12.mp4"
    found = scan(clip, models, identity=JANE, reference=reference)
    score = found.scores[1]
    assert score.evidence["identity"]["distance"] > 0.4
    assert score.evidence["windows"] > 3
    told = found.as_json()["scores"]["pairwise"]
    assert told["p_value"] == pytest.approx(1 / 41, abs=0.01)
    assert JANE not in json.dumps(found.as_json())
    assert (found.verdict, found.reason) == (Verdict.SUSPECT, score.cause)


def test_no_sound_that_is_tried_out_moves_what_is_said_of_the_face(
    models: Models, reference: Reference, data_dir: Path
) -> None:
    """The floor under a search over the sound (docs/attacks.md): pairwise sees the same picture, to the last bit."""
    random, said = np.random.default_rng(1), list[list[Score]]()
    for own in (True, False):
        session, scores = Session(CLAIM, models, reference=reference), list[Score]()
        for item in read_clip(data_dir / "clips/real/LivePortrait__d12.mp4"):
            assert not isinstance(item, TrackFault)
            if item.stamp.media > 6.0:
                break
            report = session.tick(item.stamp.arrival)
            if report is not None:
                scores.append(face(report))
            if isinstance(item, AudioBlock) and not own:
                tried = 0.1 * random.standard_normal(len(item.samples))
                item = replace(item, samples=tried.astype(np.float32))
            session.push(item)
        said.append(scores)
    assert sum(score.value is not None for score in said[0]) >= 3
    assert said[0] == said[1]


def test_nobody_claimed_costs_nothing_and_says_so(models: Models, data_dir: Path) -> None:
    clip = data_dir / "clips/real/lipnet__bbaf3s.mp4"
    asked: list[int] = []
    session = Session(ParticipantKey("call", "ann"), models, reference=lambda: asked.append(1))
    for item in read_clip(clip):
        assert not isinstance(item, TrackFault)
        session.tick(item.stamp.arrival)
        session.push(item)
    assert [loaded.info.name for loaded, live in session._detectors if live is not None] == ["synchrony"]
    assert asked == []
    said = Score("pairwise", None, Reason.NOT_ENROLLED, needs_identity=True, aspect=Aspect.FACE)
    assert scan(clip, models).scores[1] == said


def test_an_erasure_in_the_middle_of_a_call(
    models: Models, reference: Reference, data_dir: Path, tmp_path: Path
) -> None:
    vault = open_vault(Settings(state_dir=tmp_path))
    vault.store(JANE, reference.to_bytes(), consent(None), CLERK)
    session, said = Session(CLAIM, models, reference=Identities(vault).lookup(JANE)), list[HopReport]()
    for item in read_clip(data_dir / "clips/real/LivePortrait__d12.mp4"):
        assert not isinstance(item, TrackFault)
        report = session.tick(item.stamp.arrival)
        if report is not None:
            said.append(report)
            if face(report).value is not None:
                vault.erase(JANE, CLERK) if vault.show(JANE) else None
        session.push(item)
    scored = [number for number, report in enumerate(said) if face(report).value is not None]
    assert len(scored) == 1
    assert {face(report).reason for report in said[scored[0] + 1 :]} <= {Reason.NOT_ENROLLED, Reason.WARMING_UP}
    assert face(said[-1]).reason is Reason.NOT_ENROLLED
    vault.close()


def test_the_command_enrols_and_scan_compares(
    state: Path, speaker: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = tmp_path / "poses.png"
    clips = [str(clip) for clip in speaker[:2]]
    words = ["enroll", JANE, *clips, "--consent-by", JANE, "--actor", CLERK, "--poses", str(drawn), "--json"]
    assert cli.run(words) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert (told["version"], told["state"]) == (1, "active")
    assert told["quality"]["gallery"] == 12
    assert JANE not in said.err
    assert drawn.stat().st_size > 2000
    assert cli.run(["enroll", JANE, *clips, "--consent-by", JANE]) == 0
    said = capsys.readouterr()
    assert "version 2, active" in said.out
    assert "better: turn the head" in said.out
    assert cli.run(["scan", str(speaker[4]), "--identity", JANE, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["scores"]) == {"synchrony", "pairwise", "persona", "voiceprint"}
    assert found["scores"]["pairwise"]["reason"] in (None, "warming_up")
    assert cli.run(["scan", str(speaker[4]), "--identity", "Nobody"]) == 0
    assert "nobody is enrolled under that name" in capsys.readouterr().err


def test_the_command_refuses_in_lines(
    state: Path, speaker: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["enroll", JANE, str(speaker[0]), "--consent-by", JANE, "--json"]) == 1
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert told["state"] == "refused"
    assert len(told["reasons"]) == 2
    assert [line for line in said.err.splitlines() if "%)" not in line] == [f"error: {why}" for why in told["reasons"]]
    assert cli.run(["enroll", JANE, str(speaker[0])]) != 0
    assert "nobody is enrolled without consent" in capsys.readouterr().err
    assert cli.run(["enroll", " bad ", str(speaker[0]), "--consent-by", JANE]) == 1
    assert "printable characters" in capsys.readouterr().err
