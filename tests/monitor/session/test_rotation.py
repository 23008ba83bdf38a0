"""A detector that is asked by turns: how often, what stands in between, and what is never passed over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.detectors.base import FrameObserver, Hop
from monitor.session.rotation import Rotation
from monitor.types import Reason, Score
from monitor.window.window import WindowBuffer

HOP = Hop(WindowBuffer(5.0).recall(16.0))


class Counting:
    """A detector whose score is how often it was asked; it abstains where it is told to."""

    observe: FrameObserver | None = None

    def __init__(self) -> None:
        self.asked = 0
        self.silent = False

    def restart(self, buffer: WindowBuffer) -> None:
        """Nothing is kept."""

    def score(self, hop: Hop) -> Score:
        self.asked += 1
        reason = hop.obstacle or hop.face_obstacle or (Reason.WARMING_UP if self.silent else None)
        return Score("counting", None if reason else float(self.asked), reason)


def values(rotation: Rotation, hops: list[Hop]) -> list[float | None]:
    return [rotation.score(hop).value for hop in hops]


def test_one_that_is_asked_at_every_hop_always_answers_anew() -> None:
    assert values(Rotation(Counting()), [HOP] * 4) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("every", "offset", "expected"),
    [(2, 0, [1, 1, 2, 2, 3, 3]), (2, 1, [1, 2, 2, 3, 3, 4]), (3, 0, [1, 1, 1, 2, 2, 2])],
)
def test_a_score_stands_until_its_turn(every: int, offset: int, expected: list[float]) -> None:
    assert values(Rotation(Counting(), every, offset), [HOP] * 6) == expected


def test_two_by_turns_are_never_asked_at_the_same_hop_once_both_have_scored() -> None:
    first, second = Counting(), Counting()
    rotations = [Rotation(first, 2, 0), Rotation(second, 2, 1)]
    asked = []
    for _ in range(8):
        before = first.asked, second.asked
        for rotation in rotations:
            rotation.score(HOP)
        asked.append((first.asked - before[0], second.asked - before[1]))
    assert asked[0] == (1, 1)
    assert asked[1:] == [(0, 1), (1, 0)] * 3 + [(0, 1)]


@pytest.mark.parametrize(
    "hop",
    [
        replace(HOP, obstacle=Reason.NO_AUDIO),
        replace(HOP, face_obstacle=Reason.NO_FACE),
        replace(HOP, settled=True),
        replace(HOP, part=b"another"),
    ],
)
def test_nothing_stands_against_an_obstacle_the_end_or_another_reference(hop: Hop) -> None:
    detector = Counting()
    rotation = Rotation(detector, 2)
    rotation.score(HOP)
    rotation.score(hop)
    assert detector.asked == 2


def test_an_abstention_does_not_stand() -> None:
    detector = Counting()
    detector.silent = True
    assert values(Rotation(detector, 2), [HOP] * 4) == [None] * 4
    assert detector.asked == 4


def test_what_began_anew_is_asked_at_once() -> None:
    detector = Counting()
    rotation = Rotation(detector, 2)
    rotation.score(HOP)
    rotation.forget()
    assert rotation.score(HOP).value == 2
