"""What a finished run of the companion leaves behind: the pack `motion`, with manifest and card."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from engines.base import GRID_HZ, MOTION_WINDOW_STEPS, TensorSpec
from engines.convert.card_lines import bullets
from engines.convert.export import check_graph, save_graph
from engines.convert.pack import write_pack
from engines.nets.motion import MotionNet
from engines.training.motion import MotionRecipe, MotionRun

NAME, VERSION, LICENCE = "motion", "1", "Apache-2.0"
SOURCE = "trained by `sidewitness train persona`; research data: retrain for production"

CARD = """# motion

Three seconds of pose and expression to a unit vector that says who moves so. Trained by `sidewitness train persona` on
genuine recordings: windows of one person together, everyone else apart (MOTIF's idea). Nothing is trained at enrolment.

**Research data; retrain for production.** The clips came from public repositories with differing rights; none of them
is in this pack.

## Data
{data}

## Recipe
{recipe}

## Measured on people that training did not see
{metrics}

## What it cannot do
It was trained on few people, and recordings differ in more than the person: `docs/persona.md` says how much of what it
sees is the recording. It hears nothing: lips that say something else are for the detector of synchrony. What a vector
of one window says is little; the mean over some seconds says more.
"""


def write_motion_pack(
    run: MotionRun, folder: Path, recipe: MotionRecipe, data: Mapping[str, Any], preprocessing: Mapping[str, Any]
) -> Path:
    """Write the pack under `folder`; raises `EngineError` when the exported graph does not match torch.

    `preprocessing` names what its inputs are made with: the key of the basis of expressions under `basis`.
    """
    net = run.mean.eval()
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.onnx"
        batch = torch.export.Dim("batch", min=1, max=1024)
        example = _example(net, 2)
        save_graph(net, example, {key: {0: batch} for key in example}, ("embedding",), path)
        check_graph(net, path, (_example(net, count) for count in (1, 3)), ("embedding",))
        model = path.read_bytes()
    metrics = {"steps": run.step, "minutes": round(run.spent / 60, 1), **(run.history[-1] if run.history else {})}
    shape = asdict(recipe)
    fields = {
        "name": NAME,
        "version": VERSION,
        "licence": LICENCE,
        "source": SOURCE,
        "preprocessing": {"rate": float(GRID_HZ), "steps": MOTION_WINDOW_STEPS, **preprocessing},
        "recipe": shape,
        "data": dict(data),
        "metrics": metrics,
    }
    card = CARD.format(data=bullets(data), recipe=bullets(shape), metrics=bullets(metrics))
    inputs = (TensorSpec("motion", (MOTION_WINDOW_STEPS, len(net.scale))), TensorSpec("mask", (MOTION_WINDOW_STEPS,)))
    write_pack(folder / NAME, model, inputs, (TensorSpec("embedding", (net.size,)),), fields, card)
    return folder / NAME


def _example(net: MotionNet, batch: int) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(batch)
    mask = (torch.rand(batch, MOTION_WINDOW_STEPS, generator=random) > 0.1).float()
    motion = torch.randn(batch, MOTION_WINDOW_STEPS, len(net.scale), generator=random) / net.scale * mask[..., None]
    return {"motion": motion, "mask": mask}
