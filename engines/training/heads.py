"""The recipe of projection heads: lips and voice of frozen encoders into one space, by the losses of the speech towers.

The encoders' outputs are computed once, so a step costs only the heads. Genuine video only.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.base import GRID_HZ
from engines.convert.card_lines import bullets
from engines.convert.export import export_stream
from engines.convert.pack import write_pack
from engines.nets.heads import Head
from engines.packs import load_pack
from engines.training.agreement import clip_loss, frame_loss, time_loss
from engines.training.clips import TrainingError, chances
from engines.training.run import Report
from engines.training.speech_recipe import TwoTowerRecipe
from engines.training.steps import clip_offsets, follow, optimiser_of, set_rate
from engines.training.validate import Separation, separated

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """What frozen encoders say of one clip: `lips` (T, F), `voice` (T, G), and where both count, `good` (T,)."""

    name: str
    subject: str
    group: str
    lips: FloatArray
    voice: FloatArray
    good: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.good)


@dataclass(frozen=True, slots=True)
class HeadRecipe(TwoTowerRecipe):
    """Everything that shapes a run of the heads: `noise` is in deviations of the inputs, `hidden` a share of them."""

    noise: float = 0.2
    hidden: float = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """Trained heads, and how well they separate people that training did not see."""

    lips: Head
    voice: Head
    steps: int
    held_out: tuple[Separation, ...]


def train_heads(training: Sequence[Vectors], held_out: Sequence[Vectors], recipe: HeadRecipe, report: Report) -> Heads:
    """Train for the recipe's time; raises `TrainingError` when no clip has enough usable speech."""
    torch.manual_seed(recipe.seed)
    chosen = [clip for clip in training if clip.good.sum() >= 10]
    if not chosen:
        raise TrainingError("no clip has ten usable frames of speech: check the data folder")
    latest, mean = _pair(chosen), _pair(chosen)
    mean.load_state_dict(latest.state_dict())
    temperature = torch.nn.Parameter(torch.tensor([-2.6, -2.6]))
    learnt = [p for p in latest.parameters() if p.requires_grad]
    optimiser = optimiser_of(learnt, temperature, recipe.rate, recipe.decay)
    sampler = _Sampler(chosen, recipe)
    began, step, done, aligned = time.monotonic(), 0, 0.0, False
    while done < 1:
        if done > recipe.align_at and not aligned:
            encoded = ((clip, *_encode(clip, mean)) for clip in chosen)
            sampler.late, aligned = clip_offsets(encoded), True
        set_rate(optimiser, recipe.rate, step, done)
        loss = _loss(latest, temperature, sampler.batch(), recipe, done)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(learnt, 2.0)
        optimiser.step()
        step += 1
        follow(mean, latest, recipe.average, step)
        done = max((time.monotonic() - began) / (recipe.minutes * 60), step / recipe.max_steps)
        report({"step": step, "done": min(done, 1.0), "loss": loss.item()})
    _centre(mean, chosen)
    separations = separated([(clip, *_encode(clip, mean)) for clip in held_out], recipe.windows, recipe.seed)
    return Heads(_head(mean, 0), _head(mean, 1), step, tuple(separations))


def _pair(clips: Sequence[Vectors]) -> torch.nn.ModuleList:
    heads = torch.nn.ModuleList()
    for values in ([clip.lips[clip.good] for clip in clips], [clip.voice[clip.good] for clip in clips]):
        joined = np.concatenate(values)
        head = Head(joined.shape[1])
        head.mean.data = torch.from_numpy(joined.mean(0))
        head.scale.data = torch.from_numpy(1 / (joined.std(0) + 1e-3 * joined.std()))
        heads.append(head)
    return heads


def _head(heads: torch.nn.ModuleList, at: int) -> Head:
    head = heads[at].eval()
    if not isinstance(head, Head):
        raise TypeError(f"{type(head).__name__} is no head")
    return head


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    lips: Tensor
    voice: Tensor
    lag: Tensor
    good: Tensor


class _Sampler:
    """Random pieces of clips, lips and voice cut independently so that the ends of a piece cannot tell the time."""

    def __init__(self, clips: Sequence[Vectors], recipe: HeadRecipe) -> None:
        self._clips, self._recipe = clips, recipe
        self._random = np.random.default_rng(recipe.seed)
        self._chance = chances(clips, recipe.weights)
        self.late: Mapping[str, int] = {}

    def batch(self) -> _Batch:
        count = self._recipe.batch
        picks = self._random.choice(len(self._clips), count, replace=len(self._clips) < count, p=self._chance)
        rows = [self._piece(self._clips[i]) for i in picks]
        lips, voice, lag, good = zip(*rows, strict=True)
        return _Batch(
            torch.from_numpy(np.stack(lips)),
            torch.from_numpy(np.stack(voice)),
            torch.tensor(lag),
            torch.from_numpy(np.stack(good)),
        )

    def _piece(self, clip: Vectors) -> tuple[FloatArray, FloatArray, int, NDArray[np.bool_]]:
        recipe = self._recipe
        start = int(self._random.integers(0, max(len(clip) - recipe.length, 0) + 1))
        lag = int(self._random.integers(-recipe.slack, recipe.slack + 1))
        lips, inside = _cut(clip.lips, start, recipe.length)
        voice, _ = _cut(clip.voice, start + lag + self.late.get(clip.name, 0), recipe.length)
        good, _ = _cut(clip.good, start, recipe.length)
        return lips, voice, lag, good & inside


def _cut(values: NDArray[Any], start: int, length: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    at = np.arange(start, start + length)
    inside = (at >= 0) & (at < len(values))
    return values[np.clip(at, 0, len(values) - 1)], inside


def _loss(heads: torch.nn.ModuleList, temperature: Tensor, batch: _Batch, recipe: HeadRecipe, done: float) -> Tensor:
    heads.train()
    lips, voice = (_worse(head, x, recipe) for head, x in zip(heads, (batch.lips, batch.voice), strict=True))
    frames, clips = temperature.exp().clamp(0.03, 0.3)
    loss = recipe.clip_weight * done * clip_loss(lips, voice, batch.good, recipe.reach, clips)
    loss = loss + time_loss(lips, voice, batch.lag, batch.good, frames)
    return loss + recipe.frame_weight * frame_loss(lips, voice, batch.lag, batch.good, frames)


def _worse(head: torch.nn.Module, x: Tensor, recipe: HeadRecipe) -> Tensor:
    """Encode with noise, and with some of the inputs left at their mean for the whole piece."""
    spread = 1 / head.get_parameter("scale")
    x = x + recipe.noise * spread * torch.randn_like(x)
    hidden = torch.rand(x.shape[0], 1, x.shape[2]) < recipe.hidden
    vectors: Tensor = head(torch.where(hidden, head.get_parameter("mean"), x))
    return vectors


@torch.no_grad()
def _encode(clip: Vectors, heads: torch.nn.ModuleList) -> tuple[Tensor, Tensor]:
    heads.eval()
    return heads[0](torch.from_numpy(clip.lips)[None])[0], heads[1](torch.from_numpy(clip.voice)[None])[0]


@torch.no_grad()
def _centre(heads: torch.nn.ModuleList, clips: Sequence[Vectors], max_clips: int = 300) -> None:
    """Set what both heads take out of their vectors: the mean over the speech of up to `max_clips` clips."""
    for head in heads:
        head.get_parameter("centre").zero_()
    picked = clips[:: max(len(clips) // max_clips, 1)]
    encoded = [(*_encode(clip, heads), torch.from_numpy(clip.good)) for clip in picked]
    for at, head in enumerate(heads):
        head.get_parameter("centre").copy_(torch.cat([pair[at][pair[2]] for pair in encoded]).mean(0))


CARD = """# {name}

Vectors of {front} to unit vectors in one space of lips and voice. Trained by `sidewitness train heads`.

**Licence.** The head is yours; it is of use only with the encoder below it, which is under: {licence}.

## Data and recipe
{recipe}

## Measured on speakers that training did not see
{measured}

Mismatched windows carry another speaker's voice (`auc_other`, 95 % interval by bootstrap over speakers) or the
speaker's own voice shifted by one second (`auc_shift`).

Low agreement of lips and voice is evidence of a forgery. High agreement is **not** evidence of a genuine person.
"""


def write_heads(heads: Heads, packs: Path, names: Sequence[tuple[str, str]], recipe: Mapping[str, Any]) -> list[Path]:
    """Write both heads beside their fronts in `packs`; `names` are those of front and head, lips first.

    Raises `EngineError`.
    """
    folders = []
    for (front, name), head in zip(names, (heads.lips, heads.voice), strict=True):
        below = load_pack(packs / front).manifest
        inputs = head.mean.shape[0]
        graph = export_stream(head, "frames", (inputs,), front.removeprefix("speech_"))
        measured = [row.as_dict() for row in heads.held_out]
        manifest = {
            "name": name,
            "version": "1",
            "licence": f"that of its encoder: {below.licence}",
            "source": f"trained by `sidewitness train heads` on {below.name} {below.version}",
            "preprocessing": {"rate": GRID_HZ, "reach": head.reach},
            "recipe": {**recipe, "steps": heads.steps, "front_sha256": below.sha256},
            "metrics": {"held_out": measured},
        }
        card = CARD.format(
            name=name, front=front, licence=below.licence, recipe=bullets(recipe), measured=_lines_of(measured)
        )
        write_pack(packs / name, graph.model, graph.inputs, graph.outputs, manifest, card)
        folders.append(packs / name)
    return folders


def _lines_of(rows: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(f"- {', '.join(f'{key} {value}' for key, value in row.items())}" for row in rows) or "Nobody."
