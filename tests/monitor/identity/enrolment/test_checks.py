"""Every refusal, from made-up recordings: one line each, all at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from monitor.identity.enrolment.checks import refusals, twins
from monitor.identity.enrolment.clip_reader import Recording, Spans
from monitor.identity.enrolment.config import EnrolConfig
from monitor.identity.enrolment.duplicate_clips import Curves
from monitor.session.clip import ClipVerdict
from monitor.types import Reason, Verdict
from tests.monitor.identity.enrolment.test_duplicate_clips import walk

CONFIG = EnrolConfig()


def recording(seed: int = 0, spans: Spans | None = None, speech: float = 50.0) -> Recording:
    name = f"clip{seed}.mp4"
    verdict = ClipVerdict(name, "1", 70.0, Verdict.INCONCLUSIVE, Reason.NOT_ENROLLED, (), ())
    curves = Curves(walk(seed), walk(seed + 100))
    spans = spans or Spans(seen=70.0, good=70.0)
    return Recording(Path(name), str(seed), 640, 480, 70.0, speech, spans, (), curves, verdict)


def test_a_good_clip_is_not_refused() -> None:
    assert refusals([recording(), recording(1)], CONFIG) == []


@pytest.mark.parametrize(
    ("spans", "words"),
    [
        (Spans(), "no face was found in clip0.mp4"),
        (Spans(seen=70, good=60, crowded=8), "several people are in the picture of clip0.mp4"),
        (
            Spans(seen=100, good=60, small=52),
            "the face in clip0.mp4 is too small: record closer, it must be at least 80",
        ),
        (Spans(seen=100, good=60, blurred=52), "the picture of clip0.mp4 is too blurred"),
        (Spans(seen=100, good=60, turned=52), "the face in clip0.mp4 is turned away or covered"),
    ],
)
def test_what_the_picture_shows(spans: Spans, words: str) -> None:
    found = refusals([recording(0, spans), recording(1)], CONFIG)
    assert len(found) == 1
    assert found[0].startswith(words)


def test_a_passer_by_is_forgiven() -> None:
    assert refusals([recording(0, Spans(seen=70, good=68, crowded=1.9))], CONFIG) == []
    assert refusals([recording(0, Spans(seen=10, good=70, crowded=2.5))], CONFIG)


@pytest.mark.parametrize(
    ("verdict", "reason", "why"),
    [
        (Verdict.SUSPECT, Reason.LIPS_DISAGREE_WITH_VOICE, "lips and voice do not fit"),
        (Verdict.ALERT, None, "evidence of a forgery"),
    ],
)
def test_what_the_other_detectors_say(verdict: Verdict, reason: Reason | None, why: str) -> None:
    clip = recording()
    found = refusals([replace(clip, verdict=replace(clip.verdict, verdict=verdict, reason=reason))], CONFIG)
    assert found == [f"clip0.mp4 is itself suspicious ({why}): enrol from recordings whose origin you know"]


def test_copies() -> None:
    a, b = recording(0), recording(1)
    assert twins([a, b]) == []
    assert twins([a, replace(b, sha256=a.sha256)]) == ["clip1.mp4 is the same file as clip0.mp4: leave one of them out"]
    assert twins([a, replace(b, curves=a.curves)]) == [
        "clip1.mp4 is the same recording as clip0.mp4: leave one of them out"
    ]


def test_too_little_of_everything_is_told_at_once() -> None:
    found = refusals([recording(0, Spans(seen=20.0, good=19.6), speech=4.0), recording(1, Spans(), 0.0)], CONFIG)
    assert [line.split(":")[0] for line in found] == [
        "no face was found in clip1.mp4",
        "20 s of a clear face are too short, 60 s are needed",
        "4 s of speech are too short, 30 s are needed",
    ]
