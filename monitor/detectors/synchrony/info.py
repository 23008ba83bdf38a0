"""What is known of synchrony before anything is loaded: its question, what a suspicion rests on, and its words."""

from __future__ import annotations

from monitor.decision.words import Phrase
from monitor.detectors.base import DetectorInfo
from monitor.types import Aspect, Reason

INFO = DetectorInfo(
    name="synchrony",
    label="lips",
    question="Do lips and voice belong together?",
    cause=Reason.LIPS_DISAGREE_WITH_VOICE,
    phrases={
        Reason.LIPS_DISAGREE_WITH_VOICE: Phrase(
            "Lips and voice do not fit",
            "No shift in time makes the lips fit the voice.",
            "Typical of a dubbed or replaced voice, another person's audio or a broken lip-sync. "
            "A very long audio delay looks the same: check with the person another way.",
        ),
        Reason.REPLAYED_RECORDING: Phrase(
            "A recording is played",
            "What is heard is one of the recordings with which the claimed person was enrolled.",
            "Whoever is there need not be the person: check with the person another way.",
        ),
        Reason.UNUSUAL_SOUND: Phrase(
            "Sound too unusual to judge",
            "It is unlike the speech of the genuine people whom scores are compared with, so lips are not compared.",
            brief="sound too unusual",
        ),
    },
    one_sided=True,
    sign=-1,
    aspect=Aspect.LIPS,
    fits="fit the voice, as those of a good forgery do, too",
)
