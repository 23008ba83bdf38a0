"""A run on disk: written whole or not at all, read without executing anything in it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from pickle import UnpicklingError

import torch

from engines.training.clips import TrainingError
from engines.training.run import Recipe, Run

_MODULES = ("lips", "voice", "context", "mean_lips", "mean_voice", "optimiser")
_FACTS = ("step", "spent", "aligned", "offsets", "history", "best")


def save(run: Run, recipe: Recipe, path: Path) -> None:
    """Write everything that a resumed run needs."""
    saved = {name: getattr(run, name).state_dict() for name in _MODULES}
    saved |= {name: getattr(run, name) for name in _FACTS}
    saved |= {"temperature": run.temperature.detach(), "recipe": asdict(recipe)}
    part = path.with_suffix(".part")
    torch.save(saved, part)
    part.replace(path)


def restore(run: Run, path: Path) -> None:
    """Go on from what `save` wrote; raises `TrainingError` for anything else."""
    try:
        saved = torch.load(path, weights_only=True, map_location=run.device)
        for name in _MODULES:
            getattr(run, name).load_state_dict(saved[name])
        run.temperature.data = saved["temperature"]
        for name in _FACTS:
            setattr(run, name, saved[name])
    except (EOFError, KeyError, RuntimeError, TypeError, ValueError, UnpicklingError):
        raise TrainingError(f"{path} is not a checkpoint of this recipe: move it away to start anew") from None
