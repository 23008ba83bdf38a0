"""Verdicts and reasons in words for people: the one place for what no single detector brings.

The wording is one-sided wherever the evidence is: agreement is never presented as a proof, and an abstention says what
would end it. A detector brings the words for its reasons in its `DetectorInfo`. The dashboard gets them all from
`GET /v1/words`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.decision.contrast import Contrast
from monitor.types import Claim, Reason, Verdict


@dataclass(frozen=True, slots=True)
class Phrase:
    """A reason in words: a few for a card, a sentence beside an inconclusive verdict, and one beside an alert.

    `consequence` says what is typical of an alert for this reason and what looks like it; None where the reason never
    leads to one. `brief` stands beside one detector's score where the title would say too much there.
    """

    title: str
    detail: str
    consequence: str | None = None
    brief: str | None = None


# What a verdict says where its reason is missing or not known here.
VERDICTS: Mapping[Verdict, Phrase] = {
    Verdict.BONA_FIDE: Phrase(
        "Fits the enrolled person",
        "What could be checked agrees with the enrolled recordings. It is a judgement of this moment, not a proof.",
    ),
    Verdict.SUSPECT: Phrase(
        "Something does not fit", "There is evidence for it, but it has not reached the alert level."
    ),
    Verdict.ALERT: Phrase(
        "Evidence of a forgery", "The evidence passed the alert level. Check with the person another way."
    ),
    Verdict.INCONCLUSIVE: Phrase("Cannot tell", "There is not enough to judge."),
}

# Beside a suspicion that one of face and voice gives and the other does not.
CONTRASTS: Mapping[Contrast, Phrase] = {
    Contrast.FACE_FITS_VOICE_DOES_NOT: Phrase(
        "The face is theirs and the voice is not",
        "The face fits the enrolled recordings and the voice does not: typical of somebody's pictures under another "
        "voice, a synthetic one included.",
    ),
    Contrast.VOICE_FITS_FACE_DOES_NOT: Phrase(
        "The voice is theirs and the face is not",
        "The voice fits the enrolled recordings, as a cloned one would, and the face does not.",
    ),
}

# Follows the name of whom somebody is taken to claim to be.
CLAIMS: Mapping[Claim, str] = {
    Claim.STATED: "said when they were published",
    Claim.PLATFORM_ID: "by a rule, for their id",
    Claim.VERIFIED_EMAIL: "by a rule, for their verified address",
    Claim.ACCOUNT: "by a rule, for their account",
    Claim.DISPLAY_NAME: "by the name they bear, which anybody may choose",
}

# What a participant's last states say; the host gives these reasons, no decision does.
ENDED = Reason("ended")
MEDIA_ENDED = Reason("media_ended")
SESSION_FAILED = Reason("session_failed")
# And what the first say, until the connection stands; with these it never did, or was lost.
CONNECTING = Reason("connecting")
NO_ICE_ANSWER = Reason("no_ice_answer")
DTLS_FAILED = Reason("dtls_failed")
CONSENT_EXPIRED = Reason("consent_expired")
HOST_LOST = Reason.HOST_LOST
HOST_DRAINED = Reason.HOST_DRAINED
OF_THE_HOST = (ENDED, MEDIA_ENDED, SESSION_FAILED, CONNECTING, NO_ICE_ANSWER, DTLS_FAILED, CONSENT_EXPIRED)

REASONS: Mapping[Reason, Phrase] = {
    Reason.NO_VIDEO: Phrase("No video", "No pictures arrive. Nothing can be judged until the camera is on."),
    Reason.NO_AUDIO: Phrase(
        "No audio", "No sound arrives. Lips cannot be compared with a voice until the microphone is on."
    ),
    Reason.NO_FACE: Phrase("No face in view", "Nothing can be judged until a face is visible."),
    Reason.SEVERAL_FACES: Phrase(
        "Several faces in view", "It is not clear whose voice this is. Nobody is judged until one face is left."
    ),
    Reason.PICTURE_FROZEN: Phrase(
        "The picture stands",
        "The same picture is shown again and again: a frozen camera, or a photograph. "
        "Nobody is suspected and nobody is cleared until it moves.",
    ),
    Reason.STILL_MOUTH: Phrase(
        "Speech, and a mouth that stands still",
        "Somebody else speaks, or the picture is a photograph. "
        "Nobody is suspected and nobody is cleared until the mouth moves.",
    ),
    Reason.SILENCE: Phrase("Silence", "At least two seconds of speech are needed for a judgement."),
    Reason.NO_SPEECH: Phrase(
        "Nobody speaks",
        "There is sound, but no speech near the microphone. Two seconds of speech are needed for a judgement.",
        brief="sound without speech",
    ),
    Reason.LOW_QUALITY: Phrase("Picture too poor to judge", "The face is too small, blurred, turned away or covered."),
    Reason.LOW_FRAME_RATE: Phrase("Too few frames", "The video has too few frames a second to show how the lips move."),
    Reason.REJOINING: Phrase(
        "Leaves and joins again and again",
        "Too little was judged in between. What was judged counts, and it is too little to say anything.",
    ),
    Reason.WARMING_UP: Phrase("Warming up", "The first seconds of face and speech are being collected."),
    Reason.NOT_ENROLLED: Phrase(
        "Lips and voice agree",
        "That alone does not show a genuine person. Nobody is enrolled here to compare with.",
        brief="nobody to compare with",
    ),
    Reason.NOT_CALIBRATED: Phrase(
        "Encoders not calibrated",
        "What genuine people score with these encoders is not known here, so nobody is judged.",
    ),
    Reason.CLOCK_UNKNOWN: Phrase(
        "Timing not known yet",
        "The sender's clock reports, which put picture and sound on one time line, have not come yet.",
    ),
    Reason.OVERLOADED: Phrase("Sidecar overloaded", "This machine cannot keep up, so it does not guess."),
    Reason.UNSUPPORTED_CODEC: Phrase("Codec not supported", "Publish video as H.264 or VP8 and audio as Opus."),
    Reason.FRAME_TOO_LARGE: Phrase("Picture too large", "This sidecar accepts no larger video than 1080p."),
    Reason.MEDIA_STALLED: Phrase(
        "Media stopped", "No new pictures or sound arrive, though the connection is still open."
    ),
    Reason.DECODER_FAILED: Phrase(
        "Media cannot be decoded", "The stream is damaged. Judging goes on when it recovers."
    ),
    Reason.KEYFRAME_MISSING: Phrase(
        "No key frame",
        "Pictures arrive, but none that can be shown by itself, though the sender is asked for one again and again.",
    ),
    Reason.PICTURE_DAMAGED: Phrase(
        "Picture damaged",
        "Packets were lost, and what shows is patched up. Judging goes on when the sender sends a whole picture.",
    ),
    Reason.AUDIO_LOSS: Phrase(
        "Sound is lost on the way",
        "So many packets of the sound are lost that too little speech is left for a judgement.",
    ),
    Reason.REFERENCE_OUTDATED: Phrase(
        "Reference outdated",
        "It was made by other encoders than those that run here. Enrol this person again.",
    ),
    Reason.NOT_WATCHED: Phrase(
        "Not watched", "There is no room to watch everybody at once: this participant has their turn, or waits for it."
    ),
    Reason.END_TO_END_ENCRYPTED: Phrase(
        "End-to-end encrypted", "Only participants can read these media. Give the way in the key, or watch nobody here."
    ),
    Reason.CAMERA_OFF: Phrase("Camera off", "There is no picture to judge until the camera is on."),
    Reason.MUTED: Phrase("Muted", "There is no sound to judge until the microphone is on."),
    Reason.PAUSED_BY_USER: Phrase("Paused in the call", "Somebody in the call has paused watching it."),
    Reason.SCREEN_SHARE_ONLY: Phrase("Shows a screen only", "There is no face to judge until the camera is on."),
    Reason.PHONE_AUDIO_ONLY: Phrase("On the phone", "They take part by telephone, which brings no picture."),
    Reason.WAITING_FOR_PUBLISHER: Phrase("No media yet", "They are in the call, and their media have not come."),
    Reason.SOURCE_LOST: Phrase(
        "Way in broken", "The connection to the call is lost, and is tried again. Nobody there is watched meanwhile."
    ),
    Reason.HOST_LOST: Phrase(
        "Judging was interrupted",
        "What judged them is gone and is started again. They are watched again once their media are published anew.",
    ),
    Reason.HOST_DRAINED: Phrase(
        "Moved to another process",
        "An operator has what judged them begun anew. What is known of them stays, and they are watched again once "
        "their media are published anew.",
    ),
    SESSION_FAILED: Phrase("Sidecar failed here", "Judging this participant broke down. The sidecar's log says why."),
    ENDED: Phrase("Left the call", "The media ended. Findings stay in the list."),
    MEDIA_ENDED: Phrase(
        "Media ended",
        "No media came any more, though nobody said goodbye. Findings stay in the list. To come back, publish again.",
    ),
    CONNECTING: Phrase(
        "Connecting", "The publication was answered. Nothing can be judged until the connection stands."
    ),
    NO_ICE_ANSWER: Phrase(
        "Never reached",
        "Sidecar and publisher found no way to each other: a firewall, or networks that do not meet. Publish again.",
    ),
    DTLS_FAILED: Phrase(
        "Never connected", "They reached each other but agreed on no encryption. The sidecar's log says why."
    ),
    CONSENT_EXPIRED: Phrase("Connection lost", "The publisher neither answers nor sends. To come back, publish again."),
}
# Follows the detail of what a suspicion rests on, where it was noticed and the verdict is inconclusive all the same.
UNUSUAL = "That is too little to suspect anything, and too much to say that all is well."


def describe(verdict: Verdict, reason: Reason | None, of_detectors: Mapping[Reason, Phrase]) -> Phrase:
    """Return a title and a detail for a verdict with its reason.

    `of_detectors` are the words that detectors bring. A reason that nobody has words for is made readable.
    """
    general = VERDICTS[verdict]
    if verdict is Verdict.BONA_FIDE or reason is None:
        return general
    phrase = REASONS.get(reason) or of_detectors.get(reason) or Phrase(readable(reason), general.detail)
    if verdict is Verdict.ALERT:
        return Phrase(phrase.title, phrase.consequence or general.detail)
    if verdict is Verdict.SUSPECT:
        return Phrase(phrase.title, general.detail)
    return Phrase(phrase.title, phrase.detail if phrase.consequence is None else f"{phrase.detail} {UNUSUAL}")


def sentence(verdict: Verdict, reason: Reason | None, of_detectors: Mapping[Reason, Phrase]) -> str:
    """Return title and detail as one line of text."""
    phrase = describe(verdict, reason, of_detectors)
    return f"{phrase.title}. {phrase.detail}"


def contrasted(contrast: Contrast | None) -> str:
    """Return what follows a sentence where face and voice say different things; nothing where they do not."""
    return f" {CONTRASTS[contrast].title}." if contrast is not None else ""


def readable(word: str) -> str:
    """Make a word of the API readable: `no_face` becomes `No face`."""
    return word.replace("_", " ").capitalize()
