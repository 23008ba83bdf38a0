from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from engines.base import Manifest, TensorSpec
from monitor.face.condition import CONDITIONS
from monitor.face.encoders import BATCH_SHOTS, FaceEncoders, faces
from monitor.face.geometry import Pose, canonical
from monitor.face.shot import FaceShot
from monitor.types import FloatArray


@dataclass
class Averages:
    """An engine whose vectors are means of the picture; keeps the sizes of its batches."""

    size: int
    output: str
    sha256: str = "a" * 64
    batches: list[int] = field(default_factory=list)

    @property
    def manifest(self) -> Manifest:
        outputs = (TensorSpec(self.output, (3,)),)
        return Manifest("mean", "1", self.sha256, (TensorSpec("face", (3, self.size, self.size)),), outputs, "", "")

    def run(self, inputs: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        face = inputs["face"]
        assert face.dtype == np.float32
        assert face.shape[1:] == (3, self.size, self.size)
        self.batches.append(len(face))
        means = face.mean((2, 3))
        return {"embedding": means, "logit": means[:, :1]}

    def warm_up(self) -> None: ...


def shot(time: float, value: int = 128) -> FaceShot:
    landmarks = (canonical() * 70 + np.array([112, 112, 0], np.float32)).astype(np.float32)
    turned = np.array([[0.94, 0, 0.34], [0, 1, 0], [-0.34, 0, 0.94]], np.float32)
    picture = np.full((224, 224, 3), value, np.uint8)
    picture[::2] += 9
    return FaceShot(time, picture, landmarks, Pose(50.0, turned, np.zeros(3, np.float32)), 150.0, 0.1)


def test_shots_become_rows_in_their_order() -> None:
    artefacts, identity = Averages(160, "embedding"), Averages(150, "embedding", "b" * 64)
    vectors = FaceEncoders(artefacts, identity)([shot(float(n), 10 + n) for n in range(BATCH_SHOTS + 3)])
    assert len(vectors) == BATCH_SHOTS + 3
    assert vectors.time.tolist() == list(range(BATCH_SHOTS + 3))
    assert artefacts.batches == identity.batches == [BATCH_SHOTS, 3]
    assert (np.diff(vectors.logit) > 0).all()
    assert vectors.artefacts.shape == (BATCH_SHOTS + 3, 3)
    assert vectors.identity.shape == (BATCH_SHOTS + 3, 3)
    assert vectors.condition.shape == (BATCH_SHOTS + 3, len(CONDITIONS))
    assert vectors.expression.shape == (BATCH_SHOTS + 3, 168)
    assert vectors.landmarks.shape == (BATCH_SHOTS + 3, 468, 2)
    assert 0 <= vectors.landmarks.min() <= vectors.landmarks.max() <= 1
    assert np.allclose(vectors.expression, 0, atol=1e-3)
    assert abs(vectors.angles[0, 0] - 20) < 1


def test_without_an_identity_encoder_there_are_no_columns() -> None:
    assert FaceEncoders(Averages(160, "embedding"), None)([shot(0.0)]).identity.shape == (1, 0)


def test_the_key_tells_both_packs() -> None:
    first, second = Averages(160, "embedding"), Averages(150, "embedding", "b" * 64)
    assert FaceEncoders(first, second).key == "a" * 16 + "-" + "b" * 16
    assert FaceEncoders(first, None).key == "a" * 16 + "-"
    assert FaceEncoders(first, None).size == 160


def test_pictures_are_brought_to_size_and_range() -> None:
    black, white = np.zeros((224, 224, 3), np.uint8), np.full((224, 224, 3), 255, np.uint8)
    assert faces([black, white], 224)[:, 0, 0, 0].tolist() == [-1, 1]
    assert faces([white], 160).shape == (1, 3, 160, 160)
