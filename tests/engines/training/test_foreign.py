"""A model that is no pack is run as it is, and loaded once."""

from __future__ import annotations

import numpy as np

from engines.base import MODELS
from engines.training.foreign import foreign_model


def test_outputs_are_in_the_order_of_the_model() -> None:
    path = MODELS / "face_detector" / "model.onnx"
    run = foreign_model(path)
    assert foreign_model(path) is run
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (asked,) = session.get_inputs()
    shape = [size if isinstance(size, int) else 1 for size in asked.shape]
    made = run({asked.name: np.zeros(shape, np.float32)})
    assert len(made) == len(session.get_outputs())
    assert all(np.isfinite(one).all() for one in made)
