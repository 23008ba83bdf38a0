"""Makes `face/canonical.npy`, the mean face that poses are fitted to.

    python -m monitor.lab.training.canonical_face MANIFEST

One mean shape for each clip, at most thirty clips a subject, then generalised Procrustes analysis on the rigid points.
The result is a mean of many people and shows none of them.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from engines.load import load_engine
from monitor.face import geometry
from monitor.face.geometry import LEFT_EYE, RIGHT_EYE, RIGID_LANDMARKS, similarity
from monitor.face.track import FaceTracker
from monitor.lab.corpus.manifest import read_manifest
from monitor.session.models import DETECTOR, LANDMARKS
from monitor.tap.media.source import SourceError
from monitor.tap.replay import read_clip
from monitor.types import FloatArray, VideoFrame

TOP_LANDMARK, CHIN_LANDMARK = 10, 152
MAX_CLIPS = 30
FRAMES = 40
ROUNDS = 20


def mean_face(faces: Sequence[FloatArray], rounds: int = ROUNDS) -> FloatArray:
    """Mean of faces (468, 3) of any place, size and turn: eyes level and one apart, chin straight down."""
    rigid = list(RIGID_LANDMARKS)
    # The most frontal face to begin with: the one whose eyes are equally far away.
    mean = _normal(min(faces, key=lambda face: abs(float(face[RIGHT_EYE, 2] - face[LEFT_EYE, 2])) / _eyes(face)))
    for _ in range(rounds):
        aligned = [similarity(face[rigid], mean[rigid]).project(face) for face in faces]
        mean = _normal(np.median(aligned, axis=0).astype(np.float32))
    return _upright(mean)


def _eyes(face: FloatArray) -> float:
    return float(np.linalg.norm(face[RIGHT_EYE] - face[LEFT_EYE]))


def _normal(face: FloatArray) -> FloatArray:
    return np.asarray((face - face[list(RIGID_LANDMARKS)].mean(0)) / _eyes(face), np.float32)


def _upright(face: FloatArray) -> FloatArray:
    right = (face[LEFT_EYE] - face[RIGHT_EYE]) / _eyes(face)
    down = face[CHIN_LANDMARK] - face[TOP_LANDMARK]
    down = down - (down @ right) * right
    down = down / np.linalg.norm(down)
    axes = np.stack([right, down, np.cross(right, down)])
    return _normal((face @ axes.T).astype(np.float32))


def main(manifest: Path, target: Path) -> int:
    """Write the mean face of a manifest's genuine clips; gives how many clips it is of."""
    detector, landmarks = load_engine(DETECTOR), load_engine(LANDMARKS)
    taken: Counter[str] = Counter()
    faces = []
    for row in read_manifest(manifest):
        if row.label != "real" or taken[row.subject] >= MAX_CLIPS:
            continue
        track = FaceTracker(detector, landmarks)
        try:
            frames = islice((item for item in read_clip(row.path) if isinstance(item, VideoFrame)), FRAMES)
            landmarks_of_frames = [views[0].landmarks for frame in frames if (views := track(frame))]
        except SourceError:
            continue
        if landmarks_of_frames:
            taken[row.subject] += 1
            faces.append(
                np.mean([_normal(face) * _eyes(face) for face in landmarks_of_frames], axis=0).astype(np.float32)
            )
    np.save(target, mean_face(faces))
    return len(faces)


if __name__ == "__main__":
    made = main(Path(sys.argv[1]), Path(geometry.__file__).with_name("canonical.npy"))
    sys.stdout.write(f"canonical.npy: the mean of {made} clips\n")
