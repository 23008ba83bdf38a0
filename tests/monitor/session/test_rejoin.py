"""A dub of genuine media, in one publication and in pieces of 20 s under one name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from monitor.decision.decide import Transition
from monitor.decision.report import HopReport
from monitor.host.departed import Departed, Memory
from monitor.session.models import Models, load_models
from monitor.session.session import Session
from monitor.tap.replay import read_clip
from monitor.types import AudioBlock, ParticipantKey, VideoFrame
from tests.monitor.frames import stamp

SPEAKER = "clips/real/EDTalk__pose_source2.mp4"
KEY = ParticipantKey("call", "ann")
SECONDS, LATE_SECONDS = 60.0, (23.0, 37.0)
# Pieces too short for a finding of their own.
ONE, PIECES = (0.0, 80.0), tuple(6.0 * n for n in range(14))

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def models() -> Models:
    return load_models()


@pytest.fixture(scope="module")
def clip(data_dir: Path) -> list[VideoFrame | AudioBlock]:
    """Somebody who speaks, at 12.5 pictures a second."""
    items = [item for item in read_clip(data_dir / SPEAKER) if isinstance(item, VideoFrame | AudioBlock)]
    shown = [item for item in items if isinstance(item, VideoFrame)][::2]
    heard = [item for item in items if isinstance(item, AudioBlock)]
    both: list[VideoFrame | AudioBlock] = [*shown, *heard]
    return [item for item in both if item.stamp.media < SECONDS]


def moved(
    clip: Sequence[VideoFrame | AudioBlock], voice_late: float, begin: float = 0.0
) -> list[VideoFrame | AudioBlock]:
    """The clip from `begin` seconds on with the voice of another of its moments."""
    late = {VideoFrame: 0.0, AudioBlock: voice_late}
    items = [replace(item, stamp=stamp(begin + (item.stamp.media + late[type(item)]) % SECONDS)) for item in clip]
    return sorted(items, key=lambda item: item.stamp.arrival)


def published(
    models: Models,
    items: Sequence[VideoFrame | AudioBlock],
    cuts: Sequence[float],
    seconds: float = 600.0,
) -> Iterator[HopReport]:
    """What is decided of media that are published from cut to cut, with what is remembered from one to the next."""
    memory = Memory(seconds)
    for begin, end in pairwise(cuts):
        session = Session(KEY, models)
        memory, past = memory.expire(begin)[0].join(KEY, begin)
        if past.state is not None:
            session.resume(past.state, past.memories)
        for item in items:
            if begin <= item.stamp.arrival < end:
                report = session.tick(item.stamp.arrival)
                session.push(item)
                if report is not None:
                    yield report
        left = Departed(KEY, end, "ended", session.evidence, None, past.joins, session.memories)
        memory, _ = memory.put(left)


def judged_until_alert(reports: Iterator[HopReport], most: float = float("inf")) -> int | None:
    """How many hops were judged until there was an alert; None where there was none, or not within so many."""
    judged = 0
    for report in reports:
        judged += any(score.p_value is not None for score in report.decision.scores)
        if report.decision.transition is Transition.OPENED:
            return judged
        if judged > most:
            return None
    return None


def test_a_dub_in_pieces_alerts_on_hardly_more_judged_media_than_in_one(
    models: Models, clip: list[VideoFrame | AudioBlock]
) -> None:
    dub = [*moved(clip, LATE_SECONDS[0]), *moved(clip, LATE_SECONDS[1], SECONDS)]
    whole = judged_until_alert(published(models, dub, ONE))
    pieces = judged_until_alert(published(models, dub, PIECES))
    assert whole is not None
    assert pieces is not None
    # By where cuts and voices fall a join costs up to 2.4 hops (five dubs, whatever the cadence of landmarks).
    assert pieces <= whole + 2.5 * (len(PIECES) - 1)
    # Where nothing is remembered every piece begins anew.
    forgotten = judged_until_alert(published(models, dub, PIECES, seconds=0.0), most=pieces)
    assert forgotten is None or forgotten > pieces


def test_the_same_person_with_their_own_voice_is_not_accused_for_coming_and_going(
    models: Models, clip: list[VideoFrame | AudioBlock]
) -> None:
    assert judged_until_alert(published(models, moved(clip, 0.0), PIECES[:4])) is None
