"""Whether clips show one person, on made-up identity vectors."""

from __future__ import annotations

import numpy as np

from monitor.detectors.pairwise.one_person import strangers
from monitor.types import FloatArray


def people(*whom: int) -> FloatArray:
    """A look at each of the people named, at unit length."""
    random = np.random.default_rng(0)
    rows = np.array([np.random.default_rng(50 + who).standard_normal(64) for who in whom])
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True) + 0.02 * random.standard_normal(rows.shape)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def test_one_person_throughout() -> None:
    assert strangers(people(1, 1, 1, 1), np.array([0, 0, 1, 1]), ["a", "b"], [5.0, 5.0]) == []


def test_whose_clips_last_longest_is_the_person() -> None:
    looks, clip = people(2, 2, 1, 1, 1, 1), np.array([0, 0, 1, 1, 2, 2])
    names = ["a", "b", "c"]
    assert strangers(looks, clip, names, [5.0, 5.0, 5.0]) == [
        "a shows another person than the other clips: leave it out"
    ]
    assert len(strangers(looks, clip, names, [50.0, 5.0, 5.0])) == 2


def test_somebody_else_within_a_clip_and_a_single_accident() -> None:
    clip = np.zeros(6, np.int64)
    assert strangers(people(1, 1, 1, 1, 1, 2), clip, ["a"], [9.0]) == []
    assert strangers(people(1, 1, 1, 1, 2, 2), clip, ["a"], [9.0]) == [
        "another person appears in a: cut that part out, or leave the clip out"
    ]
    assert strangers(people(1, 1, 1, 2, 2, 2), clip, ["a"], [9.0])
