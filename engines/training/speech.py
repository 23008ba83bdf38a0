"""The recipe of the speech towers: lips and voice of the same moment together, everything else apart.

After SpeechForensics (Liang et al., NeurIPS 2024, section 3.1): frame-wise alignment of lips and voice, and masked
prediction on the joint sequence (`engines.training.masked`). Genuine video only. Runs for a set time or until held-out
speakers gain no more, writes a checkpoint at every measurement and resumes from it; a third of the way in it measures
by how much each clip's sound runs early or late and takes that out, so that a badly muxed clip does not teach a
wrong alignment. On a GPU it computes in bfloat16 as on a CPU.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.nets.speech import STEP_MELS, Lips, Voice
from engines.training.agreement import clip_loss, frame_loss, time_loss
from engines.training.augment import augment_lips, augment_voice
from engines.training.checkpoint import Layout, restore, save
from engines.training.clips import Batch, Clip, Sampler
from engines.training.masked import Context, at_lips, hide, label, masked_loss, sound_units
from engines.training.run import Report, append_log, done_share, unfinished
from engines.training.speech_recipe import SpeechRecipe, SpeechRun
from engines.training.steps import clip_offsets, follow, optimiser_of, set_rate
from engines.training.validate import encode, separation
from engines.training.warm import start_from

LAYOUT = Layout(
    modules=("lips", "voice", "context", "mean_lips", "mean_voice", "optimiser"),
    values=("step", "spent", "aligned", "offsets", "history", "best"),
    parameters=("temperature",),
)


def train(
    training: Sequence[Clip],
    held_out: Sequence[Clip],
    recipe: SpeechRecipe,
    folder: Path,
    report: Report,
    resume: bool = True,
    start: Sequence[Path] = (),
) -> SpeechRun:
    """Train in `folder` (checkpoint.pt, log.jsonl); raises `TrainingError` when data or checkpoint cannot serve.

    Clips of one name are versions of one recording; the first is the recording itself. With `start`, folders of model
    packs, it begins with their weights.
    """
    torch.manual_seed(recipe.seed)
    run = _start(training, recipe)
    if start:
        first = Sampler(training, recipe.length, 0, recipe.seed, dict(recipe.weights)).batch(4 * recipe.batch)
        start_from(run.lips, run.voice, start, first)
        run.mean_lips, run.mean_voice = deepcopy(run.lips), deepcopy(run.voice)
    checkpoint = folder / "checkpoint.pt"
    if resume and checkpoint.exists():
        restore(run, checkpoint, LAYOUT, run.device)
    plain = list({clip.name: clip for clip in reversed(training)}.values())[::-1]
    sampler = _sampler(training, plain, run, recipe)
    noise = torch.Generator().manual_seed(recipe.seed + run.step)
    measured, loss = run.spent, None
    while unfinished(run, recipe) and not _settled(run, recipe):
        began = time.monotonic()
        done = done_share(run, recipe)
        if done > recipe.align_at and not run.aligned:
            run.offsets, run.aligned = late_clips(plain, run.mean_lips, run.mean_voice), True
            sampler.align(run.offsets)
        loss = _step(run, sampler.batch(recipe.batch), noise, recipe, done)
        run.spent += time.monotonic() - began
        report({"step": run.step, "done": done, "loss": loss})
        if run.spent - measured >= recipe.measure_every:
            measured = run.spent
            _measure(run, plain, held_out, recipe, folder, loss, report)
    _measure(run, plain, held_out, recipe, folder, loss, report)
    if recipe.patience and run.best is not None:
        run.mean_lips.load_state_dict(run.best[0])
        run.mean_voice.load_state_dict(run.best[1])
    return run


def _sampler(training: Sequence[Clip], plain: Sequence[Clip], run: SpeechRun, recipe: SpeechRecipe) -> Sampler:
    sampler = Sampler(
        training,
        recipe.length,
        recipe.slack,
        recipe.seed + run.step,
        dict(recipe.weights),
        twins=recipe.twins,
    )
    sampler.align(run.offsets)
    if recipe.masked_weight:
        sampler.label(label(plain, sound_units(plain, recipe.units, seed=recipe.seed)))
    return sampler


def gains(history: Sequence[Mapping[str, Any]]) -> list[float]:
    """One number for each measurement, higher being better: the mean over window lengths of both areas; nan if none."""
    return [
        float(
            np.mean([row[key] for row in entry["held_out"] for key in ("auc_other", "auc_shift") if row[key]] or np.nan)
        )
        for entry in history
    ]


def _settled(run: SpeechRun, recipe: SpeechRecipe) -> bool:
    """Whether patience has run out: the best measurement lies that many measurements back."""
    measured = np.array(gains(run.history))
    if not recipe.patience or not np.isfinite(measured).any():
        return False
    return len(measured) - 1 - int(np.nanargmax(measured)) >= recipe.patience


def _start(training: Sequence[Clip], recipe: SpeechRecipe) -> SpeechRun:
    device = torch.device(recipe.device if recipe.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu")
    lips, voice = Lips(), Voice()
    shapes = np.concatenate([clip.shape[clip.good] for clip in training])
    mels = np.concatenate([clip.mel[clip.good].reshape(-1, STEP_MELS) for clip in training])
    lips.shape_scale.data = torch.from_numpy(1 / (shapes.std(0) + 1e-3))
    voice.mean.data, voice.scale.data = torch.from_numpy(mels.mean(0)), torch.from_numpy(1 / mels.std(0))
    lips, voice = lips.to(device), voice.to(device)
    context = Context(lips.features, voice.features, recipe.units).to(device)
    temperature = torch.nn.Parameter(torch.tensor([-2.6, -2.6], device=device))
    learnt = [p for p in (*lips.parameters(), *voice.parameters(), *context.parameters()) if p.requires_grad]
    optimiser = optimiser_of(learnt, temperature, recipe.rate, recipe.decay)
    return SpeechRun(lips, voice, context, temperature, deepcopy(lips), deepcopy(voice), optimiser, device)


def _step(run: SpeechRun, batch: Batch, noise: torch.Generator, recipe: SpeechRecipe, done: float) -> float:
    set_rate(run.optimiser, recipe.rate, run.step, done)
    run.lips.train()
    run.voice.train()
    loss = _loss(run, batch, noise, recipe, done)
    run.optimiser.zero_grad()
    torch.autograd.backward(loss)
    torch.nn.utils.clip_grad_norm_([*run.lips.parameters(), *run.voice.parameters()], 2.0)
    run.optimiser.step()
    run.step += 1
    follow(run.mean_lips, run.lips, recipe.average, run.step)
    follow(run.mean_voice, run.voice, recipe.average, run.step)
    return loss.item()


def _loss(run: SpeechRun, batch: Batch, noise: torch.Generator, recipe: SpeechRecipe, done: float) -> Tensor:
    shape, mouth = augment_lips(torch.from_numpy(batch.shape), torch.from_numpy(batch.mouth), noise)
    mel = augment_voice(torch.from_numpy(batch.mel), noise)
    lag, good, units = (torch.from_numpy(array).to(run.device) for array in (batch.lag, batch.good, batch.units))
    hidden = None
    if recipe.masked_weight:
        hidden = hide(len(mel), mel.shape[1], noise)
        shape, mouth = shape * ~hidden.lips[..., None], mouth * ~hidden.lips[..., None, None]
        # Hidden sound is the training speech's mean, not silence: silence would be a sound.
        mel = torch.where(hidden.voice[..., None, None], run.voice.mean.cpu().reshape(mel.shape[2:]), mel)
        hidden = hidden.to(run.device)
    with torch.autocast(run.device.type, torch.bfloat16):
        first, second, lips_numbers = run.lips.eyes(shape.to(run.device), mouth.to(run.device))
        voice, voice_numbers = run.voice.both(mel.to(run.device))
    first, second, voice = first.float(), second.float(), voice.float()
    loss = torch.zeros((), device=run.device)
    if hidden is not None:
        with torch.autocast(run.device.type, torch.bfloat16):
            masked = masked_loss(run.context, lips_numbers, voice_numbers, lag, good, hidden, units)
        loss = loss + recipe.masked_weight * masked
        # What was hidden is for the context to know; a single frame's vectors are not asked to agree there.
        good = good & ~hidden.lips & ~at_lips(hidden.voice, lag)
    frames, clips = run.temperature.exp().clamp(0.03, 0.3)
    loss = loss + recipe.clip_weight * done * clip_loss((first + second) / 2, voice, good, recipe.reach, clips)
    for eye in (first, second):
        loss = loss + time_loss(eye, voice, lag, good, frames)
        loss = loss + recipe.frame_weight * frame_loss(eye, voice, lag, good, frames)
    return loss


@torch.no_grad()
def late_clips(clips: Sequence[Clip], lips: Lips, voice: Voice) -> dict[str, int]:
    """By how many steps the voice of each clip runs late, as the towers see it; see `clip_offsets`."""
    lips.eval()
    voice.eval()
    encoded = ((clip, *encode(clip, lips, voice)) for clip in clips)
    return clip_offsets(
        (clip, lips_vectors.cpu(), voice_vectors.cpu()) for clip, lips_vectors, voice_vectors in encoded
    )


@torch.no_grad()
def centre(lips: Lips, voice: Voice, clips: Sequence[Clip], max_clips: int = 300) -> None:
    """Set what both towers take out of their vectors: the mean over the speech of `max_clips` clips, evenly picked.

    Frames of any lips and any voice point partly the same way. That part says nothing about a match, and it differs
    from person to person, which is what calibration suffers from most.
    """
    lips.eval()
    voice.eval()
    lips.centre.zero_()
    voice.centre.zero_()
    lips_vectors, voice_vectors = [], []
    for clip in clips[:: max(len(clips) // max_clips, 1)]:
        vectors, sound = encode(clip, lips, voice)
        lips_vectors.append(vectors[torch.from_numpy(clip.good)])
        voice_vectors.append(sound[torch.from_numpy(clip.good)])
    lips.centre.copy_(torch.cat(lips_vectors).mean(0))
    voice.centre.copy_(torch.cat(voice_vectors).mean(0))


def _measure(
    run: SpeechRun,
    plain: Sequence[Clip],
    held_out: Sequence[Clip],
    recipe: SpeechRecipe,
    folder: Path,
    loss: float | None,
    report: Report,
) -> None:
    centre(run.mean_lips, run.mean_voice, plain)
    rows = separation(held_out, run.mean_lips, run.mean_voice, recipe.windows, recipe.seed)
    entry: dict[str, Any] = {"step": run.step, "minutes": round(run.spent / 60, 2)}
    entry["loss"] = None if loss is None else round(loss, 4)
    entry["held_out"] = [row.as_dict() for row in rows]
    run.history.append(entry)
    measured = np.array(gains(run.history))
    if np.isfinite(measured[-1]) and measured[-1] == np.nanmax(measured):
        run.best = (deepcopy(run.mean_lips.state_dict()), deepcopy(run.mean_voice.state_dict()))
    append_log(folder / "log.jsonl", entry)
    save(run, recipe, folder / "checkpoint.pt", LAYOUT)
    report({"step": run.step, "measured": entry})
