"""Stills of every kind: the sound and the moments stay, and one picture is shown in place of the others."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from monitor.lab.distortions.stills import KINDS, NOISE, Still
from monitor.types import AudioBlock, ByteArray, MediaItem, TrackFault, VideoFrame
from tests.monitor.frames import block, frame

COUNT = 40


def scene(at: int) -> ByteArray:
    """Stripes that wander, with a bright square in the middle."""
    rows, columns = np.mgrid[:120, :160]
    plane = 110 + 50 * np.sin((rows + columns) / 11 + at)
    plane[50:70, 70:90] = 220
    return np.asarray(plane, np.uint8)


def call() -> list[MediaItem]:
    pictures = [frame(scene(n), n / 25) for n in range(COUNT)]
    return [*pictures[:10], block(np.zeros(160, np.float32), 0.4), *pictures[10:]]


def moment(item: MediaItem) -> float:
    return item.arrival if isinstance(item, TrackFault) else item.stamp.media


def shown(still: Still) -> list[ByteArray]:
    return [item.y for item in still(call()) if isinstance(item, VideoFrame)]


def apart(a: ByteArray, b: ByteArray) -> float:
    return float(np.abs(a.astype(float) - b).mean())


@pytest.mark.parametrize("kind", KINDS)
def test_moments_and_sound_stay(kind: str) -> None:
    sent, back = call(), list(Still(kind)(call()))
    assert [moment(item) for item in back] == [moment(item) for item in sent]
    assert isinstance(back[10], AudioBlock)
    assert {item.y.shape for item in back if isinstance(item, VideoFrame)} == {(120, 160)}
    assert Still(kind).name != Still(kind, crf=30).name


def test_a_frozen_picture_is_the_first_again() -> None:
    pictures = shown(Still("frozen"))
    assert max(apart(picture, scene(0)) for picture in pictures) < 4
    assert apart(scene(20), scene(0)) > 20


def test_it_stands_for_a_while_and_goes_on() -> None:
    pictures = shown(Still("frozen", start=0.4, seconds=0.4))
    truth = [scene(n) if n < 10 or n >= 20 else scene(10) for n in range(COUNT)]
    assert max(apart(a, b) for a, b in zip(pictures, truth, strict=True)) < 4


def test_noise_is_new_in_every_picture() -> None:
    pictures = shown(Still("noisy", crf=1))
    steps = [(b.astype(float) - a)[:40].std() for a, b in pairwise(pictures)]
    assert np.mean(steps) == pytest.approx(NOISE * 2**0.5, rel=0.2)
    assert apart(np.mean(pictures, 0), scene(0)) < 3


@pytest.mark.parametrize("kind", ["hand", "zoom", "pan"])
def test_a_still_that_moves_shows_the_same_thing_elsewhere(kind: str) -> None:
    pictures = shown(Still(kind, crf=10))
    assert apart(pictures[-1], pictures[0]) > 3
    # Middle and side of the bright square.
    bright = [np.argwhere(picture > 190) for picture in pictures]
    squares = np.array([[*places.mean(0), len(places) ** 0.5] for places in bright])
    assert np.abs(np.diff(squares, axis=0)).max() < 3
    assert 0.1 < np.abs(squares - squares[0]).max() < 30


def test_light_that_flickers() -> None:
    light = [float(picture.mean()) for picture in shown(Still("flicker", crf=10))]
    assert max(light) / min(light) == pytest.approx(1.2, abs=0.05)


def test_the_same_still_is_made_the_same_way() -> None:
    # libx264 does not round the same way in every run, though it is given the very same pictures.
    assert max(map(apart, shown(Still("hand")), shown(Still("hand")))) < 1
    assert max(map(apart, shown(Still("hand")), shown(Still("hand", seed=1)))) > 3
