"""A genuine person who mutes for a while, in which RTP time stands still, is judged again soon, and rightly."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.session.models import Models, load_models
from monitor.tap.replay import read_clip
from monitor.types import Reason, TrackKind, Verdict
from tests.e2e.media import marry
from tests.e2e.over_rtp import Mute, judged, sent
from tests.e2e.test_twins import GENUINE

SECONDS = 32
MUTE_SECONDS = (8.0, 18.0)
JUDGED_AGAIN_SECONDS = 5.0


@pytest.fixture(scope="module")
def models() -> Models:
    return load_models()


@pytest.mark.data
@pytest.mark.parametrize("kind", ["audio", "video"])
def test_after_a_mute_of_ten_seconds(data_dir: Path, models: Models, tmp_path: Path, kind: TrackKind) -> None:
    clip, long = data_dir / "clips/real" / GENUINE[0], tmp_path / "long.mp4"
    marry(clip, clip, SECONDS, long)
    decisions = judged(models, sent(read_clip(long), SECONDS, mute=Mute(kind, *MUTE_SECONDS)))
    assert [d.verdict for _, d in decisions if d.verdict in (Verdict.SUSPECT, Verdict.ALERT)] == []
    muted = {d.reason for at, d in decisions if MUTE_SECONDS[0] + 6.0 < at < MUTE_SECONDS[1]}
    assert muted == {Reason.NO_AUDIO if kind == "audio" else Reason.NO_VIDEO}
    again = [d for at, d in decisions if at > MUTE_SECONDS[1] + JUDGED_AGAIN_SECONDS]
    assert len(again) > 12
    assert all(d.scores[0].value is not None for d in again), [d.reason for d in again]
