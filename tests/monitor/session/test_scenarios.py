"""What people do before a camera that nobody can judge: the state is inconclusive, and the reason says what it is.

The face and the voice are a research clip; what is done to them is made here. Dubs are in `tests/e2e/test_twins.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from monitor.decision.report import HopReport
from monitor.session.models import Models, load_models
from monitor.session.session import Session
from monitor.tap.replay import read_clip
from monitor.types import (
    SAMPLE_RATE_HZ,
    AudioBlock,
    ByteArray,
    FloatArray,
    MediaItem,
    ParticipantKey,
    Reason,
    TrackFault,
    Verdict,
    VideoFrame,
)
from tests.e2e.test_twins import GENUINE
from tests.monitor.session.test_session import mixed

pytestmark = pytest.mark.data
SECONDS = 8.0
Change = Callable[[list[MediaItem]], Iterable[MediaItem]]


@pytest.fixture(scope="module")
def models() -> Models:
    return load_models()


@pytest.fixture(scope="module")
def genuine(data_dir: Path) -> list[MediaItem]:
    """A person who speaks, at 12.5 pictures a second."""
    items = [item for item in read_clip(data_dir / "clips/real" / GENUINE[0]) if at(item) < SECONDS]
    shown = [item for item in items if isinstance(item, VideoFrame)][::2]
    return mixed(iter(shown), iter([item for item in items if isinstance(item, AudioBlock)]))


def at(item: MediaItem) -> float:
    return item.arrival if isinstance(item, TrackFault) else item.stamp.arrival


def judged(models: Models, items: Iterable[MediaItem]) -> list[HopReport]:
    session, reports = Session(ParticipantKey("call", "ann"), models), list[HopReport | None]()
    for item in items:
        reports.append(session.tick(at(item)))
        session.push(item)
    return [report for report in reports if report is not None]


def shown(change: Callable[[ByteArray, float], ByteArray]) -> Change:
    """Change the brightness of every picture, given the time."""

    def changed(items: list[MediaItem]) -> Iterable[MediaItem]:
        for item in items:
            if isinstance(item, VideoFrame):
                yield VideoFrame(item.stamp, change(item.y, at(item)), *_grey(item), item.full_range)
            else:
                yield item

    return changed


def _grey(item: VideoFrame) -> tuple[ByteArray, ByteArray]:
    return np.full_like(item.u, 128), np.full_like(item.v, 128)


def heard(change: Callable[[FloatArray], FloatArray]) -> Change:
    """Change all of the sound at once."""

    def changed(items: list[MediaItem]) -> Iterable[MediaItem]:
        blocks = [item for item in items if isinstance(item, AudioBlock)]
        whole = change(np.concatenate([item.samples for item in blocks]))
        pieces = iter(np.split(whole, np.cumsum([item.samples.size for item in blocks])[:-1]))
        for item in items:
            yield replace(item, samples=next(pieces)) if isinstance(item, AudioBlock) else item

    return changed


def covered(luma: ByteArray, _: float) -> ByteArray:
    """A lens cap, with the noise of the sensor."""
    return np.random.default_rng(0).integers(16, 20, luma.shape).astype(np.uint8)


def masked(luma: ByteArray, _: float) -> ByteArray:
    """The lower half of the picture covered evenly, as by a surgical mask that hides the mouth."""
    made = luma.copy()
    made[luma.shape[0] // 2 :] = 200
    return made


def drawn(luma: ByteArray, now: float) -> ByteArray:
    """An avatar: a disc with two eyes and a mouth that opens and closes."""
    height, width = luma.shape
    y, x = np.mgrid[:height, :width] / max(height, width)
    made = np.full(luma.shape, 60, np.uint8)
    made[np.hypot(x - 0.5, y - 0.5) < 0.3] = 170
    for side in (-0.1, 0.1):
        made[np.hypot(x - 0.5 - side, y - 0.42) < 0.03] = 20
    made[np.hypot((x - 0.5) / 3, y - 0.62) < 0.01 + 0.01 * abs(np.sin(6 * now))] = 20
    return made


def suppressed(samples: FloatArray) -> FloatArray:
    """Noise suppression at its hardest: everything below a tenth of the loudest is silence, in steps of 20 ms."""
    made, size = samples.copy(), SAMPLE_RATE_HZ // 50
    frames = made[: len(made) // size * size].reshape(-1, size)
    loud = np.sqrt((frames**2).mean(axis=1))
    frames[loud < 0.1 * loud.max()] = 0.0
    return made


def photo(items: list[MediaItem]) -> Iterable[MediaItem]:
    """One picture of a person over and over, and their voice."""
    first = next(item for item in items if isinstance(item, VideoFrame))
    for item in items:
        yield replace(first, stamp=item.stamp) if isinstance(item, VideoFrame) else item


def muted(items: list[MediaItem]) -> Iterable[MediaItem]:
    return (item for item in items if isinstance(item, VideoFrame))


def without_camera(items: list[MediaItem]) -> Iterable[MediaItem]:
    return (item for item in items if isinstance(item, AudioBlock))


def beside(items: list[MediaItem]) -> Iterable[MediaItem]:
    """Two people of the same size."""
    for item in items:
        if isinstance(item, VideoFrame):
            y, u, v = (np.concatenate([plane, plane], axis=1) for plane in (item.y, item.u, item.v))
            yield VideoFrame(item.stamp, y, u, v, item.full_range)
        else:
            yield item


SCENARIOS: dict[str, tuple[Change, set[Reason]]] = {
    "camera off": (without_camera, {Reason.NO_VIDEO}),
    "lens covered": (shown(covered), {Reason.NO_FACE}),
    "mouth masked": (shown(masked), {Reason.NO_FACE, Reason.STILL_MOUTH, Reason.LOW_QUALITY, Reason.PICTURE_FROZEN}),
    "photograph": (photo, {Reason.PICTURE_FROZEN}),
    "two people": (beside, {Reason.SEVERAL_FACES}),
    "muted": (muted, {Reason.NO_AUDIO}),
    "silent": (heard(np.zeros_like), {Reason.SILENCE, Reason.NO_SPEECH}),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_nobody_can_judge_is_inconclusive_and_says_why(
    models: Models, genuine: list[MediaItem], name: str
) -> None:
    change, expected = SCENARIOS[name]
    reports = judged(models, change(genuine))
    assert {report.decision.verdict for report in reports} == {Verdict.INCONCLUSIVE}
    assert {report.decision.reason for report in reports if report.now > 6.0} <= expected
    # Not only does nobody accuse: nobody has looked at what cannot be seen.
    assert all(report.decision.scores[0].value is None for report in reports if report.now > 6.0)


def test_an_avatar_is_no_person_that_is_cleared(models: Models, genuine: list[MediaItem]) -> None:
    """It may pass for a face; its mouth is then held against the voice, as anybody's is."""
    reports = judged(models, shown(drawn)(genuine))
    allowed = {
        Verdict.INCONCLUSIVE: {Reason.WARMING_UP, Reason.NO_FACE, Reason.STILL_MOUTH, Reason.NOT_ENROLLED},
        Verdict.SUSPECT: {Reason.LIPS_DISAGREE_WITH_VOICE},
        Verdict.ALERT: {Reason.LIPS_DISAGREE_WITH_VOICE},
    }
    assert [r.decision for r in reports if r.decision.reason not in allowed.get(r.decision.verdict, set())] == []


def test_noise_suppression_accuses_nobody(models: Models, genuine: list[MediaItem]) -> None:
    reports = judged(models, heard(suppressed)(genuine))
    assert {report.decision.verdict for report in reports} == {Verdict.INCONCLUSIVE}
    assert None not in {report.decision.reason for report in reports}


def test_nothing_of_this_is_ever_bona_fide_without_a_claim(models: Models, genuine: list[MediaItem]) -> None:
    """Agreement of lips and voice alone clears nobody, however genuine."""
    reports = judged(models, genuine)
    assert sum(report.decision.scores[0].value is not None for report in reports) >= 5
    assert {report.decision.verdict for report in reports} == {Verdict.INCONCLUSIVE}
    assert reports[-1].decision.reason is Reason.NOT_ENROLLED
