from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detectors.pairwise.measures import (
    GUARD_LOOKS,
    IDENTITY,
    LOGIT,
    MIN_LOOKS,
    PAIRS,
    WINDOW_LOOKS,
    difference,
    held_out,
    identity_distances,
    leave_one_out,
    measure,
    shrink,
    window_differences,
)
from tests.monitor.people import looks, mixture


def test_another_face_is_farther_and_an_odd_one_stranger() -> None:
    gallery = looks(30, seed=1)
    own = measure(looks(10, seed=2), gallery, mixture())
    other = measure(looks(10, person=7, seed=2), gallery, mixture())
    odd = measure(looks(10, seed=2, odd=1.0), gallery, mixture())
    assert other[IDENTITY] > own[IDENTITY] + 0.3
    assert odd[LOGIT] > own[LOGIT] + 0.8
    assert np.isfinite(odd[PAIRS])


def test_without_identity_vectors_there_is_no_distance() -> None:
    gallery = looks(10, identity=False)
    assert np.isnan(measure(looks(10, seed=3), gallery, mixture())[IDENTITY])
    assert identity_distances(gallery, gallery).shape == (10, 0)


def test_identity_distances_are_euclidean() -> None:
    a, b = looks(4, seed=1), looks(5, person=3, seed=2)
    want = np.linalg.norm(a.identity[:, None].astype(np.float64) - b.identity[None], axis=2)
    assert identity_distances(a, b) == pytest.approx(want, abs=1e-6)


def test_noise_averages_out_of_the_difference() -> None:
    gallery = looks(40, seed=1)
    few, many = (np.linalg.norm(difference(looks(n, seed=2), gallery)) for n in (5, 200))
    assert many < few
    assert difference(gallery, gallery).shape == (1, gallery.artefacts.shape[1])


def test_natural_differences_are_those_of_the_windows_left_out() -> None:
    gallery, clip = looks(40), np.repeat([0, 1], 20)
    found = window_differences(gallery, clip)
    assert found.shape == (4, gallery.artefacts.shape[1])
    window, rest = held_out(clip)[1]
    assert (found[1] == difference(gallery.take(window), gallery.take(rest))[0]).all()
    assert window_differences(looks(6), np.zeros(6, np.int64)).shape == (0, gallery.artefacts.shape[1])


@given(st.lists(st.integers(0, 3), min_size=1, max_size=90))
def test_windows_are_never_compared_with_themselves(clips: list[int]) -> None:
    clip = np.array(sorted(clips), np.int64)
    for window, rest in held_out(clip):
        assert MIN_LOOKS <= len(window) <= WINDOW_LOOKS
        assert len(rest) >= MIN_LOOKS
        assert not set(window.tolist()) & set(rest.tolist())
        if len(set(clips)) > 1:
            assert not set(clip[window].tolist()) & set(clip[rest].tolist())
        else:
            assert np.abs(window[:, None] - rest[None]).min() > GUARD_LOOKS


def test_rows_of_a_recording_may_lie_anywhere() -> None:
    clip = np.array([0, 1] * 10, np.int64)
    found = [(clip[window].tolist(), clip[rest].tolist()) for window, rest in held_out(clip)]
    assert found == [([0] * 10, [1] * 10), ([1] * 10, [0] * 10)]


def test_one_row_for_each_window_left_out() -> None:
    found, recordings = leave_one_out(looks(40), np.repeat([0, 1], 20), mixture())
    assert found.shape == (4, 3)
    assert recordings == 2
    nothing, one = leave_one_out(looks(6), np.zeros(6, np.int64), mixture())
    assert nothing.shape == (0, 3)
    assert one == 1


@given(st.integers(0, 50), st.floats(-5, 5), st.floats(0.01, 3))
def test_a_norm_lies_between_the_person_and_people(count: int, mean: float, spread: float) -> None:
    own = np.full((count, 3), mean) + spread * np.where(np.arange(count) % 2, 1, -1)[:, None]
    norm = shrink(own, np.zeros(3), np.ones(3))
    low, high = sorted((0.0, float(own.mean()) if count else 0.0))
    assert (norm.location >= low - 1e-9).all()
    assert (norm.location <= high + 1e-9).all()
    assert (norm.scale >= min(spread, 1) * 0.5).all()
    assert (norm.scale <= max(spread, 1) + 1e-9).all()
    assert norm.windows == count


def test_what_cannot_be_measured_is_taken_from_people() -> None:
    own = np.array([[np.nan, 1, 2], [np.nan, 2, 3]])
    norm = shrink(own, np.array([0.5, 0, 0]), np.ones(3))
    assert norm.location[0] == 0.5
    assert norm.scale[0] == 1
    assert norm.standardise(np.array([1.5, norm.location[1], 0]))[:2] == pytest.approx([1, 0])
