"""The two face encoders run on shots: plain arrays come out, and everything after is pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from engines.base import Engine
from monitor.face.aligned import chips
from monitor.face.condition import measure_condition
from monitor.face.geometry import fit_pose, rigid_points, speech_shape
from monitor.face.shot import FaceShot
from monitor.face.track import FACE_SIZE
from monitor.face.vectors import FaceVectors
from monitor.types import ByteArray, FloatArray

BATCH_SHOTS = 16


class FaceEncoders:
    """The backbone trained on pseudo-deepfakes and, where it is installed, the identity encoder."""

    def __init__(self, artefacts: Engine, identity: Engine | None) -> None:
        self._artefacts, self._identity = artefacts, identity
        self._size = int(artefacts.manifest.inputs[0].shape[-1])
        self._key = "-".join(engine.manifest.sha256[:16] if engine else "" for engine in (artefacts, identity))

    @property
    def key(self) -> str:
        """Digests of both packs, nothing after the dash without the second: only equal vectors can be compared."""
        return self._key

    @property
    def identifies(self) -> bool:
        """Whether there is an identity encoder; without one the identity vectors have no columns."""
        return self._identity is not None

    @property
    def size(self) -> int:
        """Side in pixels of the picture that the backbone sees."""
        return self._size

    def identify(self, shots: Sequence[FaceShot]) -> FloatArray:
        """Compute identity embeddings (N, I) alone; I = 0 without an identity encoder. Raises `EngineError`."""
        return identities(shots, self._identity)

    def through(self, wrap: Callable[[Engine], Engine]) -> FaceEncoders:
        """Return the same encoders with each engine wrapped."""
        return FaceEncoders(wrap(self._artefacts), wrap(self._identity) if self._identity else None)

    def __call__(self, shots: Sequence[FaceShot]) -> FaceVectors:
        """Encode at least one shot, in batches; raises `EngineError`."""
        parts = [self._encode(shots[start : start + BATCH_SHOTS]) for start in range(0, len(shots), BATCH_SHOTS)]
        return FaceVectors.join(parts)

    def _encode(self, shots: Sequence[FaceShot]) -> FaceVectors:
        outputs = self._artefacts.run({"face": faces([shot.picture for shot in shots], self._size)})
        poses = [fit_pose(rigid_points(shot.landmarks)) for shot in shots]
        return FaceVectors(
            np.array([shot.time for shot in shots], np.float64),
            outputs["embedding"],
            outputs["logit"].reshape(-1),
            identities(shots, self._identity),
            np.array([shot.pose.angles for shot in shots], np.float32),
            np.stack([speech_shape(shot.landmarks, pose) for shot, pose in zip(shots, poses, strict=True)]),
            np.stack([measure_condition(shot) for shot in shots]),
            np.stack([shot.landmarks[:, :2] for shot in shots]).astype(np.float16) / np.float16(FACE_SIZE),
        )


def identities(shots: Sequence[FaceShot], engine: Engine | None) -> FloatArray:
    """Compute identity embeddings (N, I) of shots; I = 0 without an engine."""
    if engine is None:
        return np.zeros((len(shots), 0), np.float32)
    return engine.run({"face": chips(shots)})["embedding"]


def faces(pictures: Sequence[ByteArray], size: int) -> FloatArray:
    """Resize pictures (224, 224, 3) uint8 RGB for the backbone: (N, 3, size, size) in -1..1."""
    sized = [_resize(picture, size) for picture in pictures]
    batch = np.stack(sized).astype(np.float32).transpose(0, 3, 1, 2)
    return np.ascontiguousarray((batch / 255 - 0.5) / 0.5, np.float32)


def _resize(picture: ByteArray, size: int) -> ByteArray:
    if picture.shape[0] == size:
        return picture
    return np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BILINEAR))
