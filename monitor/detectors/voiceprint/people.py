"""What is known of voices in general: a cohort that scores are normalised by, and genuine scores by person. Pure.

Plain arrays, made by `sidewitness train voiceprints` from genuine recordings only. The cohort is nobody: its vectors
are drawn from the spread of people's voices (`drawn_cohort`), so that what is published holds no person's voice.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import SidewitnessError
from monitor.decision.calibration import Calibration
from monitor.types import FloatArray

SCHEMA = 1
# The nearest of the cohort that a score is normalised by (adaptive symmetric norm; Matejka et al., Interspeech 2017). A
# drawn cohort lies closer together than people do: of 30 nearest the spread is too small to divide by.
NEAREST = 200
# Spreads below this would make a small difference a large one.
MIN_SPREAD = 0.01
# Speech that is scored at least, in seconds; all genuine scores are of about as much.
SPEECH_SECONDS = 3.0

Doubles = NDArray[np.float64]


class VoicePeopleError(SidewitnessError):
    """What is known of voices cannot be used; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class VoicePeople:
    """Voices in general, as one encoder hears them.

    `key` is that of the encoder. `cohort` (K, 256) are directions of unit length; `scores` (W,) genuine scores of 5 s
    of a call, of the people `person` (W,), counted from 0. `usual` is how alike the cohort speech usually is at least
    (below it is no speech that is known here), `together` how alike the pieces of one voice are to each other at least.
    """

    key: str
    cohort: FloatArray
    scores: Doubles
    person: NDArray[np.int64]
    usual: float
    together: float
    calibration: Calibration = field(init=False)

    def __post_init__(self) -> None:
        """Make the table once; raises `CalibrationError` where there are too few people."""
        table = Calibration.build({SPEECH_SECONDS: (self.scores, [str(p) for p in self.person])})
        object.__setattr__(self, "calibration", table)

    @property
    def people(self) -> int:
        """How many people gave scores."""
        return len(np.unique(self.person))

    def typical(self, voices: FloatArray) -> tuple[Doubles, Doubles]:
        """Say how alike the cohort is to voices (N, 256): mean and spread (N,) over its nearest."""
        near = np.sort((voices @ self.cohort.T).astype(np.float64), axis=1)[:, -NEAREST:]
        return near.mean(axis=1), np.maximum(near.std(axis=1), MIN_SPREAD)

    def values(self, voices: FloatArray, enrolled: FloatArray) -> Doubles:
        """Say by how many deviations voices (N, 256) are less like the enrolled one (256,) than strangers are, (N,).

        Strangers to either side. Higher is more suspicious; a genuine person lies several deviations below zero.
        """
        alike = (voices @ enrolled).astype(np.float64)
        sides = [(alike - mean) / spread for mean, spread in (self.typical(voices), self.typical(enrolled[None]))]
        return np.asarray(-np.mean(sides, axis=0), np.float64)

    def p_value(self, value: float, once: bool = False) -> float:
        """Say how often a genuine person's score is at least this one: in (0, 1]."""
        return self.calibration.p_value(value, SPEECH_SECONDS, once)

    def to_bytes(self) -> bytes:
        """Write as an .npz without pickles."""
        file = io.BytesIO()
        np.savez_compressed(
            file,
            schema=np.array(SCHEMA),
            key=np.array(self.key),
            cohort=self.cohort.astype(np.float16),
            scores=self.scores,
            person=self.person,
            limits=np.array([self.usual, self.together]),
        )
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> VoicePeople:
        """Read what `to_bytes` wrote; raises `VoicePeopleError`."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                return _read(dict(file))
        except Exception as error:
            # A damaged archive raises whatever its parts raise.
            raise VoicePeopleError(
                f"the voices cannot be read ({type(error).__name__}): make them again (train voiceprints)"
            ) from None


def _read(arrays: Mapping[str, NDArray[Any]]) -> VoicePeople:
    if int(arrays["schema"]) != SCHEMA:
        raise ValueError("schema")
    usual, together = (float(limit) for limit in arrays["limits"])
    cohort, scores = np.asarray(arrays["cohort"], np.float32), np.asarray(arrays["scores"], np.float64)
    return VoicePeople(str(arrays["key"]), cohort, scores, np.asarray(arrays["person"], np.int64), usual, together)


def drawn_cohort(people: FloatArray, count: int, seed: int = 0) -> FloatArray:
    """Draw voices of nobody, (count, 256), from the spread of people's (N, 256), N >= 2.

    No number of a vector is below zero, as the encoder has it.
    """
    random = np.random.default_rng(seed)
    mean = people.mean(axis=0)
    _, sizes, directions = np.linalg.svd(people - mean, full_matrices=False)
    amounts = random.normal(size=(count, len(sizes))) * sizes / np.sqrt(len(people) - 1)
    voices = np.maximum(mean + amounts @ directions, 0)
    return np.asarray(voices / np.maximum(np.linalg.norm(voices, axis=1, keepdims=True), 1e-6), np.float32)
