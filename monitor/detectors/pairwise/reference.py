"""What `pairwise` keeps of an enrolled person: vectors of their recordings and how these differ among themselves.

The invariant: row i of every rung is the same moment.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from monitor.detectors.pairwise.measures import Norm, leave_one_out, shrink, window_differences
from monitor.detectors.pairwise.mixture import Mixture
from monitor.detectors.pairwise.population import Population
from monitor.detectors.reference import TemplateError, pack_arrays, unpack_arrays
from monitor.face.vectors import FaceVectors


@dataclass(frozen=True, slots=True, eq=False)
class Rung:
    """The gallery as one rung of the ladder of call conditions shows it."""

    name: str
    vectors: FaceVectors


@dataclass(frozen=True, slots=True, eq=False)
class PairwiseReference:
    """How an enrolled person's face looks.

    `made` is an RFC 3339 time, `key` that of the encoders; `clip` (G,) says which recording each row of the gallery is
    from; `rungs[0]` shows the gallery as recorded; `norms` say for each rung what this person's own recordings are to
    each other; `mixture` is the population's, adapted to this person.
    """

    made: str
    key: str
    clip: NDArray[np.int64]
    rungs: tuple[Rung, ...]
    norms: tuple[Norm, ...]
    mixture: Mixture

    def to_bytes(self) -> bytes:
        """Write as an .npz without pickles."""
        arrays: dict[str, NDArray[np.generic]] = {"clip": self.clip}
        arrays |= {f"mixture_{name}": array for name, array in self.mixture.arrays().items()}
        for n, (rung, norm) in enumerate(zip(self.rungs, self.norms, strict=True)):
            arrays |= {f"rung{n}_{f.name}": getattr(rung.vectors, f.name) for f in fields(FaceVectors)}
            arrays |= {f"norm{n}_location": norm.location, f"norm{n}_scale": norm.scale}
        header = {
            "made": self.made,
            "key": self.key,
            "rungs": [rung.name for rung in self.rungs],
            "windows": [norm.windows for norm in self.norms],
        }
        return pack_arrays({"about": np.array(json.dumps(header)), **arrays})

    @classmethod
    def from_bytes(cls, data: bytes) -> PairwiseReference:
        """Read what `to_bytes` wrote; raises `TemplateError`."""
        try:
            return cls._read(data)
        except Exception as error:
            # A damaged archive raises whatever its parts raise: zip, zlib, tokenizer, JSON, arrays.
            raise TemplateError(
                f"the reference of the face cannot be read ({type(error).__name__}): enrol the person again"
            ) from None

    @classmethod
    def _read(cls, data: bytes) -> PairwiseReference:
        arrays = unpack_arrays(data)
        header = json.loads(str(arrays["about"]))
        rungs, norms = [], []
        for n, (name, windows) in enumerate(zip(header["rungs"], header["windows"], strict=True)):
            vectors = FaceVectors(*(arrays[f"rung{n}_{f.name}"] for f in fields(FaceVectors)))
            rungs.append(Rung(str(name), vectors))
            norms.append(Norm(arrays[f"norm{n}_location"], arrays[f"norm{n}_scale"], int(windows)))
        mixture = Mixture.from_arrays({name: arrays[f"mixture_{name}"] for name in Mixture.NAMES})
        clip = np.asarray(arrays["clip"], np.int64)
        if not rungs or any(len(rung.vectors) != len(clip) for rung in rungs):
            raise ValueError("rungs")
        return cls(str(header["made"]), str(header["key"]), clip, tuple(rungs), tuple(norms), mixture)


def build_reference(
    made: str,
    key: str,
    clip: NDArray[np.int64],
    rungs: Sequence[Rung],
    population: Population,
    same_recording: bool = False,
) -> PairwiseReference:
    """Make the reference of a face from the gallery on every rung.

    `clip` (G,) counts the recordings from 0. Where all is from one recording, other recordings of this person are
    expected to differ as those of people in general do, unless `same_recording` says that only that recording will be
    compared (evaluation). Raises `TemplateError` where the parts do not fit each other.
    """
    clip = np.asarray(clip, np.int64)
    if not rungs or len(clip) == 0 or any(len(rung.vectors) != len(clip) for rung in rungs):
        raise TemplateError("every rung needs the same moments, and at least one: make the ladder again")
    if clip.min() < 0:
        raise TemplateError("the gallery names a recording that is not there: make it again")
    if not population.fits(key):
        raise TemplateError("the population was made by other packs: make it again (train pairs)")
    norms = tuple(_norm(rung.vectors, clip, population, same_recording) for rung in rungs)
    mixture = population.mixture.adapt(np.concatenate([window_differences(rung.vectors, clip) for rung in rungs]))
    return PairwiseReference(made, key, clip, tuple(rungs), norms, mixture)


def _norm(gallery: FaceVectors, clip: NDArray[np.int64], population: Population, same_recording: bool) -> Norm:
    differences, recordings = leave_one_out(gallery, clip, population.mixture)
    several = recordings > 1
    location = population.location + (population.shift if several else 0)
    scale = np.hypot(population.scale, population.session if several else 0)
    norm = shrink(differences, location, scale)
    if several or same_recording:
        return norm
    return Norm(norm.location + population.shift, np.hypot(norm.scale, population.session), norm.windows)
