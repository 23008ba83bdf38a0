"""Training of the backbone that tells blends from genuine faces: the first half of DiffFake (3.1, 4.1).

Beside the paper's binary cross entropy two terms give more signal a picture: each genuine face ranked below its own
blend, and where in the picture the blend is. What is measured and shipped is the running mean of the weights.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from engines.metrics import auc
from engines.nets.efficientnet import EfficientNetB4
from engines.nets.mobilenet import MobileNetV2
from engines.training.blends import BlendStream, BlendTrial, loader, make_trial, prepare
from engines.training.checkpoint import Layout, restore, save
from engines.training.clips import TrainingError
from engines.training.faces import Face
from engines.training.pseudo import SCHEMES, SHARES
from engines.training.run import NetRun, Report, append_log, done_share, unfinished
from engines.training.sam import SharpnessAware
from engines.training.steps import follow, set_rate

TRUNKS: Mapping[str, Callable[[], nn.Module]] = {"mobilenetv2": MobileNetV2, "efficientnet-b4": EfficientNetB4}


@dataclass(frozen=True, slots=True)
class FaceRecipe:
    """Everything that shapes a run; `batch` counts pairs. The paper's own is `PAPER`, for whom time is no object.

    After the share `freeze_at` of the time, the stem and the first `frozen` blocks of the light trunk stay as they are:
    at their resolution they take two fifths of the time, and by then they have learnt what they will.
    """

    trunk: str = "mobilenetv2"
    size: int = 160
    minutes: float = 60.0
    batch: int = 24
    optimiser: str = "adamw"
    rate: float = 1e-3
    decay: float = 0.02
    rho: float = 0.05
    rank_weight: float = 0.5
    dense_weight: float = 1.0
    stills: float = 0.65
    clean: float = 0.35
    average: float = 0.998
    freeze_at: float = 0.25
    frozen: int = 2
    measure_every: float = 600.0
    measure_faces: int = 200
    workers: int = 1
    threads: int = 0
    seed: int = 0
    max_steps: int = 10**9


PAPER = FaceRecipe(
    "efficientnet-b4", 224, 60 * 24, 16, "sam", 1e-3, 0.0, 0.05, 0.0, 0.0, 1.0, 1.0, 0.0, workers=4, measure_every=3600
)


class Backbone(nn.Module):
    """A trunk with the answer (N,) on its pooled features, and one for each cell of its map of stride 16."""

    def __init__(self, trunk: str) -> None:
        super().__init__()
        self.trunk = TRUNKS[trunk]()
        self.answer = nn.Linear(int(self.trunk.features_size), 1)  # type: ignore[arg-type]
        self.where = nn.Conv2d(int(self.trunk.dense_channels), 1, 1)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give features (N, D), answers (N,) and the map's answers (N, S/16, S/16)."""
        dense, features = self.trunk(x)
        return features, self.answer(features)[:, 0], self.where(dense)[:, 0]


FaceRun: TypeAlias = NetRun[Backbone]


def begin(recipe: FaceRecipe, start: Callable[[Backbone], None] | None = None) -> FaceRun:
    """Make a fresh run; `start` may fill the trunk with published weights."""
    torch.manual_seed(recipe.seed)
    net = Backbone(recipe.trunk)
    if start is not None:
        start(net)
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return FaceRun(net, copy.deepcopy(net), _optimiser(net, recipe))


def _optimiser(net: nn.Module, recipe: FaceRecipe) -> torch.optim.Optimizer:
    if recipe.optimiser == "sam":
        return torch.optim.SGD(net.parameters(), lr=recipe.rate, momentum=0.9, weight_decay=recipe.decay)
    flat = [p for p in net.parameters() if p.ndim < 2]
    deep = [p for p in net.parameters() if p.ndim > 1]
    groups = [{"params": deep, "weight_decay": recipe.decay}, {"params": flat, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.rate)


def losses(run: Backbone, real: Tensor, fake: Tensor, mask: Tensor, recipe: FaceRecipe) -> Tensor:
    """Binary cross entropy, each pair's order, and where the blend is."""
    both = torch.cat([real, fake]).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        _, answer, where = run(both)
    answer, where = answer.float(), where.float()
    low, high = answer.chunk(2)
    label = torch.cat([torch.zeros_like(low), torch.ones_like(high)])
    loss = nn.functional.binary_cross_entropy_with_logits(answer, label)
    if recipe.rank_weight:
        loss = loss + recipe.rank_weight * nn.functional.softplus(low - high).mean()
    if recipe.dense_weight:
        target = torch.cat([torch.zeros_like(mask), mask])
        loss = loss + recipe.dense_weight * nn.functional.binary_cross_entropy_with_logits(where, target)
    return loss


def train(
    training: Sequence[Face],
    held_out: Sequence[Face],
    recipe: FaceRecipe,
    folder: Path,
    report: Report,
    start: Callable[[Backbone], None] | None = None,
) -> FaceRun:
    """Train until the recipe's minutes are spent; goes on from `folder/checkpoint.pt` when there is one.

    `report` gets {"step", "done", "loss"} now and then and {"measured": row} after each measurement.
    """
    if not training:
        raise TrainingError("no faces to train on: check the data, or hold out another fold")
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    run = begin(recipe, start)
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists():
        restore(run, checkpoint, Layout())
    trials = _trials(held_out, recipe)
    stream = BlendStream(training, recipe.size, recipe.batch, recipe.stills, recipe.clean, recipe.seed + run.step)
    batches = iter(loader(stream, recipe.workers))
    sharp = SharpnessAware(run.net.parameters(), run.optimiser, recipe.rho) if recipe.optimiser == "sam" else None
    measured = run.spent
    clock = time.monotonic()
    run.net.train()
    while unfinished(run, recipe):
        real, fake, mask = next(batches)
        done = done_share(run, recipe)
        set_rate(run.optimiser, recipe.rate, run.step, done)
        if recipe.frozen and done >= recipe.freeze_at and isinstance(run.net.trunk, MobileNetV2):
            run.net.trunk.freeze(recipe.frozen)
        loss = _step(run, real, fake, mask, recipe, sharp)
        follow(run.mean, run.net, recipe.average, run.step)
        run.step += 1
        now = time.monotonic()
        run.spent, clock = run.spent + now - clock, now
        if run.step % 10 == 0:
            report({"step": run.step, "done": done, "loss": loss})
        if run.spent - measured >= recipe.measure_every:
            measured = run.spent
            _measure(run, trials, recipe, folder, report)
            save(run, recipe, checkpoint, Layout())
            clock = time.monotonic()
    _measure(run, trials, recipe, folder, report)
    save(run, recipe, checkpoint, Layout())
    return run


def _step(
    run: FaceRun, real: Tensor, fake: Tensor, mask: Tensor, recipe: FaceRecipe, sharp: SharpnessAware | None
) -> float:
    loss = losses(run.net, real, fake, mask, recipe)
    loss.backward()  # type: ignore[no-untyped-call]
    if sharp is None:
        nn.utils.clip_grad_norm_(run.net.parameters(), 5.0)
        run.optimiser.step()
        run.optimiser.zero_grad()
    else:
        sharp.ascend()
        losses(run.net, real, fake, mask, recipe).backward()  # type: ignore[no-untyped-call]
        sharp.descend()
    return float(loss.detach())


def _trials(held_out: Sequence[Face], recipe: FaceRecipe) -> dict[str, BlendTrial]:
    stills = [face for face in held_out if face.still] or list(held_out)
    chosen = stills[:: max(1, len(stills) // recipe.measure_faces)][: recipe.measure_faces]
    if not chosen:
        return {}
    return {name: make_trial(chosen, recipe.size, name == "degraded") for name in ("clean", "degraded")}


def _measure(run: FaceRun, trials: Mapping[str, BlendTrial], recipe: FaceRecipe, folder: Path, report: Report) -> None:
    row: dict[str, Any] = {"step": run.step, "minutes": round(run.spent / 60, 1)}
    for name, one in trials.items():
        row[name] = separation(one, lambda pictures: answers(run.mean, pictures)[1])
    run.history.append(row)
    append_log(folder / "log.jsonl", row)
    report({"measured": row})


@torch.no_grad()
def answers(net: Backbone, pictures: np.ndarray[Any, np.dtype[np.uint8]]) -> tuple[np.ndarray[Any, Any], Any]:
    """Features (N, D) and answers (N,) of pictures (N, S, S, 3)."""
    net.eval()
    parts = [
        net(torch.from_numpy(prepare(pictures[n : n + 32])).contiguous(memory_format=torch.channels_last))
        for n in range(0, len(pictures), 32)
    ]
    return torch.cat([part[0] for part in parts]).numpy(), torch.cat([part[1] for part in parts]).numpy()


def separation(one: BlendTrial, score: Callable[[Any], Any]) -> dict[str, float]:
    """Area under the curve in the schemes' proportions and for each, and how often a blend is above its own photo."""
    real = score(one.real)
    fake = {scheme: score(pictures) for scheme, pictures in one.fake.items()}
    areas = {scheme: auc(values, real) for scheme, values in fake.items()}
    row = {"faces": float(len(real)), "auc": float(np.dot(list(areas.values()), SHARES))}
    row |= {f"auc_{scheme}": areas[scheme] for scheme in SCHEMES}
    order = {scheme: float((values > real).mean()) for scheme, values in fake.items()}
    row["within_pair"] = float(np.dot(list(order.values()), SHARES))
    row |= {f"within_pair_{scheme}": order[scheme] for scheme in SCHEMES}
    return {key: round(value, 4) for key, value in row.items()}
