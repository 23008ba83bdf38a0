from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

from monitor.detectors.persona.reconstruction import Plan, Tokens, TokensError, batch, distances
from monitor.detectors.persona.windows import WINDOW_STEPS, MotionWindow

TOLD = {"timesteps": [0.2, 0.6], "noises": 2, "noise_seed": 3, "steps": WINDOW_STEPS, "features": 4}
TOKENS = Tokens(np.zeros((2, 3), np.float32), np.ones((2, 3), np.float32))


def windows(count: int = 3) -> list[MotionWindow]:
    random = np.random.default_rng(0)
    made = []
    for number in range(count):
        mask = random.random(WINDOW_STEPS) > 0.2
        motion = random.standard_normal((WINDOW_STEPS, 4)).astype(np.float32) * mask[:, None]
        made.append(MotionWindow(motion, np.full((WINDOW_STEPS, 128), number, np.float32), mask, mask, 0.5 * number))
    return made


def test_a_plan_is_the_same_for_everybody() -> None:
    plan = Plan.from_preprocessing(TOLD)
    assert len(plan) == 4
    assert plan.timesteps.tolist() == pytest.approx([0.2, 0.2, 0.6, 0.6])
    assert plan.weights.tolist() == [0.25] * 4
    assert plan.noise.shape == (4, WINDOW_STEPS, 4)
    assert np.array_equal(plan.noise, Plan.from_preprocessing(TOLD).noise)
    assert not np.array_equal(plan.noise[0], plan.noise[1])
    assert not np.array_equal(plan.noise, Plan.from_preprocessing(TOLD | {"noise_seed": 4}).noise)
    weighed = Plan.from_preprocessing(
        {key: value for key, value in TOLD.items() if key != "noises"} | {"weights": [3, 1]}
    )
    assert weighed.weights.tolist() == [0.75, 0.25]


def test_rows_with_tokens_come_before_rows_without() -> None:
    plan, some = Plan.from_preprocessing(TOLD), windows(2)
    inputs = batch(some, TOKENS.start, TOKENS.null, plan)
    assert {key: value.shape for key, value in inputs.items()} == {
        "motion": (16, WINDOW_STEPS, 4),
        "voice": (16, WINDOW_STEPS, 128),
        "mask": (16, WINDOW_STEPS),
        "tokens": (16, 2, 3),
        "timestep": (16, 1),
        "noise": (16, WINDOW_STEPS, 4),
    }
    assert {value.dtype for value in inputs.values()} == {np.dtype(np.float32)}
    assert inputs["tokens"][:, 0, 0].tolist() == [1, 1, 1, 1, 0, 0, 0, 0] * 2
    assert inputs["voice"][:, 0, 0].tolist() == [0] * 8 + [1] * 8
    assert inputs["timestep"][:, 0].tolist() == pytest.approx([0.2, 0.2, 0.6, 0.6] * 4)
    assert np.array_equal(inputs["noise"][:4], inputs["noise"][12:])
    each = batch(some, np.stack([TOKENS.start, 2 * TOKENS.start]), TOKENS.null, plan)
    assert each["tokens"][:, 0, 0].tolist() == [1] * 4 + [0] * 4 + [2] * 4 + [0] * 4


def test_the_distance_is_what_tokens_change() -> None:
    plan, some = replace(Plan.from_preprocessing(TOLD), weights=np.array([0.7, 0.1, 0.1, 0.1], np.float32)), windows(2)
    some[1] = replace(some[1], mask=np.zeros(WINDOW_STEPS, np.bool_))
    inputs = batch(some, TOKENS.start, TOKENS.null, plan)
    # With tokens the error is 1 at the first timestep and 2 else, without it is 4; nothing where nothing is seen.
    own = inputs["tokens"][:, :1, 0] > 0
    error = np.where(own, np.where(np.arange(16)[:, None] % 4 == 0, 1, 2), 4) * inputs["mask"]
    found = distances(error, some, plan)
    # Each timestep has its say by its weight, however large its errors are.
    assert found.gap.tolist() == pytest.approx([np.log(1 / 4) * 0.7 + np.log(2 / 4) * 0.3, 0])
    assert found.with_tokens[0] == pytest.approx(1**0.7 * 2**0.3)
    assert found.without_tokens[0] == pytest.approx(4)
    assert found.curve.shape == (2, WINDOW_STEPS)
    assert found.curve[0] == pytest.approx((0.7 * (1 - 4) + 0.3 * (2 - 4)) / 4 * some[0].mask)
    assert not found.curve[1].any()


def test_tokens_are_read_as_they_were_written() -> None:
    again = Tokens.from_bytes(TOKENS.to_bytes())
    assert np.array_equal(again.null, TOKENS.null)
    assert np.array_equal(again.start, TOKENS.start)


def test_what_holds_no_tokens_is_said_in_one_line() -> None:
    wrong = io.BytesIO()
    np.savez(wrong, null=np.zeros((2, 3)))
    for data in (b"words", TOKENS.to_bytes()[:60], wrong.getvalue()):
        with pytest.raises(TokensError, match=r"tokens.npz of the persona pack cannot be read"):
            Tokens.from_bytes(data)
    for null in (np.zeros(3, np.float32), np.zeros((2, 2), np.float32), np.full((2, 3), np.nan, np.float32)):
        with pytest.raises(TokensError, match=r"does not hold tokens"):
            Tokens.from_bytes(Tokens(null, TOKENS.start).to_bytes())
