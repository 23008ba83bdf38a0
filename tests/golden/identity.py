"""Makes the golden vectors of the identity encoder with dlib itself: `python -m tests.golden.identity FILE`.

FILE is the published dlib_face_recognition_resnet_model_v1.dat. Needs an environment with dlib 20.0.1 and numpy only.
`seeded` are dlib's vectors of the network that `tests.engines.dlib_file` writes, `published` those of FILE, `chip` is
every third pixel of the chip that dlib cuts out of the first picture at `POINTS`.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.engines.dlib_file import residual
from tests.golden.inputs import noise, picture

HERE = Path(__file__).parent
# The corners of the eyes (left outer and inner, right outer and inner) and the base of the nose, in dlib's order.
POINTS = ((159, 92), (131, 97), (64, 109), (91, 104), (119, 147))
EVERY = 3


def faces() -> NDArray[np.uint8]:
    """Make the inputs, (4, 150, 150, 3) RGB: three drawn faces and noise."""
    return np.stack([_bytes(picture(150, 20 + seed)) for seed in range(3)] + [_bytes(noise(150))])


def scene() -> NDArray[np.uint8]:
    """Make a picture to cut a chip out of, (224, 224, 3) RGB."""
    return _bytes(picture(224, 30))


def _bytes(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(image * 255).astype(np.uint8)


def main(file: Path) -> None:
    """Write identity.npz."""
    dlib: Any = importlib.import_module("dlib")
    with tempfile.TemporaryDirectory() as folder:
        seeded = Path(folder) / "seeded.dat"
        seeded.write_bytes(residual())
        networks = {"seeded": seeded, "published": file}
        vectors: dict[str, Any] = {
            name: _vectors(dlib.face_recognition_model_v1(str(path))) for name, path in networks.items()
        }
    points = dlib.points([dlib.point(x, y) for x, y in POINTS])
    found = dlib.full_object_detection(dlib.rectangle(40, 40, 180, 180), points)
    chip = dlib.get_face_chip(scene(), found, size=150, padding=0.25)
    np.savez_compressed(HERE / "identity.npz", chip=np.asarray(chip)[::EVERY, ::EVERY], **vectors)


def _vectors(network: Any) -> NDArray[np.float64]:
    return np.stack([np.array(network.compute_face_descriptor(face)) for face in faces()])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
