"""What a finished run of the persona model leaves behind: two packs, the tokens beside them, and its history.

`persona` measures windows at run time, `persona_tokens` fits tokens at enrolment; both hold the same weights.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engines.base import GRID_HZ, MOTION_WINDOW_STEPS, TensorSpec
from engines.convert.card_lines import bullets
from engines.convert.export import check_graph, save_graph
from engines.convert.pack import write_pack
from engines.nets.persona import VOICE, Reconstruction
from engines.nets.persona_gradient import TokenGradient
from engines.seal import write_beside
from engines.training.persona_recipe import PeopleModel, PersonaRecipe
from engines.training.plots import history_plot

NAME, FIT = "persona", "persona_tokens"
VERSION, LICENCE = "1", "Apache-2.0"
SOURCE = "trained by `sidewitness train persona`; research data: retrain for production"
MAX_BATCH = 1024
# OpenVINO 2026.4 gets the gradient of a trained model wrong, and its loss right (docs/decisions/0019).
ENGINE = {FIT: {"engine": "onnx"}}
INPUTS = ("motion", "voice", "mask", "tokens", "timestep", "noise")

CARD = """# {name}

{what} A diffusion transformer over three seconds of expression and head pose at 25 Hz, given the voice, and adapter
tokens that say whose face it is; after ExposeAnyone (2026), re-implemented. Trained by `sidewitness train persona` on
genuine recordings only.

**Research data; retrain for production.** The clips came from public repositories with differing rights; none of them
is in this pack.

## Data
{data}

## Recipe
{recipe}

## Measured while it trained
{metrics}

Errors are mean squares of the denoised windows, in deviations of each feature. `known`: recordings set aside of people
that training saw, with nobody's tokens, their own, and another person's. `held_out`: people that training did not see,
with nobody's tokens; with tokens fitted to the first half of their windows, on the second (`personal_auc`, by person),
beside the error without tokens (`plain_auc`).

## What it cannot do
It was trained on few people and minutes. A distance says something only beside what the same person's own recordings
give, and tells how somebody moves, not who they are: a good imitation of a person's movement is near that person.
"""

WHAT = {
    NAME: "How well a window is denoised with given tokens: the identity distance is a difference of two such errors.",
    FIT: "The loss of a window and its gradient by the tokens, with which tokens are fitted to a person at enrolment.",
}


def write_persona_packs(
    net: PeopleModel,
    folder: Path,
    recipe: PersonaRecipe,
    description: Mapping[str, Mapping[str, Any]],
    files: Mapping[str, bytes] | None = None,
) -> list[Path]:
    """Write both packs under `folder`; raises `EngineError` when an exported graph does not match torch.

    `description` holds `data`, `metrics`, `recipe` and, under `preprocessing`, what the inputs are made with: `voice`
    (the digest of the voice pack) and `basis`. `files` are laid beside the model of `persona`.
    """
    model = net.model.eval().float()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    facts: dict[str, dict[str, Any]] = {key: dict(description.get(key, {})) for key in ("recipe", "data", "metrics")}
    fields: dict[str, Any] = {
        "version": VERSION,
        "licence": LICENCE,
        "source": SOURCE,
        "preprocessing": {**_plan(model, recipe), **description.get("preprocessing", {})},
        **facts,
    }
    size = model.net.shape
    steps = {
        "error": (MOTION_WINDOW_STEPS,),
        "denoised": (MOTION_WINDOW_STEPS, size.features),
        "loss": (1,),
        "gradient": (size.tokens, size.token_size),
    }
    folders = []
    for name, module, outputs in (
        (NAME, model, ("error", "denoised")),
        (FIT, TokenGradient(model).eval(), ("loss", "gradient")),
    ):
        graph = _graph(module, model, outputs)
        specs = [TensorSpec(key, tuple(value.shape[1:])) for key, value in example(model, 1).items()]
        write_pack(
            folder / name,
            graph,
            specs,
            [TensorSpec(key, steps[key]) for key in outputs],
            {"name": name, **fields, "preprocessing": {**fields["preprocessing"], **ENGINE.get(name, {})}},
            _card(name, facts),
        )
        folders.append(folder / name)
    beside = {"tokens.npz": _tokens(net), **(files or {})}
    for file, content in beside.items():
        write_beside(folder / NAME / file, content)
    return folders


def _plan(model: Reconstruction, recipe: PersonaRecipe) -> dict[str, Any]:
    """Say what a distance is taken at, as `monitor.detectors.persona.reconstruction.Plan` reads it."""
    return {
        "features": model.net.shape.features,
        "steps": MOTION_WINDOW_STEPS,
        "rate": GRID_HZ,
        "timesteps": list(recipe.timesteps),
        "noises": recipe.noises,
        "noise_seed": recipe.noise_seed,
    }


def _card(name: str, facts: Mapping[str, Mapping[str, Any]]) -> str:
    items = {key: bullets(_flat(facts[key])) if key == "metrics" else bullets(facts[key]) for key in facts}
    return CARD.format(name=name, what=WHAT[name], **items)


def example(model: Reconstruction, batch: int) -> dict[str, Tensor]:
    """Make inputs of both packs, with steps and a whole place that are not there."""
    shape = model.net.shape
    random = torch.Generator().manual_seed(batch)
    mask = (torch.rand(batch, MOTION_WINDOW_STEPS, generator=random) > 0.2).float()
    mask[0, : 2 * shape.patch] = 0
    sizes = (
        (MOTION_WINDOW_STEPS, shape.features),
        (MOTION_WINDOW_STEPS, VOICE),
        (),
        (shape.tokens, shape.token_size),
        (1,),
        (MOTION_WINDOW_STEPS, shape.features),
    )
    inputs = {key: torch.randn(batch, *size, generator=random) for key, size in zip(INPUTS, sizes, strict=True)}
    inputs["motion"] = inputs["motion"] * model.scale * mask[:, :, None]
    return inputs | {"mask": mask, "timestep": torch.rand(batch, 1, generator=random)}


def _graph(module: nn.Module, model: Reconstruction, outputs: Sequence[str]) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.onnx"
        batch = torch.export.Dim("batch", min=1, max=MAX_BATCH)
        inputs = example(model, 2)
        save_graph(module, inputs, {key: {0: batch} for key in inputs}, outputs, path)
        check_graph(module, path, (example(model, count) for count in (2, 5)), outputs, smallest_range=1e-3)
        return path.read_bytes()


def _tokens(net: PeopleModel) -> bytes:
    # As `monitor.detectors.persona.reconstruction.Tokens` reads it, which this package does not know.
    out = io.BytesIO()
    np.savez(out, null=net.null.numpy(), start=net.start.numpy())
    return out.getvalue()


def _flat(metrics: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in metrics.items():
        if isinstance(value, Mapping):
            flat |= {f"{key} {inner}": one for inner, one in value.items()}
        else:
            flat[key] = value
    return flat


def draw_history(history: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw errors and areas against training time; nothing where nothing was measured."""
    lines = {
        (kind, key): [(row["minutes"], row[kind][key]) for row in history if key in row.get(kind, {})]
        for kind in ("known", "held_out")
        for key in ("error", "with", "other", "without_voice", "auc", "personal_auc", "plain_auc")
    }
    if not any(lines.values()):
        return
    with history_plot(path, panels=2) as panels:
        for (kind, key), points in lines.items():
            if points:
                panel, style = panels[int(key.endswith("auc"))], "-o" if kind == "known" else "--s"
                label = f"{kind} {key}".replace("_", " ")
                panel.plot([at for at, _ in points], [value for _, value in points], style, ms=3, label=label)
        panels[0].set(ylabel="error of denoising")
        panels[1].set(ylabel="AUC, own windows against others'", ylim=(0.4, 1.0))
        for panel in panels:
            if panel.lines:
                panel.legend(fontsize="x-small")
