"""What is learnt of a person's lips and voice: fingerprints of their recordings, and how well the two agree in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.detectors.base import Material, Part, Progress
from monitor.detectors.synchrony.familiar import FamiliarSpeech
from monitor.detectors.synchrony.fingerprint import Fingerprint, fingerprint, joined
from monitor.detectors.synchrony.own import FULL_SPEECH_SECONDS, MIN_WINDOWS, own_agreement, sealed_part
from monitor.detectors.synchrony.own_windows import AgreementCollector
from monitor.types import FloatArray
from monitor.window.spoken import AROUND_FRAMES
from monitor.window.window import Stretch, WindowBuffer

# The window keeps half a minute: what is taken less often is lost.
TAKE_HOPS = 20
# From here on more windows hardly narrow what is expected of a person in another recording.
PLENTY_WINDOWS = 12


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


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """What was taken of one clip: the fingerprint of its sound, and the agreement of each window by rung."""

    sound: Fingerprint
    windows: Sequence[Mapping[str, float]]


class SpeechCollector:
    """Takes the sound of one clip and how well the lips agree with it; see `monitor.detectors.base.ClipCollector`."""

    observe = None

    def __init__(self, familiar: FamiliarSpeech, seconds: float) -> None:
        self._voice, self._agreement = VoiceCollector(familiar, seconds), AgreementCollector(familiar)

    def restart(self, buffer: WindowBuffer) -> None:
        """Begin with an empty window."""
        self._voice.restart(buffer)
        self._agreement.restart(buffer)

    def climb(self, rungs: Mapping[str, WindowBuffer]) -> None:
        """Take the windows that show the same lips on each rung; see `monitor.detectors.base.Climbing`."""
        self._agreement.climb(rungs)

    @property
    def climbing(self) -> bool:
        """Whether more is to be seen of the rungs."""
        return self._agreement.climbing

    def hop(self) -> None:
        """Take what is new."""
        self._voice.hop()
        self._agreement.hop()

    def finish(self) -> Taken:
        """Give what was taken."""
        return Taken(self._voice.finish(), self._agreement.finish())


class EnrollingSynchrony:
    """See `monitor.detectors.base.Enrolling`; `encoders` names those of lips and voice, None where they have none."""

    effort = 0.01
    task = "taking the sound's fingerprint"

    def __init__(self, familiar: FamiliarSpeech, encoders: str | None = None) -> None:
        self._familiar, self._encoders = familiar, encoders

    def collect(self, seconds: float) -> SpeechCollector:
        """Give what takes at most `seconds` of one clip's sound."""
        return SpeechCollector(self._familiar, seconds)

    def refuse(self, material: Material) -> Sequence[str]:
        """Refuse nothing."""
        return ()

    def learn(self, material: Material, made: str, progress: Progress) -> Part:
        """Make the part; without data where nobody spoke."""
        taken = [one for one in material.taken if isinstance(one, Taken)]
        whole = joined([one.sound for one in taken], self._familiar.encoder)
        windows = [window for one in taken for window in one.windows] if self._encoders is not None else []
        own = own_agreement(windows, self._encoders or "")
        progress(1.0)
        data = sealed_part(whole, own) if whole.speaks.any() else None
        return Part(data, {"agreement_windows": len(windows)}, _advice(len(windows)))


def _advice(windows: int) -> list[str]:
    if windows >= PLENTY_WINDOWS:
        return []
    whole = f"let the person speak on for longer without a pause: {windows} windows of whole speech were found"
    few = windows < MIN_WINDOWS
    what = "lips and voice are judged by people in general" if few else "lips and voice lean on people in general"
    return [f"{whole} ({FULL_SPEECH_SECONDS:.0f} of 5 s), {PLENTY_WINDOWS} are better; till then {what}"]


def mean_of(familiar: FamiliarSpeech) -> FloatArray:
    """Give the mean (E,) of genuine speech's voice vectors."""
    return familiar.mean[: len(familiar.mean) // 2]


def _of(heard: Stretch, familiar: FamiliarSpeech, most: int) -> Fingerprint:
    return fingerprint(heard.voice[:most], np.asarray(heard.speech[:most]), mean_of(familiar), familiar.encoder)
