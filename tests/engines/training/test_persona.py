from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engines.base import MOTION_WINDOW_STEPS
from engines.training.clips import TrainingError
from engines.training.persona import begin, losses, train
from engines.training.persona_data import NOBODY, PersonaClip, WindowPool, people_of, set_aside
from engines.training.persona_measure import Trials, errors, gap, halves_of, measure, plan_of
from engines.training.persona_recipe import PeopleModel, PersonaRecipe
from monitor.detectors.persona.reconstruction import Plan
from tests.engines.moving_people import FEATURES, clip

SMALL = PersonaRecipe(
    width=24,
    depth=1,
    heads=2,
    tokens=2,
    token_size=8,
    dropout=0.0,
    batch=12,
    minutes=5,
    max_steps=6,
    timesteps=(0.3, 0.6),
    fit_steps=2,
    aside=0.3,
    keep_best=True,
    jitter=0.0,
)


def quiet(_: dict[str, Any]) -> None:
    pass


def test_windows_hold_what_is_seen_and_short_clips_lie_anywhere() -> None:
    clips = [clip(1, 6.0), clip(2, 1.2), clip(3, 0.4)]
    pool = WindowPool(clips, people_of(clips))
    # 76 starts of the long one, 46 places of the short one; the third is too short for anything.
    assert len(pool) == 76 + 46
    assert pool.owners.tolist() == [1] * 76 + [2] * 46
    first = pool.at(np.array([0]))
    assert np.array_equal(first.motion[0].numpy(), clips[0].motion[:MOTION_WINDOW_STEPS])
    assert np.array_equal(first.mask[0].numpy(), clips[0].valid[:MOTION_WINDOW_STEPS].astype(np.float32))
    assert not first.voice[0][first.mask[0] == 0].any()
    for number in (76, 121):
        short = pool.at(np.array([number]))
        assert short.mask.sum() == clips[1].valid.sum()
    assert pool.at(np.array([76])).mask[0, -1] == clips[1].valid[-1]
    present = np.concatenate([c.motion[c.valid] for c in clips[:2]])
    assert pool.scale == pytest.approx(np.sqrt((present.astype(np.float64) ** 2).mean(0)), rel=1e-4)


def test_people_of_whom_there_is_much_do_not_crowd_out_the_others() -> None:
    clips = [clip(1, 60.0), clip(2, 6.0), clip(3, 6.0, name=NOBODY)]
    drawn = WindowPool(clips, people_of(clips), balance=0.0).draw(3000, np.random.default_rng(0))
    assert torch.bincount(drawn.person).tolist() == pytest.approx([1000, 1000, 1000], abs=120)
    drawn = WindowPool(clips, people_of(clips), balance=1.0).draw(3000, np.random.default_rng(0))
    assert torch.bincount(drawn.person)[1] > 2600


def test_windows_that_are_hardly_seen_are_left_out() -> None:
    seen = clip(1, 8.0)
    hidden = replace(seen, valid=np.arange(200) < 120)
    pool = WindowPool([hidden], ["p1"])
    assert pool.starts.max() - pool.starts.min() == 60
    nowhere = replace(seen, valid=np.arange(200) % 10 < 6)
    assert len(WindowPool([nowhere], ["p1"])) == 1
    with pytest.raises(TrainingError, match="no clip shows a speaking face"):
        WindowPool([replace(seen, valid=np.zeros(200, np.bool_))], ["p1"])


def test_spread_windows_are_apart_within_a_clip() -> None:
    clips = [clip(1, 6.0), clip(1, 6.0, 1)]
    pool = WindowPool(clips, ["p1"])
    assert [int(pool.starts[n]) for n in pool.spread(25)] == [75, 100, 125, 150, 300, 325, 350, 375]


def test_the_last_part_of_everybody_is_set_aside() -> None:
    clips = [clip(1, 20.0), clip(1, 4.0, 1), clip(2, 8.0), clip(3, 60.0, name=NOBODY)]
    left, aside = set_aside(clips, 0.25)
    assert {c.person for c in aside} == {"p1"}
    assert [len(c) for c in aside] == [100, 50]
    assert sum(len(c) for c in left) + sum(len(c) for c in aside) == sum(len(c) for c in clips)
    left_part = next(c for c in left if c.name == "p1-0")
    assert np.array_equal(np.concatenate([left_part.motion, aside[1].motion]), clips[0].motion)
    assert set_aside(clips, 0.0)[1] == []


def test_training_goes_on_where_it_stopped(tmp_path: Path) -> None:
    training = [clip(n, 12.0) for n in range(3)] + [clip(9, 6.0, name=NOBODY)]
    held = [clip(n, 8.0) for n in (5, 6)]
    news: list[dict[str, Any]] = []
    first = train(training, held, SMALL, tmp_path, news.append)
    assert first.step == 6
    assert first.people == ["p0", "p1", "p2"]
    again = train(training, held, replace(SMALL, max_steps=20), tmp_path, news.append)
    assert again.step == 20
    logged = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in logged] == [6, 20]
    assert {"windows", "error", "with", "other", "auc"} <= set(logged[0]["known"])
    assert {"error", "error_0.3", "without_voice", "personal_auc", "plain_auc"} <= set(logged[0]["held_out"])
    assert next(n for n in news if "done" in n)["step"] == 20
    assert again.lowest == min(row["held_out"]["error"] for row in logged)
    best = again.shipped(SMALL)
    assert best is again.best
    assert again.shipped(replace(SMALL, keep_best=False)) is again.mean
    with pytest.raises(TrainingError, match="not a checkpoint of this recipe and data"):
        train(training[:2], held, SMALL, tmp_path, quiet)
    (tmp_path / "checkpoint.pt").write_bytes(b"words")
    with pytest.raises(TrainingError, match="move it away"):
        train(training, held, SMALL, tmp_path, quiet)


def test_without_people_to_compare_it_trains_all_the_same(tmp_path: Path) -> None:
    run = train(
        [clip(1, 4.0, name=NOBODY)], [], replace(SMALL, max_steps=2, threads=1, measure_every=0), tmp_path, quiet
    )
    assert [row["step"] for row in run.history] == [1, 2, 2]
    assert set(run.history[0]) == {"step", "minutes"}
    assert run.shipped(SMALL) is run.mean
    assert torch.equal(run.mean.start, run.mean.null)


def test_each_term_of_the_loss_asks_for_what_it_is_there_for() -> None:
    clips = [clip(n, 6.0) for n in range(3)]
    pool = WindowPool(clips, people_of(clips))
    plain = replace(SMALL, spread_weight=0.0)
    net = begin(pool, people_of(clips), SMALL).net.eval()
    windows = pool.draw(8, np.random.default_rng(0))

    def loss(recipe: PersonaRecipe) -> float:
        return float(losses(net, windows, recipe, torch.Generator().manual_seed(1)).detach())

    # Before it has learnt anything all tokens say the same, and the order is a draw: the logarithm of two.
    assert loss(replace(plain, rank_weight=1.0)) - loss(plain) == pytest.approx(np.log(2), abs=0.02)
    assert loss(replace(plain, spread_weight=1.0)) - loss(plain) == pytest.approx(0.01, abs=0.005)
    assert loss(replace(plain, jitter=2.0)) > loss(plain)
    assert loss(replace(plain, loss="x0")) < loss(plain)
    alone = pool.at(np.flatnonzero(pool.owners == 1)[:4])
    shared = losses(net, alone, replace(plain, rank_weight=1.0), torch.Generator().manual_seed(1))
    assert shared == losses(net, alone, plain, torch.Generator().manual_seed(1))


def test_the_plan_is_that_of_the_product() -> None:
    recipe = replace(SMALL, noises=2)
    manifest_plan = {
        "timesteps": recipe.timesteps,
        "noises": 2,
        "noise_seed": recipe.noise_seed,
        "steps": MOTION_WINDOW_STEPS,
        "features": 3,
    }
    times, noises = plan_of(recipe, 3, MOTION_WINDOW_STEPS)
    plan = Plan.from_preprocessing(manifest_plan)
    assert np.array_equal(times[:, 0].numpy(), plan.timesteps)
    assert np.array_equal(noises.numpy(), plan.noise)


def test_halves_are_of_those_with_enough_windows() -> None:
    person = torch.tensor([1] * 8 + [2] * 3 + [3] * 6 + [0] * 9)
    found = halves_of(person)
    assert found is not None
    assert found[0].tolist() == [0, 1, 2, 3, 11, 12, 13]
    assert found[1].tolist() == [6, 7, 16]
    assert halves_of(person[:11]) is None


def people(*numbers: int, seed: int = 0) -> list[PersonaClip]:
    return [clip(n, 12.0, seed) for n in numbers]


def test_tokens_come_to_mean_a_person(tmp_path: Path) -> None:
    """Whom it knows it tells apart by their tokens, and whom it has never met once tokens are fitted to them."""
    sizes = replace(SMALL, width=32, batch=24, max_steps=250, aside=0.0, fit_steps=60)
    recipe = replace(sizes, rate=4e-3, token_rate=3e-2, drop_voice=0.1)
    run = train(people(*range(12)), people(20, 21, 22, 23), recipe, tmp_path, quiet)
    row = run.history[-1]["held_out"]
    assert row["error"] < row["without_voice"]
    assert row["personal_auc"] > max(0.6, row["plain_auc"])
    trials = Trials.spread(people(*range(12), seed=1), [], run.people, recipe)
    row = measure(run.mean, trials, recipe)["known"]
    assert row["with"] < row["error"] < row["other"]
    assert row["auc"] > 0.75


def test_the_gap_is_a_ratio() -> None:
    with_tokens, plain = torch.tensor([[1.0, 2.0]]), torch.tensor([[2.0, 8.0]])
    assert gap(with_tokens, plain) == pytest.approx([(np.log(0.5) + np.log(0.25)) / 2])


def test_errors_are_the_same_however_many_windows_there_are() -> None:
    net = PeopleModel(SMALL.shape(FEATURES), 1, torch.ones(FEATURES))
    pool = WindowPool(people(1), ["p1"])
    windows = pool.at(np.arange(150))
    found = errors(net, windows, net.tokens(windows.person), SMALL)
    assert found.shape == (150, 2)
    some = windows.chosen(torch.arange(140, 143))
    assert torch.allclose(errors(net, some, net.tokens(some.person), SMALL), found[140:143], atol=1e-6)
