"""The seven perturbations do what was published, alike every time, and leave times, order and sound alone."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.lab.corpus.speech_features import Change
from monitor.lab.distortions.perturbations import (
    LEVELS,
    SEVEN,
    Blocks,
    Blur,
    Compression,
    Contrast,
    Noise,
    Perturbation,
    Pixelation,
    Saturation,
    conditions,
)
from monitor.types import AudioBlock, ByteArray, FloatArray, MediaItem, Reason, TrackFault, VideoFrame
from tests.monitor.frames import block, frame

SIZE = (96, 128)


def drawn(at: int, size: tuple[int, int] = SIZE) -> VideoFrame:
    """A smooth picture with an edge that moves, and colour."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    luma = (60 + rows % 64 + 80 * (columns > 20 + at % 60)).astype(np.uint8)
    whole = frame(luma, at / 25)
    colour = (128 + 40 * np.sin(np.arange(whole.u.shape[1]) / 9)).astype(np.uint8)
    return replace(whole, u=np.broadcast_to(colour, whole.u.shape).copy())


def clip(count: int = 70) -> Iterator[MediaItem]:
    """Pictures at 25 a second with a block of sound between, and a fault."""
    for n in range(count):
        yield drawn(n)
        yield block(np.full(480, n, np.float32), n / 25 + 0.02)
        if n == 3:
            yield TrackFault("audio", Reason.DECODER_FAILED, "damaged", n / 25 + 0.03)


def one(change: Perturbation, of: VideoFrame) -> VideoFrame:
    (back,) = change([of])
    assert isinstance(back, VideoFrame)
    assert back.full_range == of.full_range
    return back


def away(a: ByteArray, b: ByteArray) -> float:
    return float(np.abs(a.astype(float) - b).mean())


@pytest.mark.parametrize("change", conditions(), ids=lambda c: c.name)
def test_stamps_order_and_sound_stay_and_pictures_change(change: Perturbation) -> None:
    before, after = list(clip()), list(change(clip()))
    assert [type(item) for item in after] == [type(item) for item in before]
    differ = 0.0
    for old, new in zip(before, after, strict=True):
        if isinstance(old, VideoFrame):
            assert isinstance(new, VideoFrame)
            assert new.stamp == old.stamp
            assert (new.y.shape, new.u.shape, new.v.shape) == (old.y.shape, old.u.shape, old.v.shape)
            assert new.y.dtype == new.u.dtype == np.uint8
            differ += away(new.y, old.y) + away(new.u, old.u)
        elif isinstance(old, AudioBlock):
            assert isinstance(new, AudioBlock)
            assert np.array_equal(new.samples, old.samples)
        else:
            assert new == old
    assert differ > 0


@pytest.mark.parametrize("change", conditions(seed=3)[::4], ids=lambda c: c.name)
def test_a_clip_is_always_changed_alike_also_by_another_process(change: Change) -> None:
    first, again = list(change(clip(9))), list(pickle.loads(pickle.dumps(change))(clip(9)))
    for a, b in zip(first, again, strict=True):
        if isinstance(a, VideoFrame) and isinstance(b, VideoFrame):
            assert np.array_equal(a.y, b.y)
            assert np.array_equal(a.u, b.u)


@pytest.mark.parametrize("kind", [k for k in SEVEN if k is not Saturation])
def test_a_higher_level_is_worse(kind: type[Perturbation]) -> None:
    def harm(level: int) -> float:
        pictures = [i for i in kind(level)(clip()) if isinstance(i, VideoFrame)]
        return sum(away(p.y, drawn(n).y) for n, p in enumerate(pictures))

    harms = [harm(level) for level in range(1, LEVELS + 1)]
    assert harms == sorted(harms)
    assert len(set(harms)) == LEVELS


def test_names_tell_conditions_apart_and_only_chance_has_a_seed() -> None:
    names = [change.name for change in conditions()]
    assert len(set(names)) == 35
    assert names[0] == "saturation1"
    assert Noise(2, seed=7).name == "noise2s7"
    assert Blur(2, seed=7).name == "blur2"


@pytest.mark.parametrize("level", [0, 6])
def test_levels_that_were_not_published_are_refused(level: int) -> None:
    with pytest.raises(ValueError, match="1 to 5"):
        Blur(level)


def test_saturation_draws_chroma_to_grey_and_leaves_luma() -> None:
    old = drawn(0)
    new = one(Saturation(1), old)
    assert np.array_equal(new.y, old.y)
    assert np.allclose(new.u.astype(float) - 128, 0.4 * (old.u.astype(float) - 128), atol=0.5)
    assert np.all(one(Saturation(5), old).u == 128)


@pytest.mark.parametrize(("full", "black"), [(False, 16), (True, 0)])
def test_contrast_scales_above_black(full: bool, black: int) -> None:
    old = replace(drawn(0), full_range=full)
    new = one(Contrast(5), old)
    assert np.allclose(new.y.astype(float) - black, 0.35 * (old.y.astype(float) - black), atol=0.5)
    assert np.allclose(new.u.astype(float) - 128, 0.35 * (old.u.astype(float) - 128), atol=0.5)


@pytest.mark.parametrize(("size", "full", "grey", "most"), [((512, 640), False, 126, 32), ((96, 128), True, 128, 16)])
def test_blocks_are_grey_squares_for_each_256_pixels(size: tuple[int, int], full: bool, grey: int, most: int) -> None:
    old = replace(frame(np.full(size, 200, np.uint8)), full_range=full)
    new = one(Blocks(1), replace(old, u=np.full_like(old.u, 90)))
    covered = new.y != 200
    assert set(np.unique(new.y[covered])) == {grey}
    assert 0 < covered.sum() <= most * 64
    assert covered.sum() % 4 == 0
    assert np.array_equal(new.u != 90, covered[::2, ::2])
    assert not np.array_equal(one(Blocks(1, 0), old).y, one(Blocks(1, 1), old).y)


def test_every_picture_has_other_blocks() -> None:
    still: list[MediaItem] = [frame(np.full(SIZE, 200, np.uint8), n / 25) for n in range(2)]
    first, second = (item for item in Blocks(3)(still) if isinstance(item, VideoFrame))
    assert not np.array_equal(first.y, second.y)


@pytest.mark.parametrize(("level", "full", "expected"), [(1, False, 8.06), (1, True, 9.39), (3, False, 18.03)])
def test_noise_has_the_published_variance(level: int, full: bool, expected: float) -> None:
    old = replace(frame(np.full((256, 256), 128, np.uint8)), full_range=full)
    new = one(Noise(level), old)
    assert np.std(new.y.astype(float)) == pytest.approx(expected, rel=0.03)
    assert np.std(new.u.astype(float)) == pytest.approx(expected / 2, rel=0.06)


@pytest.mark.parametrize("level", range(1, 6))
def test_blur_is_the_published_gaussian(level: int) -> None:
    step = frame(np.tile(np.where(np.arange(96) < 48, 40, 220).astype(np.uint8), (96, 1)))
    new = one(Blur(level), step)
    kernel = (7, 9, 13, 17, 21)[level - 1]
    at = np.arange(kernel) - kernel // 2
    weights = np.exp(-(at**2) / (2 * (kernel / 6) ** 2))
    wanted = np.convolve(step.y[48], weights / weights.sum(), "same")
    assert np.abs(wanted[20:76] - new.y[48, 20:76]).max() < 3


def test_pixelation_is_a_smaller_picture_enlarged() -> None:
    random = np.random.default_rng(0)
    fine = frame(random.integers(0, 255, (120, 120)).astype(np.uint8))
    halved = one(Pixelation(1), fine)
    means = fine.y.reshape(60, 2, 60, 2).mean(axis=(1, 3))
    # Enlarged bilinearly, four pixels about a corner average to the four small ones there.
    corner = halved.y[1:3, 1:3].astype(float).mean()
    assert corner == pytest.approx(means[:2, :2].mean(), abs=1.5)
    assert one(Pixelation(5), frame(np.full((2, 3), 90, np.uint8))).y.tolist() == [[90] * 3] * 2


@pytest.mark.parametrize("size", [(95, 127), (96, 127)])
def test_compression_takes_odd_sizes_and_keeps_the_range(size: tuple[int, int]) -> None:
    old = replace(drawn(0, size), full_range=True)
    new = one(Compression(1), old)
    assert (new.y.shape, new.u.shape) == (old.y.shape, old.u.shape)
    assert away(new.y, old.y) < 8


def test_compression_goes_on_when_the_size_changes() -> None:
    sizes = [SIZE] * 5 + [(64, 64)] * 5
    items: list[MediaItem] = []
    for n, size in enumerate(sizes):
        items += [drawn(n, size), block(np.zeros(480, np.float32), n / 25 + 0.02)]
    back = list(Compression(3)(items))
    assert [item.stamp for item in back if not isinstance(item, TrackFault)] == [
        item.stamp for item in items if not isinstance(item, TrackFault)
    ]
    assert [(i.height, i.width) for i in back if isinstance(i, VideoFrame)] == sizes


def test_sound_alone_passes() -> None:
    sound: FloatArray = np.ones(480, np.float32)
    for change in (Compression(1), Blocks(1)):
        (back,) = change([block(sound, 0.0)])
        assert isinstance(back, AudioBlock)


@given(
    st.lists(st.sampled_from("vaf"), max_size=80),
    st.sampled_from([Compression(5), Blocks(2), Contrast(3)]),
)
def test_any_order_of_items_is_kept(kinds: list[str], change: Perturbation) -> None:
    made: list[MediaItem] = []
    for n, kind in enumerate(kinds):
        if kind == "v":
            made.append(drawn(n, (16, 16)))
        elif kind == "a":
            made.append(block(np.zeros(4, np.float32), n / 25))
        else:
            made.append(TrackFault("video", Reason.OVERLOADED, "late", n / 25))
    back = list(change(made))
    assert [type(item) for item in back] == [type(item) for item in made]
    for a, b in zip(made, back, strict=True):
        if not isinstance(a, TrackFault):
            assert not isinstance(b, TrackFault)
            assert a.stamp == b.stamp


def test_a_kind_must_say_what_it_does_to_a_picture() -> None:
    with pytest.raises(NotImplementedError):
        Perturbation.picture(Blur(1), drawn(0), np.random.default_rng(0))
