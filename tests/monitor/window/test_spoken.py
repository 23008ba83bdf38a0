"""Sound is speech where speech was heard around it, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.types import BoolArray
from monitor.window.spoken import AROUND_FRAMES, LEAST_HEARD, spoken


def at(*steps: int, length: int = 200) -> BoolArray:
    return np.asarray(np.isin(np.arange(length), steps), np.bool_)


def test_the_edges_of_words_are_those_of_the_sound() -> None:
    sound = at(*range(40, 80), *range(90, 120))
    assert (spoken(at(*range(50, 110)), sound) == sound).all()


def test_sound_far_from_speech_is_none() -> None:
    found = spoken(at(*range(100, 110)), at(*range(200)))
    first, last = 100 + LEAST_HEARD - 1 - AROUND_FRAMES, 110 - LEAST_HEARD + AROUND_FRAMES
    assert np.flatnonzero(found).tolist() == list(range(first, last + 1))


def test_little_that_is_heard_is_misheard() -> None:
    few = np.linspace(60, 90, LEAST_HEARD - 1).astype(int)
    assert not spoken(at(*few), at(*range(200))).any()
    assert spoken(at(*few, 76), at(*range(200))).any()


def test_what_is_heard_without_sound_does_not_count() -> None:
    assert not spoken(at(*range(50, 100)), at(*range(100, 200))).any()


@pytest.mark.parametrize("length", [0, 1, 30])
def test_any_length_will_do(length: int) -> None:
    every = np.ones(length, np.bool_)
    assert spoken(every, every).tolist() == [length >= LEAST_HEARD] * length


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=80))
def test_it_is_what_counting_says(flags: list[tuple[bool, bool]]) -> None:
    heard, sound = (np.array([f[k] for f in flags], np.bool_) for k in (0, 1))
    wanted = [
        sound[t] and (heard & sound)[max(0, t - AROUND_FRAMES) : t + AROUND_FRAMES + 1].sum() >= LEAST_HEARD
        for t in range(len(flags))
    ]
    assert spoken(heard, sound).tolist() == wanted
