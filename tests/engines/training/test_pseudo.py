from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.training.faces import CROP_PIXELS, look
from engines.training.pseudo import (
    KERNELS,
    RATIOS,
    SCHEMES,
    SHARES,
    blend,
    convex,
    deform,
    hull,
    move,
    soften,
    transform,
)
from tests.engines.face_pictures import face

SIZE = 96


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_blend_changes_what_its_mask_covers_and_nothing_far_from_it(scheme: str) -> None:
    inside = outside = 0.0
    for seed in range(12):
        random = np.random.default_rng(seed)
        picture, landmarks = look(face(seed), SIZE)
        made = blend(picture, landmarks, random, scheme)
        assert made.scheme == scheme
        assert made.ratio in RATIOS
        assert made.picture.shape == (SIZE, SIZE, 3)
        assert made.picture.dtype == np.uint8
        assert 0 <= made.mask.min() <= made.mask.max() <= 1
        assert made.mask.max() > 0.5
    # With the target untouched, what lies outside the mask is the photo itself.
    for seed in range(40):
        random = np.random.default_rng(seed)
        if random.random() >= 0.5:
            continue
        picture, landmarks = look(face(1), SIZE)
        made = blend(picture, landmarks, np.random.default_rng(seed), scheme)
        change = np.abs(made.picture.astype(int) - picture)
        if (change[made.mask == 0] == 0).all():
            outside += 1
            inside += float(change[made.mask > 0.5].mean() > 0)
    assert inside == outside > 3


def test_schemes_and_ratios_come_in_the_papers_proportions() -> None:
    picture, landmarks = look(face(0), 64)
    random = np.random.default_rng(0)
    made = [blend(picture, landmarks, random) for _ in range(600)]
    schemes = Counter(one.scheme for one in made)
    for scheme, share in zip(SCHEMES, SHARES, strict=True):
        assert abs(schemes[scheme] / 600 - share) < 0.07
    ratios = Counter(one.ratio for one in made)
    assert abs(ratios[1.0] / 600 - 0.5) < 0.07
    assert set(ratios) == {0.25, 0.5, 0.75, 1.0}


def test_the_schemes_cover_the_parts_they_are_named_after() -> None:
    _, points = look(face(0), 224)
    masks = {scheme: hull(points[list(rows)], 224) for scheme, rows in SCHEMES.items()}

    def covers(scheme: str, landmark: int) -> bool:
        x, y = points[landmark].astype(int)
        return bool(masks[scheme][y, x] > 0)

    eye, nose_tip, lip, chin, brow = 159, 4, 13, 199, 105
    assert [covers("whole", n) for n in (eye, nose_tip, lip, chin, brow)] == [True] * 5
    assert [covers("eyes", n) for n in (eye, lip, chin)] == [True, False, False]
    assert [covers("lower", n) for n in (eye, lip, chin)] == [False, True, True]
    assert [covers("jawline", n) for n in (eye, lip, chin)] == [False, True, True]
    assert masks["jawline"].sum() > masks["lower"].sum()


@given(st.lists(st.tuples(st.floats(0, 90), st.floats(0, 90)), min_size=4, max_size=40, unique=True))
@settings(max_examples=60, deadline=None)
def test_every_point_is_inside_the_hull(points: list[tuple[float, float]]) -> None:
    array = np.asarray(points, np.float32)
    corners = convex(array)
    if len(corners) < 3:
        return
    following = np.roll(corners, -1, axis=0)
    for a, b in zip(corners.astype(np.float64), following.astype(np.float64), strict=True):
        turn = (b[0] - a[0]) * (array[:, 1] - a[1]) - (b[1] - a[1]) * (array[:, 0] - a[0])
        assert turn.min() >= -1e-2


def test_a_mask_is_bent_blurred_and_moved_only_a_little() -> None:
    _, points = look(face(0), 224)
    mask = hull(points[list(SCHEMES["whole"])], 224)
    bent = deform(mask, np.random.default_rng(0))
    differing = float((np.abs(bent - mask) > 0.5).mean())
    assert 0 < differing < 0.03
    soft = soften(mask, np.random.default_rng(1))
    edge = ((soft > 0.05) & (soft < 0.95)).sum()
    assert edge > ((mask > 0.05) & (mask < 0.95)).sum()
    assert abs(float(soft.sum() / mask.sum()) - 1) < 0.05
    picture, _ = look(face(0), 224)
    moved, over = move(picture, mask, np.random.default_rng(2))
    assert moved.shape == picture.shape
    assert 0.8 < float(over.sum() / mask.sum()) < 1.25
    assert min(KERNELS) == 5
    assert max(KERNELS) == 25


def test_every_transform_changes_the_picture_and_keeps_its_shape() -> None:
    picture, _ = look(face(3), SIZE)
    for seed in range(60):
        changed = transform(picture, np.random.default_rng(seed))
        assert changed.shape == picture.shape
        assert changed.dtype == np.uint8
    means = [
        float(np.abs(transform(picture, np.random.default_rng(n)).astype(int) - picture).mean()) for n in range(60)
    ]
    assert np.median(means) > 1
    assert max(means) < 110


def test_looks_follow_the_landmarks() -> None:
    one = face(5)
    shown, points = look(one, CROP_PIXELS)
    assert shown.shape == (CROP_PIXELS, CROP_PIXELS, 3)
    # The live crop is 1.3 times the box of the landmarks.
    assert abs(float((points.max(0) - points.min(0)).max()) * 1.3 / CROP_PIXELS - 1) < 0.02
    random = np.random.default_rng(0)
    eyes = [look(one, CROP_PIXELS, random)[1][[33, 263]] for _ in range(30)]
    sides = {bool(pair[0, 0] < pair[1, 0]) for pair in eyes}
    assert sides == {True, False}
    for pair in eyes:
        assert pair.min() > 0
        assert pair.max() < CROP_PIXELS
