"""The face of a person, learnt from their clips: the gallery encoded on every rung of the ladder of call conditions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engines.base import EngineError
from monitor.detectors.base import Material, Part, Progress
from monitor.detectors.pairwise.one_person import strangers
from monitor.detectors.pairwise.population import Population
from monitor.detectors.pairwise.reference import Rung, build_reference
from monitor.face.encoders import FaceEncoders
from monitor.face.vectors import FaceVectors

# Looks at a clip that is not in the gallery, to see who is in it.
WITNESS_LOOKS = 4
UNCHECKED = "install the identity encoder and enrol anew: nobody checked that the clips show one person"


class EnrollingPairwise:
    """See `monitor.detectors.base.Enrolling`."""

    effort = 0.28
    task = "encoding the ladder of call conditions"

    def __init__(self, encode: FaceEncoders, population: Population) -> None:
        self._encode, self._population = encode, population
        self._recorded: FaceVectors | None = None

    @classmethod
    def begin(cls, encode: FaceEncoders | None, population: Population | None, one_person: bool) -> EnrollingPairwise:
        """Begin; raises `EngineError` where a face cannot be learnt, or not be checked to be of `one_person`."""
        if encode is None or population is None:
            missing = "the pack face_artefacts is" if encode is None else "genuine people to compare with are"
            raise EngineError(
                f"{missing} not installed, so nobody can be enrolled: reinstall sidewitness with its packs"
            )
        if not population.fits(encode.key):
            raise EngineError(
                "genuine people were measured by other packs than those installed, so nobody can be enrolled: "
                "reinstall sidewitness, or run `sidewitness train pairs`"
            )
        if one_person and not encode.identifies:
            raise EngineError(
                "the identity encoder is not installed, so nobody can check that the clips show one person: "
                "run `sidewitness engines import dlib-face`"
            )
        return cls(encode, population)

    def collect(self, seconds: float) -> None:
        """Take nothing: the moments that enrolment keeps are enough."""

    def refuse(self, material: Material) -> Sequence[str]:
        """Compare the people of all clips, those included that gave no moment to the gallery."""
        self._recorded = self._encode(material.gallery)
        if not self._encode.identifies:
            return ()
        vectors, clips = [self._recorded.identity], [material.clip]
        for n in sorted(set(range(len(material.shots))) - set(material.clip.tolist())):
            shots = material.shots[n]
            witnesses = shots[:: max(len(shots) // WITNESS_LOOKS, 1)][:WITNESS_LOOKS]
            if witnesses:
                vectors.append(self._encode(witnesses).identity)
                clips.append(np.full(len(witnesses), n, np.int64))
        return strangers(np.concatenate(vectors), np.concatenate(clips), material.names, material.seconds)

    def learn(self, material: Material, made: str, progress: Progress) -> Part:
        """Encode the other rungs and say what this person's recordings are to each other."""
        recorded = self._recorded if self._recorded is not None else self._encode(material.gallery)
        rungs = [Rung(material.rungs[0], recorded)]
        for name, shots in material.ladder():
            progress(len(rungs) / len(material.rungs))
            rungs.append(Rung(name, self._encode(shots)))
        reference = build_reference(made, self._encode.key, material.clip, rungs, self._population)
        checked = self._encode.identifies
        return Part(reference.to_bytes(), {"one_person_checked": checked}, () if checked else (UNCHECKED,))
