"""The live side of comparing: shots in, a word each hop; nothing is computed for nobody, nor counted twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from monitor.detectors.base import Hop
from monitor.detectors.pairwise.info import INFO
from monitor.detectors.pairwise.live import PENDING_SHOTS, START_SECONDS, LivePairwise
from monitor.detectors.reference import Reference
from monitor.face.geometry import SPEECH_SHAPE_SIZE, Pose, canonical
from monitor.face.quality import FaceQuality
from monitor.face.shot import FaceShot
from monitor.face.track import FaceView
from monitor.face.vectors import FaceVectors
from monitor.session.warm_later import Later
from monitor.types import Aspect, Reason, Score
from monitor.window.window import WindowBuffer
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
        1, moved(PICTURE, at).stamp, pose.project(canonical()), pose, np.zeros(SPEECH_SHAPE_SIZE, np.float32),
        np.zeros((36, 36), np.uint8), quality, face,
    )  # fmt: skip


def hop(reference: Reference | None, suspect: bool = False, obstacle: Reason | None = None) -> Hop:
    window: Any = None
    part = reference.parts["pairwise"] if reference is not None else None
    return Hop(window, face_obstacle=obstacle, suspect=suspect, part=part, enrolled=reference is not None)


class Desk:
    """A live detector with what it sees and says."""

    def __init__(self, reference: Reference | None, person: int = 0, compilation: Later | None = None) -> None:
        self.encoders = Encoders(person)
        self.reference = reference
        encoders: Any = self.encoders
        self.live = LivePairwise(encoders, people.population(), 5.0, compilation or Later())
        self.at = 0.0

    def see(self, seconds: float, *, crowded: bool = False, good: bool = True, face: bool = True) -> None:
        for _ in range(round(seconds * 2)):
            self.at += 0.5
            self.live.observe(moved(PICTURE, self.at), view(self.at, good) if face else None, crowded)

    def score(self, suspect: bool = False) -> Score:
        return INFO.stamp(self.live.score(hop(self.reference, suspect)))

    def hops(self, seconds: float, suspect: bool = False) -> list[Score]:
        scores = []
        for _ in range(round(seconds * 2)):
            self.see(0.5)
            scores.append(self.score(suspect))
        return scores


def test_the_enrolled_person_is_scored_and_another_stands_out() -> None:
    reference = people.reference(0)
    same, other = (Desk(reference, person).hops(8)[-1] for person in (0, 1))
    assert same.detector == other.detector == "pairwise"
    assert not same.one_sided
    assert (other.p_value or 1.0) < (same.p_value or 0.0)
    assert (other.value or 0.0) > 2 * (same.value or 0.0)
    assert other.cause is Reason.IDENTITY_MISMATCH
    assert set(same.evidence) >= {"identity", "artefact", "within_call", "rung", "worst_pair"}


def test_it_warms_up_until_the_encoders_are_compiled() -> None:
    later = Waiting()
    desk = Desk(people.reference(), compilation=later)
    assert later.asked
    assert {score.reason for score in desk.hops(8)} == {Reason.WARMING_UP}
    assert desk.encoders.batches == []
    later.there = True
    assert desk.hops(3)[-1].value is not None
    assert desk.encoders.batches[0] == PENDING_SHOTS


def test_it_begins_with_warming_up() -> None:
    reasons = [score.reason for score in Desk(people.reference()).hops(3)]
    assert reasons[:4] == [Reason.WARMING_UP] * 4
    assert reasons[-1] is None


def test_one_batch_a_hop_and_the_newest_of_too_many() -> None:
    desk = Desk(people.reference())
    desk.hops(2)
    assert desk.encoders.batches == [1, 1, 1, 1]
    desk.see(20)
    desk.score()
    assert desk.encoders.batches[-1] == PENDING_SHOTS


def test_only_a_window_is_compared() -> None:
    desk = Desk(people.reference())
    assert {score.evidence["shots"] for score in desk.hops(20) if score.value is not None} <= set(range(5, 11))


def test_what_was_judged_is_not_judged_again() -> None:
    desk = Desk(people.reference())
    assert desk.hops(5)[-1].value is not None
    again = desk.score()
    assert (again.value, again.reason) == (None, Reason.WARMING_UP)


def test_a_face_that_has_gone() -> None:
    desk = Desk(people.reference())
    assert desk.score().reason is Reason.WARMING_UP
    desk.hops(5)
    desk.see(6, face=False)
    assert desk.score().reason is Reason.NO_FACE
    desk.see(6, good=False)
    desk.see(6, crowded=True)
    assert desk.score().reason is Reason.NO_FACE
    assert sum(desk.encoders.batches) == 10


def test_the_start_is_kept_for_ten_seconds_and_never_compared_with_itself() -> None:
    desk = Desk(people.reference())
    scores = desk.hops(14)
    assert scores[6].evidence["within_call"] is None
    assert scores[-1].evidence["within_call"] is not None
    start = desk.live._start
    assert start is not None
    assert len(start) == 2 * START_SECONDS
    desk.hops(10)
    assert desk.live._start is start


def test_what_is_suspect_is_no_start() -> None:
    desk = Desk(people.reference())
    desk.hops(12, suspect=True)
    assert desk.live._start is None
    desk.hops(3)
    assert desk.live._start is not None


def test_a_reference_that_comes_changes_and_goes() -> None:
    desk = Desk(None)
    nobody = desk.hops(12)[-1]
    assert (nobody.value, nobody.reason) == (None, Reason.NOT_ENROLLED)
    assert nobody.evidence["within_call"] is not None
    desk.reference = people.reference()
    assert desk.hops(0.5)[-1].value is not None
    other = replace(people.face(), key="other packs")
    desk.reference = Reference(people.MADE, (), {"pairwise": other.to_bytes()})
    assert desk.hops(0.5)[-1].reason is Reason.REFERENCE_OUTDATED
    desk.reference = None
    assert desk.hops(0.5)[-1].reason is Reason.NOT_ENROLLED


def test_without_packs_a_reference_cannot_be_used() -> None:
    live = LivePairwise(None, None, 5.0, Later())
    assert live.score(hop(None)).reason is Reason.NOT_ENROLLED
    assert live.score(hop(people.reference())).reason is Reason.REFERENCE_OUTDATED


def test_a_part_that_cannot_be_read_and_one_that_is_not_there_are_outdated() -> None:
    desk = Desk(Reference(people.MADE, (), {"pairwise": b"damaged"}))
    assert desk.hops(4)[-1].reason is Reason.REFERENCE_OUTDATED


def test_what_keeps_the_face_from_being_judged_is_named() -> None:
    desk = Desk(people.reference())
    desk.hops(4)
    assert desk.live.score(hop(people.reference(), obstacle=Reason.SEVERAL_FACES)).reason is Reason.SEVERAL_FACES


def test_a_pause_forgets_nothing_of_the_call_s_start() -> None:
    desk = Desk(people.reference())
    desk.hops(4)
    start = desk.live._start
    desk.live.restart(WindowBuffer())
    assert desk.live._start is start is not None


def test_abstaining_is_two_sided() -> None:
    said = Score("pairwise", None, Reason.NO_VIDEO, needs_identity=True, aspect=Aspect.FACE)
    assert INFO.abstain(Reason.NO_VIDEO) == said
