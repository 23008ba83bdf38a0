"""Measures of a persona model in training: errors with and without tokens, and how well these tell people apart.

Of people that it knows: on the part of their recordings that was set aside, with their own tokens, nobody's and another
person's. Of people that it has never met: denoised with nobody's tokens and with tokens fitted to the first half of
their windows, on the other half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.metrics import auc
from engines.nets.persona import window_loss
from engines.training.persona_data import PersonaClip, WindowPool, Windows, people_of
from engines.training.persona_recipe import PeopleModel, PersonaRecipe

HOP_STEPS = 25
MAX_WINDOWS = 400
_BATCH_ROWS = 128


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """Windows to measure on: of known people, and of people held out with their number from 1; None without any."""

    learnt: Windows | None
    held_out: Windows | None

    @classmethod
    def spread(
        cls,
        aside: Sequence[PersonaClip],
        held_out: Sequence[PersonaClip],
        people: Sequence[str],
        recipe: PersonaRecipe,
    ) -> Trials:
        """Take windows a second apart, at most `MAX_WINDOWS` of each kind."""
        return cls(_spread(aside, people), _spread(held_out, people_of(held_out)))


def _spread(clips: Sequence[PersonaClip], people: Sequence[str]) -> Windows | None:
    if not clips:
        return None
    pool = WindowPool(clips, people)
    numbers = pool.spread(HOP_STEPS)
    return pool.at(numbers[:: max(1, len(numbers) // MAX_WINDOWS)])


def plan_of(recipe: PersonaRecipe, features: int, steps: int) -> tuple[Tensor, Tensor]:
    """Timesteps (S, 1) and noises (S, 75, M) of the distance, the same that the pack's manifest leads to."""
    random = np.random.Generator(np.random.PCG64(recipe.noise_seed))
    size = (len(recipe.timesteps) * recipe.noises, steps, features)
    noise = torch.from_numpy(random.standard_normal(size, np.float32))
    return torch.tensor(np.repeat(np.array(recipe.timesteps, np.float32), recipe.noises))[:, None], noise


@torch.no_grad()
def errors(net: PeopleModel, windows: Windows, tokens: Tensor, recipe: PersonaRecipe) -> Tensor:
    """Errors (N, S) of windows at each timestep, with tokens (N, P, d)."""
    net.eval()
    times, noises = plan_of(recipe, windows.motion.shape[2], windows.motion.shape[1])
    columns = []
    for at, noise in zip(times, noises, strict=True):
        parts = []
        for first in range(0, len(windows), _BATCH_ROWS):
            part = windows.chosen(torch.arange(first, min(first + _BATCH_ROWS, len(windows))))
            count = len(part)
            error, _ = net.model(
                part.motion,
                part.voice,
                part.mask,
                tokens[first : first + count],
                at.expand(count, 1),
                noise.expand(count, -1, -1),
            )
            parts.append(window_loss(error, part.mask))
        columns.append(torch.cat(parts))
    return torch.cat(columns, 1)


def gap(with_tokens: Tensor, plain: Tensor) -> np.ndarray[Any, Any]:
    """Distances (N,) from errors (N, S) with and without tokens, as the product takes them: ratios of them."""
    gaps: np.ndarray[Any, Any] = (with_tokens.log() - plain.log()).mean(1).numpy()
    return gaps


def measure(net: PeopleModel, trials: Trials, recipe: PersonaRecipe, fit_steps: int = 0) -> dict[str, Any]:
    """Errors as numbers for a log: {"known": {...}, "held_out": {...}}, what there is of them."""
    row: dict[str, Any] = {}
    if trials.learnt is not None:
        row["known"] = _learnt(net, trials.learnt, recipe)
    if trials.held_out is not None:
        row["held_out"] = _held_out(net, trials.held_out, recipe, fit_steps)
    return row


def _learnt(net: PeopleModel, windows: Windows, recipe: PersonaRecipe) -> dict[str, float]:
    nobody = torch.zeros_like(windows.person)
    plain = errors(net, windows, net.tokens(nobody), recipe)
    with_tokens = errors(net, windows, net.tokens(windows.person), recipe)
    row = {"windows": float(len(windows)), "error": float(plain.mean()), "with": float(with_tokens.mean())}
    people = torch.unique(windows.person)
    if len(people) > 1:
        # Another person's tokens: the next person's who is measured.
        place = torch.searchsorted(people, windows.person)
        other = errors(net, windows, net.tokens(people[(place + 1) % len(people)]), recipe)
        row |= {"other": float(other.mean()), "auc": auc(gap(other, plain), gap(with_tokens, plain))}
    return {key: round(value, 5) for key, value in row.items()}


def _held_out(net: PeopleModel, windows: Windows, recipe: PersonaRecipe, fit_steps: int) -> dict[str, float]:
    plain = errors(net, windows, net.null.expand(len(windows), -1, -1), recipe)
    silent = Windows(windows.motion, torch.zeros_like(windows.voice), windows.mask, windows.person)
    deaf = errors(net, silent, net.null.expand(len(windows), -1, -1), recipe)
    row = {"windows": float(len(windows)), "error": float(plain.mean()), "without_voice": float(deaf.mean())}
    by_timestep = plain.reshape(len(plain), -1, recipe.noises).mean((0, 2)).tolist()
    row |= {f"error_{at:g}": value for at, value in zip(recipe.timesteps, by_timestep, strict=True)}
    halves = halves_of(windows.person)
    if fit_steps and halves is not None:
        row |= _personal(net, windows, plain, halves, recipe, fit_steps)
    return {key: round(value, 5) for key, value in row.items()}


def halves_of(person: Tensor, min_windows: int = 6) -> tuple[Tensor, Tensor] | None:
    """Numbers of the windows of each person's first half, and of the second without its first two: they overlap.

    Only of people with `min_windows` windows; None when there are no two of them.
    """
    first: list[Tensor] = []
    second: list[Tensor] = []
    for number in torch.unique(person[person > 0]):
        windows_of_person = torch.nonzero(person == number)[:, 0]
        if len(windows_of_person) >= min_windows:
            first.append(windows_of_person[: len(windows_of_person) // 2])
            second.append(windows_of_person[len(windows_of_person) // 2 + 2 :])
    return (torch.cat(first), torch.cat(second)) if len(first) > 1 else None


def fit_tokens(
    net: PeopleModel, windows: Windows, count: int, recipe: PersonaRecipe, steps: int, rate: float = 0.03
) -> Tensor:
    """Fit tokens (count, P, d) of people to their windows, all at once, with the model frozen."""
    net.eval()
    tokens = net.start.expand(count, -1, -1).clone().requires_grad_(True)
    optimiser = torch.optim.Adam([tokens], lr=rate)
    random = torch.Generator().manual_seed(recipe.seed)
    times = torch.tensor(recipe.timesteps)
    for _ in range(steps):
        batch = windows.chosen(torch.randint(len(windows), (64,), generator=random))
        at = times[torch.randint(len(times), (64, 1), generator=random)]
        noise = torch.randn(batch.motion.shape, generator=random)
        error, _ = net.model(batch.motion, batch.voice, batch.mask, tokens[batch.person], at, noise)
        (gradient,) = torch.autograd.grad(window_loss(error, batch.mask).sum(), tokens)
        tokens.grad = gradient
        optimiser.step()
    return tokens.detach()


def _personal(
    net: PeopleModel, windows: Windows, plain: Tensor, halves: tuple[Tensor, Tensor], recipe: PersonaRecipe, steps: int
) -> dict[str, float]:
    fitted, judged = halves
    people = torch.unique(windows.person[judged])
    place = torch.searchsorted(people, windows.person)
    place = place.clamp_max(len(people) - 1)
    fitted_windows = windows.chosen(fitted)
    fitted_windows = Windows(fitted_windows.motion, fitted_windows.voice, fitted_windows.mask, place[fitted])
    tokens = fit_tokens(net, fitted_windows, len(people), recipe, steps)
    judged_windows, base = windows.chosen(judged), plain[judged]
    gaps = np.stack(
        [gap(errors(net, judged_windows, one.expand(len(judged_windows), -1, -1), recipe), base) for one in tokens], 1
    )
    is_person = np.eye(len(people), dtype=bool)[place[judged].numpy()]
    areas = [
        auc(gaps[~is_person[:, n], n], gaps[is_person[:, n], n]) for n in range(len(people)) if is_person[:, n].any()
    ]
    return {
        "people": float(len(people)),
        "personal_windows": float(len(judged_windows)),
        "gap_own": float(gaps[is_person].mean()),
        "gap_other": float(gaps[~is_person].mean()),
        "personal_auc": float(np.mean(areas)),
        "plain_auc": float(
            np.mean(
                [
                    _plain(base.log().mean(1).numpy(), is_person[:, n])
                    for n in range(len(people))
                    if is_person[:, n].any()
                ]
            )
        ),
    }


def _plain(base: np.ndarray[Any, Any], is_person: np.ndarray[Any, Any]) -> float:
    """Take the area that the error without tokens gives: the unpersonalised baseline."""
    return auc(base[~is_person], base[is_person])
