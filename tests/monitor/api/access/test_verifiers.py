"""Whose a bearer is: the static token, compared in constant time, and signed ones, as long as they stand."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.alerts.journal import JournalError
from monitor.api.access.claims import ordered
from monitor.api.access.grant import Grant, Refusal, Seat
from monitor.api.access.issuer import Issuer
from monitor.api.access.register import KEPT_SECONDS, Register
from monitor.api.access.roles import Role
from monitor.api.access.verifiers import SignedTokens, StaticToken
from tests.monitor.api.access.build import AWAY, HERE, NOW, Office

TOKEN = "a-static-token-of-the-operator"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.journal.close()


async def test_the_operators_token_is_taken_from_anywhere_and_the_start_up_token_here_only() -> None:
    operator, startup = StaticToken(TOKEN, local_only=False), StaticToken(TOKEN, local_only=True)
    for client in (AWAY, HERE):
        assert await operator.identify(TOKEN, client) == Grant("operator", Role.ADMIN)
    assert await startup.identify(TOKEN, HERE) == Grant("startup", Role.ADMIN)
    assert await startup.identify(TOKEN, AWAY) is Refusal.ELSEWHERE
    for wrong in ("", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "\udce9"):
        assert await operator.identify(wrong, HERE) is None
    assert TOKEN not in repr(operator)


async def test_the_comparison_is_the_one_that_takes_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is observed is the call, and that its answer counts: a comparison by `==` makes none."""
    compared: list[tuple[bytes, bytes]] = []

    def compare(left: Any, right: Any) -> bool:
        compared.append((left, right))
        return hmac_compare(left, right)

    hmac_compare = hmac.compare_digest
    monkeypatch.setattr("monitor.api.access.verifiers.hmac.compare_digest", compare)
    static = StaticToken(TOKEN, local_only=False)
    for bearer in (TOKEN, "x" * len(TOKEN), "short"):
        await static.identify(bearer, AWAY)
    assert compared == [(TOKEN.encode(), bearer.encode()) for bearer in (TOKEN, "x" * len(TOKEN), "short")]
    monkeypatch.setattr("monitor.api.access.verifiers.hmac.compare_digest", lambda *_: False)
    assert await static.identify(TOKEN, AWAY) is None


async def test_a_signed_token_is_good_until_it_ends(office: Office) -> None:
    bearer = office.issue("publisher", "alice", 30, call="board", participant="alice", identity="Alice A")
    found = await office.signed.identify(bearer, AWAY)
    assert isinstance(found, Grant)
    assert (found.subject, found.role, found.seat) == ("alice", Role.PUBLISHER, Seat("board", "alice", "Alice A"))
    office.clock.now += 1800
    assert await office.signed.identify(bearer, AWAY) is Refusal.EXPIRED


async def test_a_revocation_holds_at_once_in_every_process_and_after_a_restart(office: Office, tmp_path: Path) -> None:
    bearer = office.issue()
    found = await office.signed.identify(bearer, AWAY)
    assert isinstance(found, Grant)
    other = Register(office.journal)
    assert await asyncio.to_thread(other.revoke, str(found.id), "boss", NOW)
    assert await office.signed.identify(bearer, AWAY) is Refusal.REVOKED
    assert other.revoke(str(found.id), "somebody else", NOW + 9)
    assert not other.revoke("no-such-id", "boss", NOW)
    [line] = office.issuer.list()
    assert (line["state"], line["revoked_by"], line["issued_by"]) == ("revoked", "boss", "root")
    assert bearer not in str(line)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"aud": "elsewhere"}, Refusal.WRONG),
        ({"exp": NOW - 1}, Refusal.EXPIRED),
        ({"nbf": NOW + 60}, Refusal.NOT_YET),
        ({"jti": "not-in-the-register"}, Refusal.REVOKED),
        ({"role": "root"}, Refusal.WRONG),
    ],
)
async def test_a_right_signature_is_not_enough(office: Office, changed: dict[str, Any], why: Refusal) -> None:
    assert isinstance(await office.signed.identify(office.keys.sign(office.claims()), AWAY), Grant)
    assert await office.signed.identify(office.keys.sign(office.claims(**changed)), AWAY) is why


async def test_what_is_not_signed_is_somebody_elses(office: Office) -> None:
    for bearer in (TOKEN, "a.b.c"):
        assert await office.signed.identify(bearer, AWAY) is None


async def test_nobody_is_taken_on_trust_while_the_register_cannot_be_read(office: Office) -> None:
    bearer = office.issue()
    with office.journal.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE access_tokens")
    with pytest.raises(JournalError):
        await office.signed.identify(bearer, AWAY)


def test_tokens_that_ended_long_ago_are_forgotten(office: Office) -> None:
    office.issue(subject="old", minutes=1)
    office.clock.now += 60 + KEPT_SECONDS
    office.issue(subject="new")
    assert [(line["subject"], line["state"]) for line in office.issuer.list()] == [
        ("old", "expired"),
        ("new", "active"),
    ]
    office.clock.now += 1
    office.issue(subject="newer")
    assert [line["subject"] for line in office.issuer.list()] == ["new", "newer"]


async def test_a_token_is_good_in_the_register_of_its_tenant_and_in_no_other(tmp_path: Path) -> None:
    for name in ("own", "acme"):
        (tmp_path / name).mkdir()
    office, theirs = Office(tmp_path / "own"), Office(tmp_path / "acme")
    issuer = Issuer(office.keys, theirs.register, office.clock, "acme")
    text, issued = issuer.issue(ordered("boss", "admin"), "root")
    signed = SignedTokens(office.keys, office.register, office.clock, {"acme": theirs.register})
    found = await signed.identify(text, AWAY)
    assert isinstance(found, Grant)
    assert found.tenant == "acme"
    # In a register of its number that is another tenant's, and of a tenant that there is no longer.
    office.register.add(issued.grant, "root", NOW)
    assert theirs.register.revoke(str(issued.grant.id), "root", NOW)
    assert await signed.identify(text, AWAY) is Refusal.REVOKED
    assert await SignedTokens(office.keys, office.register, office.clock).identify(text, AWAY) is Refusal.REVOKED
    for one in (office, theirs):
        one.journal.close()
