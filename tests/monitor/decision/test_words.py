"""Every verdict and reason can be said, and nothing that is said calls agreement a proof."""

from __future__ import annotations

import re

import pytest

from monitor.decision.words import (
    OF_THE_HOST,
    REASONS,
    UNUSUAL,
    VERDICTS,
    Phrase,
    describe,
    readable,
    sentence,
)
from monitor.detectors.registry import infos, phrases
from monitor.host import participant
from monitor.tap.media import source
from monitor.types import Reason, Verdict

WORDS = {**phrases(), **REASONS}
PROOFS = re.compile(
    r"\b(is|are) (genuine|real|authentic)|\b(verified|authentic|trusted|proven|certain)\b", re.IGNORECASE
)


def test_every_reason_has_words_of_one_source() -> None:
    assert set(Reason) <= set(WORDS)
    assert set(WORDS) - set(Reason) == set(OF_THE_HOST)
    assert set(REASONS) & set(phrases()) == set()
    brought = [reason for info in infos() for reason in info.phrases]
    assert len(brought) == len(set(brought))


def test_what_the_host_says_of_a_participant_has_words() -> None:
    said = {participant.ENDED, participant.FAILED, participant.CONNECTING, source.MEDIA_ENDED}
    assert {*said, *source.CONNECTION_FAILURES} == set(OF_THE_HOST)


@pytest.mark.parametrize("phrase", [*WORDS.values(), *VERDICTS.values()], ids=lambda phrase: phrase.title)
def test_a_phrase_is_a_short_title_and_sentences(phrase: Phrase) -> None:
    assert re.fullmatch(r"[A-Z][^.]{3,40}", phrase.title)
    for text in filter(None, (phrase.detail, phrase.consequence)):
        assert re.fullmatch(r"[A-Z].{10,210}\.", text)
    assert phrase.brief is None or re.fullmatch(r"[a-z][a-z ]{3,30}", phrase.brief)


def test_titles_tell_reasons_apart() -> None:
    titles = [phrase.title for phrase in (*WORDS.values(), *VERDICTS.values())]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("verdict", Verdict)
@pytest.mark.parametrize("reason", [*WORDS, None, Reason("of_a_later_version")])
def test_nothing_that_is_said_proves_anything(verdict: Verdict, reason: Reason | None) -> None:
    words = sentence(verdict, reason, phrases())
    assert re.fullmatch(r"[A-Z][^.]+\. .{10,}\.", words)
    assert PROOFS.search(words) is None


def test_agreement_is_never_called_a_proof() -> None:
    assert "does not show a genuine person" in sentence(Verdict.INCONCLUSIVE, Reason.NOT_ENROLLED, phrases())
    assert sentence(Verdict.BONA_FIDE, None, phrases()).endswith("not a proof.")
    # A reason never turns the words of a cleared participant into anything else.
    assert describe(Verdict.BONA_FIDE, Reason.SILENCE, phrases()) == VERDICTS[Verdict.BONA_FIDE]


CAUSES = [reason for reason, phrase in WORDS.items() if phrase.consequence]


def test_what_each_detector_blames_has_a_consequence() -> None:
    assert {info.cause for info in infos()} <= set(CAUSES)


@pytest.mark.parametrize("cause", CAUSES)
def test_what_a_suspicion_rests_on_is_said_by_the_verdict(cause: Reason) -> None:
    phrase = WORDS[cause]
    unusual, suspect, alert = (
        describe(verdict, cause, phrases()) for verdict in (Verdict.INCONCLUSIVE, Verdict.SUSPECT, Verdict.ALERT)
    )
    assert unusual.title == suspect.title == alert.title == phrase.title
    assert unusual.detail == f"{phrase.detail} {UNUSUAL}"
    assert suspect.detail == VERDICTS[Verdict.SUSPECT].detail
    assert alert.detail == phrase.consequence
    # An alert is no proof either: the person decides, who may know more.
    assert "check with the person another way" in alert.detail


def test_an_abstention_is_said_by_its_reason() -> None:
    silence = REASONS[Reason.SILENCE]
    assert describe(Verdict.INCONCLUSIVE, Reason.SILENCE, phrases()) == Phrase(silence.title, silence.detail)
    assert sentence(Verdict.INCONCLUSIVE, None, phrases()) == "Cannot tell. There is not enough to judge."


def test_a_detector_from_elsewhere_brings_its_words_and_cannot_change_ours() -> None:
    smiles = Reason("smiles_too_little")
    brought = {
        smiles: Phrase("Smiles too little", "Fewer smiles than usual."),
        Reason.SILENCE: Phrase("Calm", "All is well."),
    }
    assert describe(Verdict.ALERT, smiles, brought) == Phrase("Smiles too little", VERDICTS[Verdict.ALERT].detail)
    assert describe(Verdict.INCONCLUSIVE, Reason.SILENCE, brought).title == "Silence"


def test_a_reason_that_nobody_has_words_for_is_made_readable() -> None:
    unknown = Reason("ears_do_not_move")
    assert describe(Verdict.ALERT, unknown, {}).title == "Ears do not move"
    assert describe(Verdict.INCONCLUSIVE, unknown, {}) == Phrase("Ears do not move", "There is not enough to judge.")
    assert readable("bona_fide") == "Bona fide"
