"""The recordings of a person, learnt as fingerprints of their sound, to know them when they are played again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monitor.detectors.base import Material, Part, Progress
from monitor.detectors.synchrony.familiar import FamiliarSpeech
from monitor.detectors.synchrony.fingerprint import Fingerprint, fingerprint, joined
from monitor.types import FloatArray
from monitor.window.spoken import AROUND_FRAMES
from monitor.window.window import Stretch, WindowBuffer

# The window keeps half a minute: what is taken less often is lost.
TAKE_HOPS = 20


class VoiceCollector:
    """Takes the sound of one clip; see `monitor.detectors.base.ClipCollector`."""

    observe = None

    def __init__(self, familiar: FamiliarSpeech, seconds: float) -> None:
        self._familiar, self._seconds = familiar, seconds
        self._taken: list[Fingerprint] = []
        self._until: int | None = None
        self._hops = 0

    def restart(self, buffer: WindowBuffer) -> None:
        """Begin with an empty window."""
        self._window, self._until = buffer, None

    def hop(self) -> None:
        """Take what is new, now and then."""
        self._hops += 1
        if self._hops % TAKE_HOPS == 0:
            # What is speech is known by what lies around it.
            self._take(AROUND_FRAMES)

    def finish(self) -> Fingerprint:
        """Give the fingerprint of the clip."""
        self._take(0)
        return joined(self._taken, self._familiar.encoder)

    def _take(self, later: int) -> None:
        heard = self._window.moving()
        # Nothing lies before the first word but frames that were never filled.
        begin = heard.first + int(np.argmax(heard.speech)) if self._until is None else self._until
        new = heard.after(max(begin, heard.first))
        room = round(self._seconds * self._window.rate) - sum(len(part.signs) for part in self._taken)
        self._until = heard.end - later
        count = min(room, self._until - new.first)
        if count > 0 and new.voice.shape[1]:
            self._taken.append(_of(new, self._familiar, count))


class EnrollingSynchrony:
    """See `monitor.detectors.base.Enrolling`."""

    effort = 0.01
    task = "taking the sound's fingerprint"

    def __init__(self, familiar: FamiliarSpeech) -> None:
        self._familiar = familiar

    def collect(self, seconds: float) -> VoiceCollector:
        """Give what takes at most `seconds` of one clip."""
        return VoiceCollector(self._familiar, seconds)

    def refuse(self, material: Material) -> Sequence[str]:
        """Refuse nothing."""
        return ()

    def learn(self, material: Material, made: str, progress: Progress) -> Part:
        """Make the part; without data where nobody spoke."""
        whole = joined([one for one in material.taken if isinstance(one, Fingerprint)], self._familiar.encoder)
        progress(1.0)
        return Part(whole.to_bytes() if whole.speaks.any() else None)


def mean_of(familiar: FamiliarSpeech) -> FloatArray:
    """Give the mean (E,) of genuine speech's voice vectors."""
    return familiar.mean[: len(familiar.mean) // 2]


def _of(heard: Stretch, familiar: FamiliarSpeech, most: int) -> Fingerprint:
    return fingerprint(heard.voice[:most], np.asarray(heard.speech[:most]), mean_of(familiar), familiar.encoder)
