"""Genuine clips of people that the encoders never saw, and their dubbed twins; and what loss does to a genuine one."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from monitor.models import Models, load_models
from monitor.report import ParticipantKey
from monitor.scan import scan
from monitor.session import Session
from monitor.tap.replay import read_clip
from monitor.types import Reason, TrackFault, Verdict
from tests.e2e.media import marry

# All of fold `a` in engines/training/splits/research.csv.
GENUINE = (
    "DiffDub__reconstruction__WRA_PeterRoskam0_000_25fps__GT.mp4",
    "MimicTalk__Trump_10s.mp4",
    "DiffDub__ablation_study__RD_Radio13_000_25fps__GT.mp4",
)
VOICE = "Linly-Talker__WDA_AlexandriaOcasioCortez_000.mp4"


@pytest.fixture(scope="module")
def models() -> Models:
    return load_models()


@pytest.mark.data
@pytest.mark.parametrize("clip", GENUINE)
def test_a_dubbed_twin_is_suspect_and_the_genuine_clip_is_not(
    data_dir: Path, models: Models, tmp_path: Path, clip: str
) -> None:
    clips = data_dir / "clips/real"
    marry(clips / clip, clips / VOICE, 10, tmp_path / "twin.mp4")
    genuine, dubbed = scan(clips / clip, models), scan(tmp_path / "twin.mp4", models)
    assert (genuine.verdict, genuine.reason) == (Verdict.INCONCLUSIVE, Reason.NOT_ENROLLED)
    assert dubbed.verdict in (Verdict.SUSPECT, Verdict.ALERT)
    assert dubbed.reason is Reason.LIPS_DISAGREE_WITH_VOICE
    assert (genuine.scores[0].p_value or 0.0) > (dubbed.scores[0].p_value or 1.0)


@pytest.mark.data
@pytest.mark.parametrize("lost", [0.05, 0.2])
def test_loss_raises_nothing_on_a_genuine_clip(data_dir: Path, models: Models, lost: float) -> None:
    session, random = Session(ParticipantKey("call", "lossy"), models), Random(1)
    said = []
    for item in read_clip(data_dir / "clips/real" / GENUINE[0]):
        assert not isinstance(item, TrackFault)
        report = session.tick(item.stamp.arrival)
        said += [report.decision] if report else []
        if random.random() >= lost:
            session.push(item)
    assert len(said) >= 15
    assert all(decision.verdict is Verdict.INCONCLUSIVE and decision.transition is None for decision in said)
