"""Batches of genuine faces and their own blends, made by worker processes while the encoder learns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from engines.training.faces import Face, look
from engines.training.pseudo import SCHEMES, blend, transform
from engines.training.received import Degradation, receive

FloatArray = NDArray[np.float32]
# Sides of a cell of the dense target, in pixels of the picture.
CELL_PIXELS = 16


def prepare(pictures: NDArray[np.uint8]) -> FloatArray:
    """Turn (N, S, S, 3) uint8 into what the backbone takes: (N, 3, S, S), mean and deviation 0.5."""
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2), np.float32) / np.float32(127.5) - np.float32(1)


def weights_of(faces: Sequence[Face], stills: float) -> NDArray[np.float64]:
    """How often each face is drawn: photos make up `stills` of the draws; subjects, and then their faces, evenly.

    A subject of many clips counts by the root of their number: one label may stand for many people.
    """
    keys = [(face.still, face.subject) for face in faces]
    count = {key: keys.count(key) for key in set(keys)}
    raw = np.array([count[key] ** -0.5 for key in keys])
    still = np.array([face.still for face in faces])
    for mask, share in ((still, stills), (~still, 1 - stills)):
        if mask.any():
            raw[mask] *= share / raw[mask].sum()
    return np.asarray(raw / raw.sum())


class BlendStream(IterableDataset[tuple[Tensor, Tensor, Tensor]]):
    """An endless stream of batches; each worker draws its own."""

    def __init__(self, faces: Sequence[Face], size: int, batch: int, stills: float, clean: float, seed: int) -> None:
        self._faces, self._size, self._batch = faces, size, batch
        self._chance = weights_of(faces, stills)
        self._clean, self._seed = clean, seed

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        worker = get_worker_info()
        random = np.random.default_rng([self._seed, worker.id if worker else 0])
        while True:
            chosen = random.choice(len(self._faces), self._batch, p=self._chance)
            pairs = [one_pair(self._faces[n], self._size, random, self._clean) for n in chosen]
            real, fake, mask = (np.stack(arrays) for arrays in zip(*pairs, strict=True))
            cells = mask.reshape(len(mask), mask.shape[1] // CELL_PIXELS, CELL_PIXELS, -1, CELL_PIXELS).mean((2, 4))
            yield tuple(torch.from_numpy(array) for array in (prepare(real), prepare(fake), cells))  # type: ignore[misc]


def one_pair(
    face: Face, size: int, random: np.random.Generator, clean: float
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], FloatArray]:
    """One genuine look at a face, the same blended, both degraded alike, and the mask times the ratio."""
    picture, landmarks = look(face, size, random)
    if random.random() < 0.3:
        # Colour and light differ between genuine cameras too.
        picture = transform(picture, random)
    blended = blend(picture, landmarks, random)
    degradation = Degradation.draw(random, clean).at(size)
    return (
        receive(picture, degradation),
        receive(blended.picture, degradation),
        blended.mask * np.float32(blended.ratio),
    )


def loader(stream: BlendStream, workers: int) -> DataLoader[tuple[Tensor, Tensor, Tensor]]:
    """Draw batches in worker processes, four ahead each; 0 workers draw in this one."""
    return DataLoader(stream, batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None)


@dataclass(frozen=True, slots=True, eq=False)
class BlendTrial:
    """Held-out faces, as they are and blended by each scheme: `real` (N, S, S, 3) and `fake[scheme]`, row by row."""

    real: NDArray[np.uint8]
    fake: Mapping[str, NDArray[np.uint8]]
    subjects: tuple[str, ...]


def make_trial(faces: Sequence[Face], size: int, degraded: bool, seed: int = 7) -> BlendTrial:
    """Make the same trial of the same faces each time: centred as live crops are, and `degraded` as in bad calls."""
    real: list[NDArray[np.uint8]] = []
    fake: dict[str, list[NDArray[np.uint8]]] = {scheme: [] for scheme in SCHEMES}
    for number, face in enumerate(faces):
        random = np.random.default_rng([seed, number])
        degradation = Degradation.draw(random, 0.0).at(size) if degraded else Degradation()
        picture, landmarks = look(face, size)
        real.append(receive(picture, degradation))
        for scheme in SCHEMES:
            fake[scheme].append(receive(blend(picture, landmarks, random, scheme).picture, degradation))
    forged = {scheme: np.stack(pictures) for scheme, pictures in fake.items()}
    return BlendTrial(np.stack(real), forged, tuple(face.subject for face in faces))
