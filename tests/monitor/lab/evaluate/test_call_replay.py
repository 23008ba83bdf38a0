"""Calls replayed in virtual time: what is counted, and that what is done is kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from engines.base import MODELS, EngineError
from monitor.decision.decide import DecisionConfig
from monitor.detectors.synchrony.entry import LIPS, VOICE
from monitor.lab.corpus.manifest import Row
from monitor.lab.corpus.stitched_calls import VirtualCall, calls_of
from monitor.lab.evaluate.call_replay import replay, run_calls
from monitor.session.models import load_models
from monitor.session.session import SessionConfig
from tests.engines import packs
from tests.monitor.tap.clips import write_clip

CLIPS = {"ann": "clips/real/LivePortrait__d20.mp4", "bob": "clips/real/deep_avsr__00024.mp4"}


def row(path: Path, subject: str = "ann") -> Row:
    return Row(path, path.name, "real", "real", subject)


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of flashes and beeps: nobody is there."""
    return write_clip(tmp_path_factory.mktemp("clips") / "bars.mkv", seconds=3.0, audio="pcm_s16le")


def test_a_call_without_a_face_abstains_from_end_to_end(bars: Path) -> None:
    (call,) = calls_of([row(bars)], 9.0)
    outcome = replay(call, load_models(), SessionConfig())
    assert (outcome.name, outcome.label, outcome.judged, outcome.opened) == ("genuine/ann", "real", 0, ())
    assert outcome.seconds == pytest.approx(9.0, abs=0.1)
    assert outcome.distinct == pytest.approx(3.0, abs=0.1)
    assert outcome.abstained == sum(outcome.reasons.values()) == 17
    assert "no_face" in outcome.reasons
    assert outcome.first_alert is None


def test_a_call_of_nothing_has_no_seconds(tmp_path: Path) -> None:
    call = VirtualCall("x/ann", "fake", "x", "ann", (row(tmp_path / "absent.mp4"),), 9.0)
    outcome = replay(call, load_models(), SessionConfig())
    assert (outcome.seconds, outcome.judged, outcome.abstained) == (0.0, 0, 0)


@pytest.mark.data
def test_a_dubbed_call_raises_a_finding(data_dir: Path) -> None:
    genuine = [row(data_dir / clip, who) for who, clip in CLIPS.items()]
    (call, *_) = (call for call in calls_of(genuine, 20.0, dubs=True) if call.voice)
    # Many an hour allowed, so that the test is short: at the default an alert takes most of a minute.
    outcome = replay(call, load_models(), SessionConfig(DecisionConfig(false_alerts_per_hour=60.0)))
    assert 5.0 < (outcome.first_alert or 0.0) <= outcome.seconds
    assert outcome.judged > outcome.abstained


def test_calls_are_replayed_in_parallel_and_once(bars: Path, tmp_path: Path) -> None:
    calls = calls_of([row(bars), row(bars, "bob")], 4.0)
    kept, ticks = tmp_path / "live.jsonl", list[str | None]()
    absent = VirtualCall("x/eve", "fake", "x", "eve", (row(tmp_path / "absent.mp4"),), 4.0)
    first = run_calls([(MODELS, calls[:1])], kept, 1, ticks.append)
    assert len(kept.read_text().splitlines()) == 1
    both = run_calls([(MODELS, [*calls, absent])], kept, 2, ticks.append)
    assert both[:1] == first
    assert [outcome.subject for outcome in both] == ["ann", "bob", "eve"]
    assert len(kept.read_text().splitlines()) == 3
    before = kept.read_bytes()
    assert run_calls([(MODELS, [*calls, absent])], kept, 1, ticks.append) == both
    assert kept.read_bytes() == before
    assert ticks == [None] * 7


def test_packs_without_a_calibration_are_refused_before_anything_is_replayed(bars: Path, tmp_path: Path) -> None:
    for name in (LIPS, VOICE):
        shutil.copytree(MODELS / name, tmp_path / name)
    packs.take(tmp_path / LIPS / "calibration.json")
    with pytest.raises(EngineError, match="train calibration"):
        run_calls([(tmp_path, calls_of([row(bars)], 4.0))], tmp_path / "live.jsonl", 1, lambda _: None)
