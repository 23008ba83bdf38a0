"""Reading checkpoints that somebody downloaded: tensors and plain containers only, never a pickled program.

Only `torch.load(weights_only=True)` is used, which builds no object of a class that the file names. Published fairseq
checkpoints pickle their options beside the weights; they are refused with one line that says how to save the tensors
alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engines.base import EngineError

RESAVE = (
    "on a machine that you trust and would let run the file, save its tensors alone: "
    "torch.save(torch.load('{name}', weights_only=False, map_location='cpu')['model'], 'plain.pt')"
)
# Where training frameworks put the tensors.
_CONTAINERS = ("model", "state_dict", "model_state_dict", "weights")


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """The tensors of a file by name, and the file's own hash."""

    path: Path
    sha256: str
    tensors: Mapping[str, Tensor]

    def under(self, prefix: str) -> dict[str, Tensor]:
        """Give the tensors whose names begin with `prefix`, without it."""
        return {name[len(prefix) :]: value for name, value in self.tensors.items() if name.startswith(prefix)}

    def below(self, prefixes: Iterable[str], key: str) -> dict[str, Tensor] | None:
        """Give the tensors under the first of `prefixes` that leads to `key`, None where none does."""
        return next((self.under(prefix) for prefix in prefixes if prefix + key in self.tensors), None)


def read(path: Path) -> Checkpoint:
    """Read a checkpoint safely; raises `EngineError` with one line that says what to do."""
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise EngineError(f"{path} cannot be read ({error.strerror or error}): check the path") from None
    except Exception as error:
        # What a file of anything does to the reader of another format cannot be listed.
        raise EngineError(_refusal(path, error)) from None
    tensors = _tensors(saved)
    if not tensors:
        raise EngineError(f"{path.name} holds no named tensors: it is not a checkpoint of a network, name another file")
    return Checkpoint(path, digest, tensors)


def _refusal(path: Path, error: Exception) -> str:
    if "Unsupported global" in str(error) or "GLOBAL" in str(error):
        return f"{path.name} holds more than tensors and is not opened here: {RESAVE.format(name=path.name)}"
    return f"{path.name} is not a torch checkpoint: name the .pt, .pth or .model file as it was published"


def _tensors(saved: Any) -> dict[str, Tensor]:
    if not isinstance(saved, Mapping):
        return {}
    for name in _CONTAINERS:
        inner = saved.get(name)
        if isinstance(inner, Mapping) and any(isinstance(value, Tensor) for value in inner.values()):
            saved = inner
            break
    return {str(name): value for name, value in saved.items() if isinstance(value, Tensor)}


def fill(module: nn.Module, tensors: Mapping[str, Tensor], what: str) -> None:
    """Put `tensors` into `module`, which names what it needs; others are left aside. Raises `EngineError`."""
    wanted = {name: value for name, value in module.state_dict().items() if not name.endswith("num_batches_tracked")}
    missing = [name for name in wanted if name not in tensors]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise EngineError(f"{what} lacks {missing[0]}{more}: is it a checkpoint of that system?")
    for name, value in wanted.items():
        if tensors[name].shape != value.shape:
            actual, expected = tuple(tensors[name].shape), tuple(value.shape)
            raise EngineError(
                f"{what} has {name} of shape {actual}, not {expected}: is it a checkpoint of that system?"
            )
        if not torch.isfinite(tensors[name]).all():
            raise EngineError(f"{what} has numbers in {name} that are not finite: download it again")
    module.load_state_dict({name: tensors[name].float() for name in wanted}, strict=False)
    module.eval()
