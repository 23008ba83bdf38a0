"""What is known of pairwise before anything is loaded: its question, what a suspicion rests on, and its words."""

from __future__ import annotations

from monitor.decision.words import Phrase
from monitor.detectors.base import DetectorInfo
from monitor.types import Aspect, Reason

INFO = DetectorInfo(
    name="pairwise",
    label="face",
    question="Is the face that of the enrolled person, and was it left as it is?",
    cause=Reason.IDENTITY_MISMATCH,
    phrases={
        Reason.IDENTITY_MISMATCH: Phrase(
            "Not like the enrolled person",
            "The face is farther from the enrolled recordings than usual.",
            "Typical of a swapped face, or of another person. A much changed look or an unusual camera can do it too: "
            "check with the person another way.",
        ),
        Reason.FACE_CHANGES_UNNATURALLY: Phrase(
            "Face may be worked on",
            "The picture of the face has more traces of manipulation than usual.",
            "Typical of a swapped or re-rendered face. Beauty filters and virtual make-up look the same: have them "
            "turned off, and check with the person another way.",
        ),
    },
    needs_identity=True,
    aspect=Aspect.FACE,
    fits="like the enrolled person's",
)
