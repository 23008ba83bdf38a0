"""Is this the enrolled person's voice? The speech of one window against that person's own, one to one. Pure.

A cosine alone says more of the voice and the line than of who speaks, so it is normalised by a cohort, on both sides,
and read against genuine people's. The invariants: it compares with the claimed person only; it raises suspicion and
never clears, for a cloned voice aims at exactly this likeness; and it abstains where it does not hear one voice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.decision.turns import changed
from monitor.detectors.voiceprint.encoder import centre
from monitor.detectors.voiceprint.info import INFO
from monitor.detectors.voiceprint.people import SPEECH_SECONDS, VoicePeople
from monitor.detectors.voiceprint.pieces import HOP_STEPS, PIECE_STEPS
from monitor.detectors.voiceprint.reference import VoiceReference
from monitor.types import FloatArray, Reason, Score
from monitor.window.grid import GRID_HZ

# Of a call's own start, 5.6 s of speech.
START_PIECES = 6
# Pieces so far apart in their order share no speech.
_APART = -(-PIECE_STEPS // HOP_STEPS) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """One piece of speech as the encoder heard it: the grid steps from `first` to `last`, and its vector (256,)."""

    first: int
    last: int
    vector: FloatArray


@dataclass(frozen=True, slots=True)
class VoiceprintDetector:
    """Scores speech against a reference; `people` is None where nothing is known of voices in general."""

    people: VoicePeople | None

    def unable(self, reference: VoiceReference | None, key: str | None) -> Reason | None:
        """Say why nothing can be compared whatever is said: no encoder, nobody enrolled, or by another encoder."""
        if key is None or reference is None:
            return Reason.NOT_ENROLLED
        if reference.key != key:
            return Reason.REFERENCE_OUTDATED
        return Reason.NOT_CALIBRATED if self.people is None or self.people.key != key else None

    def score(self, pieces: Sequence[Heard], reference: VoiceReference, start: Sequence[Heard] = ()) -> Score:
        """Score the pieces of one window; only where nothing makes this `unable`.

        `start` are pieces of this call's own start, none of which is among those: whether the voice is still that one
        is shown and does not count.
        """
        spoken = speech_seconds(pieces)
        evidence: dict[str, Any] = {"speech_seconds": round(spoken, 2)}
        if spoken < SPEECH_SECONDS or self.people is None:
            return INFO.abstain(Reason.TOO_LITTLE_SPEECH, evidence)
        vectors = np.stack([piece.vector for piece in pieces])
        voice = centre(vectors)
        if together(vectors) < self.people.together:
            return INFO.abstain(Reason.SEVERAL_VOICES, evidence)
        if self.people.typical(voice[None])[0][0] < self.people.usual:
            return INFO.abstain(Reason.UNUSUAL_SOUND, evidence)
        rung = reference.nearest(voice)
        enrolled = reference.voices[rung]
        value = float(self.people.values(voice[None], enrolled)[0])
        evidence |= {"similarity": round(float(voice @ enrolled), 4), "line": reference.rungs[rung]}
        since = self._since(voice, start, self.people)
        if since is not None:
            evidence["within_call"] = {"p_value": round(since, 4)}
        p_value = self.people.p_value(value)
        return Score(INFO.name, value, None, p_value, True, evidence, changed=changed(since))

    def _since(self, voice: FloatArray, start: Sequence[Heard], people: VoicePeople) -> float | None:
        """Say how often a genuine voice is so unlike that of the call's start; None where there is not one voice."""
        vectors = np.stack([piece.vector for piece in start]) if start else np.zeros((0, len(voice)), np.float32)
        if len(vectors) < START_PIECES or together(vectors) < people.together:
            return None
        return people.p_value(float(people.values(voice[None], centre(vectors))[0]))


def speech_seconds(pieces: Sequence[Heard]) -> float:
    """Say how much speech is in pieces that follow each other: each after the first brings a hop of it."""
    return (PIECE_STEPS + (len(pieces) - 1) * HOP_STEPS) / GRID_HZ if pieces else 0.0


def together(vectors: FloatArray) -> float:
    """Say how alike the two least alike of the pieces (N, 256) are that share no speech; 1 where all do."""
    alike = vectors @ vectors.T
    rows, columns = np.triu_indices(len(vectors), _APART)
    return float(alike[rows, columns].min()) if len(rows) else 1.0
