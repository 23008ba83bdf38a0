"""How far three seconds of pose and expression lie from how an enrolled person moves, by embeddings alone. Pure.

MOTIF's idea: windows of the references are embedded once, which is all of an enrolment; the space is whitened by the
covariance of that person; a live window is as far as 1 - its best cosines to reference windows. The invariant: such a
distance is never read alone but standardised by what the person's own references say of each other, leave-one-out.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from engines.errors import SidewitnessError
from monitor.types import FloatArray

SCHEMA = 1
FILE = "population.npz"
# How many windows of one person weigh as much as the covariance of people in general: neighbours overlap, and an
# embedding has more numbers than a person has recordings.
PRIOR_WINDOWS = 200.0
# How many recordings weigh as much as what is known of people in general, in where a person's own distances lie.
# Few would make up what a person usually does from their own accidents: 3 cost .05 of AUC over all people, 30 little.
PRIOR_CLIPS = 30.0
# Reference windows, the nearest, whose cosines are averaged. MOTIF takes the best alone; among five, one lucky window
# counts for less: AUC at 5 s among news anchors .979 for .954.
NEAREST_WINDOWS = 5
# Seconds between the starts of two windows of one recording that count as apart.
MIN_START_GAP_SECONDS = 6.0
# Eigenvalues of a covariance are kept above this share of their mean.
_MIN_EIGENVALUE_SHARE = 1e-3
# Share of a covariance of people in general that is the same in all directions: they are few.
_ISOTROPIC_SHARE = 0.3

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]


class MotionError(SidewitnessError):
    """Arrays of the companion cannot be used; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class MotionPopulation:
    """What embeddings of people in general do, beside the pack `motion`.

    `key` is the sha256 of the pack. `centre` (E,) is the mean over people, `within` (E, E) how windows of one person
    differ. `location` and `scale` are of the leave-one-out distances of people with several recordings, `single` what
    is added to a distance within one recording to make it one across recordings.
    """

    key: str
    centre: Doubles
    within: Doubles
    location: float
    scale: float
    single: float

    def to_bytes(self) -> bytes:
        """Write as an .npz without pickles."""
        file = io.BytesIO()
        numbers = np.array([self.location, self.scale, self.single])
        np.savez_compressed(
            file,
            schema=np.array(SCHEMA),
            key=np.array(self.key),
            centre=self.centre,
            within=self.within,
            numbers=numbers,
        )
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> MotionPopulation:
        """Read what `to_bytes` wrote; raises `MotionError`."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                return _population(dict(file))
        except Exception as error:
            # A damaged archive raises whatever its parts raise: zip, zlib, tokenizer, arrays.
            raise MotionError(
                f"the population of motion cannot be read ({type(error).__name__}): make it again (train persona)"
            ) from None


def _population(arrays: Mapping[str, Any]) -> MotionPopulation:
    centre, within = np.asarray(arrays["centre"], np.float64), np.asarray(arrays["within"], np.float64)
    location, scale, single = (float(n) for n in arrays["numbers"])
    fits = int(arrays["schema"]) == SCHEMA and within.shape == (len(centre), len(centre)) and scale > 0
    if not fits or not all(np.isfinite(array).all() for array in (centre, within, arrays["numbers"])):
        raise ValueError("arrays")
    return MotionPopulation(str(arrays["key"]), centre, within, location, scale, single)


@dataclass(frozen=True, slots=True, eq=False)
class Whitening:
    """A space in which one person's windows differ alike in every direction: (x - centre) @ matrix, of length 1."""

    centre: Doubles
    matrix: Doubles

    def __call__(self, embeddings: FloatArray) -> Doubles:
        """Embeddings (N, E) to unit vectors (N, E)."""
        moved = (np.asarray(embeddings, np.float64) - self.centre) @ self.matrix
        return np.asarray(moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12), np.float64)


def fit_whitening(
    embeddings: FloatArray, clip: Ints, population: MotionPopulation, prior: float = PRIOR_WINDOWS
) -> Whitening:
    """Whiten by the covariance of a person's windows (N, E) about the mean of each recording `clip` (N,).

    It is shrunk to that of people in general, which weighs `prior` windows: with few windows it is theirs. The centre
    is that of people in general, so that how this person differs from others is what a cosine sees.
    """
    x = np.asarray(embeddings, np.float64)
    total = prior * population.within
    for name in np.unique(clip):
        rows = x[clip == name]
        total = total + (rows - rows.mean(0)).T @ (rows - rows.mean(0))
    values, vectors = np.linalg.eigh(total / (prior + len(x)))
    floor = max(_MIN_EIGENVALUE_SHARE * float(values.mean()), 1e-12)
    matrix = (vectors / np.sqrt(np.maximum(values, floor))) @ vectors.T
    return Whitening(population.centre, np.asarray(matrix, np.float64))


def best_cosine(live: FloatArray, references: FloatArray, whitening: Whitening) -> Doubles:
    """Give the mean cosine of each live embedding (N, E) to the `NEAREST_WINDOWS` of the references (R, E): (N,)."""
    return _mean_of_nearest(whitening(live) @ whitening(references).T)


def _mean_of_nearest(cosines: Doubles) -> Doubles:
    """Mean of the best finite cosines of each row (N, R); NaN where there is none."""
    best = np.sort(cosines, axis=1)[:, -NEAREST_WINDOWS:]
    finite = np.isfinite(best)
    return np.asarray(np.where(finite, best, 0).sum(1) / np.where(finite.any(1), finite.sum(1), np.nan), np.float64)


def leave_one_out(embeddings: FloatArray, clip: Ints, start: Doubles, population: MotionPopulation) -> Doubles:
    """Give the distance of each reference window (R, E) from the others: (R,), NaN where there is nothing to compare.

    With several recordings `clip` (R,) a window is compared with the other recordings, whitened without its own; with
    one, with the windows that start (`start`, seconds) at least `MIN_START_GAP_SECONDS` from it.
    """
    names = np.unique(clip)
    if len(names) > 1:
        distances = np.full(len(embeddings), np.nan)
        for name in names:
            inside, others = clip == name, clip != name
            whitening = fit_whitening(embeddings[others], clip[others], population)
            distances[inside] = 1 - best_cosine(embeddings[inside], embeddings[others], whitening)
        return distances
    unit = fit_whitening(embeddings, clip, population)(embeddings)
    cosines = np.where(np.abs(start[:, None] - start[None]) >= MIN_START_GAP_SECONDS, unit @ unit.T, -np.inf)
    return 1 - _mean_of_nearest(cosines)


@dataclass(frozen=True, slots=True, eq=False)
class MotionReference:
    """What is kept of an enrolled person: embeddings (R, E) of their windows, their whitening, their own distances.

    `location` and `scale` are of their leave-one-out distances, drawn to those of people in general;
    `own_distances` (R,) the standardised distances themselves, NaN where a window had nothing to be compared with.
    """

    NAMES: ClassVar = ("embeddings", "centre", "matrix", "own", "numbers")

    key: str
    embeddings: FloatArray
    whitening: Whitening
    own_distances: Doubles
    location: float
    scale: float

    def distances(self, live: FloatArray) -> Doubles:
        """Say how far live embeddings (N, E) lie, in deviations of the person's own distances: (N,), higher farther."""
        return np.asarray(
            (1 - best_cosine(live, self.embeddings, self.whitening) - self.location) / self.scale, np.float64
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give what the reference consists of, by name: plain arrays for the vault."""
        return {
            "key": np.array(self.key),
            "embeddings": self.embeddings,
            "centre": self.whitening.centre,
            "matrix": self.whitening.matrix,
            "own": self.own_distances,
            "numbers": np.array([self.location, self.scale]),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> MotionReference:
        """Build from what `arrays` gave; raises `KeyError`, and `MotionError` where they do not fit each other."""
        embeddings = np.asarray(arrays["embeddings"], np.float32)
        centre, matrix, standardised, numbers = (np.asarray(arrays[name], np.float64) for name in cls.NAMES[1:])
        size = len(centre)
        fits = embeddings.shape == (len(standardised), size) and matrix.shape == (size, size) and numbers.shape == (2,)
        if not fits or len(standardised) == 0 or not numbers[1] > 0:
            raise MotionError("the arrays of the companion do not fit each other: enrol again")
        return cls(str(arrays["key"]), embeddings, Whitening(centre, matrix), standardised, *map(float, numbers))


def fit_population(embeddings: FloatArray, person: Ints, clip: Ints, start: Doubles, key: str) -> MotionPopulation:
    """Say what embeddings (N, E) of windows do in general: whose, of which recording, from when on (each (N,)).

    How one person differs is taken from people with several recordings where there are any: within one recording
    nobody changes the camera. Everybody weighs the same. Raises `MotionError` where nobody's windows can be compared.
    """
    x = np.asarray(embeddings, np.float64)
    people = [np.flatnonzero(person == name) for name in np.unique(person)]
    several = [rows for rows in people if len(np.unique(clip[rows])) > 1]
    if not people:
        raise MotionError("no window of speech: add longer recordings")
    centre = np.mean([x[rows].mean(0) for rows in people], axis=0)
    spreads = [(x[rows] - x[rows].mean(0)).T @ (x[rows] - x[rows].mean(0)) / len(rows) for rows in several or people]
    within = np.mean(spreads, axis=0)
    isotropic = np.eye(len(centre)) * max(float(np.trace(within)) / len(centre), 1e-9)
    rough = MotionPopulation(key, centre, (1 - _ISOTROPIC_SHARE) * within + _ISOTROPIC_SHARE * isotropic, 0.0, 1.0, 0.0)
    distances_across = [leave_one_out(embeddings[rows], clip[rows], start[rows], rough) for rows in several]
    distances_within = [
        leave_one_out(embeddings[rows][recording], clip[rows][recording], start[rows][recording], rough)
        for rows in people
        for recording in (clip[rows] == name for name in np.unique(clip[rows]))
    ]
    across, inside = (
        [part[np.isfinite(part)] for part in parts if np.isfinite(part).any()]
        for parts in (distances_across, distances_within)
    )
    if not across and not inside:
        raise MotionError("nobody has two windows that can be compared: add longer recordings, or several of a person")
    location = float(np.mean([part.mean() for part in across or inside]))
    scale = float(np.sqrt(np.mean([((part - location) ** 2).mean() for part in across or inside])))
    single = location - float(np.mean([part.mean() for part in inside])) if across and inside else 0.0
    return replace(rough, location=location, scale=max(scale, 1e-3), single=max(single, 0.0))


def enrol(
    embeddings: FloatArray, clip: Ints, start: Doubles, population: MotionPopulation, clips: float = PRIOR_CLIPS
) -> MotionReference:
    """Make the reference of a person from windows (R, E), R >= 1, of recordings `clip` (R,) from `start` (R,) seconds.

    Takes milliseconds. `clips` is how many recordings weigh as much as people in general do. Raises `MotionError`
    without windows.
    """
    if len(embeddings) == 0:
        raise MotionError("no window of speech to enrol from: give longer clips in which the person speaks")
    distances = leave_one_out(embeddings, clip, start, population)
    names = np.unique(clip)
    distances = distances + (population.single if len(names) == 1 else 0.0)
    # A recording counts once however long it is: its windows have its own light, camera and mood in common.
    groups = [finite for name in names if len(finite := distances[(clip == name) & np.isfinite(distances)])]
    count = len(groups)
    location = (sum(float(group.mean()) for group in groups) + clips * population.location) / (count + clips)
    spread = sum(float(((group - location) ** 2).mean()) for group in groups)
    scale = float(np.sqrt((spread + clips * population.scale**2) / (count + clips)))
    whitening = fit_whitening(embeddings, clip, population)
    references = np.asarray(embeddings, np.float32)
    return MotionReference(population.key, references, whitening, (distances - location) / scale, location, scale)
