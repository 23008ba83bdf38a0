"""What is known of voiceprint before anything is loaded: its question, what a suspicion rests on, and its words."""

from __future__ import annotations

from monitor.decision.words import Phrase
from monitor.detectors.base import DetectorInfo
from monitor.types import Aspect, Reason

INFO = DetectorInfo(
    name="voiceprint",
    label="voice",
    question="Is the voice that of the enrolled person?",
    cause=Reason.VOICE_MISMATCH,
    phrases={
        Reason.VOICE_MISMATCH: Phrase(
            "Not the enrolled person's voice",
            "The voice is farther from the enrolled recordings than usual.",
            "Typical of another person's voice, or of a synthetic one. A cold, a whisper or an unusual microphone can "
            "do it too: check with the person another way.",
        ),
        Reason.SEVERAL_VOICES: Phrase(
            "More than one voice",
            "What was said in the last seconds does not sound like one person, so no voice is compared.",
            brief="more than one voice",
        ),
    },
    one_sided=True,
    withholds=True,
    needs_identity=True,
    aspect=Aspect.VOICE,
    fits="like the enrolled person's, as a cloned one is, too",
)
