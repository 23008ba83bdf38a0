"""The face of a person, learnt from made-up looks: who is refused, what is encoded, what the part says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from engines.base import EngineError
from monitor.detectors.base import Enrolling, Material
from monitor.detectors.pairwise.enrolling import UNCHECKED, WITNESS_LOOKS
from monitor.detectors.pairwise.live import LoadedPairwise
from monitor.detectors.pairwise.reference import PairwiseReference
from monitor.face.geometry import Pose
from monitor.face.shot import FaceShot
from monitor.face.vectors import FaceVectors
from tests.monitor import people

POSE = Pose(80.0, np.eye(3, dtype=np.float32), np.zeros(3, np.float32))


@dataclass
class Encoders:
    """Gives made-up vectors: whoever a shot's picture is painted with."""

    key: str = people.KEY
    identifies: bool = True
    asked: list[int] = field(default_factory=list)

    def __call__(self, shots: Sequence[FaceShot]) -> FaceVectors:
        self.asked.append(len(shots))
        looks = [
            people.looks(1, int(s.picture[0, 0, 0]), seed=n, identity=self.identifies) for n, s in enumerate(shots)
        ]
        return replace(FaceVectors.join(looks), time=np.arange(len(shots), dtype=np.float64))


def shots(count: int, person: int = 0) -> list[FaceShot]:
    picture = np.full((4, 4, 3), person, np.uint8)
    return [FaceShot(n / 2, picture, np.zeros((468, 3), np.float32), POSE, 200.0, 1.0) for n in range(count)]


def material(*clips: tuple[int, int]) -> Material:
    """Clips of so many shots of a person; the first two give the gallery six moments each."""
    every = [shots(count, person) for count, person in clips]

    def ladder() -> Iterator[tuple[str, Sequence[FaceShot]]]:
        yield "poor line", gallery
        yield "poorer line", gallery

    gallery = [shot for clip in every[:2] for shot in clip[:6]]
    return Material(
        names=[f"clip{n}.mp4" for n in range(len(clips))],
        seconds=[30.0] * len(clips),
        shots=every,
        gallery=gallery,
        clip=np.repeat(np.arange(2), 6),
        rungs=("as recorded", "poor line", "poorer line"),
        ladder=ladder,
    )


def enrolling(encoders: Any, one_person: bool = True) -> Enrolling:
    return LoadedPairwise(encoders, people.population()).enrolling(one_person)


def test_the_gallery_is_encoded_once_on_every_rung() -> None:
    encoders, shares = Encoders(), list[float]()
    side = enrolling(encoders)
    shown = material((6, 0), (6, 0))
    assert side.collect(60.0) is None
    assert side.refuse(shown) == []
    part = side.learn(shown, people.MADE, shares.append)
    assert encoders.asked == [12, 12, 12]
    assert shares == pytest.approx([1 / 3, 2 / 3])
    assert (part.quality, part.advice) == ({"one_person_checked": True}, ())
    reference = PairwiseReference.from_bytes(part.data or b"")
    assert [rung.name for rung in reference.rungs] == ["as recorded", "poor line", "poorer line"]
    assert (reference.made, reference.key) == (people.MADE, people.KEY)


def test_a_clip_that_gave_the_gallery_nothing_is_looked_at_too() -> None:
    encoders = Encoders()
    refused = enrolling(encoders).refuse(material((6, 0), (6, 0), (40, 7), (0, 0), (2, 0)))
    assert refused == ["clip2.mp4 shows another person than the other clips: leave it out"]
    assert encoders.asked == [12, WITNESS_LOOKS, 2]


def test_without_identity_vectors_nobody_is_refused_and_advice_says_so() -> None:
    side = enrolling(Encoders(identifies=False), one_person=False)
    shown = material((6, 0), (6, 7))
    assert side.refuse(shown) == ()
    part = side.learn(shown, people.MADE, lambda _share: None)
    assert (part.quality, part.advice) == ({"one_person_checked": False}, (UNCHECKED,))


def test_learning_alone_encodes_what_refusing_would_have() -> None:
    encoders = Encoders()
    part = enrolling(encoders).learn(material((6, 0), (6, 0)), people.MADE, lambda _share: None)
    assert encoders.asked == [12, 12, 12]
    assert part.data


@pytest.mark.parametrize(
    ("encoders", "population", "one_person", "words"),
    [
        (None, people.population(), False, "the pack face_artefacts is not installed"),
        (Encoders(), None, False, "genuine people to compare with are not installed"),
        (Encoders(key="newer"), people.population(), False, "measured by other packs"),
        (Encoders(identifies=False), people.population(), True, "the identity encoder is not installed"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_read(
    encoders: Any, population: Any, one_person: bool, words: str
) -> None:
    with pytest.raises(EngineError, match=words):
        LoadedPairwise(encoders, population).enrolling(one_person)
