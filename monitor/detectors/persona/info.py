"""What is known of persona before anything is loaded: its question, what a suspicion rests on, and its words."""

from __future__ import annotations

from monitor.decision.words import Phrase
from monitor.detectors.base import DetectorInfo
from monitor.types import Aspect, Reason

INFO = DetectorInfo(
    name="persona",
    label="movement",
    question="Does the person move as the enrolled person does when they speak?",
    cause=Reason.MOVES_UNLIKE_ENROLLED,
    phrases={
        Reason.MOVES_UNLIKE_ENROLLED: Phrase(
            "Moves unlike the enrolled person",
            "Face and head move less like the enrolled recordings than usual.",
            "Typical of a face that another person drives, or of another person. Reading aloud, illness or a very "
            "different mood can do it too: check with the person another way.",
        ),
        Reason.TOO_LITTLE_SPEECH: Phrase(
            "Too little speech",
            "Movement and voice are compared while somebody speaks, and too little was said in the last seconds.",
        ),
    },
    one_sided=True,
    withholds=True,
    needs_identity=True,
    aspect=Aspect.MOVEMENT,
    fits="like the enrolled person's",
    # Three seconds are measured at a time: half a second is hardly new.
    every_hops=2,
)
