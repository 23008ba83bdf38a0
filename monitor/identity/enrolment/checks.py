"""Why clips do not make a reference: each reason is one line that says what to do. Pure.

All problems are reported at once, so that a person who must record again does so once.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from monitor.decision.words import describe
from monitor.detectors.registry import phrases
from monitor.identity.enrolment.duplicate_clips import same_recording
from monitor.types import Verdict

if TYPE_CHECKING:
    from monitor.identity.enrolment.clip_reader import Recording
    from monitor.identity.enrolment.config import EnrolConfig

# Several faces for longer than both of these are a reason to refuse.
CROWDED_SECONDS = 2.0
CROWDED_SHARE = 0.1
MAJORITY_SHARE = 0.5

Indices = NDArray[np.int64]


def refusals(recordings: Sequence[Recording], config: EnrolConfig) -> list[str]:
    """Give the reasons to refuse the clips before anything is encoded; empty when there are none."""
    reasons = [line for recording in recordings for line in _of_clip(recording, config)]
    return [*reasons, *twins(recordings), *_amounts(recordings, config)]


def _of_clip(clip: Recording, config: EnrolConfig) -> list[str]:
    name, spans, reasons = clip.path.name, clip.spans, list[str]()
    if spans.seen == 0:
        return [f"no face was found in {name}: give a recording of the person facing the camera"]
    if spans.crowded > max(CROWDED_SECONDS, CROWDED_SHARE * spans.seen):
        reasons.append(f"several people are in the picture of {name}: give recordings of one person alone")
    if spans.small > MAJORITY_SHARE * spans.seen:
        min_px = f"{config.min_face_px:.0f}"
        reasons.append(f"the face in {name} is too small: record closer, it must be at least {min_px} pixels high")
    if spans.blurred > MAJORITY_SHARE * spans.seen:
        reasons.append(f"the picture of {name} is too blurred: record with the camera in focus and at a higher bitrate")
    if spans.turned > MAJORITY_SHARE * spans.seen:
        reasons.append(f"the face in {name} is turned away or covered: record it facing the camera")
    if clip.verdict.verdict in (Verdict.SUSPECT, Verdict.ALERT):
        why = describe(clip.verdict.verdict, clip.verdict.reason, phrases()).title.lower()
        reasons.append(f"{name} is itself suspicious ({why}): enrol from recordings whose origin you know")
    return reasons


def twins(recordings: Sequence[Recording]) -> list[str]:
    """Give a reason for each pair of clips that are the same file or the same recording."""
    reasons = []
    for first, second in combinations(recordings, 2):
        pair = f"{second.path.name} is the same %s as {first.path.name}: leave one of them out"
        if first.sha256 == second.sha256:
            reasons.append(pair % "file")
        elif same_recording(first.curves, second.curves):
            reasons.append(pair % "recording")
    return reasons


def _amounts(recordings: Sequence[Recording], config: EnrolConfig) -> list[str]:
    reasons = []
    face = sum(clip.spans.good for clip in recordings)
    speech = sum(clip.speech_seconds for clip in recordings)
    if face < config.min_face_seconds:
        reasons.append(
            f"{face:.0f} s of a clear face are too short, {config.min_face_seconds:.0f} s are needed: add recordings"
        )
    if speech < config.min_speech_seconds:
        reasons.append(
            f"{speech:.0f} s of speech are too short, {config.min_speech_seconds:.0f} s are needed: "
            "add recordings in which the person speaks"
        )
    return reasons
