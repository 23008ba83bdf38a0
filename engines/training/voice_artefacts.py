"""The recipe of the net that hears synthetic speech: genuine windows against those of makers, each maker alike.

A run is a minute or two, and a study is some dozens of them: what a study found is kept, and not its nets.
"""

from __future__ import annotations

import time
from copy import deepcopy
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from engines.nets.voice_artefacts import VoiceArtefacts
from engines.training.clips import TrainingError
from engines.training.run import NetRun, Report, done_share, unfinished
from engines.training.steps import follow, optimiser_of, set_rate

FloatArray = NDArray[np.float32]
Doubles = NDArray[np.float64]

_REPORT_STEPS = 20
_MASKED_BANDS, _MASKED_FRAMES, _TILT = 16, 20, 1.5
_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class VoiceRecipe:
    """Everything that shapes a run. A batch has `batch` windows, half of them genuine, cut to `frames`."""

    minutes: float = 5.0
    batch: int = 32
    frames: int = 128
    rate: float = 2e-3
    decay: float = 0.05
    average: float = 0.98
    seed: int = 0
    max_steps: int = 300


@dataclass(frozen=True, slots=True, eq=False)
class VoiceExamples:
    """N windows: `bands` (N, T, 80) of 16 or 32 bits, and the maker of each; 0 is a person, others are numbered."""

    bands: NDArray[np.floating]
    maker: NDArray[np.int64]


VoiceRun: TypeAlias = NetRun[VoiceArtefacts]


def train(examples: VoiceExamples, recipe: VoiceRecipe, report: Report) -> VoiceRun:
    """Train; raises `TrainingError` where there is nothing to tell apart."""
    makers = np.unique(examples.maker)
    if 0 not in makers or len(makers) < 2:
        raise TrainingError("there is either no genuine or no synthetic speech: name clips, and install a synthesiser")
    torch.manual_seed(recipe.seed)
    run, random = _start(recipe), np.random.default_rng(recipe.seed)
    while unfinished(run, recipe):
        began = time.monotonic()
        done = done_share(run, recipe)
        loss = _step(run, examples, makers[1:], recipe, random, done)
        run.spent += time.monotonic() - began
        if run.step % _REPORT_STEPS == 0:
            report({"step": run.step, "done": done, "loss": loss})
    run.mean.eval()
    return run


@torch.no_grad()
def logits(net: VoiceArtefacts, bands: NDArray[np.floating]) -> Doubles:
    """Hear windows (N, T, 80): (N,), higher is made by a machine."""
    net.eval()
    batches = [bands[first : first + _AT_ONCE] for first in range(0, len(bands), _AT_ONCE)]
    heard = [net(torch.from_numpy(batch.astype(np.float32))).double().numpy() for batch in batches]
    return np.concatenate([np.zeros(0), *heard])


def _start(recipe: VoiceRecipe) -> VoiceRun:
    net = VoiceArtefacts()
    none = torch.nn.Parameter(torch.zeros(1))
    return VoiceRun(net, deepcopy(net), optimiser_of(list(net.parameters()), none, recipe.rate, recipe.decay))


def _step(
    run: VoiceRun,
    examples: VoiceExamples,
    makers: NDArray[np.int64],
    recipe: VoiceRecipe,
    random: np.random.Generator,
    done: float,
) -> float:
    set_rate(run.optimiser, recipe.rate, run.step, done)
    run.net.train()
    half = recipe.batch // 2
    wanted = np.concatenate([np.zeros(half, np.int64), random.choice(makers, half)])
    rows = [int(random.choice(np.flatnonzero(examples.maker == maker))) for maker in wanted]
    bands = np.stack([_varied(examples.bands[row].astype(np.float32), recipe.frames, random) for row in rows])
    target = torch.from_numpy((wanted > 0).astype(np.float32))
    loss = torch.nn.functional.binary_cross_entropy_with_logits(run.net(torch.from_numpy(bands)), target)
    run.optimiser.zero_grad()
    torch.autograd.backward(loss)
    torch.nn.utils.clip_grad_norm_(run.net.parameters(), 2.0)
    run.optimiser.step()
    run.step += 1
    follow(run.mean, run.net, recipe.average, run.step)
    return float(loss.item())


def _varied(bands: FloatArray, frames: int, random: np.random.Generator) -> FloatArray:
    """Cut a window to a length, tilt its spectrum, and hide some of its bands and moments (SpecAugment, Park 2019)."""
    first = int(random.integers(0, max(len(bands) - frames, 0) + 1))
    cut = bands[first : first + frames] + np.linspace(
        0, random.uniform(-_TILT, _TILT), bands.shape[1], dtype=np.float32
    )
    band, moment = int(random.integers(0, cut.shape[1])), int(random.integers(0, len(cut)))
    mean = cut.mean(0)
    width, length = int(random.integers(0, _MASKED_BANDS)), int(random.integers(0, _MASKED_FRAMES))
    cut[:, band : band + width] = mean[band : band + width]
    cut[moment : moment + length] = mean
    return np.asarray(cut, np.float32)
