"""Sender reports that put the tracks apart although the media are in step, and media apart whose reports are honest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.decision.decide import Decision
from monitor.session.models import Models, load_models
from monitor.session.session import Session
from monitor.tap.media.clock import CLOCK_RATES_HZ, CallClock
from monitor.tap.replay import read_clip
from monitor.types import AudioBlock, ClockState, MediaItem, ParticipantKey, Reason, TrackFault, TrackKind, Verdict
from tests.e2e.media import marry
from tests.e2e.test_twins import GENUINE, VOICE
from tests.monitor.tap.media.senders import EPOCH

SECONDS = 30
SSRC: dict[TrackKind, int] = {"audio": 1, "video": 2}
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
    marry(clips / GENUINE[0], clips / VOICE, SECONDS, target)
    return target


def sent(items: Iterable[MediaItem], skew: float = 0.0, late: float = 0.0) -> Iterator[MediaItem]:
    """A clip as it comes over RTP: the reports of the sound say `skew` seconds more, all of the sound comes `late`."""
    clock, placed = CallClock(), list[tuple[float, int, MediaItem | TrackKind]]()
    for n, item in enumerate(items):
        assert not isinstance(item, TrackFault)
        delay = 0.05 + (late if isinstance(item, AudioBlock) else 0.0)
        placed.append((item.stamp.capture + delay, n, item))
    for second in range(SECONDS):
        placed += [(second + 0.3 + n / 10, -1 - n, kind) for n, kind in enumerate(SSRC)]
    for arrival, _, what in sorted(placed, key=lambda entry: entry[:2]):
        if isinstance(what, str):
            ntp = EPOCH + arrival + (skew if what == "audio" else 0.0)
            clock.sender_report(what, ntp, round(arrival * CLOCK_RATES_HZ[what]), arrival, SSRC[what])
        elif not isinstance(what, TrackFault):
            kind: TrackKind = "audio" if isinstance(what, AudioBlock) else "video"
            rtp = round(what.stamp.capture * CLOCK_RATES_HZ[kind])
            yield replace(what, stamp=clock.stamp(kind, rtp, arrival, SSRC[kind]))


def judged(models: Models, items: Iterable[MediaItem]) -> list[Decision]:
    """Every decision on a participant."""
    session, decisions, mapped = Session(ParticipantKey("call", "ann"), models), list[Decision](), 0
    for item in items:
        assert not isinstance(item, TrackFault)
        report = session.tick(item.stamp.arrival)
        decisions += [report.decision] if report else []
        mapped += item.stamp.state is ClockState.MAPPED
        session.push(item)
    assert mapped > 1000
    return decisions


@pytest.fixture(scope="module")
def straight(models: Models, genuine: Path) -> list[Decision]:
    return judged(models, sent(read_clip(genuine)))


def scored(decisions: list[Decision]) -> int:
    return sum(decision.scores[0].value is not None for decision in decisions)


@pytest.mark.data
@pytest.mark.parametrize("skew", [-0.9, 1.9])
def test_reports_apart_accuse_nobody_whose_media_are_in_step(models: Models, genuine: Path, skew: float) -> None:
    decisions = judged(models, sent(read_clip(genuine), skew=skew))
    assert [d.verdict for d in decisions if d.verdict in SUSPICIOUS] == []
    assert scored(decisions) > 20
    assert decisions[-1].scores[0].evidence["paired_by"] == "arrival"


@pytest.mark.data
@pytest.mark.parametrize("skew", [-0.4, 0.4])
def test_a_skew_that_is_searched_is_judged_as_none(
    models: Models, genuine: Path, straight: list[Decision], skew: float
) -> None:
    skewed = judged(models, sent(read_clip(genuine), skew=skew))
    assert (skewed[-1].verdict, skewed[-1].reason) == (straight[-1].verdict, straight[-1].reason)
    assert abs(scored(skewed) - scored(straight)) <= 4


@pytest.mark.data
@pytest.mark.parametrize("late", [1.2])
def test_sound_that_comes_late_is_believed_where_its_reports_are_honest(
    models: Models, genuine: Path, late: float
) -> None:
    decisions = judged(models, sent(read_clip(genuine), late=late))
    assert [d.verdict for d in decisions if d.verdict in SUSPICIOUS] == []
    assert scored(decisions) > 20
    assert "paired_by" not in decisions[-1].scores[0].evidence


@pytest.mark.data
def test_a_dubbed_voice_stays_suspect_in_either_pairing(models: Models, dubbed: Path) -> None:
    decisions = judged(models, sent(read_clip(dubbed), skew=0.9))
    assert decisions[-1].verdict in SUSPICIOUS
    assert decisions[-1].reason is Reason.LIPS_DISAGREE_WITH_VOICE
