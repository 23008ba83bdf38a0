"""Echo well below the call's own speech is far; quiet people are not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.types import BoolArray, FloatArray
from monitor.voice.near import BELOW_OWN_DB, FAINT_DB, OWN_SECONDS, NearVoice


def at_level(decibels: float, steps: int) -> FloatArray:
    """Steps of noise at a level under full scale."""
    noise = np.random.default_rng(0).normal(size=(steps, 640))
    noise /= np.sqrt(np.square(noise).mean(1, keepdims=True))
    return np.asarray(noise * 10 ** (decibels / 20), np.float32)


def yes(steps: int) -> BoolArray:
    return np.ones(steps, np.bool_)


def after(own_db: float, seconds: float = OWN_SECONDS) -> NearVoice:
    """A call in which somebody has spoken at this level."""
    near = NearVoice()
    near(at_level(own_db, round(25 * seconds)), yes(round(25 * seconds)))
    return near


@pytest.mark.parametrize(("echo_db", "is_near"), [(-10, True), (-14, True), (-16, False), (-30, False)])
def test_echo_is_measured_against_the_calls_own_speech(echo_db: float, is_near: bool) -> None:
    found = after(-26.0)(at_level(-26.0 + echo_db, 50), yes(50))
    assert found.all() if is_near else not found.any()


def test_until_somebody_has_spoken_long_enough_nothing_is_far_but_what_is_faint() -> None:
    assert after(-10.0, OWN_SECONDS - 1)(at_level(-45.0, 25), yes(25)).all()
    assert NearVoice()(at_level(FAINT_DB + 1, 25), yes(25)).all()
    assert not NearVoice()(at_level(FAINT_DB - 1, 25), yes(25)).any()


def test_a_few_shouts_do_not_make_a_voice_far() -> None:
    near = after(-30.0, 30.0)
    near(at_level(-3.0, 25 * (OWN_SECONDS - 1)), yes(25 * (OWN_SECONDS - 1)))
    assert near(at_level(-30.0, 25), yes(25)).all()


def test_echo_that_came_first_is_far_once_they_speak() -> None:
    near = after(-45.0, 60.0)
    assert near(at_level(-25.0, 25 * OWN_SECONDS), yes(25 * OWN_SECONDS)).all()
    assert not near(at_level(-45.0, 25), yes(25)).any()


def test_what_is_far_changes_nothing_of_the_calls_own_level() -> None:
    near = after(-26.0)
    for _ in range(100):
        assert not near(at_level(-26.0 - BELOW_OWN_DB - 2, 25), yes(25)).any()
    assert near(at_level(-27.0, 25), yes(25)).all()


def test_where_nothing_is_heard_nothing_is_near() -> None:
    near = NearVoice()
    assert not near(at_level(-10.0, 25), np.zeros(25, np.bool_)).any()
    assert near(at_level(-10.0, 0), yes(0)).shape == (0,)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=12), st.integers(0, 9))
def test_pieces_give_what_the_whole_gives(sizes: list[int], seed: int) -> None:
    random, steps = np.random.default_rng(seed), sum(sizes)
    samples = np.repeat(10 ** random.uniform(-3, 0, (steps, 1)), 640, axis=1).astype(np.float32)
    heard = random.random(steps) < 0.8
    whole, cut = NearVoice()(samples, heard), NearVoice()
    bounds = np.cumsum(sizes)[:-1]
    pieces = [cut(*piece) for piece in zip(np.split(samples, bounds), np.split(heard, bounds), strict=True)]
    assert (np.concatenate(pieces) == whole).all()
