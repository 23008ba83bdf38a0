"""The voice of a person, learnt from their clips: their speech encoded on every rung of the ladder of lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from monitor.detectors.base import Material, Part, Progress
from monitor.detectors.voiceprint.encoder import VoiceEncoder, centre
from monitor.detectors.voiceprint.people import VoicePeople
from monitor.detectors.voiceprint.pieces import PIECE_STEPS, Piece, SpeechCutter
from monitor.detectors.voiceprint.quality import advice, speech_quality
from monitor.detectors.voiceprint.reference import VoiceReference
from monitor.types import FloatArray
from monitor.voice.mel40 import PIECE_SAMPLES
from monitor.window.grid import GRID_HZ
from monitor.window.window import WindowBuffer

if TYPE_CHECKING:
    from monitor.voice.stream import VoiceChunk

# Speech that is learnt from at most: a minute and a half says as much of a voice as an hour.
MAX_SECONDS = 90.0
MIN_SECONDS, PLENTY_SECONDS = 10.0, 30.0
TOO_LITTLE = "speak more: the voice was not learnt"
SHORT = "speak for half a minute and longer: the voice is known from little"
SEVERAL = "have nobody else speak: the recordings do not all sound like one voice"


class SpeechCollector:
    """Takes the speech of one clip; see `monitor.detectors.base.ClipCollector` and `Listening`."""

    observe = None

    def __init__(self, seconds: float) -> None:
        self._most = max(round(min(seconds, MAX_SECONDS) * GRID_HZ / PIECE_STEPS), 1)
        # Pieces that share nothing: each brings new speech.
        self._cutter = SpeechCutter(hop=PIECE_STEPS)
        self._pieces: list[Piece] = []

    def restart(self, buffer: WindowBuffer) -> None:
        """Begin with an empty window, which is not looked at."""

    def listen(self, chunk: VoiceChunk) -> None:
        """Take sound until there is enough."""
        if len(self._pieces) < self._most:
            self._pieces += self._cutter.push(chunk)

    def hop(self) -> None:
        """Take nothing: all of it was heard."""

    def finish(self) -> FloatArray:
        """Give the pieces (N, PIECE_SAMPLES) of the clip."""
        pieces = [*self._pieces, *self._cutter.finish()][: self._most]
        return np.stack([piece.samples for piece in pieces]) if pieces else np.zeros((0, PIECE_SAMPLES), np.float32)


class EnrollingVoice:
    """See `monitor.detectors.base.Enrolling`."""

    effort = 0.1
    task = "learning the voice on lines of all kinds"

    def __init__(self, encoder: VoiceEncoder, people: VoicePeople | None) -> None:
        self._encode, self._people = encoder, people

    def collect(self, seconds: float) -> SpeechCollector:
        """Give what takes at most `seconds` of one clip."""
        return SpeechCollector(seconds)

    def refuse(self, material: Material) -> Sequence[str]:
        """Nothing is refused: everything else of an enrolment holds without the voice."""
        return ()

    def learn(self, material: Material, made: str, progress: Progress) -> Part:
        """Encode every rung; without data where they speak too little."""
        clips = [np.asarray(taken, np.float32) for taken in material.taken if taken is not None and len(taken)]
        pieces = _spread(np.concatenate(clips) if clips else np.zeros((0, PIECE_SAMPLES), np.float32))
        seconds = len(pieces) * PIECE_STEPS / GRID_HZ
        measured = [None if taken is None else speech_quality(np.asarray(taken)) for taken in material.taken]
        again = advice(material.names, measured) if material.taken else []
        known = [clip for clip in measured if clip is not None]
        quality: dict[str, Any] = {"voice_seconds": round(seconds, 1)}
        if known:
            quality["voice_above_noise_db"] = round(float(np.median([clip.above_noise_db for clip in known])), 1)
            quality["voice_band_hz"] = max(clip.band_hz for clip in known)
        if seconds < MIN_SECONDS:
            return Part(None, quality, (TOO_LITTLE, *again))
        names, voices, recorded = list[str](), list[FloatArray](), None
        for name, sound in material.sounds(pieces.reshape(-1)):
            vectors = self._encode(list(sound.reshape(-1, PIECE_SAMPLES)))
            recorded = vectors if recorded is None else recorded
            names.append(name)
            voices.append(centre(vectors))
            progress(len(names) / max(material.lines, 1))
        reference = VoiceReference(self._encode.key, names, np.stack(voices), round(seconds, 1))
        better = [SHORT] if seconds < PLENTY_SECONDS else []
        better += [SEVERAL] if recorded is not None and self._is_several(recorded) else []
        return Part(reference.to_bytes(), quality, [*better, *again])

    def _is_several(self, vectors: FloatArray) -> bool:
        """Whether a tenth of the pieces are less like the rest than pieces of one voice are."""
        if self._people is None:
            return False
        return float(np.quantile(vectors @ centre(vectors), 0.1)) < self._people.together


def _spread(pieces: FloatArray) -> FloatArray:
    """Keep at most `MAX_SECONDS`, evenly out of all clips."""
    most = round(MAX_SECONDS * GRID_HZ / PIECE_STEPS)
    if len(pieces) <= most:
        return pieces
    return np.asarray(pieces[np.linspace(0, len(pieces) - 1, most).round().astype(int)], np.float32)
