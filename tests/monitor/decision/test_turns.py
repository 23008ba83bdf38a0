"""A voice that becomes another's while the face stays, and the other way round: shown with its time, never counted."""

from __future__ import annotations

import pytest

from monitor.decision.decide import DecisionConfig, advance, initial
from monitor.decision.turns import HOLD_SECONDS, MAX_TURNS, Turn, Turned, Turns, changed, follow, with_turns
from monitor.types import Aspect, Reason, Score

VOICE_TURNS, FACE_TURNS = Turn.VOICE_CHANGES_FACE_STAYS, Turn.FACE_CHANGES_VOICE_STAYS


def said(aspect: Aspect | None, turned: bool | None) -> Score:
    return Score(str(aspect), 1.0, p_value=0.5, cause=Reason("unlike"), aspect=aspect, changed=turned)


def both(face: bool | None, voice: bool | None) -> list[Score]:
    return [said(Aspect.FACE, face), said(Aspect.VOICE, voice), said(Aspect.LIPS, None), said(None, True)]


def seen(*stretches: tuple[float, bool | None, bool | None]) -> Turns:
    """What comes of stretches of so many seconds, hop by hop, in which face and voice have changed or not."""
    turns, time = Turns(), 0.0
    for seconds, face, voice in stretches:
        for _ in range(round(2 * seconds)):
            turns = follow(turns, time, both(face, voice))
            time += 0.5
    return turns


def test_a_voice_that_changes_while_the_face_stays() -> None:
    assert seen((20, False, False), (10, False, True)).found == (Turned(VOICE_TURNS, 20.0),)
    assert seen((20, False, False), (10, True, False)).found == (Turned(FACE_TURNS, 20.0),)


def test_neither_what_is_short_nor_what_changes_together_nor_what_is_not_known() -> None:
    assert seen((20, False, False), (HOLD_SECONDS, False, True), (20, False, False)).found == ()
    assert seen((20, False, False), (20, True, True)).found == ()
    assert seen((20, None, True)).found == ()
    assert seen((20, False, None)).found == ()


def test_a_pause_in_what_is_compared_ends_nothing() -> None:
    turns = seen((20, False, False), (2, False, True), (4, None, None), (2, False, True), (4, None, None))
    assert turns.found == (Turned(VOICE_TURNS, 20.0),)


def test_each_turn_is_told_once_and_the_newest_are_kept() -> None:
    once = seen((10, False, False), (60, False, True))
    assert len(once.found) == 1
    often = seen(*[(5, False, False), (5, False, True)] * (MAX_TURNS + 3))
    assert len(often.found) == MAX_TURNS
    assert [one.at for one in often.found] == [35.0 + 10.0 * n for n in range(MAX_TURNS)]


@pytest.mark.parametrize(("p", "is_changed"), [(None, None), (0.01, True), (0.02, True), (0.05, None), (0.4, False)])
def test_by_a_p_value(p: float | None, is_changed: bool | None) -> None:
    assert changed(p) is is_changed


def test_they_stand_in_the_evidence_of_what_changed() -> None:
    scores = both(False, True)
    assert with_turns(scores, Turns()) == tuple(scores)
    face, voice, *others = with_turns(scores, seen((20, False, False), (10, False, True)))
    assert voice.evidence["turns"] == [{"turn": "voice_changes_face_stays", "at": 20.0}]
    assert "turns" not in face.evidence
    assert others == scores[2:]


def test_a_decision_shows_them_and_bets_on_nothing() -> None:
    turning, staying = (initial(DecisionConfig()) for _ in range(2))
    for hop in range(80):
        turning, decision = advance(turning, hop / 2, both(False, hop >= 40))
        staying, usual = advance(staying, hop / 2, both(False, False))
        assert decision.statistic == usual.statistic
        assert decision.verdict == usual.verdict
    shown = {score.detector: dict(score.evidence) for score in decision.scores}
    assert shown["voice"] == {"turns": [{"turn": "voice_changes_face_stays", "at": 20.0}]}
