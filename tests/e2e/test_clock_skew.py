"""Sender reports that put the tracks apart although the media are in step, and media apart whose reports are honest."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.decision.decide import Decision
from monitor.session.models import Models, load_models
from monitor.tap.replay import read_clip
from monitor.types import Reason, Verdict
from tests.e2e.media import marry
from tests.e2e.over_rtp import judged, sent
from tests.e2e.test_twins import GENUINE

SECONDS = 30
SUSPICIOUS = (Verdict.SUSPECT, Verdict.ALERT)


@pytest.fixture(scope="module")
def models() -> Models:
    return load_models()


@pytest.fixture(scope="module")
def genuine(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    clip, target = data_dir / "clips/real" / GENUINE[0], tmp_path_factory.mktemp("skew") / "genuine.mp4"
    marry(clip, clip, SECONDS, target)
    return target


@pytest.fixture(scope="module")
def dubbed(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    clips, target = data_dir / "clips/real", tmp_path_factory.mktemp("skew") / "dubbed.mp4"
    marry(clips / GENUINE[0], clips / GENUINE[2], SECONDS, target)
    return target


def decisions(models: Models, clip: Path, skew: float = 0.0, late: float = 0.0) -> list[Decision]:
    return [decision for _, decision in judged(models, sent(read_clip(clip), SECONDS, skew, late))]


@pytest.fixture(scope="module")
def straight(models: Models, genuine: Path) -> list[Decision]:
    return decisions(models, genuine)


def scored(made: list[Decision]) -> int:
    return sum(decision.scores[0].value is not None for decision in made)


@pytest.mark.data
@pytest.mark.parametrize("skew", [pytest.param(-0.9, marks=pytest.mark.long), 1.9])
def test_reports_apart_accuse_nobody_whose_media_are_in_step(models: Models, genuine: Path, skew: float) -> None:
    made = decisions(models, genuine, skew=skew)
    assert [d.verdict for d in made if d.verdict in SUSPICIOUS] == []
    assert scored(made) > 20
    assert made[-1].scores[0].evidence["paired_by"] == "arrival"


@pytest.mark.data
@pytest.mark.parametrize("skew", [-0.4, pytest.param(0.4, marks=pytest.mark.long)])
def test_a_skew_that_is_searched_is_judged_as_none(
    models: Models, genuine: Path, straight: list[Decision], skew: float
) -> None:
    skewed = decisions(models, genuine, skew=skew)
    assert (skewed[-1].verdict, skewed[-1].reason) == (straight[-1].verdict, straight[-1].reason)
    assert abs(scored(skewed) - scored(straight)) <= 4


@pytest.mark.data
@pytest.mark.parametrize("late", [1.2])
def test_sound_that_comes_late_is_believed_where_its_reports_are_honest(
    models: Models, genuine: Path, late: float
) -> None:
    made = decisions(models, genuine, late=late)
    assert [d.verdict for d in made if d.verdict in SUSPICIOUS] == []
    assert scored(made) > 20
    assert "paired_by" not in made[-1].scores[0].evidence


@pytest.mark.data
def test_a_dubbed_voice_stays_suspect_in_either_pairing(models: Models, dubbed: Path) -> None:
    made = decisions(models, dubbed, skew=0.9)
    assert made[-1].verdict in SUSPICIOUS
    assert made[-1].reason is Reason.LIPS_DISAGREE_WITH_VOICE
