"""The face is theirs and the voice is not, or the other way round: what two detectors say together and neither alone.

Pure. It is said beside a suspicion and raises none: only where a participant is suspected already, and both aspects
were judged lately. What it rests on is read from p-values, so it holds for whichever detectors look at a face and at a
voice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from monitor.types import Aspect, Score, Verdict

# For so long what was said of one aspect stands beside what is said of another: a voice is judged while it speaks.
RECENT_SECONDS = 10.0
FITS_P_VALUE, DIFFERS_P_VALUE = 0.1, 0.05
# Of the evidence of the detector that does not fit.
SHOWN = "contrast"


class Contrast(StrEnum):
    """What of somebody fits the enrolled recordings, and what does not."""

    FACE_FITS_VOICE_DOES_NOT = "face_fits_voice_does_not"
    VOICE_FITS_FACE_DOES_NOT = "voice_fits_face_does_not"


# What fits, and what does not.
_SIDES: Mapping[Contrast, tuple[Aspect, Aspect]] = {
    Contrast.FACE_FITS_VOICE_DOES_NOT: (Aspect.FACE, Aspect.VOICE),
    Contrast.VOICE_FITS_FACE_DOES_NOT: (Aspect.VOICE, Aspect.FACE),
}


@dataclass(frozen=True, slots=True)
class Heard:
    """The p-value of an aspect's newest score, and the stream time (seconds) of it."""

    at: float
    p_value: float


Latest = Mapping[Aspect, Heard]


def remember(latest: Latest, time: float, scores: Iterable[Score]) -> Latest:
    """Keep what was last said of each aspect, in the last `RECENT_SECONDS` before `time`."""
    kept = {aspect: heard for aspect, heard in latest.items() if 0.0 <= time - heard.at <= RECENT_SECONDS}
    fresh = {s.aspect: Heard(time, s.p_value) for s in scores if s.aspect is not None and s.p_value is not None}
    return {**kept, **fresh}


def contrast_of(verdict: Verdict, latest: Latest) -> Contrast | None:
    """Say which of face and voice fits while the other does not; None while nobody is suspected."""
    if verdict not in (Verdict.SUSPECT, Verdict.ALERT):
        return None
    for contrast, (fitting, differing) in _SIDES.items():
        fits, differs = latest.get(fitting), latest.get(differing)
        if fits is None or differs is None:
            continue
        if fits.p_value > FITS_P_VALUE and differs.p_value <= DIFFERS_P_VALUE:
            return contrast
    return None


def shown(scores: Sequence[Score], contrast: Contrast | None) -> tuple[Score, ...]:
    """Put a contrast into the evidence of the detector that looks at what does not fit."""
    if contrast is None:
        return tuple(scores)
    differing = _SIDES[contrast][1]
    return tuple(
        replace(s, evidence={**s.evidence, SHOWN: contrast.value}) if s.aspect is differing else s for s in scores
    )


def contrast_in(scores: Iterable[Score]) -> Contrast | None:
    """Read back what `shown` put into the evidence."""
    found = [s.evidence[SHOWN] for s in scores if SHOWN in s.evidence]
    return Contrast(found[0]) if found else None
