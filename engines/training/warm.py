"""Go on from a model pack: its weights back into trainable towers.

An exported pack has its normalisations folded into the convolutions before them. Here the folded convolutions are
loaded as they are, and each normalisation is set to the statistics that it meets on real clips, so that it changes
nothing to begin with and can learn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from engines.nets.speech import Lips, Voice
from engines.packs import load_pack
from engines.training.clips import Batch, TrainingError

Weights = Mapping[str, NDArray[np.float32]]


def start_from(lips: Lips, voice: Voice, packs: Sequence[Path], batch: Batch) -> None:
    """Load speech_lips and speech_voice of the folders into the towers, their statistics measured on one batch.

    Of several folders it is the mean of their weights: towers that went different ways from one start, on data of their
    own, meet in a better one than either (Wortsman et al., "Model soups", ICML 2022, section 3).

    Raises `ModelPackError` for a pack that is damaged, `TrainingError` for one of another shape, such as an ensemble.
    """
    _load(lips, [folder / "speech_lips" for folder in packs])
    _load(voice, [folder / "speech_voice" for folder in packs])
    where = lips.centre.device
    with torch.no_grad(), _measuring(lips), _measuring(voice):
        lips(torch.from_numpy(batch.shape).to(where), torch.from_numpy(batch.mouth).to(where))
        voice(torch.from_numpy(batch.mel).to(where))
    # Training takes the common mean out only when it measures; vectors are compared whole while it runs.
    lips.centre.data.zero_()
    voice.centre.data.zero_()


def _load(tower: Lips | Voice, folders: Sequence[Path]) -> None:
    weights = [_weights(onnx.load(str(load_pack(folder).model))) for folder in folders]
    state = tower.state_dict()
    folded = {
        f"{name}." for name, module in tower.named_modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)
    }
    for name, value in state.items():
        if name.rpartition(".")[0] + "." in folded:
            continue
        if any(name not in one or one[name].shape != tuple(value.shape) for one in weights):
            raise TrainingError(
                f"{folders[0].name} is not a single tower of this recipe: start from a pack of one member"
            )
        value.copy_(torch.from_numpy(np.mean([one[name] for one in weights], axis=0)))


def _weights(model: Any) -> Weights:
    """Arrays of a graph by the names of the tower's parameters; the exporter's wrapper is taken off the names.

    A matrix that the exporter has transposed has lost its name: it is the one multiplied before its bias is added.
    """
    arrays = {initializer.name: numpy_helper.to_array(initializer) for initializer in model.graph.initializer}
    makers = {output: node for node in model.graph.node for output in node.output}
    by_parameter = {name.partition(".")[2]: array for name, array in arrays.items() if "." in name}
    for node in model.graph.node:
        bias = next((name for name in node.input if node.op_type == "Add" and name.endswith(".bias")), None)
        if bias is not None:
            product = makers[next(name for name in node.input if name != bias)]
            matrix = next((name for name in product.input if name in arrays), None)
            if product.op_type == "MatMul" and matrix is not None:
                by_parameter[bias.partition(".")[2].replace(".bias", ".weight")] = arrays[matrix].T
    return by_parameter


@contextmanager
def _measuring(tower: nn.Module) -> Iterator[None]:
    """Set every normalisation to undo itself on what passes through."""

    def measure(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if isinstance(norm, nn.modules.batchnorm._BatchNorm):
            axes = [n for n in range(inputs[0].ndim) if n != 1]
            mean, spread = inputs[0].mean(axes), inputs[0].var(axes, unbiased=False)
            norm.running_mean, norm.running_var = mean, spread
            norm.weight.data.copy_((spread + norm.eps).sqrt())
            norm.bias.data.copy_(mean)

    tower.eval()
    hooks = [m.register_forward_pre_hook(measure) for m in tower.modules()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
