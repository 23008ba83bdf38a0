"""Published ImageNet weights as the start of the backbone, where the user has them."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError
from zipfile import BadZipFile

import numpy as np
import torch

from engines.nets.efficientnet import EfficientNetB4, load_published
from engines.nets.mobilenet import MobileNetV2, load_gluon
from engines.training.backbone import Backbone
from engines.training.clips import TrainingError


def load_start(net: Backbone, trunk: str, path: Path) -> None:
    """Fill the trunk of `net` from Gluon's MobileNetV2 (.npz) or torchvision's EfficientNet-B4 (.pth).

    Reads tensors only. Raises `TrainingError` for anything else.
    """
    try:
        if isinstance(net.trunk, MobileNetV2):
            with np.load(path, allow_pickle=False) as arrays:
                load_gluon(net.trunk, arrays)
        elif isinstance(net.trunk, EfficientNetB4):
            load_published(net.trunk, torch.load(path, weights_only=True, map_location="cpu"))
    except (
        BadZipFile,
        EOFError,
        KeyError,
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
        UnpicklingError,
        AttributeError,
    ):
        raise TrainingError(f"{path.name} holds no published weights of {trunk}: name its ImageNet file") from None
