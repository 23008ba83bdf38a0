"""What is kept of an enrolled person: vectors of their genuine recordings and how these differ among themselves.

Pure numpy. A reference holds no picture and no sound, but it tells who somebody is: it is stored sealed
(`monitor.identity.vault.vault`) and never logged. The invariant: row i of every rung is the same moment.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import SidewitnessError
from monitor.detectors.pairwise.measures import Norm, leave_one_out, natural, shrunk
from monitor.detectors.pairwise.mixture import Mixture
from monitor.detectors.pairwise.population import Population
from monitor.detectors.persona.detector import PersonaReference
from monitor.face.vectors import FaceVectors

SCHEMA = 2
# The first had nothing of how a person moves.
READABLE = (1, 2)
_PERSONA = "persona_"


class TemplateError(SidewitnessError):
    """A reference cannot be built or read; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Source:
    """A recording that a reference was made from: what it was, and never what it shows."""

    sha256: str
    name: str
    seconds: float
    width: int
    height: int
    shots: int


@dataclass(frozen=True, slots=True, eq=False)
class Rung:
    """The gallery as one rung of the ladder of call conditions shows it."""

    name: str
    vectors: FaceVectors


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """An enrolled person.

    `made` is an RFC 3339 time, `key` that of the encoders; `clip` (G,) says which source each row of the gallery is
    from; `rungs[0]` shows the gallery as recorded; `norms` say for each rung what this person's own recordings are to
    each other; `mixture` is the population's, adapted to this person; `persona` is how they move, None where that was
    not enrolled.
    """

    made: str
    key: str
    sources: tuple[Source, ...]
    clip: NDArray[np.int64]
    rungs: tuple[Rung, ...]
    norms: tuple[Norm, ...]
    mixture: Mixture
    persona: PersonaReference | None = None

    def to_bytes(self) -> bytes:
        """Write as an .npz without pickles."""
        arrays: dict[str, Any] = {"clip": self.clip}
        arrays |= {f"mixture_{name}": array for name, array in self.mixture.arrays().items()}
        for n, (rung, norm) in enumerate(zip(self.rungs, self.norms, strict=True)):
            arrays |= {f"rung{n}_{f.name}": getattr(rung.vectors, f.name) for f in fields(FaceVectors)}
            arrays |= {f"norm{n}_location": norm.location, f"norm{n}_scale": norm.scale}
        about = {
            "schema": SCHEMA,
            "made": self.made,
            "key": self.key,
            "sources": [asdict(source) for source in self.sources],
            "rungs": [rung.name for rung in self.rungs],
            "windows": [norm.windows for norm in self.norms],
        }
        if self.persona is not None:
            arrays |= {f"{_PERSONA}{name}": array for name, array in self.persona.arrays().items()}
        file = io.BytesIO()
        np.savez_compressed(file, about=np.array(json.dumps(about)), **arrays)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Reference:
        """Read what `to_bytes` wrote; raises `TemplateError`."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as held:
                return _read(dict(held))
        except Exception as error:
            # A damaged archive raises whatever its parts raise: zip, zlib, tokenizer, JSON, arrays.
            raise TemplateError(
                f"the reference cannot be read ({type(error).__name__}): enrol the person again"
            ) from None


def build_reference(
    made: str,
    key: str,
    sources: Sequence[Source],
    clip: NDArray[np.int64],
    rungs: Sequence[Rung],
    population: Population,
    same_recording: bool = False,
) -> Reference:
    """Make the reference of a person from their gallery on every rung.

    Where all is from one recording, other recordings of this person are expected to differ as those of people in
    general do, unless `same_recording` says that only that recording will be compared (evaluation). Raises
    `TemplateError` where the parts do not fit each other.
    """
    clip = np.asarray(clip, np.int64)
    if not rungs or len(clip) == 0 or any(len(rung.vectors) != len(clip) for rung in rungs):
        raise TemplateError("every rung needs the same moments, and at least one: make the ladder again")
    if clip.min() < 0 or clip.max() >= len(sources):
        raise TemplateError("the gallery names a source that is not listed: make it again")
    if not population.fits(key):
        raise TemplateError("the population was made by other packs: make it again (train pairs)")
    norms = tuple(_norm(rung.vectors, clip, population, same_recording) for rung in rungs)
    mixture = population.mixture.adapt(np.concatenate([natural(rung.vectors, clip) for rung in rungs]))
    return Reference(made, key, tuple(sources), clip, tuple(rungs), norms, mixture)


def _norm(gallery: FaceVectors, clip: NDArray[np.int64], population: Population, same_recording: bool) -> Norm:
    own, recordings = leave_one_out(gallery, clip, population.mixture)
    apart = recordings > 1
    location = population.location + (population.shift if apart else 0)
    scale = np.hypot(population.scale, population.session if apart else 0)
    norm = shrunk(own, location, scale)
    if apart or same_recording:
        return norm
    return Norm(norm.location + population.shift, np.hypot(norm.scale, population.session), norm.windows)


def _read(held: dict[str, Any]) -> Reference:
    about = json.loads(str(held["about"]))
    if about["schema"] not in READABLE:
        raise ValueError("schema")
    rungs, norms = [], []
    for n, (name, windows) in enumerate(zip(about["rungs"], about["windows"], strict=True)):
        vectors = FaceVectors(*(held[f"rung{n}_{f.name}"] for f in fields(FaceVectors)))
        rungs.append(Rung(str(name), vectors))
        norms.append(Norm(held[f"norm{n}_location"], held[f"norm{n}_scale"], int(windows)))
    mixture = Mixture.of({name: held[f"mixture_{name}"] for name in Mixture.NAMES})
    sources = tuple(Source(**source) for source in about["sources"])
    clip = np.asarray(held["clip"], np.int64)
    if not rungs or any(len(rung.vectors) != len(clip) for rung in rungs):
        raise ValueError("rungs")
    moved = {name.removeprefix(_PERSONA): array for name, array in held.items() if name.startswith(_PERSONA)}
    persona = PersonaReference.of(moved) if moved else None
    return Reference(str(about["made"]), str(about["key"]), sources, clip, tuple(rungs), tuple(norms), mixture, persona)
