"""What a finished run of the backbone leaves behind: the pack `face_artefacts`, with manifest, card and history."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engines.base import TensorSpec
from engines.convert.card_lines import bullets
from engines.convert.export import check_graph, save_graph
from engines.convert.pack import write_pack
from engines.training.backbone import Backbone, answers, separation
from engines.training.blends import make_trial
from engines.training.faces import Face
from engines.training.plots import history_plot
from engines.training.reencoded import false_positives

NAME, VERSION, LICENCE = "face_artefacts", "1", "Apache-2.0"
SOURCE = "trained by `sidewitness train faces`; research data: retrain for production"
FAMILIES = ("clean", "degraded")

CARD = """# face_artefacts

Faces to features in which a blend shows, and an answer (higher: more like a blend). Trained by `sidewitness train
faces` on genuine faces and their own pseudo-deepfakes, after DiffFake (Stamnas & Sanchez 2025, sections 3.1 and 4.1).
No forged picture was seen. {start}

**Research data; retrain for production.** The pictures came from public repositories with differing rights; none of
them is in this pack.

## Data
{data}

## Recipe
{recipe}

## Measured on people that training did not see
{metrics}

The command is `sidewitness train faces` (it prints and logs these rows). Degraded: genuine and blend both made smaller,
blurred, grained and compressed by JPEG, H.264 or VP8, alike.

## What it cannot do
Its answer on one picture means little: genuine sources differ from each other more than a forgery moves it. It is used
to compare a live face with the same person's enrolled one in the same conditions. Wholly generated faces have no seam
and are not found by it.
"""


class _Pack(nn.Module):
    def __init__(self, net: Backbone) -> None:
        super().__init__()
        self.trunk, self.answer = net.trunk, net.answer

    def forward(self, face: Tensor) -> tuple[Tensor, Tensor]:
        _, features = self.trunk(face)
        return features, self.answer(features)


def measure_backbone(net: Backbone, faces: Sequence[Face], size: int) -> dict[str, Any]:
    """Separate held-out faces from their blends, clean and degraded, and count false positives after re-encoding."""
    rows: dict[str, Any] = {
        family: separation(make_trial(faces, size, family == "degraded"), lambda pictures: answers(net, pictures)[1])
        for family in FAMILIES
    }
    rows["re-encoded"] = false_positives(faces, size, lambda pictures: answers(net, pictures)[1])
    return rows


def write_face_pack(
    net: Backbone,
    size: int,
    folder: Path,
    recipe: Mapping[str, Any],
    data: Mapping[str, Any],
    metrics: Mapping[str, Any],
) -> Path:
    """Write the pack under `folder`; raises `EngineError` when the exported graph does not match torch."""
    module = _Pack(net).eval().float()
    random = torch.Generator().manual_seed(0)
    example = {"face": torch.rand(2, 3, size, size, generator=random) * 2 - 1}
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.onnx"
        save_graph(
            module, example, {"face": {0: torch.export.Dim("batch", min=1, max=256)}}, ("embedding", "logit"), path
        )
        batches = (example, {"face": example["face"][1:].flip(3)})
        features, _ = check_graph(module, path, batches, ("embedding", "logit"))
        model = path.read_bytes()
    start = f"Began with {recipe['start']}." if recipe.get("start") else "Began with random weights."
    items = (bullets(data), bullets(recipe), _table(metrics))
    card = CARD.format(start=start, data=items[0], recipe=items[1], metrics=items[2])
    fields = {
        "name": NAME,
        "version": VERSION,
        "licence": LICENCE,
        "source": SOURCE,
        "preprocessing": {"size": size, "mean": 0.5, "deviation": 0.5, "colour": "RGB"},
        "recipe": dict(recipe),
        "data": dict(data),
        "metrics": dict(metrics),
    }
    inputs = (TensorSpec("face", (3, size, size)),)
    outputs = (TensorSpec("embedding", (features.shape[1],)), TensorSpec("logit", (1,)))
    write_pack(folder / NAME, model, inputs, outputs, fields, card)
    return folder / NAME


def _table(metrics: Mapping[str, Any]) -> str:
    lines = ["| pictures | faces | AUC | whole | eyes | lower | jawline | within pair |", f"|{'---|' * 8}"]
    for family in FAMILIES:
        row = metrics.get(family)
        if row:
            areas = [row["auc"], *(row[f"auc_{scheme}"] for scheme in ("whole", "eyes", "lower", "jawline"))]
            cells = [f"{value:.3f}" for value in [*areas, row["within_pair"]]]
            lines.append(f"| {family} | {row['faces']:.0f} | {' | '.join(cells)} |")
    if "re-encoded" in metrics:
        lines += ["", "False positives among genuine faces at the threshold that 5 % of them pass as they are:", ""]
        lines += [f"- {name}: {100 * value:.1f} %" for name, value in metrics["re-encoded"].items()]
    return "\n".join(lines)


def draw_history(history: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Area under the curve against training time, clean and degraded, as a picture."""
    with history_plot(path) as (panel,):
        for family, style in zip(FAMILIES, ("-o", "--s"), strict=True):
            rows = [row for row in history if family in row]
            minutes = [row["minutes"] for row in rows]
            for key in ("auc", "auc_whole", "auc_eyes", "auc_lower", "auc_jawline"):
                label = f"{family}, {key.removeprefix('auc_').replace('auc', 'all')}"
                panel.plot(minutes, [row[family][key] for row in rows], style, label=label, ms=3)
        panel.set(ylabel="AUC on held-out people", ylim=(0.5, 1.0))
        panel.legend(fontsize="x-small", ncols=2)
