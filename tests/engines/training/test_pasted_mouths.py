"""A pasted mouth changes the lower face and nothing else, and stands where the face's own mouth is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.training.pasted_mouths import Paste, paste
from engines.training.pseudo import SCHEMES

SIZE = 224
CLEAN = Paste(box=False, small=1.0, blur=0.0, quality=0, colour=(0.0, 0.0, 0.0), ratio=1.0)


def face(turn: float = 0.0, shift: float = 0.0) -> NDArray[np.float32]:
    """Landmarks: each group of a face on a small circle where it belongs, all of it turned and shifted."""
    points = np.zeros((468, 2), np.float32)
    places = {"whole": (112, 112, 90), "eyes": (112, 80, 40), "lower": (112, 150, 35)}
    for name, (x, y, radius) in places.items():
        index = list(SCHEMES[name])
        angle = np.linspace(0, 2 * np.pi, len(index), endpoint=False)
        points[index] = np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], 1)
    for number, place in {
        33: (80, 80),
        133: (100, 80),
        362: (124, 80),
        263: (144, 80),
        168: (112, 85),
        6: (112, 95),
    }.items():
        points[number] = place
    cos, sin = np.cos(turn), np.sin(turn)
    centred = points - 112
    return np.asarray(centred @ np.array([[cos, sin], [-sin, cos]]) + 112 + shift, np.float32)


def picture(seed: int = 0) -> NDArray[np.uint8]:
    small = np.random.default_rng(seed).integers(40, 200, (14, 14, 3))
    return np.kron(small, np.ones((16, 16, 1))).astype(np.uint8)


def test_the_rest_of_the_face_stays_as_it_is() -> None:
    made = paste(picture(), face(), picture(1), face(), CLEAN, np.random.default_rng(0))
    assert np.array_equal(made[:80], picture()[:80])
    assert np.abs(made[140:160, 100:124].astype(int) - picture(1)[140:160, 100:124]).mean() < 12
    assert np.abs(made[140:160, 100:124].astype(int) - picture()[140:160, 100:124]).mean() > 20


def test_a_mouth_that_was_elsewhere_is_brought_to_its_place() -> None:
    there = np.roll(picture(1), 12, axis=(0, 1))
    made = paste(picture(), face(), there, face(shift=12.0), CLEAN, np.random.default_rng(0))
    assert np.abs(made[140:160, 100:124].astype(int) - picture(1)[140:160, 100:124]).mean() < 12


@pytest.mark.parametrize(
    "how",
    [
        replace(CLEAN, small=0.3),
        replace(CLEAN, blur=1.5),
        replace(CLEAN, quality=40),
        replace(CLEAN, colour=(8.0, 0.0, -8.0)),
        replace(CLEAN, box=True),
        replace(CLEAN, ratio=0.7),
    ],
)
def test_each_part_of_how_it_is_laid_on_shows(how: Paste) -> None:
    plain = paste(picture(), face(), picture(1), face(), CLEAN, np.random.default_rng(0))
    other = paste(picture(), face(), picture(1), face(), how, np.random.default_rng(0))
    assert np.abs(plain.astype(int) - other).max() > 3


def test_ways_are_drawn_apart_and_again() -> None:
    ways = [Paste.draw(np.random.default_rng(seed)) for seed in range(20)]
    assert ways[0] == Paste.draw(np.random.default_rng(0))
    assert {way.box for way in ways} == {True, False}
    assert all(0.29 < way.small <= 1.0 for way in ways)
