"""Training of the persona model: how people move when they speak, and the tokens of each who is known.

Genuine video only. Each window is made noisy and denoised, given the voice and the tokens of the person; those are
replaced by the tokens of nobody for a part of the windows (classifier-free), so that there is a WITHOUT to compare
with. What is measured and shipped is the running mean of the weights.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engines.nets.persona import window_loss
from engines.training.checkpoint import Layout, restore, save
from engines.training.persona_data import PersonaClip, WindowPool, Windows, people_of, set_aside
from engines.training.persona_measure import Trials, measure
from engines.training.persona_recipe import PeopleModel, PersonaRecipe
from engines.training.run import NetRun, Report, append_log, done_share, unfinished
from engines.training.steps import follow, set_rate

LAYOUT = Layout(
    modules=("net", "mean", "best", "optimiser"), values=("step", "spent", "lowest", "history"), data=("people",)
)


@dataclass(slots=True, eq=False)
class PersonaRun(NetRun[PeopleModel]):
    """A run in progress, with the mean that denoised held-out people best so far, and its `lowest` error.

    `people` are the names behind the table's rows from 1.
    """

    best: PeopleModel = field(kw_only=True)
    people: list[str] = field(kw_only=True)
    lowest: float = float("inf")

    def shipped(self, recipe: PersonaRecipe) -> PeopleModel:
        """Choose what the pack is made of: the running mean where held-out people were denoised best, or the last."""
        return self.best if recipe.keep_best and np.isfinite(self.lowest) else self.mean


def begin(pool: WindowPool, people: Sequence[str], recipe: PersonaRecipe, weight: Tensor | None = None) -> PersonaRun:
    """Make a fresh run; `weight` (M,) is how much each feature counts, all alike by default."""
    torch.manual_seed(recipe.seed)
    scale = torch.from_numpy(pool.scale)
    net = PeopleModel(recipe.shape(len(scale)), len(people), scale, weight)
    table = [net.table.weight]
    flat = [p for p in net.model.parameters() if p.ndim < 2]
    deep = [p for p in net.model.parameters() if p.ndim > 1]
    groups = [
        {"params": deep, "weight_decay": recipe.decay},
        {"params": flat, "weight_decay": 0.0},
        {"params": table, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=recipe.rate)
    return PersonaRun(net, copy.deepcopy(net), optimiser, best=copy.deepcopy(net), people=list(people))


def losses(net: PeopleModel, windows: Windows, recipe: PersonaRecipe, random: torch.Generator) -> Tensor:
    """Loss of a batch: denoising, the order of tokens where asked for, and the tokens held together."""
    count = len(windows)
    motion, voice = windows.motion, windows.voice
    if recipe.jitter:
        shake = torch.randn(motion.shape, generator=random) * recipe.jitter * net.model.scale
        motion = (motion + shake) * windows.mask[:, :, None]
    voice = voice * (torch.rand((count, 1, 1), generator=random) >= recipe.drop_voice)
    given_person = torch.where(torch.rand(count, generator=random) < recipe.drop, 0, windows.person)
    at = recipe.low + (recipe.high - recipe.low) * torch.rand((count, 1), generator=random)
    noise = torch.randn(motion.shape, generator=random)
    error = _errors(net, motion, voice, windows.mask, given_person, at, noise)
    # With the target v the network's own error is that of the window divided by the share of noise.
    share = torch.sin(at * (torch.pi / 2)) if recipe.loss == "target" and recipe.target == "v" else torch.ones_like(at)
    loss = (error / share.square()).mean()
    with_person = torch.nonzero(windows.person)[:, 0]
    if recipe.rank_weight and len(with_person) > 1:
        loss = loss + recipe.rank_weight * _order(net, windows, motion, voice, at, noise, with_person)
    if recipe.spread_weight:
        weight = net.table.weight
        loss = loss + recipe.spread_weight * (weight - weight.mean(0)).square().mean()
    return loss


def _errors(
    net: PeopleModel, motion: Tensor, voice: Tensor, mask: Tensor, person: Tensor, at: Tensor, noise: Tensor
) -> Tensor:
    error, _ = net.model(motion, voice, mask, net.tokens(person), at, noise)
    return window_loss(error, mask)


def _order(
    net: PeopleModel, windows: Windows, motion: Tensor, voice: Tensor, at: Tensor, noise: Tensor, with_person: Tensor
) -> Tensor:
    """How far a window's own tokens fail to denoise it better than those of the next window's person, in part of it."""
    person = windows.person[with_person]
    other = person.roll(1)
    rows = with_person[person != other]
    if not len(rows):
        return torch.zeros(())
    parts = (motion[rows], voice[rows], windows.mask[rows])
    right = _errors(net, *parts, windows.person[rows], at[rows], noise[rows])
    wrong = _errors(net, *parts, other[person != other], at[rows], noise[rows])
    return nn.functional.softplus(20 * (right - wrong) / wrong.detach()).mean()


def train(
    training: Sequence[PersonaClip],
    held_out: Sequence[PersonaClip],
    recipe: PersonaRecipe,
    folder: Path,
    report: Report,
    weight: Tensor | None = None,
) -> PersonaRun:
    """Train until the recipe's minutes are spent; goes on from `folder/checkpoint.pt` when there is one.

    `held_out` are clips of people who are not in `training`. `report` gets {"step", "done", "loss"} now and then and
    {"measured": row} after each measurement. Raises `TrainingError` when there is nothing to train on.
    """
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    folder.mkdir(parents=True, exist_ok=True)
    people = people_of(training)
    learnt, aside = set_aside(training, recipe.aside)
    pool = WindowPool(learnt, people, recipe.balance)
    run = begin(pool, people, recipe, weight)
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists():
        restore(run, checkpoint, LAYOUT)
    trials = Trials.spread(aside, held_out, people, recipe)
    draws, noises = np.random.default_rng(recipe.seed + run.step), torch.Generator().manual_seed(recipe.seed + run.step)
    measured, clock = run.spent, time.monotonic()
    while unfinished(run, recipe):
        done = done_share(run, recipe)
        loss = _step(run, pool.draw(recipe.batch, draws), recipe, noises, done)
        now = time.monotonic()
        run.spent, clock = run.spent + now - clock, now
        if run.step % 20 == 0:
            report({"step": run.step, "done": done, "loss": loss})
        if run.spent - measured >= recipe.measure_every:
            measured = run.spent
            _measure(run, trials, recipe, folder, report, recipe.fit_steps)
            save(run, recipe, checkpoint, LAYOUT)
            clock = time.monotonic()
    _measure(run, trials, recipe, folder, report, recipe.fit_steps or 100)
    save(run, recipe, checkpoint, LAYOUT)
    return run


def _step(run: PersonaRun, windows: Windows, recipe: PersonaRecipe, random: torch.Generator, done: float) -> float:
    set_rate(run.optimiser, recipe.rate, run.step, done)
    run.optimiser.param_groups[2]["lr"] *= recipe.token_rate / recipe.rate
    run.net.train()
    loss = losses(run.net, windows, recipe, random)
    run.optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(run.net.parameters(), 1.0)
    run.optimiser.step()
    follow(run.mean, run.net, recipe.average, run.step)
    run.step += 1
    return float(loss.detach())


def _measure(
    run: PersonaRun, trials: Trials, recipe: PersonaRecipe, folder: Path, report: Report, fit_steps: int
) -> None:
    row: dict[str, Any] = {"step": run.step, "minutes": round(run.spent / 60, 1)}
    row |= measure(run.mean, trials, recipe, fit_steps)
    judged = row.get("held_out", row.get("known"))
    if judged is not None and judged["error"] < run.lowest:
        run.lowest = judged["error"]
        run.best.load_state_dict(run.mean.state_dict())
    run.history.append(row)
    append_log(folder / "log.jsonl", row)
    report({"measured": row})
