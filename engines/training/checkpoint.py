"""Checkpoints of training runs: written whole or not at all, read without executing anything in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import torch

from engines.training.clips import TrainingError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True, slots=True)
class Layout:
    """What a checkpoint holds of a run, by the names of the run's attributes.

    `modules` have a `state_dict`, `parameters` are single tensors, `values` are plain. `data` are plain values too, in
    which a run must agree with its checkpoint: those that depend on what it is trained on.
    """

    modules: tuple[str, ...] = ("net", "mean", "optimiser")
    values: tuple[str, ...] = ("step", "spent", "history")
    parameters: tuple[str, ...] = ()
    data: tuple[str, ...] = ()


def save(run: object, recipe: DataclassInstance, path: Path, layout: Layout) -> None:
    """Write everything that a resumed run needs."""
    saved: dict[str, Any] = {name: getattr(run, name).state_dict() for name in layout.modules}
    saved |= {name: getattr(run, name).detach() for name in layout.parameters}
    saved |= {name: getattr(run, name) for name in (*layout.data, *layout.values)}
    part = path.with_suffix(".part")
    torch.save(saved | {"recipe": asdict(recipe)}, part)
    part.replace(path)


def restore(run: object, path: Path, layout: Layout, device: torch.device | None = None) -> None:
    """Continue from what `save` wrote; raises `TrainingError` for anything else, and for a run on other data."""
    try:
        saved: Mapping[str, Any] = torch.load(path, weights_only=True, map_location=device)
        same_data = all(saved[name] == getattr(run, name) for name in layout.data)
        modules = {name: saved[name] for name in layout.modules if same_data}
        for name in layout.modules:
            getattr(run, name).load_state_dict(modules[name])
        for name in layout.parameters:
            getattr(run, name).data = saved[name]
        for name in layout.values:
            setattr(run, name, saved[name])
    except (EOFError, KeyError, RuntimeError, TypeError, ValueError, UnpicklingError):
        kind = "this recipe and data" if layout.data else "this recipe"
        raise TrainingError(f"{path} is not a checkpoint of {kind}: move it away to start anew") from None
