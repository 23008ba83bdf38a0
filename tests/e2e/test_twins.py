"""Genuine clips of people that the encoders never saw, and their dubbed twins; and what loss does to a genuine one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

from monitor.session.clip import scan
from monitor.session.models import Models, load_models
from monitor.session.session import Session
from monitor.tap.replay import read_clip
from monitor.types import SAMPLE_RATE_HZ, AudioBlock, FloatArray, MediaItem, ParticipantKey, Reason, TrackFault, Verdict
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


def displaced(items: Iterable[MediaItem], late: Callable[[FloatArray], FloatArray]) -> list[MediaItem]:
    """A clip whose sound of second t is that of second t - late(t)."""
    known = list(items)
    blocks = [item for item in known if isinstance(item, AudioBlock)]
    sound = np.concatenate([block.samples for block in blocks])
    at = (np.arange(len(sound)) / SAMPLE_RATE_HZ).astype(np.float32)
    moved = sound[np.clip(np.rint((at - late(at)) * SAMPLE_RATE_HZ).astype(int), 0, len(sound) - 1)]
    pieces = iter(np.split(moved, np.cumsum([len(block.samples) for block in blocks])[:-1]))
    return [replace(item, samples=next(pieces)) if isinstance(item, AudioBlock) else item for item in known]


def wandering(at: FloatArray) -> FloatArray:
    """Up to 320 ms early or late, somewhere else every two seconds."""
    places = np.array([0.0, 0.28, -0.2, 0.16, -0.32, 0.32, -0.08, 0.24, -0.28, 0.12, 0.3, -0.16], np.float32)
    return np.asarray(places[(at // 2).astype(int) % len(places)], np.float32)


@pytest.mark.data
@pytest.mark.parametrize("clip", GENUINE)
@pytest.mark.parametrize("skew", [-0.4, 0.4])
def test_a_constant_skew_does_not_change_the_verdict(
    data_dir: Path, models: Models, monkeypatch: pytest.MonkeyPatch, clip: str, skew: float
) -> None:
    straight = scan(data_dir / "clips/real" / clip, models)
    monkeypatch.setattr(
        "monitor.session.clip.read_clip",
        lambda path, **kwargs: displaced(read_clip(path, **kwargs), lambda at: at * 0 + skew),
    )
    skewed = scan(data_dir / "clips/real" / clip, models)
    assert (skewed.verdict, skewed.reason) == (straight.verdict, straight.reason)
    found = [c.scores[0].evidence["accumulated"]["best_offset_ms"] for c in (straight, skewed)]
    assert abs(found[1] - found[0] - 1000 * skew) <= 40


@pytest.mark.data
@pytest.mark.parametrize("clip", GENUINE)
def test_an_offset_that_wanders_makes_a_clip_suspect(
    data_dir: Path, models: Models, monkeypatch: pytest.MonkeyPatch, clip: str
) -> None:
    monkeypatch.setattr(
        "monitor.session.clip.read_clip", lambda path, **kwargs: displaced(read_clip(path, **kwargs), wandering)
    )
    found = scan(data_dir / "clips/real" / clip, models)
    assert found.verdict in (Verdict.SUSPECT, Verdict.ALERT)
    assert found.reason is Reason.LIPS_DISAGREE_WITH_VOICE


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
