"""Verdicts and reasons in words for people; the dashboard's `words.js` says the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.types import Reason, Verdict


@dataclass(frozen=True, slots=True)
class Phrase:
    """A reason in words: a few for a card, a sentence beside an inconclusive verdict, and one beside an alert.

    `consequence` says what is typical of an alert for this reason and what looks like it; None where the reason never
    leads to one.
    """

    title: str
    detail: str
    consequence: str | None = None


REASONS: Mapping[Reason, str] = {
    Reason.NO_VIDEO: "No picture arrives.",
    Reason.NO_AUDIO: "No sound arrives.",
    Reason.NO_FACE: "No face can be seen.",
    Reason.SEVERAL_FACES: "Several people are in the picture; it is unclear who speaks.",
    Reason.SILENCE: "Nobody has spoken for long enough.",
    Reason.TOO_LITTLE_SPEECH: "Too little was said to tell how this person moves when they speak.",
    Reason.LOW_QUALITY: "The face is too small, turned away, blurred or covered.",
    Reason.LOW_FRAME_RATE: "Too few pictures a second to read lips.",
    Reason.WARMING_UP: "Too little has been seen and heard yet.",
    Reason.NOT_ENROLLED: "Lips and voice agree. That alone does not show a genuine person, "
    "and nobody is enrolled to compare with.",
    Reason.NOT_CALIBRATED: "These encoders were not calibrated: nobody knows what genuine people score with them.",
    Reason.CLOCK_UNKNOWN: "Picture and sound cannot be put on one clock yet.",
    Reason.OVERLOADED: "This machine cannot keep up.",
    Reason.UNSUPPORTED_CODEC: "The sender uses a codec that cannot be read.",
    Reason.FRAME_TOO_LARGE: "The picture is larger than is accepted.",
    Reason.MEDIA_STALLED: "Picture or sound has stopped.",
    Reason.DECODER_FAILED: "Picture or sound cannot be decoded.",
    Reason.LIPS_DISAGREE_WITH_VOICE: "Lips and voice do not belong together.",
    Reason.IDENTITY_MISMATCH: "The face is not like the enrolled person's own recordings.",
    Reason.FACE_CHANGES_UNNATURALLY: "The picture of the face has traces of manipulation.",
    Reason.MOVES_UNLIKE_ENROLLED: "This person does not move as the enrolled person does when they speak.",
    Reason.REFERENCE_OUTDATED: "The reference was made by other encoders: enrol this person again.",
}

# What a suspicion rests on; beside an inconclusive verdict it was noticed, and was not enough.
UNUSUAL = (
    Reason.LIPS_DISAGREE_WITH_VOICE,
    Reason.IDENTITY_MISMATCH,
    Reason.FACE_CHANGES_UNNATURALLY,
    Reason.MOVES_UNLIKE_ENROLLED,
)


def say(verdict: Verdict, reason: Reason | None) -> str:
    """One sentence for a person."""
    if verdict is Verdict.BONA_FIDE:
        return "Matches the enrolled person."
    if verdict is Verdict.INCONCLUSIVE and reason in UNUSUAL:
        return f"{REASONS[reason]} It is too little to suspect anything, and too much to say that all is well."
    return REASONS[reason] if reason else verdict.value
