"""Models that are no packs of ours, run as they are to make material to learn from: never in a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Outputs = list[NDArray[Any]]


@cache
def foreign_model(path: Path) -> Callable[[Mapping[str, NDArray[Any]]], Outputs]:
    """Load an ONNX model on one thread of the processor; gives what makes its outputs from inputs by name."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda inputs: [np.asarray(made) for made in session.run(None, dict(inputs))]
