"""Made-up people: vectors that hold together within a person, a population of them, and references."""

from __future__ import annotations

import numpy as np

from monitor.detectors.pairwise.measures import MEASURES
from monitor.detectors.pairwise.mixture import Mixture
from monitor.detectors.pairwise.population import Population
from monitor.detectors.pairwise.reference import PairwiseReference, Rung, build_reference
from monitor.detectors.reference import Reference, Source
from monitor.face.condition import CONDITIONS
from monitor.face.vectors import FaceVectors

KEY = "packs"
MADE = "2026-11-21T12:00:00Z"
SIZE, IDENTITY, SHAPE, INNER = 24, 8, 12, 4


def looks(
    count: int, person: int = 0, seed: int = 0, odd: float = 0.0, blur: float = 0.0, identity: bool = True
) -> FaceVectors:
    """Looks at one person; `odd` moves the backbone's answer, `blur` the conditions."""
    own, random = np.random.default_rng(1000 + person), np.random.default_rng(seed)
    face, who = own.standard_normal(SIZE), own.standard_normal(IDENTITY)
    vectors = who + 0.05 * random.standard_normal((count, IDENTITY))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return FaceVectors(
        0.5 * np.arange(count, dtype=np.float64),
        (face + 0.3 * random.standard_normal((count, SIZE)) + odd * own.standard_normal(SIZE)).astype(np.float32),
        (own.standard_normal() + 0.3 * random.standard_normal(count) + odd).astype(np.float32),
        vectors.astype(np.float32)[:, : IDENTITY if identity else 0],
        (10 * random.standard_normal((count, 3))).astype(np.float32),
        (0.1 * random.standard_normal((count, SHAPE))).astype(np.float32),
        (0.1 * random.standard_normal((count, len(CONDITIONS))) + blur).astype(np.float32),
        random.random((count, 468, 2)).astype(np.float16),
    )


def mixture() -> Mixture:
    """Two Gaussians on a random plane."""
    random = np.random.default_rng(5)
    basis = np.linalg.qr(random.standard_normal((SIZE, INNER)))[0].T
    roots = np.stack([np.eye(INNER) * 4, np.eye(INNER) * 8])
    return Mixture(np.array([0.4, 0.6]), 0.1 * random.standard_normal((2, INNER)), roots, np.zeros(SIZE), basis)


def population(people: int = 40, key: str = KEY, seed: int = 3) -> Population:
    """Standard normal components of as many people, five windows each."""
    scores = np.random.default_rng(seed).standard_normal((people * 5, 3))
    size = len(MEASURES)
    return Population(
        key=key,
        kind="cubed",
        mixture=mixture(),
        published=mixture(),
        location=np.array([0.2, 0.0, -5.0]),
        scale=np.array([0.05, 0.1, 1.0]),
        shift=np.zeros(size),
        session=np.full(size, 0.05),
        condition=np.full(len(CONDITIONS), 0.2),
        scores=scores,
        person=np.repeat(np.arange(people), 5),
    )


def face(person: int = 0, shots: int = 40, clips: int = 2, identity: bool = True) -> PairwiseReference:
    """How an enrolled person looks, on two rungs: as recorded, and a poor line."""
    clip = np.sort(np.arange(shots) % clips)
    rungs = [
        Rung("as recorded", looks(shots, person, 11, identity=identity)),
        Rung("poor line", looks(shots, person, 12, blur=-2.0, identity=identity)),
    ]
    return build_reference(MADE, KEY, clip, rungs, population())


def reference(person: int = 0, shots: int = 40, clips: int = 2, identity: bool = True) -> Reference:
    """An enrolled person of whom nothing is known but the face."""
    sources = tuple(Source(str(n) * 64, f"clip{n}.mp4", 30.0, 640, 480, shots // clips) for n in range(clips))
    return Reference(MADE, sources, {"pairwise": face(person, shots, clips, identity).to_bytes()})
