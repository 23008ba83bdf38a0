"""Stills with a voice, and others who speak, are never held against anybody; whoever speaks is judged as ever."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import cycle, islice, takewhile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monitor.decision.report import HopReport
from monitor.lab.corpus.speech_features import Change
from monitor.lab.distortions.low_bitrate import LowBitrateCall
from monitor.lab.distortions.stills import Still
from monitor.lab.evaluate.stillness import Dim, HalfRate
from monitor.session.models import Models, load_models
from monitor.session.session import Session
from monitor.tap.replay import read_clip
from monitor.types import (
    AudioBlock,
    ByteArray,
    MediaItem,
    ParticipantKey,
    Reason,
    Score,
    TrackFault,
    Verdict,
    VideoFrame,
)
from tests.monitor.frames import frame

SPEAKER = "clips/real/EDTalk__pose_source2.mp4"
LISTENER = "clips/real/LivePortrait__d9.mp4"
FPS = 25
# What `make test` hears of the speaker, at most.
HEARD_SECONDS = 16

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def models() -> Models:
    return load_models()


@pytest.fixture(scope="module")
def speech(data_dir: Path) -> list[MediaItem]:
    """As much as any test here hears of one person who speaks without a pause."""
    return first(read_clip(data_dir / SPEAKER), HEARD_SECONDS)


@pytest.fixture(scope="module")
def listener(data_dir: Path) -> list[ByteArray]:
    """Luma of somebody who listens, and moves."""
    return [item.y for item in read_clip(data_dir / LISTENER) if isinstance(item, VideoFrame)]


def first(items: Iterable[MediaItem], seconds: float) -> list[MediaItem]:
    return list(takewhile(lambda item: isinstance(item, TrackFault) or item.stamp.media < seconds, items))


def reports_of(
    models: Models, items: Iterator[MediaItem] | Sequence[MediaItem], light: bool = False
) -> list[HopReport]:
    session, reports = Session(ParticipantKey("call", "ann"), models), list[HopReport | None]()
    session.lighten(light)
    for item in items:
        assert isinstance(item, VideoFrame | AudioBlock)
        reports.append(session.tick(item.stamp.arrival))
        session.push(item)
    return [report for report in reports if report is not None]


def lips(reports: Sequence[HopReport], since: float = 5.6, until: float = np.inf) -> list[Score]:
    """What synchrony says at the hops between two moments of the call, the first of which is past warming up."""
    start = reports[0].now
    return [r.decision.scores[0] for r in reports if since <= r.now - start <= until]


@pytest.mark.parametrize(
    ("kind", "reasons"),
    [
        ("frozen", {Reason.PICTURE_FROZEN}),
        # In `make test` it is the still within a call below.
        pytest.param("noisy", {Reason.PICTURE_FROZEN}, marks=pytest.mark.long),
        ("hand", {Reason.STILL_MOUTH}),
        # What moves a still evenly is one kind: `make test` has the zoom below, where it is judged lightly.
        pytest.param("zoom", {Reason.STILL_MOUTH}, marks=pytest.mark.long),
        pytest.param("pan", {Reason.STILL_MOUTH}, marks=pytest.mark.long),
        ("flicker", {Reason.STILL_MOUTH, Reason.PICTURE_FROZEN}),
    ],
)
def test_a_still_with_its_own_voice_is_no_evidence(
    models: Models, speech: list[MediaItem], kind: str, reasons: set[Reason]
) -> None:
    reports = reports_of(models, Still(kind)(first(speech, 9.1)))
    assert {(score.value, score.reason) for score in lips(reports)} <= {(None, reason) for reason in reasons}
    assert len(lips(reports)) > 5
    last = reports[-1].decision
    assert (last.verdict, last.reason in reasons) == (Verdict.INCONCLUSIVE, True)
    assert last.statistic <= 1


@pytest.mark.parametrize("kind", [pytest.param("hand", marks=pytest.mark.long), "zoom"])
def test_nor_where_it_is_judged_lightly(models: Models, speech: list[MediaItem], kind: str) -> None:
    """Landmarks that are found further apart tremble no more: the face is looked for where it is by then."""
    scores = lips(reports_of(models, Still(kind)(first(speech, 8.6)), light=True))
    assert len(scores) > 4
    assert {(score.value, score.reason) for score in scores} == {(None, Reason.STILL_MOUTH)}


def test_whoever_speaks_is_judged_lightly_as_well(models: Models, speech: list[MediaItem]) -> None:
    scores = lips(reports_of(models, first(speech, 8.6), light=True))
    assert len(scores) > 4
    assert [score.reason for score in scores if score.value is None] == []


# In `make test` the freeze below is compared with the plain clip, and a worse picture stands for a darker one.
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(None, marks=pytest.mark.long, id="plain"),
        pytest.param(LowBitrateCall(), id="crf 40"),
        pytest.param(HalfRate(), id="15 fps"),
        pytest.param(Dim(), marks=pytest.mark.long, id="dim"),
    ],
)
def test_whoever_speaks_is_judged_at_every_hop(models: Models, speech: list[MediaItem], change: Change | None) -> None:
    items = first(speech, 8.6)
    scores = lips(reports_of(models, change(items) if change else items))
    assert len(scores) > 4
    assert [score.reason for score in scores if score.value is None] == []


def test_a_still_within_a_call_is_set_aside_and_the_call_goes_on(models: Models, speech: list[MediaItem]) -> None:
    reports = reports_of(models, Still("noisy", start=6, seconds=5)(first(speech, 15.2)))
    assert all(score.value is not None for score in lips(reports, until=7.5))
    assert {score.reason for score in lips(reports, 9.9, 11)} == {Reason.PICTURE_FROZEN}
    # Two seconds of speech, and what the encoder holds back.
    after = lips(reports, 14.2)
    assert after
    assert all(score.value is not None for score in after)


def test_a_short_freeze_leaves_the_window_to_the_rest(models: Models, speech: list[MediaItem]) -> None:
    items = first(speech, 11)
    whole = lips(reports_of(models, items))
    frozen = lips(reports_of(models, Still("frozen", start=6, seconds=2)(items)))
    assert [score.reason for score in (*whole, *frozen) if score.value is None] == []
    lost = [f.evidence["speech_seconds"] - w.evidence["speech_seconds"] for w, f in zip(whole, frozen, strict=True)]
    assert -2.4 < min(lost) < -1.2
    assert max(f.value - w.value for w, f in zip(whole, frozen, strict=True) if f.value and w.value) < 0.15


def test_looks_of_a_standing_picture_are_shown_to_nobody(models: Models, speech: list[MediaItem]) -> None:
    """A detector that compares faces would take one look for many; it is told why there is none."""
    seen: list[bool] = []
    key = ParticipantKey("call", "ann", "ann")
    session = Session(key, models, observer=lambda frame, view, crowded: seen.append(view is not None))
    reports = []
    for item in Still("frozen", start=1)(first(speech, 4)):
        assert isinstance(item, VideoFrame | AudioBlock)
        reports.append(session.tick(item.stamp.arrival))
        session.push(item)
    assert all(seen[:33])
    assert not any(seen[45:])
    last = [report for report in reports if report is not None][-1]
    assert last.decision.scores[1].reason is Reason.PICTURE_FROZEN


def resized(plane: ByteArray, height: int) -> ByteArray:
    width = round(plane.shape[1] * height / plane.shape[0])
    return np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.LANCZOS))


def together(near: Iterator[ByteArray], far: Iterator[ByteArray], far_height: int) -> Iterator[ByteArray]:
    """One person large on the left, another small on the right."""
    for large, small in zip(near, far, strict=False):
        canvas = np.full((480, 800), 90, np.uint8)
        pieces = (resized(large, 480), 0, 0), (resized(small, far_height), 560, 120)
        for piece, x, y in pieces:
            canvas[y : y + piece.shape[0], x : x + piece.shape[1]] = piece[:, : 800 - x]
        yield canvas


def heard(pictures: Iterator[ByteArray], items: Sequence[MediaItem]) -> Iterator[MediaItem]:
    """The items with other pictures."""
    for item in items:
        if isinstance(item, VideoFrame):
            yield frame(next(pictures), item.stamp.media)
        else:
            yield item


@pytest.fixture(scope="module")
def beside(
    models: Models, speech: list[MediaItem], listener: list[ByteArray], data_dir: Path
) -> Callable[[int, float], list[HopReport]]:
    """A large listener beside a small speaker, whose voice is heard."""

    def judged(far_height: int, seconds: float) -> list[HopReport]:
        items = speech if seconds <= HEARD_SECONDS else first(read_clip(data_dir / SPEAKER), seconds)
        far = iter([item.y for item in items if isinstance(item, VideoFrame)])
        return reports_of(models, heard(together(cycle(listener), far, far_height), items))

    return judged


@pytest.mark.parametrize(
    ("far_height", "seconds"),
    [
        (200, HEARD_SECONDS),
        pytest.param(200, 45, marks=pytest.mark.long),
        pytest.param(120, 45, marks=pytest.mark.long),
    ],
)
def test_a_listener_is_not_accused_of_the_voice_behind(
    beside: Callable[[int, float], list[HopReport]], far_height: int, seconds: float
) -> None:
    reports = beside(far_height, seconds)
    assert {report.decision.verdict for report in reports} == {Verdict.INCONCLUSIVE}
    reasons = [score.reason for score in lips(reports, 10)]
    assert len(reasons) >= 10
    assert reasons.count(Reason.SEVERAL_FACES) > 0.9 * len(reasons)


def test_a_poster_behind_a_speaker_keeps_nobody_from_being_judged(
    models: Models, speech: list[MediaItem], listener: list[ByteArray]
) -> None:
    items = first(speech, 9.1)
    near = iter([item.y for item in items if isinstance(item, VideoFrame)])
    rng = np.random.default_rng(0)
    poster = (
        np.asarray(np.clip(listener[0] + rng.normal(0, 3, listener[0].shape), 0, 255), np.uint8) for _ in cycle([0])
    )
    reports = reports_of(models, heard(together(near, poster, 200), items))
    scores = lips(reports)
    assert len(scores) > 5
    assert [score.reason for score in scores if score.value is None] == []


def test_somebody_who_spoke_and_left_is_forgotten_with_the_window(
    models: Models, speech: list[MediaItem], listener: list[ByteArray]
) -> None:
    items = first(speech, 15.6)
    voices = [item.y for item in items if isinstance(item, VideoFrame)]
    nobody = np.full_like(voices[0], 90)
    far = iter([resized(plane, 256) for plane in islice(cycle(voices[225:]), 9 * FPS)] + [nobody] * 9 * FPS)
    reports = reports_of(models, heard(together(iter(voices), far, 200), items))
    assert {score.reason for score in lips(reports, 7, 9)} == {Reason.SEVERAL_FACES}
    alone = lips(reports, 13)
    assert len(alone) > 2
    assert all(score.value is not None for score in alone)
