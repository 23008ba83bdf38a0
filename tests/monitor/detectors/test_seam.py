"""A detector is one folder: the toy in `tests/toys/room_detector` is used everywhere, and no other file knows of it."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.errors import SidewitnessError
from monitor import cli
from monitor.decision.calibration import Calibration
from monitor.decision.decide import Transition
from monitor.decision.report import HopReport
from monitor.detectors import registry
from monitor.detectors.persona.personalise import PersonaliseConfig
from monitor.detectors.reference import Reference
from monitor.identity.enrolment.config import EnrolConfig
from monitor.session.models import Models, load_models
from monitor.session.session import Session
from monitor.types import ParticipantKey, Reason, Verdict
from tests.kept_workers import KeptWorker, sharing
from tests.monitor.frames import frame, moved
from tests.monitor.identity.clips import begun
from tests.toys.room_detector import INFO, ROOM_IS_DIFFERENT

ROOT = Path(__file__).parents[3]
OTHER = "clips/real/LivePortrait__d20.mp4"


def install(folder: Path, value: str, name: str = "room") -> Path:
    """Write what `pip install` leaves of a package that brings a detector."""
    about = folder / f"{name}_detector-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-detector\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{name} = {value}\n")
    return folder


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the installed package; this process and those that it starts know of the toy."""
    folder = install(tmp_path / "site", "tests.toys.room_detector:DETECTOR")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{ROOT}")
    monkeypatch.setenv("SIDEWITNESS_STATE_DIR", str(tmp_path / "state"))
    registry.detectors.cache_clear()
    yield folder
    registry.detectors.cache_clear()


def in_a_process(*words: str) -> str:
    """Run a command of the sidecar as somebody would who has the toy installed."""
    run = [sys.executable, "-m", "monitor.cli", *words]
    done = subprocess.run(run, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def other(data_dir: Path, tmp_path: Path) -> Path:
    """Some seconds of somebody else, in another room."""
    return begun(data_dir / OTHER, tmp_path / "other.mp4", 3.5)


@pytest.fixture
def command(
    installed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kept_worker: KeptWorker
) -> Iterator[Callable[..., str]]:
    """Runs a command in this process, with the models that it has compiled; enrolment asks for little."""
    less = partial(EnrolConfig, min_face_seconds=5.0, min_speech_seconds=2.0, gallery=24)
    monkeypatch.setattr("monitor.identity.enrolment.config.EnrolConfig", less)
    # The shipped detectors learn too; that they learn well is not asked here.
    few = partial(PersonaliseConfig, steps=4, least=2, check=2, checked=2)
    monkeypatch.setattr("monitor.detectors.persona.movement.PersonaliseConfig", few)

    def run(*words: str | Path) -> str:
        assert cli.run([str(word) for word in words]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    with sharing(kept_worker):
        yield run


def judged(models: Models, brightness: int, seconds: float) -> list[HopReport]:
    """Somebody who claims to be Jane, enrolled in a room of brightness 100, in a room of this brightness."""
    session = Session(ParticipantKey("call", "ann", "Jane"), models, reference=Reference("", (), {"room": b"100"}))
    picture, reports = frame(np.full((48, 64), brightness, np.uint8)), list[HopReport]()
    for n in range(round(seconds * 10)):
        report = session.tick(n / 10)
        reports += [report] if report is not None else []
        session.push(moved(picture, n / 10))
    return reports


def test_it_is_scored_and_decided_on_in_a_call(installed: Path) -> None:
    models = load_models()
    assert [loaded.info.name for loaded in models.detectors] == [
        "synchrony",
        "pairwise",
        "persona",
        "voiceprint",
        "room",
    ]
    same, other = judged(models, 101, 8.0), judged(models, 140, 60.0)
    last = same[-1].decision
    assert (last.verdict, last.scores[-1].detector, last.scores[-1].value) == (Verdict.BONA_FIDE, "room", 0.1)
    opened = [report.decision for report in other if report.decision.transition is Transition.OPENED]
    assert [decision.finding_reason for decision in opened] == [ROOM_IS_DIFFERENT]
    assert opened[0].evidence["room"] == {"brightness": 140.0}
    assert other[-1].decision.verdict is Verdict.ALERT
    assert other[-1].decision.scores[-1].cause is ROOM_IS_DIFFERENT


def test_nobody_who_claims_nothing_pays_for_it(installed: Path) -> None:
    session = Session(ParticipantKey("call", "ann"), load_models())
    reports = [session.rest(n / 2) for n in range(4)]
    assert {report.decision.scores[-1].reason for report in reports if report is not None} == {Reason.NOT_ENROLLED}
    assert session._detectors[-1][1] is None


def test_its_words_and_its_label_are_told(installed: Path) -> None:
    assert registry.infos()[-1] is INFO
    assert registry.phrases()[ROOM_IS_DIFFERENT].title == "Another room"
    assert registry.describe(Reference("", (), {"room": b"12.5"})) == {"room_brightness": 12.5}


def test_doctor_lists_it(installed: Path) -> None:
    said = json.loads(in_a_process("doctor", "--json"))["checks"]
    assert {check["name"]: check["detail"] for check in said}["room"] == "300 genuine rooms"
    assert {check["name"]: check["detail"] for check in said}["detector room"] == INFO.question


@pytest.mark.data
def test_it_is_enrolled_sealed_and_compared_by_a_scan(command: Callable[..., str], data_dir: Path, other: Path) -> None:
    clips = sorted((data_dir / "clips/real").glob("lipnet__*.mp4"))[:2]
    words: tuple[str | Path, ...] = ("enroll", "Jane", *clips, "--consent-by", "Jane", "--without-identity", "--json")
    assert json.loads(command(*words))["quality"]["room_brightness"] > 0
    found = [json.loads(line) for line in command("scan", clips[0], other, "--identity", "Jane", "--json").splitlines()]
    own, strange = (clip["scores"]["room"] for clip in found)
    assert own["score"] < strange["score"]
    assert own["p_value"] > strange["p_value"] == pytest.approx(1 / 301)
    table = re.sub(r"\s+", " ", command("scan", clips[0], "--identity", "Jane"))
    assert "room" in table


@pytest.mark.data
def test_it_is_evaluated_and_calibrated(
    command: Callable[..., str], data_dir: Path, other: Path, tmp_path: Path
) -> None:
    clips = sorted((data_dir / "clips/real").glob("lipnet__*.mp4"))[:5]
    manifest = tmp_path / "clips.csv"
    with manifest.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "method", "subject", "reference"])
        rows.writerows([clip, "real", "real", f"person {n}", clips[n - 1]] for n, clip in enumerate(clips))
        rows.writerow([other, "fake", "another room", "person 0", clips[0]])
    shared: tuple[str | Path, ...] = ("--cache", tmp_path / "features")
    command("evaluate", manifest, "--out", tmp_path / "out", "--detector", "room", *shared)
    summary: dict[str, Any] = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["room"]["auc"] == 1.0
    command("train", "calibration", manifest, "--detector", "room", "--out", tmp_path / "room.json", *shared)
    table = Calibration.from_json(json.loads((tmp_path / "room.json").read_text()))
    assert table.lengths == (5.0,)
    assert table.p_value(100.0, 5.0, once=True) == pytest.approx(1 / 6)


def test_a_detector_that_cannot_be_loaded_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(registry.detectors.cache_clear)
    for name, value, words in (
        ("broken", "tests.toys.nothing:DETECTOR", r"the detector broken .* cannot be loaded .*: uninstall or repair"),
        ("twin", "monitor.detectors.persona.entry:DETECTOR", "two detectors are called persona: uninstall"),
    ):
        with monkeypatch.context() as patched:
            patched.syspath_prepend(str(install(tmp_path / name, value, name)))
            registry.detectors.cache_clear()
            with pytest.raises(SidewitnessError, match=words) as caught:
                registry.detectors()
            assert "\n" not in str(caught.value)
    with pytest.raises(SidewitnessError, match="unknown detector 'smell': use one of synchrony"):
        registry.find("smell")
