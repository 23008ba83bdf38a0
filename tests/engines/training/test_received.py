from __future__ import annotations

import numpy as np
import pytest

from engines.training.faces import look
from engines.training.received import Degradation, receive
from engines.training.reencoded import DEGRADATIONS, FALSE_POSITIVE_RATE, false_positives
from tests.engines.face_pictures import face

PICTURE, _ = look(face(0), 128)


def test_an_empty_line_changes_nothing() -> None:
    assert np.array_equal(receive(PICTURE, Degradation()), PICTURE)


@pytest.mark.parametrize(("codec", "good", "bad"), [("jpeg", 92, 30), ("h264", 20, 40), ("vp8", 10, 50)])
def test_a_worse_level_leaves_less_of_the_picture(codec: str, good: int, bad: int) -> None:
    errors = [
        float(np.abs(receive(PICTURE, Degradation(codec=codec, level=level)).astype(int) - PICTURE).mean())
        for level in (good, bad)
    ]
    assert 0 < errors[0] < errors[1] < 25


@pytest.mark.parametrize("degradation", [Degradation(scale=0.5), Degradation(scale=0.7), Degradation(blur=1.5)])
def test_smaller_and_blurred_pictures_lose_detail(degradation: Degradation) -> None:
    got = receive(PICTURE, degradation)
    assert got.shape == PICTURE.shape
    detail = [float(np.abs(np.diff(one.astype(float), axis=1)).mean()) for one in (got, PICTURE)]
    assert detail[0] < 0.8 * detail[1]


def test_the_same_line_does_the_same_to_every_picture() -> None:
    degradation = Degradation.draw(np.random.default_rng(4), 0.0)
    assert np.array_equal(receive(PICTURE, degradation), receive(PICTURE, degradation))
    grain = Degradation(grain=5.0, seed=3)
    other, _ = look(face(1), 128)
    first, second = (receive(one, grain).astype(int) - one for one in (PICTURE, other))
    inside = (PICTURE > 20) & (PICTURE < 235) & (other > 20) & (other < 235)
    assert np.abs(first - second)[inside].max() <= 1


def test_lines_are_drawn_over_everything_and_some_are_clean() -> None:
    random = np.random.default_rng(0)
    degradations = [Degradation.draw(random) for _ in range(300)]
    assert {degradation.codec for degradation in degradations} == {"", "jpeg", "h264", "vp8"}
    assert 0.25 < np.mean([degradation == Degradation() for degradation in degradations]) < 0.55
    assert Degradation(blur=2.0).at(112).blur == 1.0


def test_false_positives_are_counted_against_the_untouched_faces() -> None:
    faces = [face(seed) for seed in range(40)]

    def roughness(
        pictures: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return np.asarray(-np.abs(np.diff(pictures.astype(float), 2, axis=2)).mean((1, 2, 3)))

    found = false_positives(faces, 128, roughness)
    assert set(found) == set(DEGRADATIONS)
    assert abs(found["clean"] - FALSE_POSITIVE_RATE) <= 1 / 40
    # A score that keys on detail takes a blurred face for something else, and this measure shows it.
    assert found["blur"] > 0.5
