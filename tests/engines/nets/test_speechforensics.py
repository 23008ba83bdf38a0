"""SpeechForensics' stages, small: shapes, and the parts whose answers do not come from weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="the nets need torch: install the extra `train`")

from numpy.typing import NDArray

from engines.nets.avhubert import AvHubertContext, AvHubertLips, AvHubertVoice
from engines.nets.speechforensics import LARGE, MEAN_MOUTH, Floats, SpeechForensics, agreement, similarity
from tests.engines.published import SMALL
from tests.engines.towers import parameters


@pytest.fixture(scope="module")
def nets() -> SpeechForensics:
    return SpeechForensics(SMALL, stacks=1)


def unit(rows: NDArray[np.float64]) -> Floats:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def test_every_stage_answers_for_a_picture_and_for_a_clip(nets: SpeechForensics) -> None:
    random = np.random.default_rng(1)
    picture = random.integers(0, 256, (64, 96, 3), np.uint8)
    assert nets.find(picture).shape == (2 * (8 * 12 + 4 * 6 + 2 * 3), 5)
    landmarks = nets.align(picture)
    assert landmarks.shape == (68, 2)
    assert 0 <= landmarks.min() <= landmarks.max() <= 256
    mouths = np.stack([nets.mouth(picture)] * 6)
    seen, heard = nets.see(mouths), nets.hear(random.standard_normal((6, 104), np.float32))
    assert seen.shape == heard.shape == (6, SMALL.width)
    assert np.linalg.norm(seen, axis=1) == pytest.approx(np.ones(6), abs=1e-5)
    # The transformer is asked for the side that was heard, not again for the one that was seen.
    assert np.abs(heard - nets.see(mouths)).max() > 1e-3
    assert nets.threads == 1


def test_the_mouth_is_where_it_is_in_the_mean_face(nets: SpeechForensics) -> None:
    picture = np.zeros((256, 400, 3), np.uint8)
    x, y = (round(one) for one in MEAN_MOUTH)
    picture[y - 2 : y + 2, 72 + x - 2 : 72 + x + 2] = 255
    mouth = nets.mouth(picture)
    assert mouth.shape == (96, 96)
    rows, columns = np.nonzero(mouth > 0.5)
    assert (rows.mean(), columns.mean()) == pytest.approx((48, 48), abs=1.5)
    # A picture of half the size has the same face in it.
    half = nets.mouth(np.ascontiguousarray(picture[::2, ::2]))
    assert np.abs(np.argwhere(half > 0.3).mean(0) - 48).max() < 2.5


def test_large_has_the_parameters_of_the_published_model() -> None:
    fronts = parameters(AvHubertLips(LARGE.width)) + parameters(AvHubertVoice(LARGE.width))
    one, two = (parameters(AvHubertContext(replace(LARGE, layers=count), "lips")) for count in (1, 2))
    # The paper: 325 M.
    assert round((fronts + one + (LARGE.layers - 1) * (two - one)) / 1e6) == 325


def test_points_that_were_turned_scaled_and_moved_are_brought_back() -> None:
    points = np.random.default_rng(2).standard_normal((5, 2))
    angle, scale, shift = 0.4, 1.7, np.array([3.0, -2.0])
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found, moved = similarity(points, points @ turn.T + shift)
    assert found == pytest.approx(turn)
    assert moved == pytest.approx(shift)


@pytest.mark.parametrize("offset", [-15, -2, 0, 3, 15])
def test_agreement_is_highest_at_the_offset_of_the_two(offset: int) -> None:
    rows = unit(np.random.default_rng(3).standard_normal((90, 64)))
    seen, heard = rows[20 + max(-offset, 0) :][:40], rows[20 + max(offset, 0) :][:40]
    best, at = agreement(seen, heard)
    assert best == pytest.approx(1.0, abs=1e-5)
    assert at == offset


def test_agreement_of_a_short_clip_has_the_offsets_that_it_has_frames_for() -> None:
    rows = unit(np.random.default_rng(4).standard_normal((3, 8)))
    best, at = agreement(rows, rows[:2])
    assert best == pytest.approx(1.0, abs=1e-5)
    assert at == 0
