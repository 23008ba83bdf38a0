"""From trained towers to model packs: streaming ONNX, checked against torch, with manifest and card."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from engines.base import GRID_HZ, TensorSpec
from engines.convert.export import save_graph
from engines.convert.pack import write_pack
from engines.nets.speech import MOUTH, SHAPE
from engines.training.clips import TrainingError
from engines.training.validate import LipTower, VoiceTower

TOLERANCE = 2e-4
_EXAMPLE_STEPS = 5


@dataclass(frozen=True, slots=True)
class PackDescription:
    """What the manifests and cards of both packs say of their making."""

    version: str
    licence: str
    source: str
    recipe: Mapping[str, Any]
    data: Mapping[str, Any]
    metrics: Mapping[str, Any]
    card: str


class _LipStep(nn.Module):
    def __init__(self, tower: LipTower) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, shape: Tensor, mouth: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        return self.tower.step(shape, mouth, state)


class _VoiceStep(nn.Module):
    def __init__(self, tower: VoiceTower) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, mel: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        return self.tower.step(mel, state)


def export_lips(lips: LipTower, folder: Path, description: PackDescription) -> None:
    """Write the lip encoder's pack; raises `TrainingError` when the ONNX file does not reproduce torch."""
    _export(_LipStep(lips).eval(), {"shape": (SHAPE,), "mouth": (MOUTH, MOUTH)}, "lips", folder, description)


def export_voice(voice: VoiceTower, folder: Path, description: PackDescription) -> None:
    """Write the voice encoder's pack; raises `TrainingError` when the ONNX file does not reproduce torch."""
    _export(_VoiceStep(voice).eval(), {"mel": (4, 80)}, "voice", folder, description)


def _export(
    module: _LipStep | _VoiceStep,
    inputs: Mapping[str, tuple[int, ...]],
    output: str,
    folder: Path,
    description: PackDescription,
) -> None:
    state, size = module.tower.state_size, module.tower.size
    batch, time = torch.export.Dim("batch", min=1, max=64), torch.export.Dim("time", min=1, max=256)
    example = {name: torch.randn(2, _EXAMPLE_STEPS, *shape) for name, shape in inputs.items()}
    axes: dict[str, dict[int, Any]] = {name: {0: batch, 1: time} for name in inputs}
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.onnx"
        graph = {**example, "state": torch.zeros(2, state)}
        save_graph(module, graph, {**axes, "state": {0: batch}}, (output, "state_out"), path)
        _check(module, path, inputs, state)
        model = path.read_bytes()
    fields = {
        "name": folder.name,
        "version": description.version,
        "licence": description.licence,
        "source": description.source,
        "preprocessing": {"rate": GRID_HZ, "reach": module.tower.reach},
        "recipe": dict(description.recipe),
        "data": dict(description.data),
        "metrics": dict(description.metrics),
    }
    frames = [TensorSpec(name, (-1, *shape)) for name, shape in inputs.items()]
    vectors = [TensorSpec(output, (-1, size)), TensorSpec("state_out", (state,))]
    write_pack(folder, model, [*frames, TensorSpec("state", (state,))], vectors, fields, description.card)


@torch.no_grad()
def _check(module: nn.Module, path: Path, inputs: Mapping[str, tuple[int, ...]], state: int) -> None:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    random = torch.Generator().manual_seed(0)
    for batch, time in ((1, 5), (3, 12)):
        arrays = [torch.rand(batch, time, *shape, generator=random) for shape in inputs.values()]
        arrays.append(torch.rand(batch, state, generator=random))
        names = [*inputs, "state"]
        expected = module(*arrays)
        actual = session.run(None, {name: array.numpy() for name, array in zip(names, arrays, strict=True)})
        worst = max(float(np.abs(np.asarray(g) - w.numpy()).max()) for g, w in zip(actual, expected, strict=True))
        if worst > TOLERANCE:
            raise TrainingError(f"the exported {path.name} differs from torch by {worst:.1e}: do not ship it")
