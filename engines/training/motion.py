"""The recipe of the light companion: three seconds of pose and expression to a vector that says who moves so.

MOTIF's idea: windows of one person from different recordings together, everyone else apart (Khosla et al., "Supervised
Contrastive Learning", NeurIPS 2020, eq. 2). No person that is enrolled later is ever seen. Genuine video only. Runs for
a set time, writes a checkpoint at every measurement and resumes from it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.base import GRID_HZ
from engines.metrics import auc
from engines.nets.motion import SIZE, MotionNet
from engines.training.checkpoint import Layout, restore, save
from engines.training.motion_clips import FloatArray, MotionClip, MotionSampler, Worsening
from engines.training.run import NetRun, Report, append_log, done_share, unfinished
from engines.training.steps import follow, optimiser_of, set_rate

Doubles = NDArray[np.float64]

CHECKPOINT, LOG = "motion.pt", "motion.jsonl"
# Seconds between the starts of two windows of one recording that count as apart in measurements.
MIN_GAP_SECONDS = 6.0
# Windows of each person that say what is usual.
WINDOWS_PER_PERSON = 40
_RESAMPLINGS = 500


@dataclass(frozen=True, slots=True)
class MotionRecipe:
    """Everything that shapes a run. A batch has `each` windows of `people` people; `size` is the vector's.

    It is short and slow on purpose: from some dozens of people more of it makes strangers harder to tell apart, and so
    does the convolution over time, `sequence` (`docs/persona.md`). `max_steps` of 0 leaves the net as it begins:
    principal components of correlations.
    """

    minutes: float = 5.0
    people: int = 24
    each: int = 4
    size: int = SIZE
    channels: int = 64
    dropout: float = 0.1
    sequence: bool = False
    rate: float = 1e-4
    decay: float = 0.0
    temperature: float = 0.2
    average: float = 0.99
    measure_every: float = 60.0
    seed: int = 0
    max_steps: int = 150
    worsening: Worsening = field(default_factory=Worsening)


MotionRun: TypeAlias = NetRun[MotionNet]


def train(
    training: Sequence[MotionClip],
    held_out: Sequence[MotionClip],
    recipe: MotionRecipe,
    folder: Path,
    report: Report,
    resume: bool = True,
    mirror: FloatArray | None = None,
) -> MotionRun:
    """Train in `folder` (motion.pt, motion.jsonl); raises `TrainingError` when data or checkpoint cannot serve.

    With `mirror` (`engines.training.motion_clips.mirror_matrix`) every person also trains as their mirror image, a
    person apart.
    """
    torch.manual_seed(recipe.seed)
    sampler = MotionSampler(training, recipe.worsening, mirror, recipe.seed)
    run = _start(sampler, recipe)
    if resume and (folder / CHECKPOINT).exists():
        restore(run, folder / CHECKPOINT, Layout())
        sampler = MotionSampler(training, recipe.worsening, mirror, recipe.seed + run.step)
    measured, loss = run.spent, None
    while unfinished(run, recipe):
        began = time.monotonic()
        done = done_share(run, recipe)
        loss = _step(run, sampler, recipe, done)
        run.spent += time.monotonic() - began
        report({"step": run.step, "done": done, "loss": loss})
        if run.spent - measured >= recipe.measure_every:
            measured = run.spent
            _measure(run, held_out, recipe, folder, loss, report)
    _measure(run, held_out, recipe, folder, loss, report)
    run.mean.eval()
    return run


def _start(sampler: MotionSampler, recipe: MotionRecipe) -> MotionRun:
    net = MotionNet(len(sampler.scale), recipe.size, recipe.channels, recipe.dropout, recipe.sequence)
    net.scale.data = torch.from_numpy((1 / sampler.scale).astype(np.float32))
    begin(net, *sampler.plain(WINDOWS_PER_PERSON))
    learnt = [parameter for parameter in net.parameters() if parameter.requires_grad]
    none = torch.nn.Parameter(torch.zeros(1))
    return MotionRun(net, deepcopy(net), optimiser_of(learnt, none, recipe.rate, recipe.decay))


@torch.no_grad()
def begin(net: MotionNet, motion: FloatArray, mask: FloatArray, weight: Doubles) -> None:
    """Set what is usual, and the projection to the principal components of windows (N, T, F) that weigh `weight` (N,).

    Each component is divided by the fourth root of its variance: half of a whitening, so that neither the few that
    vary most nor the many that hardly vary rule the cosines.
    """
    share = torch.from_numpy(weight / weight.sum()).double()[:, None]
    correlations = net.correlations(torch.from_numpy(motion), torch.from_numpy(mask)).double()
    usual = (correlations * share).sum(0)
    net.usual.data = usual.float()
    net.spread.data = ((((correlations - usual) ** 2) * share).sum(0).sqrt() + 1e-3).float()
    x = net.standard(torch.from_numpy(motion), torch.from_numpy(mask)).double()
    values, vectors = torch.linalg.eigh(x.T @ (x * share))
    values, vectors = values.flip(0)[: net.size].clamp(min=1e-6), vectors.flip(1)[:, : net.size]
    first = (vectors / values**0.25).T.float()
    # To the size at which the loss and the dropout find it as any layer.
    net.project.weight.data = first / float((x.float() @ first.T).norm(dim=1).mean())


def _step(run: MotionRun, sampler: MotionSampler, recipe: MotionRecipe, done: float) -> float:
    set_rate(run.optimiser, recipe.rate, run.step, done)
    run.net.train()
    batch = sampler.batch(recipe.people, recipe.each)
    embedding = run.net(torch.from_numpy(batch.motion), torch.from_numpy(batch.mask))
    who = torch.from_numpy(batch.person), torch.from_numpy(batch.recording)
    loss = contrastive_loss(embedding, *who, recipe.temperature)
    run.optimiser.zero_grad()
    torch.autograd.backward(loss)
    torch.nn.utils.clip_grad_norm_(run.net.parameters(), 2.0)
    run.optimiser.step()
    run.step += 1
    follow(run.mean, run.net, recipe.average, run.step)
    return loss.item()


def contrastive_loss(embedding: Tensor, person: Tensor, recording: Tensor, temperature: float) -> Tensor:
    """Supervised contrastive loss of unit vectors (B, E): windows of one person from different recordings together.

    Windows of one recording are neither drawn together nor apart: they share a camera and a tracker's noise, and a net
    that is paid for seeing those sees nothing else (`docs/persona.md`). Zero where nobody has two recordings.
    """
    same_recording = (person[:, None] == person[None]) & (recording[:, None] == recording[None])
    same = (person[:, None] == person[None]) & ~same_recording
    logits = (embedding @ embedding.T / temperature).masked_fill(same_recording, -1e9)
    log_share = logits - logits.logsumexp(1, keepdim=True)
    counts = same.sum(1)
    loss = -(log_share * same).sum(1) / counts.clamp(min=1)
    return loss.sum() / (counts > 0).sum().clamp(min=1)


@torch.no_grad()
def embed(net: MotionNet, clip: MotionClip, hop: int) -> tuple[FloatArray, Doubles]:
    """Embed the windows of a clip that count, `hop` steps apart: (N, E), and where they start in seconds (N,)."""
    net.eval()
    starts = clip.starts(hop)
    if len(starts) == 0:
        return np.zeros((0, net.size), np.float32), np.zeros(0)
    motion, mask = (np.stack(arrays) for arrays in zip(*(clip.window(int(start)) for start in starts), strict=True))
    vectors = net(torch.from_numpy(motion), torch.from_numpy(mask)).numpy()
    return np.asarray(vectors, np.float32), starts / GRID_HZ


def separation(net: MotionNet, clips: Sequence[MotionClip], hop: int = 25, seed: int = 0) -> dict[str, float | None]:
    """Area under the curve of cosines: windows of one person, apart from each other, against those of other people.

    Each person weighs the same; 95 % interval by bootstrap over people. None where fewer than two people have windows.
    """
    parts = [(clip, *embed(net, clip, hop)) for clip in clips]
    parts = [part for part in parts if len(part[1])]
    people = sorted({clip.person for clip, _, _ in parts})
    areas = []
    for person in people:
        same, other = _pairs(parts, person)
        if len(same) and len(other):
            areas.append(auc(same, other))
    row: dict[str, float | None] = {"people": float(len(areas)), "auc": None, "auc_low": None, "auc_high": None}
    if len(areas) > 1:
        random = np.random.default_rng(seed)
        draws = [float(np.mean(random.choice(areas, len(areas)))) for _ in range(_RESAMPLINGS)]
        low, high = np.quantile(draws, [0.025, 0.975])
        row |= {"auc": float(np.mean(areas)), "auc_low": float(low), "auc_high": float(high)}
    return {key: None if value is None else round(value, 4) for key, value in row.items()}


def _pairs(parts: Sequence[tuple[MotionClip, FloatArray, Doubles]], person: str) -> tuple[Doubles, Doubles]:
    """Cosines of a person's windows to their own elsewhere, and to those of everyone else."""
    same, other = [], []
    for a, (clip, vectors, start) in enumerate(parts):
        if clip.person != person:
            continue
        for b, (against, others, at) in enumerate(parts):
            cosines = vectors @ others.T
            if against.person != person:
                other.append(cosines.ravel())
            elif b > a:
                same.append(cosines.ravel())
            elif b == a:
                same.append(cosines[at[None] - start[:, None] >= MIN_GAP_SECONDS])
    return tuple(np.concatenate([np.zeros(0), *cosines]) for cosines in (same, other))  # type: ignore[return-value]


def _measure(
    run: MotionRun,
    held_out: Sequence[MotionClip],
    recipe: MotionRecipe,
    folder: Path,
    loss: float | None,
    report: Report,
) -> None:
    entry: dict[str, Any] = {"step": run.step, "minutes": round(run.spent / 60, 2)}
    entry["loss"] = None if loss is None else round(loss, 4)
    entry["held_out"] = separation(run.mean, held_out, seed=recipe.seed)
    run.history.append(entry)
    folder.mkdir(parents=True, exist_ok=True)
    append_log(folder / LOG, entry)
    save(run, recipe, folder / CHECKPOINT, Layout())
    report({"step": run.step, "measured": entry})
