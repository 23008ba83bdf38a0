"""Genuine clips of people that the encoders never saw, and their dubbed twins: the verdicts differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.models import Models, load_models
from monitor.scan import scan
from monitor.types import Reason, Verdict
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
