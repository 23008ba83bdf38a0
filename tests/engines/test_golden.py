"""The converted face models against the runtime they came from, on drawn faces.

Golden outputs: TensorFlow 2.21.0's TFLite interpreter, built-in kernels (`tests/golden/make.py`). Tolerances are
absolute: boxes and landmarks 0.001 px of the model's own picture (128 or 192 px wide), logits 0.001. Measured: below
0.00015 for both engines.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.load import load_engine
from engines.registry import EngineName
from tests.golden.inputs import detector_images, landmark_images

GOLDEN = Path(__file__).parents[1] / "golden"
TOLERANCE = 1e-3
IMAGES = {"face_detector": detector_images, "face_landmarks": landmark_images}

both_engines = pytest.mark.parametrize("name", ["openvino", "onnx"])
each_pack = pytest.mark.parametrize("pack", list(IMAGES))


def golden(pack: str) -> dict[str, NDArray[np.float32]]:
    with np.load(GOLDEN / f"{pack}.npz") as archive:
        return dict(archive)


@both_engines
@each_pack
@pytest.mark.parametrize("batch", [1, 2, 4])
def test_outputs_are_those_of_the_original_runtime(pack: str, name: EngineName, batch: int) -> None:
    engine = load_engine(pack, name)
    images, want = IMAGES[pack](), golden(pack)
    assert set(want) == {spec.name for spec in engine.manifest.outputs}
    for start in range(0, len(images), batch):
        part = slice(start, start + batch)
        got = engine.run({"image": images[part]})
        for output, values in want.items():
            np.testing.assert_allclose(got[output], values[part], rtol=0, atol=TOLERANCE)


def test_the_golden_pictures_exercise_the_models() -> None:
    """Faces are found in the drawn ones and not in the noise, so the comparison above is not one of constants."""
    best = golden("face_detector")["logits"].max(axis=(1, 2))
    assert (best[:3] > 0).all()
    assert best[3] < 0
    presence = golden("face_landmarks")["presence"][:, 0]
    assert (presence[:3] > 0).all()
    assert presence[3] < 0
