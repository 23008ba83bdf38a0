"""Who claims to be whom, on made rosters: by what is said, by rules, by names; doubt picks nobody."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from monitor.config import ClaimSettings, Settings
from monitor.host.judging import judging
from monitor.host.sidecar import Sidecar, assemble
from monitor.identity.claimed import Claimed, resolve, stated
from monitor.types import Claim, ParticipantKey, Profile
from tests.monitor.alerts.build import ready_journal
from tests.monitor.host.test_sidecar import settings_in
from tests.monitor.identity import build
from tests.monitor.identity.build import CLERK, JANE
from tests.monitor.identity.test_lookalike import NO_MODELS
from tests.monitor.rig import ScriptedSource, quiet_log, scripted

ADA, PARIS, CYRILLIC = "Ada King", "Jane Doe (Paris)", "J\u0430ne Doe"
ROSTER = (JANE, ADA)
RULES: tuple[dict[str, Any], ...] = (
    {"identity": JANE, "plugin": "livekit", "platform_ids": ["u-1"], "emails": ["Jane@Example.com"]},
    {"identity": "John Roe", "accounts": ["roe"]},
    {"identity": ADA, "names": ["Countess of Lovelace", "\u0410\u0434\u0430 \u041a\u0438\u043d\u0433"]},
    {"identity": "Not enrolled", "names": ["Somebody Else"]},
)


def who(
    participant: str = "p-17",
    said: str | None = None,
    enrolled: Sequence[str] = ROSTER,
    rules: Sequence[dict[str, Any]] = RULES,
    by_name: str = "full",
    **profile: Any,
) -> Claimed:
    settings = ClaimSettings.model_validate({"by_name": by_name, "rules": list(rules)})
    return resolve(ParticipantKey("board", participant, said), Profile(**profile), settings, enrolled)


def told(claimed: Claimed) -> tuple[str | None, Claim | None]:
    return claimed.key.identity, claimed.key.claim


@pytest.mark.parametrize("name", ["Jane Doe", "Dr. Jane Doe \U0001f642", "Doe, Jane", "Jane M. Doe", CYRILLIC])
def test_who_joins_under_a_protected_name_is_compared_with_that_person(name: str) -> None:
    assert told(who(display_name=name)) == (JANE, Claim.DISPLAY_NAME)
    assert who(display_name=name, by_name="none").key.identity is None


def test_where_no_name_is_said_the_participant_bears_one() -> None:
    assert told(who("jane.doe")) == (JANE, Claim.DISPLAY_NAME)
    assert told(who("jane.doe", display_name="Bob")) == (None, None)
    # Which is told all the same.
    assert who("jane.doe", display_name="Bob").resembles == JANE


def test_letters_that_look_alike_are_told() -> None:
    assert who(display_name="Jane Doe").resembles is None
    assert who(display_name=CYRILLIC).resembles == JANE
    [one] = who(display_name=CYRILLIC).explain()["considered"]
    assert one == {"claim": "display_name", "identity": JANE, "enrolled": True, "match": "full", "lookalike": True}


def test_a_name_in_part_is_doubt_unless_it_is_enough() -> None:
    claimed = who(display_name="J. Doe")
    assert (told(claimed), claimed.doubt) == ((None, None), (JANE,))
    claimed = who(display_name="J. Doe", by_name="part")
    assert (told(claimed), claimed.doubt) == ((JANE, Claim.DISPLAY_NAME), ())


@pytest.mark.parametrize(
    ("enrolled", "name", "by_name"),
    [
        ((JANE, PARIS), JANE, "full"),
        ((JANE, PARIS), PARIS, "full"),
        ((JANE, PARIS), JANE, "part"),
        ((JANE, "John Doe"), "J. Doe", "part"),
        ((JANE, CYRILLIC), JANE, "full"),
        ((JANE, "Jane Mary Doe"), JANE, "full"),
    ],
)
def test_of_two_of_one_name_nobody_is_picked(enrolled: tuple[str, ...], name: str, by_name: str) -> None:
    claimed = who(display_name=name, enrolled=enrolled, by_name=by_name)
    assert (told(claimed), claimed.doubt, claimed.resembles) == ((None, None), tuple(sorted(enrolled)), None)


def test_a_name_in_full_goes_before_one_in_part() -> None:
    assert told(who(display_name="Jane Doe", enrolled=(JANE, "Mary Jane Doe"), by_name="part"))[0] == JANE


def test_a_rule_settles_what_a_name_leaves_in_doubt() -> None:
    claimed = who(display_name=JANE, enrolled=(JANE, PARIS), verified_email="jane@example.COM", plugin="livekit")
    assert (told(claimed), claimed.doubt) == ((JANE, Claim.VERIFIED_EMAIL), ())


def test_the_surest_ground_decides() -> None:
    every: dict[str, Any] = {
        "platform_id": "u-1",
        "verified_email": "nobody@example.com",
        "account": "roe",
        "plugin": "livekit",
    }
    assert told(who(display_name=ADA, **every)) == (JANE, Claim.PLATFORM_ID)
    # Whoever is known under another name is said to bear it.
    assert who(display_name=ADA, **every).resembles == ADA
    assert told(who(display_name=ADA, **every | {"plugin": "janus"})) == ("John Roe", Claim.ACCOUNT)
    assert told(who(display_name=ADA)) == (ADA, Claim.DISPLAY_NAME)


def test_a_namesake_is_known_by_a_rule_and_compared_with_nobody_else() -> None:
    claimed = who(display_name=JANE, account="roe")
    assert (told(claimed), claimed.resembles) == (("John Roe", Claim.ACCOUNT), JANE)


def test_rules_that_contradict_each_other_pick_nobody() -> None:
    rules = [{"identity": name, "accounts": ["shared"]} for name in (JANE, ADA)]
    claimed = who(account="shared", rules=rules, display_name=JANE)
    assert (told(claimed), claimed.doubt) == ((None, None), (ADA, JANE))


def test_other_names_of_an_enrolled_person() -> None:
    for name in (
        "Countess of Lovelace",
        "Кинг Ада",
        "COUNTESS of Lovelace \U0001f451",
    ):
        assert told(who(display_name=name)) == (ADA, Claim.DISPLAY_NAME)
    assert who(display_name="Somebody Else").key.identity is None


def test_what_is_stated_holds_where_it_names_somebody_enrolled() -> None:
    assert told(who(said=ADA, display_name=JANE)) == (ADA, Claim.STATED)
    assert who(said=ADA, display_name=JANE).resembles == JANE
    claimed = who(said=CYRILLIC, display_name=ADA)
    assert (told(claimed), claimed.resembles) == ((CYRILLIC, Claim.STATED), JANE)


def test_a_stated_claim_of_nobody_shields_nobody() -> None:
    assert told(who(said="Bob Roe", display_name=JANE)) == (JANE, Claim.DISPLAY_NAME)
    assert told(who(said="Bob Roe", account="roe")) == ("John Roe", Claim.ACCOUNT)
    claimed = who(said="Bob Roe", display_name=JANE, enrolled=(JANE, PARIS))
    assert (told(claimed), claimed.doubt) == (("Bob Roe", Claim.STATED), (JANE, PARIS))
    assert told(who(said="Bob Roe")) == ("Bob Roe", Claim.STATED)


def test_without_rules_only_what_is_said_counts() -> None:
    key = ParticipantKey("board", "jane.doe")
    assert told(stated(key)) == (None, None)
    assert told(stated(ParticipantKey("board", "bob", JANE), Profile(JANE))) == (JANE, Claim.STATED)


def test_nothing_of_a_profile_is_shown_by_accident() -> None:
    profile = Profile("Jane Doe", "u-1", "jane@example.com", "jane", "livekit")
    assert repr(profile) == "Profile(plugin='livekit')"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path)


async def test_calls_say_who_is_taken_to_claim_whom_and_by_what(tmp_path: Path, settings: Settings) -> None:
    with quiet_log():
        ready_journal(tmp_path).close()
        vault = build.vault(tmp_path)
        vault.store(JANE, build.template(), build.consent(None), CLERK)
        asked: list[str | None] = []
        how = judging(settings, vault, NO_MODELS)

        def session(key: ParticipantKey) -> Any:
            asked.append(key.identity)
            return scripted().session(key)

        components = assemble(settings, scripted(session, claimed=how.claimed), vault)
        async with Sidecar(settings, components) as sidecar:
            await sidecar.admit("board", "p-1", ScriptedSource(), profile=Profile("Dr. Jane Doe"))
            await sidecar.admit("board", "p-2", ScriptedSource(), profile=Profile("J. Doe"))
            await sidecar.admit("board", "p-3", ScriptedSource(), JANE)
            [call] = await sidecar.calls()
            explained = await components.host.explain("board", "p-2")
            assert await components.host.explain("board", "nobody") is None
    shown = [(p["identity"], p["claim"], p["name"], p["in_doubt"]) for p in call["participants"]]
    assert shown == [
        (JANE, "display_name", "Dr. Jane Doe", []),
        (None, None, "J. Doe", [JANE]),
        (JANE, "stated", None, []),
    ]
    # What is said is what is done: sessions compare with whom the name says.
    assert asked == [JANE, None, JANE]
    assert explained is not None
    assert explained["considered"][0]["match"] == "part"
