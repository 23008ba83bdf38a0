"""What a viewer is told: verdicts with their reasons, and nothing that a forgery could be tuned by."""

from __future__ import annotations

from monitor.alerts.disclosure import Disclosure, disclosed, disclosed_call

ENTRY = {
    "participant": "p1",
    "identity": "Ada",
    "verdict": "suspect",
    "reason": "lips_disagree_with_voice",
    "since": "2026-03-01T12:00:00.250Z",
    "scores": {"synchrony": {"score": -0.1}},
    "statistic": 12.0,
    "threshold": 7200.0,
    "quality": {"fps": 30.0},
}


def test_everything_is_told_to_who_may_see_scores() -> None:
    assert disclosed(ENTRY, Disclosure.FULL) == ENTRY


def test_fields_keep_their_place_and_lose_what_they_say() -> None:
    assert disclosed(ENTRY, Disclosure.VERDICTS) == {
        **ENTRY, "scores": {}, "statistic": None, "threshold": None,
    }  # fmt: skip


def test_a_field_that_nobody_has_thought_of_is_not_told() -> None:
    assert "margin" not in disclosed({**ENTRY, "margin": 0.3}, Disclosure.VERDICTS)


def test_a_call_is_told_by_its_participants() -> None:
    call = {"call": "board", "participants": [ENTRY], "hint": 0.3}
    told = disclosed_call(call, Disclosure.VERDICTS)
    assert told == {"call": "board", "participants": [disclosed(ENTRY, Disclosure.VERDICTS)]}
