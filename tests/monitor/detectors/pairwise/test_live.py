"""The live side of comparing: shots in, a word each hop; nothing is computed for nobody, nor counted twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from monitor.detectors.pairwise.live import PENDING, START_SECONDS, FaceSide, abstain
from monitor.detectors.reference import Reference
from monitor.face.geometry import SHAPE_SIZE, Pose, canonical
from monitor.face.quality import FaceQuality
from monitor.face.shot import FaceShot
from monitor.face.track import FaceView
from monitor.face.vectors import FaceVectors
from monitor.session.models import Models
from monitor.types import Reason, Score
from tests.monitor import people
from tests.monitor.frames import frame, moved
from tests.monitor.waiting import Waiting

PICTURE = frame(np.zeros((480, 640), np.uint8))


@dataclass
class Encoders:
    """Gives made-up vectors of one person, at the times of the shots, and counts what it was asked."""

    person: int = 0
    key: str = people.KEY
    batches: list[int] = field(default_factory=list)

    def __call__(self, shots: Sequence[FaceShot]) -> FaceVectors:
        self.batches.append(len(shots))
        made = people.looks(len(shots), self.person, seed=sum(self.batches))
        return replace(made, time=np.array([shot.time for shot in shots]))


def view(at: float, good: bool = True) -> FaceView:
    pose = Pose(80.0, np.eye(3, dtype=np.float32), np.array([320, 240, 0], np.float32))
    quality = FaceQuality(200.0 if good else 20.0, 0.5, 0.0, 0.0, 0.0, 1.0)
    face = np.zeros((224, 224, 3), np.uint8)
    return FaceView(
        1, moved(PICTURE, at).stamp, pose.project(canonical()), pose, np.zeros(SHAPE_SIZE, np.float32),
        np.zeros((36, 36), np.uint8), quality, face,
    )  # fmt: skip


class Desk:
    """A side with what it sees and says."""

    def __init__(self, models: Models, reference: Reference | None, person: int = 0) -> None:
        self.encoders = Encoders(person)
        self.reference = reference
        self.side = FaceSide(replace(models, faces=self.encoders), lambda: self.reference)  # type: ignore[arg-type]
        self.at = 0.0

    def see(self, seconds: float, *, crowded: bool = False, good: bool = True, face: bool = True) -> None:
        for _ in range(round(seconds * 2)):
            self.at += 0.5
            self.side.see(moved(PICTURE, self.at), view(self.at, good) if face else None, crowded)

    def hops(self, seconds: float, suspect: bool = False) -> list[Score]:
        scores = []
        for _ in range(round(seconds * 2)):
            self.see(0.5)
            scores.append(self.side.score(suspect))
        return scores


@pytest.fixture
def models() -> Models:
    unused: Any = None
    return Models(unused, unused, unused, unused, unused, population=people.population())


def test_the_enrolled_person_is_scored_and_another_stands_out(models: Models) -> None:
    reference = people.reference(0)
    same, other = (Desk(models, reference, person).hops(8)[-1] for person in (0, 1))
    assert same.detector == other.detector == "pairwise"
    assert not same.one_sided
    assert (other.p_value or 1.0) < (same.p_value or 0.0)
    assert (other.value or 0.0) > 2 * (same.value or 0.0)
    assert other.cause is Reason.IDENTITY_MISMATCH
    assert set(same.evidence) >= {"identity", "artefact", "within_call", "rung", "worst_pair"}


def test_it_warms_up_until_the_encoders_are_compiled(models: Models) -> None:
    later = Waiting()
    desk = Desk(replace(models, later=later), people.reference())
    assert later.asked
    assert {score.reason for score in desk.hops(8)} == {Reason.WARMING_UP}
    assert desk.encoders.batches == []
    later.there = True
    assert desk.hops(3)[-1].value is not None
    assert desk.encoders.batches[0] == PENDING


def test_it_begins_with_warming_up(models: Models) -> None:
    reasons = [score.reason for score in Desk(models, people.reference()).hops(3)]
    assert reasons[:4] == [Reason.WARMING_UP] * 4
    assert reasons[-1] is None


def test_one_batch_a_hop_and_the_newest_of_too_many(models: Models) -> None:
    desk = Desk(models, people.reference())
    desk.hops(2)
    assert desk.encoders.batches == [1, 1, 1, 1]
    desk.see(20)
    desk.side.score(False)
    assert desk.encoders.batches[-1] == PENDING


def test_only_a_window_is_compared(models: Models) -> None:
    desk = Desk(models, people.reference())
    assert {score.evidence["shots"] for score in desk.hops(20) if score.value is not None} <= set(range(5, 11))


def test_what_was_judged_is_not_judged_again(models: Models) -> None:
    desk = Desk(models, people.reference())
    assert desk.hops(5)[-1].value is not None
    again = desk.side.score(False)
    assert (again.value, again.reason) == (None, Reason.WARMING_UP)


def test_a_face_that_has_gone(models: Models) -> None:
    desk = Desk(models, people.reference())
    assert desk.side.score(False).reason is Reason.WARMING_UP
    desk.hops(5)
    desk.see(6, face=False)
    assert desk.side.score(False).reason is Reason.NO_FACE
    desk.see(6, good=False)
    desk.see(6, crowded=True)
    assert desk.side.score(False).reason is Reason.NO_FACE
    assert sum(desk.encoders.batches) == 10


def test_the_start_is_kept_for_ten_seconds_and_never_compared_with_itself(models: Models) -> None:
    desk = Desk(models, people.reference())
    scores = desk.hops(14)
    assert scores[6].evidence["within_call"] is None
    assert scores[-1].evidence["within_call"] is not None
    start = desk.side._start
    assert start is not None
    assert len(start) == 2 * START_SECONDS
    desk.hops(10)
    assert desk.side._start is start


def test_what_is_suspect_is_no_start(models: Models) -> None:
    desk = Desk(models, people.reference())
    desk.hops(12, suspect=True)
    assert desk.side._start is None
    desk.hops(3)
    assert desk.side._start is not None


def test_a_reference_that_comes_changes_and_goes(models: Models) -> None:
    desk = Desk(models, None)
    nobody = desk.hops(12)[-1]
    assert (nobody.value, nobody.reason) == (None, Reason.NOT_ENROLLED)
    assert nobody.evidence["within_call"] is not None
    desk.reference = people.reference()
    assert desk.hops(0.5)[-1].value is not None
    desk.reference = replace(people.reference(), key="other packs")
    assert desk.hops(0.5)[-1].reason is Reason.REFERENCE_OUTDATED
    desk.reference = None
    assert desk.hops(0.5)[-1].reason is Reason.NOT_ENROLLED


def test_without_packs_a_reference_cannot_be_used(models: Models) -> None:
    assert FaceSide(models, lambda: None).score(False).reason is Reason.NOT_ENROLLED
    assert FaceSide(models, people.reference).score(False).reason is Reason.REFERENCE_OUTDATED


def test_abstaining_is_two_sided() -> None:
    assert abstain(Reason.NO_VIDEO) == Score("pairwise", None, Reason.NO_VIDEO)
