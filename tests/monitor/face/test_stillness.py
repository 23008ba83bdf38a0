"""A mouth that moves by itself is told from one that is carried about, and a picture that stands from its noise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.face.geometry import SPEECH_LANDMARKS, SPEECH_SHAPE_SIZE, canonical
from monitor.face.stillness import (
    MOUTH_SECONDS,
    MouthMovement,
    Movement,
    StandingPicture,
    lip_form,
    still_steps,
)
from monitor.types import ByteArray, FloatArray

FPS = 25
RANDOM = np.random.default_rng


def shape(opening: float = 0.0) -> FloatArray:
    """The mean mouth with the lower lip lowered by so many eye distances."""
    moved = np.zeros((len(SPEECH_LANDMARKS), 3), np.float32)
    for point in (14, 17):
        moved[SPEECH_LANDMARKS.index(point), 1] = opening
    return moved.reshape(-1)


def picture(opening: float = 0.0, x: float = 0.0, light: float = 1.0, size: float = 1.0) -> ByteArray:
    """A mouth of 36 pixels: lips round a dark gap that is as high as the lips are open."""
    rows, columns = (np.mgrid[:36, :36] - 17.5) / size
    away = columns - x
    lips = np.exp(-(((rows / 9) ** 2 + (away / 13) ** 2) ** 2))
    gap = np.exp(-(((rows / (0.5 + 30 * opening)) ** 2 + (away / 9) ** 2) ** 2))
    return np.asarray(light * (150 - 40 * lips - 60 * gap), np.uint8)


def movement(views: Iterable[tuple[FloatArray, ByteArray]], fps: float = FPS) -> Movement:
    """The movement at the end of some views; NaN where it says nothing."""
    mouth = MouthMovement()
    for n, (form, look) in enumerate(views):
        mouth.push(n / fps, form, look)
    return mouth.over(MOUTH_SECONDS) or Movement(float("nan"), float("nan"))


def openings(values: Iterable[float]) -> Iterator[tuple[FloatArray, ByteArray]]:
    return ((shape(value), picture(value)) for value in values)


def spoken(count: int = 80) -> list[float]:
    return [float(0.08 * (1 + np.sin(2 * np.pi * 4 * n / FPS))) for n in range(count)]


def test_the_form_of_the_mean_mouth_is_that_of_the_mean_face() -> None:
    assert shape().shape == (SPEECH_SHAPE_SIZE,)
    face = canonical()
    expected = [np.linalg.norm(face[a] - face[b]) for a, b in ((13, 14), (0, 17), (61, 291))]
    assert lip_form(shape()) == pytest.approx(expected, abs=1e-6)
    assert lip_form(np.stack([shape(), shape(0.2)]))[1] - lip_form(shape()) == pytest.approx([0.2, 0.2, 0], abs=0.01)


@given(st.integers(0, 1000))
def test_a_mouth_that_is_carried_and_turned_keeps_its_form(seed: int) -> None:
    axis, _ = np.linalg.qr(RANDOM(seed).standard_normal((3, 3)))
    mouth = canonical()[list(SPEECH_LANDMARKS)]
    carried = mouth @ axis.T + RANDOM(seed).standard_normal(3)
    assert lip_form(np.asarray((carried - mouth).reshape(-1), np.float32)) == pytest.approx(lip_form(shape()), abs=1e-5)


def test_speech_moves_a_mouth_and_noise_its_landmarks_only() -> None:
    noise = [(shape(RANDOM(n).normal(0.1, 0.02)), noisy(picture(0.1), n, 4)) for n in range(80)]
    assert not movement(openings(spoken())).is_below(100, 1.3)
    trembling = movement(noise)
    assert trembling.form > 0.01
    assert trembling.is_below(100)
    still = movement(openings([0.1] * 80))
    assert (still.form, still.look) == pytest.approx((0, 0), abs=1e-3)


def test_a_photograph_that_is_carried_about_moves_its_look_only() -> None:
    """Its picture changes with where it lies, its light and size; its landmarks a little, as a head's do."""
    moved = [float(np.sin(n / 5)) for n in range(80)]
    shown = movement((shape(0.1 + 0.002 * m), picture(0.1, 2 * m, 1 + 0.1 * m, 1 + 0.05 * m)) for m in moved)
    assert shown.is_below(100)
    spoken_look = movement(openings(spoken())).look
    raw = np.std([picture(0.1, 2 * m, 1 + 0.1 * m).astype(float) for m in moved], axis=0).mean()
    assert raw > 3
    assert shown.look < spoken_look / 2


@pytest.mark.parametrize("look", [np.zeros((36, 36), np.uint8), np.full((36, 36), 90, np.uint8)])
def test_a_mouth_without_a_feature_is_still(look: ByteArray) -> None:
    assert movement((shape(opening), look) for opening in spoken()).is_below(100)


def test_only_the_last_moments_count() -> None:
    assert movement(openings([0.0] * 30 + [0.3] * 70)).form == pytest.approx(0, abs=1e-3)
    assert movement(openings([0.0] * 40 + [0.3] * 10)).form > 0.05
    # More views than are kept.
    assert movement(openings([0.0] * 700 + [0.3] * 70)).form == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(("views", "fps"), [(0, 25.0), (4, 25.0), (40, 25.0), (40, 1.0)])
def test_too_little_says_nothing(views: int, fps: float) -> None:
    assert np.isnan(movement(openings([0.1] * views), fps=fps).form)


def test_a_slow_camera_is_enough() -> None:
    assert not movement(openings(spoken()[::3]), fps=FPS / 3).is_below(100, 1.3)


def test_noise_moves_small_faces_more() -> None:
    little = Movement(0.0105, 0.06)
    assert [little.is_below(size) for size in (0, 50, 80, 100, 400)] == [True, True, True, False, False]
    assert little.is_below(100, 1.3)
    assert Movement(0.0105, 0.01).is_below(400)
    assert Movement(0.001, 0.5).is_below(400)


def test_the_steps_of_a_still_mouth_are_those_of_the_whole_span() -> None:
    values = [*spoken(50), *[0.1] * 100, *spoken(50)]
    forms = np.stack([shape(value) for value in values])
    looks = np.stack([picture(value) for value in values])
    still = np.flatnonzero(still_steps(forms, looks, np.arange(200) < 190, 200.0))
    assert still.tolist() == list(range(still[0], still[-1] + 1))
    assert abs(still[0] - 50) <= 5
    assert abs(still[-1] - 149) <= 8
    assert not still_steps(forms, looks, np.zeros(200, np.bool_), 200.0).any()


def stands(pictures: list[ByteArray], fps: float = FPS) -> list[str]:
    """What is said at each picture: same, noise only, or nothing."""
    picture, said = StandingPicture(), []
    for n, plane in enumerate(pictures):
        picture.push(n / fps, plane)
        said.append("same" if picture.is_same else "noise" if picture.is_noise else "")
        assert picture.is_noise or not picture.is_same
    return said


def scene(at: int = 0, size: tuple[int, int] = (360, 640)) -> ByteArray:
    """Stripes, and a head in the middle of them that moves with `at`."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    stripes = 90 + 40 * np.sin(columns / 9)
    head = (rows - size[0] / 2) ** 2 + (columns - size[1] / 2 - at) ** 2 < (size[0] / 4) ** 2
    return np.asarray(np.where(head, 190, stripes), np.uint8)


def noisy(plane: ByteArray, seed: int, deviation: float = 6.0) -> ByteArray:
    return np.asarray(np.clip(plane + RANDOM(seed).normal(0, deviation, plane.shape), 0, 255), np.uint8)


@pytest.mark.parametrize("size", [(360, 640), (256, 256), (1080, 1920), (90, 120), (2, 2), (4, 400)])
def test_a_picture_stands_once_it_has_for_a_while(size: tuple[int, int]) -> None:
    assert stands([scene(size=size)] * 15) == [""] * 10 + ["same"] * 5


def test_a_picture_stands_under_its_noise() -> None:
    assert stands([noisy(scene(), n) for n in range(20)])[11:] == ["noise"] * 9


@pytest.mark.parametrize("deviation", [0.0, 6.0])
def test_a_head_that_moves_is_no_standing_picture(deviation: float) -> None:
    assert not any(stands([noisy(scene(2 * n), n, deviation) for n in range(40)]))


def test_pictures_that_a_source_repeats_do_not_stand() -> None:
    assert not any(stands([scene(4 * (n // 4)) for n in range(60)]))


def test_it_goes_on_and_stands_again() -> None:
    found = stands([scene()] * 15 + [scene(n) for n in range(0, 80, 8)] + [scene(80)] * 15)
    assert found[14] == "same"
    assert not any(found[17:25])
    assert found[-1] == "same"


def test_a_new_size_begins_anew() -> None:
    assert stands([scene()] * 12 + [scene(size=(90, 120))] * 12)[12:] == [""] * 10 + ["same"] * 2


def test_pictures_that_come_seldom_stand_from_one_to_the_next() -> None:
    assert stands([scene()] * 3, fps=2.0) == ["", "same", "same"]
