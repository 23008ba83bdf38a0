"""The face is theirs and the voice is not: said beside a suspicion, and only where both were judged lately."""

from __future__ import annotations

from monitor.decision.contrast import (
    RECENT_SECONDS,
    Contrast,
    Heard,
    contrast_in,
    contrast_of,
    remember,
    shown,
)
from monitor.decision.decide import DecisionConfig, Transition, advance, initial
from monitor.decision.words import CONTRASTS, contrasted
from monitor.types import Aspect, Reason, Score, Verdict

FACE, VOICE = Aspect.FACE, Aspect.VOICE
FIRST, SECOND = Contrast.FACE_FITS_VOICE_DOES_NOT, Contrast.VOICE_FITS_FACE_DOES_NOT


def score(aspect: Aspect | None, p: float | None, reason: Reason | None = None) -> Score:
    names = {FACE: "pairwise", VOICE: "voiceprint"}
    name = "ears" if aspect is None else names.get(aspect, str(aspect))
    value = None if p is None else 1.0
    return Score(name, value, reason, p, aspect is VOICE, {"of": name}, Reason(f"{name}_differs"), aspect=aspect)


def heard(face: float, voice: float) -> dict[Aspect, Heard]:
    return {FACE: Heard(0.0, face), VOICE: Heard(0.0, voice)}


def test_what_fits_and_what_does_not_are_told_apart() -> None:
    for verdict in (Verdict.SUSPECT, Verdict.ALERT):
        assert contrast_of(verdict, heard(0.5, 0.02)) is FIRST
        assert contrast_of(verdict, heard(0.02, 0.5)) is SECOND
        assert contrast_of(verdict, heard(0.02, 0.02)) is None
        # Neither usual nor unusual is no word for either side.
        assert contrast_of(verdict, heard(0.08, 0.02)) is None
        assert contrast_of(verdict, heard(0.5, 0.08)) is None
        assert contrast_of(verdict, {FACE: Heard(0.0, 0.5)}) is None


def test_it_raises_no_suspicion() -> None:
    for verdict in (Verdict.BONA_FIDE, Verdict.INCONCLUSIVE):
        assert contrast_of(verdict, heard(0.5, 0.02)) is None


def test_what_was_said_lately_stands_while_somebody_is_silent() -> None:
    latest = remember({}, 100.0, [score(FACE, 0.5), score(VOICE, 0.02), score(None, 0.3)])
    assert latest == {FACE: Heard(100.0, 0.5), VOICE: Heard(100.0, 0.02)}
    silent = [score(FACE, 0.4), score(VOICE, None, Reason.TOO_LITTLE_SPEECH)]
    later = remember(latest, 100.0 + RECENT_SECONDS, silent)
    assert later == {FACE: Heard(110.0, 0.4), VOICE: Heard(100.0, 0.02)}
    assert remember(later, 110.5, silent) == {FACE: Heard(110.5, 0.4)}
    # A clock that steps back makes nothing recent.
    assert remember(later, 99.0, []) == {}


def test_it_stands_in_the_evidence_of_what_does_not_fit() -> None:
    scores = (score(FACE, 0.5), score(VOICE, 0.02))
    told = shown(scores, FIRST)
    assert [dict(s.evidence) for s in told] == [
        {"of": "pairwise"},
        {"of": "voiceprint", "contrast": "face_fits_voice_does_not"},
    ]
    assert contrast_in(told) is FIRST
    assert shown(scores, None) == scores
    assert contrast_in(scores) is None
    assert dict(shown(scores, SECOND)[0].evidence)["contrast"] == "voice_fits_face_does_not"


def test_words_follow_a_sentence() -> None:
    assert contrasted(None) == ""
    assert contrasted(FIRST) == " The face is theirs and the voice is not."
    assert contrasted(SECOND) == " The voice is theirs and the face is not."
    assert set(CONTRASTS) == set(Contrast)


def test_a_finding_says_it_also_where_the_voice_falls_silent() -> None:
    state = initial(DecisionConfig(false_alerts_per_hour=200.0))
    found = []
    for hop in range(200):
        time = hop * 0.5
        speaks = hop < 60
        voice = score(VOICE, 0.005) if speaks else score(VOICE, None, Reason.TOO_LITTLE_SPEECH)
        state, decision = advance(state, time, [score(FACE, 0.6), voice])
        if decision.transition is Transition.OPENED:
            assert speaks
        if decision.transition is not None:
            found.append((time, decision.evidence))
        if decision.verdict in (Verdict.BONA_FIDE, Verdict.INCONCLUSIVE):
            assert contrast_in(decision.scores) is None
    times = [time for time, _ in found]
    assert found[0][1]["voiceprint"]["contrast"] == "face_fits_voice_does_not"
    assert "contrast" not in found[0][1]["pairwise"]
    assert times[0] < 30.0
