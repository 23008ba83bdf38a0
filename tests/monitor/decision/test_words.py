"""Every verdict and reason can be said, and the dashboard knows the same ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import monitor
from monitor.decision.words import REASONS, say
from monitor.types import Reason, Verdict

PAGE = Path(monitor.__file__).parent / "api" / "dashboard" / "words.js"
# What the dashboard says of a participant, not of a judgement.
OF_THE_PAGE = {"session_failed", "ended"}


def entries(name: str) -> dict[str, str]:
    """The keys of one object of words.js, and the text up to the next key."""
    body = re.search(rf"export const {name} = {{\n(.*?)^}};", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert body is not None
    parts = re.split(r"^  (\w+):", body[1], flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_reason_is_a_sentence() -> None:
    assert set(REASONS) == set(Reason)
    assert len(set(REASONS.values())) == len(REASONS)
    for words in REASONS.values():
        assert re.fullmatch(r"[A-Z].{10,140}\.", words)


def test_the_dashboard_has_words_for_the_same_reasons_and_verdicts() -> None:
    assert set(entries("REASONS")) - OF_THE_PAGE == {reason.value for reason in Reason}
    assert set(entries("VERDICTS")) == {verdict.value for verdict in Verdict}


@pytest.mark.parametrize(
    ("reason", "shared"),
    [
        (Reason.NO_VIDEO, "picture"),
        (Reason.NO_AUDIO, "sound"),
        (Reason.NO_FACE, "face"),
        (Reason.SEVERAL_FACES, "several|who speaks|whose voice"),
        (Reason.SILENCE, "spoken|speech"),
        (Reason.LOW_QUALITY, "too small"),
        (Reason.LOW_FRAME_RATE, "lips"),
        (Reason.NOT_ENROLLED, "alone does not show a genuine person"),
        (Reason.CLOCK_UNKNOWN, "one clock|one time line"),
        (Reason.OVERLOADED, "machine cannot keep up"),
        (Reason.UNSUPPORTED_CODEC, "codec"),
        (Reason.FRAME_TOO_LARGE, "large"),
        (Reason.DECODER_FAILED, "cannot be decoded"),
        (Reason.LIPS_DISAGREE_WITH_VOICE, "lips and voice"),
        (Reason.IDENTITY_MISMATCH, "enrolled person"),
        (Reason.FACE_CHANGES_UNNATURALLY, "traces of manipulation"),
        (Reason.REFERENCE_OUTDATED, "other encoders"),
    ],
)
def test_both_say_the_same(reason: Reason, shared: str) -> None:
    for words in (REASONS[reason], entries("REASONS")[reason.value]):
        assert re.search(shared, words, re.IGNORECASE)


def test_agreement_is_never_called_a_proof() -> None:
    words = say(Verdict.INCONCLUSIVE, Reason.NOT_ENROLLED)
    assert "does not show a genuine person" in words


def test_a_verdict_is_said_by_its_reason() -> None:
    assert say(Verdict.ALERT, Reason.LIPS_DISAGREE_WITH_VOICE) == "Lips and voice do not belong together."
    assert say(Verdict.BONA_FIDE, None) == "Matches the enrolled person."
    assert say(Verdict.SUSPECT, None) == "suspect"


def test_what_is_unusual_is_neither_a_suspicion_nor_cleared() -> None:
    words = say(Verdict.INCONCLUSIVE, Reason.IDENTITY_MISMATCH)
    assert words.startswith(REASONS[Reason.IDENTITY_MISMATCH])
    assert "too little to suspect" in words
    assert say(Verdict.SUSPECT, Reason.IDENTITY_MISMATCH) == REASONS[Reason.IDENTITY_MISMATCH]
