"""What else could explain a finding, by what it rests on: what a reader must rule out before they believe it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

ALWAYS = (
    "People differ: of many genuine people a few are unlike those of the calibration, and pass the alert level.",
    "The wrong identity may have been claimed for this participant: by a name, a rule, or whoever published them.",
)
CAUSES: Mapping[str, Sequence[str]] = {
    "lips_disagree_with_voice": (
        "Sound and picture that take different ways and drift apart: a Bluetooth headset, a capture card, a phone for "
        "the sound, a delay that changes.",
        "An interpreter, a dubbed recording that is played, or somebody beside the camera who speaks.",
        "A mouth that is covered, turned away or badly lit; a filter or a virtual background that cuts into it.",
        "Noise suppression or packet loss that leaves little of the voice.",
    ),
    "replayed_recording": (
        "A recording that is shown on purpose, such as a talk that was filmed before.",
        "The same words said again in the same way, as an announcement is.",
    ),
    "identity_mismatch": (
        "Another person at the same place: a colleague, an assistant, a relative.",
        "A beard, glasses, make-up, illness or years since the enrolment; a reference made of poor recordings.",
        "A beauty filter, a virtual camera or strong compression.",
    ),
    "face_changes_unnaturally": (
        "Filters, virtual backgrounds and glasses that reflect.",
        "Light that changes, and a camera that goes on adjusting.",
    ),
    "moves_unlike_enrolled": (
        "Reading from a screen, a public speech, illness, fatigue, or a medical treatment of the face.",
        "A reference made of another manner of speaking or another language.",
    ),
    "voice_mismatch": (
        "Another person at the same place, or an interpreter.",
        "A cold, another microphone, a voice filter, or strong noise suppression.",
    ),
}


def explanations(reason: str | None) -> Sequence[str]:
    """Return what else could explain a finding with this reason, the likeliest first."""
    return (*CAUSES.get(reason or "", ()), *ALWAYS)
