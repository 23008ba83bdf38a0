"""What a report says, and what it does not claim."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.alerts.casework.case import Case, fold
from monitor.alerts.casework.events import EventKind
from monitor.alerts.report.causes import ALWAYS, CAUSES, explanations
from monitor.alerts.report.content import rarity, strongest, written
from monitor.detectors import registry
from monitor.types import Claim
from tests.monitor.alerts.casework.build import event
from tests.monitor.alerts.report.build import changes, source


def test_the_claim_is_one_sentence_and_says_no_more_than_is_known() -> None:
    content = written(source())
    assert content.claim == (
        "On 1 March 2026, 12:00:00 UTC the evidence against p1, who claims to be Ada, in the call board passed the "
        f"alert level: {content.title[:1].lower()}{content.title[1:]}."
    )
    assert "9,800" in content.sure[0]
    assert "7,200" in content.sure[0]
    assert "0.1 times in an hour" in content.sure[0]
    assert "no proof" in content.sure[1]
    assert content.sure[-1].endswith("false.")


def test_whose_finding_it_is_is_said_where_there_are_several_tenants_and_names_are_shown() -> None:
    for named, shown in (
        (source(tenant="acme"), True),
        (source(), False),
        (source(tenant="acme", shows_names=False), False),
    ):
        assert (("Tenant", "acme") in written(named).facts) is shown


def test_what_scored_is_told_with_its_rarity_and_what_did_not_with_its_reason() -> None:
    content = written(source())
    assert [(row[0], row[3]) for row in content.measures] == [
        ("Lips", "seen in 1 of 500 genuine windows"),
        ("Movement", "nothing unusual"),
    ]
    assert content.unseen[0].startswith("Face: no score, ")
    assert "Voice: not run." in content.unseen
    assert ("Uncertainty of the clock", "4 ms", "2 to 4 ms") in content.conditions
    assert ("Media dropped for want of time, since they joined", "0 items", "0 items") in content.conditions


def test_what_was_done_stands_in_order() -> None:
    history = written(source()).history
    assert [(actor, what) for _, actor, what in history] == [
        ("policy", "told the desk by pager"),
        ("jo", "noted: Called her: <it was her>"),
        ("policy", "mute: proposed"),
        ("jo", "verification: failed"),
        ("jo", "verification: asked for"),
        ("jo", "labelled false"),
    ]


def test_who_confirmed_an_action_is_said_where_names_are() -> None:
    steps = [
        event(1, EventKind.ACTION_PROPOSED, actor="policy", id="a", action="mute"),
        event(2, EventKind.ACTION_CONFIRMED, actor="ann", id="a"),
        event(3, EventKind.ACTION_DONE, actor="policy", id="a"),
    ]
    for shows_names, told in ((True, ("policy", "mute: done, confirmed by ann")), (False, ("", "mute: done"))):
        content = written(source(case=fold("e", steps), shows_names=shows_names))
        assert [row[1:] for row in content.history] == [told]


def test_without_names_nobody_is_named_and_nothing_that_people_wrote_is_told() -> None:
    content = written(source(shows_names=False))
    told = repr(content)
    for name in ("Ada", "board", "'p1'", "jo'", "Called her"):
        assert name not in told
    assert "a participant, who claims an identity, in a call" in content.claim


def test_a_finding_of_an_earlier_version_says_what_was_not_kept() -> None:
    opening = replace(
        changes()[0], conditions={}, scores={"synchrony": {"score": 1.0, "p_value": None, "reason": None}}
    )
    anonymous = replace(opening, key=replace(opening.key, identity=None), reason=None)
    content = written(source(changes=[anonymous], case=Case("e"), tampered=[7]))
    assert "was not kept" in content.sure[0]
    assert content.measures[0][3] == "not calibrated"
    assert any("Change 7" in text for text in content.unseen)
    assert any("model packs" in text for text in content.unseen)
    assert (content.conditions, content.history) == ([], [])
    assert "claims" not in content.claim
    assert ("Last change", "1 March 2026, 12:00:00 UTC") in content.facts


def test_a_score_without_a_reason_says_so() -> None:
    opening = replace(changes()[0], scores={"synchrony": {"score": None, "p_value": None, "reason": None}})
    assert "did not say why" in written(source(changes=[opening])).unseen[0]


def test_the_change_with_the_most_evidence_is_shown() -> None:
    opening, closing = changes()
    later = replace(opening, step=1, conditions={**opening.conditions, "statistic": 1e6})
    assert strongest([opening, later, closing]) is later
    assert strongest([closing]) is closing
    assert "1.0e+06" in written(source(changes=[later])).sure[0]


def test_by_whom_a_claim_is_grounded() -> None:
    opening = changes()[0]
    told = written(source(changes=[replace(opening, key=replace(opening.key, claim=Claim.DISPLAY_NAME))]))
    assert ("Claims to be", "Ada (display name)") in told.facts


@pytest.mark.parametrize("reason", sorted(str(info.cause) for info in registry.infos()))
def test_every_reason_of_an_alert_has_other_explanations(reason: str) -> None:
    assert len(explanations(reason)) > len(ALWAYS)


def test_reasons_that_nobody_knows_have_the_general_ones() -> None:
    assert explanations(None) == explanations("brought_by_a_plugin") == ALWAYS
    assert all(CAUSES.values())


def test_rarity_never_clears_anybody() -> None:
    assert rarity(0.1) == "nothing unusual"
    assert rarity(0.004) == "seen in 1 of 250 genuine windows"


def test_a_lag_that_nobody_else_shows_is_told_as_no_bet() -> None:
    lag = {"at": 1.0, "ms": 180, "margin_ms": 12, "others_ms": [10, 40], "others": 3}
    opening = replace(changes()[0], evidence={"pairwise": {}, "synchrony": {"lag": lag}})
    told = written(source(changes=[opening])).sure[1]
    assert told.startswith("The voice lags its face by 180 ms, the others' by 10 to 40.")
    assert told.endswith("it counted for nothing.")
