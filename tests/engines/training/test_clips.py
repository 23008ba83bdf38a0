"""Pieces of clips: lips and voice of one moment meet where the lag says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engines.training.clips import Batch, Clip, Sampler, TrainingError, chances

FLOOR = np.float32(np.log(1e-6))


def ruler(name: str, steps: int, group: str = "g") -> Clip:
    """A clip in which everything reads the step it belongs to; mel frame f of step t reads t + f / 4."""
    at = np.arange(steps, dtype=np.float32)
    return Clip(
        name,
        name,
        group,
        np.repeat(at[:, None], 168, 1),
        np.broadcast_to((np.arange(steps) % 256).astype(np.uint8)[:, None, None], (steps, 36, 36)),
        np.broadcast_to((at[:, None] + np.arange(4) / 4)[:, :, None], (steps, 4, 80)).astype(np.float32),
        np.ones(steps, np.bool_),
    )


def draw(clips: list[Clip], count: int = 20, slack: int = 6, tempo: float = 1.0, late: int = 0, seed: int = 0) -> Batch:
    sampler = Sampler(clips, 30, slack, seed, {}, tempo)
    sampler.align({clip.name: late for clip in clips})
    return sampler.batch(count)


def test_pieces_have_the_shapes_that_the_towers_take() -> None:
    batch = draw([ruler("a", 100)], count=5)
    assert batch.shape.shape == (5, 30, 168)
    assert batch.mouth.shape == (5, 30, 36, 36)
    assert batch.mel.shape == (5, 30, 4, 80)
    assert batch.lag.shape == (5,)
    assert batch.good.shape == (5, 30)
    assert {array.dtype for array in (batch.shape, batch.mouth, batch.mel)} == {np.dtype(np.float32)}


def test_without_a_lag_voice_and_lips_are_of_one_moment() -> None:
    batch = draw([ruler("a", 200)], slack=0)
    assert not batch.lag.any()
    assert batch.good.all()
    # A place between two mel frames is read from the nearer.
    assert np.abs(batch.mel[:, :, 0, 0] - batch.shape[:, :, 0]).max() <= 1 / 8 + 1e-4
    assert np.abs(batch.mouth[:, :, 0, 0] * 255 - batch.shape[:, :, 0]).max() <= 0.5 + 1e-4


@pytest.mark.parametrize("late", [0, 3, -4])
def test_voice_step_s_of_row_b_is_of_lip_step_s_plus_lag_plus_offset(late: int) -> None:
    batch = draw([ruler("a", 200)], late=late)
    assert len(set(batch.lag.tolist())) > 5
    assert np.abs(batch.lag).max() <= 6
    for shape, mel, lag in zip(batch.shape[:, :, 0], batch.mel[:, :, 0, 0], batch.lag, strict=True):
        heard = mel != FLOOR
        assert np.abs(mel - (shape + lag + late))[heard].max() <= 1 / 8 + 1e-4
        assert heard.sum() >= 30 - 6 - 4


def test_a_tempo_stretches_both_alike() -> None:
    batch = draw([ruler("a", 300)], tempo=1.12, slack=0)
    speeds = np.diff(batch.shape[:, :, 0]).mean(1)
    assert 1 / 1.12 - 1e-3 <= speeds.min() < 0.97 < 1.03 < speeds.max() <= 1.12 + 1e-3
    assert np.abs(batch.mel[:, :, 0, 0] - batch.shape[:, :, 0]).max() <= 1 / 8 + 1e-3


def test_beyond_the_clip_there_is_nothing_and_it_does_not_count() -> None:
    batch = draw([ruler("a", 20)], slack=0)
    assert batch.good[:, :19].all()
    assert not batch.good[:, 20:].any()
    assert (batch.shape[:, 20:] == 0).all()
    assert (batch.mouth[:, 20:] == 0).all()
    assert (batch.mel[:, 21:] == FLOOR).all()


def test_groups_are_drawn_by_weight_not_by_size() -> None:
    clips = [replace(ruler(f"s{n}", 100, "small"), shape=np.ones((100, 168), np.float32)) for n in range(2)]
    clips += [replace(ruler(f"l{n}", 100, "large"), shape=np.zeros((100, 168), np.float32)) for n in range(20)]
    sampler = Sampler(clips, 30, 0, 0, {"small": 0.5, "large": 0.5}, 1.0)
    drawn = np.concatenate([sampler.batch(1).shape[:, 0, 0] for _ in range(400)])
    assert drawn.mean() == pytest.approx(0.5, abs=0.1)


def test_pieces_of_a_batch_are_of_different_clips_where_there_are_enough() -> None:
    clips = [replace(ruler(f"{n}", 100), shape=np.full((100, 168), n, np.float32)) for n in range(12)]
    assert len(np.unique(draw(clips, 12).shape[:, 0, 0])) == 12
    assert draw(clips, 13).shape.shape[0] == 13


def test_the_same_seed_draws_the_same() -> None:
    one, other = draw([ruler("a", 100)], seed=3), draw([ruler("a", 100)], seed=3)
    assert (one.mel == other.mel).all()
    assert (one.lag == other.lag).all()
    assert (one.shape != draw([ruler("a", 100)], seed=4).shape).any()


def test_clips_without_speech_are_refused() -> None:
    silent = replace(ruler("a", 100), good=np.arange(100) < 9)
    with pytest.raises(TrainingError, match="no clip has ten usable frames"):
        draw([silent])
    assert draw([silent, ruler("b", 100)]).good.all()


def test_versions_of_a_clip_are_one_clip() -> None:
    plain = ruler("a", 200)
    garbled = replace(plain, shape=plain.shape + 1000, mel=plain.mel + 1000)
    batch = draw([plain, garbled], count=200, slack=0)
    lips, voice = (array.reshape(200, -1).min(1) >= 900 for array in (batch.shape, batch.mel))
    for seen in (True, False):
        for heard in (True, False):
            assert 20 < ((lips == seen) & (voice == heard)).sum() < 80


def test_steps_count_only_where_both_versions_are_good() -> None:
    plain = ruler("a", 60)
    deaf = replace(plain, good=np.arange(60) < 30)
    batch = draw([plain, deaf], count=60, slack=0)
    assert any(row.all() for row in batch.good)
    assert any(not row.all() for row in batch.good)


def test_sounds_are_those_of_the_lips_moment() -> None:
    sampler = Sampler([ruler("a", 200)], 30, 6, 0, {}, 1.0)
    assert (sampler.batch(2).units == -1).all()
    sampler.label({"a": np.arange(200)})
    batch = sampler.batch(8)
    assert np.abs(batch.units - batch.shape[:, :, 0]).max() <= 0.5 + 1e-4
    sampler.align({"a": 3})
    batch = sampler.batch(8)
    present = batch.units >= 0
    assert np.abs(batch.units - batch.shape[:, :, 0] - 3)[present].max() <= 0.5 + 1e-4


def test_a_person_is_drawn_by_the_root_of_what_there_is_of_them() -> None:
    much = [replace(ruler(f"a{n}", 400), subject="a") for n in range(4)]
    little = [ruler("b", 100), ruler("c", 100)]
    shares = chances([*much, *little], {})
    assert shares[:4].sum() == pytest.approx(4 / 6)
    assert np.ptp(shares[:4]) == 0.0
    assert shares[4:] == pytest.approx([1 / 6, 1 / 6])
    grouped = chances([*much, replace(ruler("d", 50), group="h")], {"g": 1.0, "h": 3.0})
    assert grouped[-1] == pytest.approx(0.75)


def starts(batch: Batch) -> list[float]:
    return [float(row[0, 0]) for row in batch.shape]


def test_twins_are_other_moments_of_somebody_who_is_there() -> None:
    clips = [replace(ruler(f"a{n}", 300), shape=ruler("a", 300).shape + 1000 * n) for n in range(40)]
    sampler = Sampler(clips, 30, 0, 0, {}, 1.0, twins=0.5)
    places = starts(sampler.batch(20))
    for first, second in zip(places[:10], places[10:], strict=True):
        assert first // 1000 == second // 1000
        assert abs(first - second) >= 30


def test_who_has_no_second_moment_has_somebody_elses() -> None:
    short = [replace(ruler(f"a{n}", 31), shape=ruler("a", 31).shape + 1000 * n) for n in range(40)]
    places = starts(Sampler(short, 30, 0, 0, {}, 1.0, twins=0.5).batch(20))
    assert len(places) == 20
    assert sum(first // 1000 != second // 1000 for first, second in zip(places[:10], places[10:], strict=True)) >= 7


def test_another_recording_of_a_person_is_a_twin() -> None:
    clips = [replace(ruler(f"a{n}", 31), subject="a", shape=ruler("a", 31).shape + 1000 * n) for n in range(9)]
    places = starts(Sampler(clips, 30, 0, 0, {}, 1.0, twins=0.5).batch(4))
    assert {first // 1000 != second // 1000 for first, second in zip(places[:2], places[2:], strict=True)} == {True}
