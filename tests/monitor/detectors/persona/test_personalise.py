from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engines.base import Arrays, FloatArray
from monitor.detectors.persona.personalise import PersonaliseConfig, PersonaliseError, own_distances, personalise
from monitor.detectors.persona.reconstruction import Plan, Tokens, batch, distances
from monitor.detectors.persona.windows import WINDOW_STEPS, MotionWindow
from tests.monitor import movers

PLAN = Plan.from_preprocessing(movers.Persona().manifest.preprocessing)
NULL = np.zeros((movers.TOKENS, movers.WIDTH), np.float32)
TOKENS = Tokens(NULL, NULL + 0.1)
CONFIG = PersonaliseConfig(steps=120, rate=0.1)


def silent(_: float) -> None:
    pass


def gaps(windows: list[MotionWindow], tokens: FloatArray) -> FloatArray:
    error = movers.Persona().run(batch(windows, tokens, NULL, PLAN))["error"]
    return distances(error, windows, PLAN).gap


def test_tokens_learn_one_person_and_nobody_else() -> None:
    shares: list[float] = []
    made = personalise(movers.Fit(), movers.windows(1, 40), TOKENS.start, PLAN, CONFIG, shares.append)
    assert np.allclose(made.tokens.mean(0), movers.proportions(1), atol=0.3)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert made.losses[-1] < made.losses[0]
    assert min(made.held_out_losses) < made.held_out_losses[0]
    # Other words of the same person, and another person.
    same, other = gaps(movers.windows(1, 20, 7), made.tokens), gaps(movers.windows(2, 20, 7), made.tokens)
    assert same.max() < 0 < other.min()


def test_the_same_recordings_give_the_same_tokens() -> None:
    config = replace(CONFIG, steps=20)
    one, two = (
        personalise(movers.Fit(), movers.windows(1, 20), TOKENS.start, PLAN, replace(config, workers=workers), silent)
        for workers in (1, 2)
    )
    assert np.array_equal(one.tokens, two.tokens)
    assert np.array_equal(one.halves, two.halves)


def test_own_windows_are_judged_by_tokens_that_have_not_seen_them() -> None:
    # Two people under one name: each half is unlike what the other half taught.
    windows = movers.windows(1, 20) + movers.windows(2, 20)
    made = personalise(movers.Fit(), windows, TOKENS.start, PLAN, CONFIG, silent)
    assert made.half.tolist() == [1] * (len(windows) // 2) + [0] * (len(windows) // 2)
    own = own_distances(movers.Persona(), windows, made, TOKENS, PLAN)
    assert own.shape == (len(windows),)
    assert np.array_equal(own[:3], gaps(windows[:3], made.halves[1]))
    assert own.min() > 0
    alone = movers.windows(1, 40)
    taught = personalise(movers.Fit(), alone, TOKENS.start, PLAN, CONFIG, silent)
    assert own_distances(movers.Persona(), alone, taught, TOKENS, PLAN).max() < 0


class Watched(movers.Fit):
    """Remembers which windows it was asked about, by their first voice."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[set[float]] = []

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        self.asked.append({float(voice[0, 0]) for voice in inputs["voice"]})
        return super().run(inputs)


def test_no_window_that_overlaps_the_other_half_is_learnt_from() -> None:
    windows = movers.windows(1, 60)
    watched = Watched()
    made = personalise(watched, windows, TOKENS.start, PLAN, replace(CONFIG, steps=200, workers=1), silent)
    second = {float(window.voice[0, 0]) for window, half in zip(windows, made.half, strict=True) if half == 0}
    edge = min(window.start for window, half in zip(windows, made.half, strict=True) if half == 0)
    near = {float(window.voice[0, 0]) for window in windows if edge - WINDOW_STEPS / 25 < window.start < edge}
    first_half = [asked for asked in watched.asked if not asked & second]
    assert len(near) == 6
    assert first_half
    assert not any(asked & near for asked in first_half)


def test_it_stops_when_windows_kept_back_are_explained_no_better() -> None:
    # Nothing can be learnt of movement that has nothing to do with the voice: the start stays the best.
    random = np.random.default_rng(1)
    quiet = [
        replace(window, voice=random.standard_normal((WINDOW_STEPS, 128), np.float32))
        for window in movers.windows(1, 20)
    ]
    config = replace(CONFIG, rate=1.0, patience=2, check=5)
    made = personalise(movers.Fit(), quiet, NULL, PLAN, config, silent)
    assert len(made.losses) < config.steps // config.check
    assert made.steps >= 1


def test_too_few_windows_are_said_in_one_line() -> None:
    with pytest.raises(PersonaliseError, match=r"7 windows of speech are too few .* 8 are needed: add recordings"):
        personalise(movers.Fit(), movers.windows(1, 60)[:7], TOKENS.start, PLAN, CONFIG, silent)
    few = personalise(movers.Fit(), movers.windows(1, 60)[:8], TOKENS.start, PLAN, replace(CONFIG, steps=3), silent)
    assert few.steps >= 1
