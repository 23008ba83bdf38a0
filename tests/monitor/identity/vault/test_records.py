"""What the vault gives out of identities, as JSON that a program reads."""

from __future__ import annotations

import json
from datetime import date

import pytest

from monitor.identity.vault.consent import PURPOSE, Consent
from monitor.identity.vault.errors import VaultError
from monitor.identity.vault.records import (
    MAX_NAME_CHARS,
    MAX_TAGS,
    Details,
    IdentityInfo,
    Receipt,
    VersionInfo,
    check_name,
    is_same_actor,
)

CONSENT = Consent("Jane Doe", date(2026, 3, 1), None, PURPOSE, None)
VERSION = VersionInfo(2, "active", "2026-03-01T12:00:00Z", "Operator", None, None, CONSENT, 4096)


def test_an_identity_is_json_down_to_its_consent() -> None:
    info = IdentityInfo("a1", "Jane Doe", "active", VERSION, pending=3, versions=3)
    shown = json.loads(json.dumps(info.as_json()))
    assert (shown["name"], shown["state"], shown["pending"], shown["versions"]) == ("Jane Doe", "active", 3, 3)
    assert (shown["version"]["version"], shown["version"]["bytes"]) == (2, 4096)
    assert shown["version"]["consent"] == CONSENT.as_json()
    assert shown["version"]["consent"]["given"] == "2026-03-01"


def test_a_receipt_names_nobody() -> None:
    receipt = Receipt("r1", "a1", "2026-03-02T09:00:00Z", "Operator", "asked", 3, 1, 12, "0f", cleaned=True)
    shown = json.loads(json.dumps(receipt.as_json()))
    assert shown["identity"] == "a1"
    assert "name" not in shown


@pytest.mark.parametrize("name", ["Jane Doe", "x", "é" * MAX_NAME_CHARS])
def test_a_name_is_returned_unchanged(name: str) -> None:
    assert check_name("name", name) == name


@pytest.mark.parametrize("name", ["", " Jane", "Jane ", "Ja\nne", "x" * (MAX_NAME_CHARS + 1)])
def test_a_name_that_cannot_be_shown_is_refused(name: str) -> None:
    with pytest.raises(VaultError, match="the actor must be 1 to 128 printable characters"):
        check_name("actor", name)


def test_details_are_kept_once_each_and_those_left_out_stay() -> None:
    details = Details(("board", "board", "de"), "+49 30 1234567").checked()
    assert details == Details(("board", "de"), "+49 30 1234567")
    assert Details().after(details) == details
    assert Details(("staff",), "https://verify.example/jane").after(details).tags == ("staff",)


@pytest.mark.parametrize(
    ("details", "told"),
    [
        (Details(("Board of directors",)), "tags: up to"),
        (Details(tuple(f"t{n}" for n in range(MAX_TAGS + 1))), "tags: up to"),
        (Details((), "call me"), "a number such as"),
        (Details((), "javascript:alert(1)"), "a number such as"),
    ],
)
def test_details_that_may_not_be_kept_are_one_line(details: Details, told: str) -> None:
    with pytest.raises(VaultError, match=told):
        details.checked()


def test_details_are_read_from_what_somebody_writes() -> None:
    assert Details.given({}) == Details()
    assert Details.given({"tags": ["board", "board"], "verify_by": None}) == Details(("board",))
    assert Details.given({"verify_by": "+49 30 1234567"}) == Details((), "+49 30 1234567")


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ([], "a JSON object"),
        ({"colour": "red"}, "a JSON object"),
        ({"tags": "board"}, "a JSON object"),
        ({"tags": [1]}, "a JSON object"),
        ({"tags": ["Board"]}, "lower-case letters"),
        ({"verify_by": 4930}, "must be a text"),
        ({"verify_by": "https://jane.example/\u202egro.live"}, "https:// link"),
    ],
)
def test_details_that_are_none_are_refused_in_a_line(raw: object, told: str) -> None:
    with pytest.raises(VaultError, match=told):
        Details.given(raw)


def test_details_are_sealed_and_opened_as_they_are() -> None:
    details = Details(("board",), "+49 30 1234567")
    assert Details.from_json(details.as_json()) == details
    # A record of a version that knew of none.
    assert Details.from_json({}) == Details()


def test_an_actor_is_the_same_one_however_their_name_is_written() -> None:
    assert is_same_actor("Jose\u0301 Ruiz", "jos\u00e9 RUIZ")
    assert not is_same_actor("Jose Ruiz", "José Ruiz")
