"""What a provider answers: whatever it says, it is read or refused in a line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitor.api.access.oidc.messages import (
    CodeRefusedError,
    Metadata,
    ProviderError,
    answer_of,
    metadata_of,
    tokens_of,
)

ISSUER = "https://login.example"
PLACES = {
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys",
}


def described(**changed: Any) -> dict[str, Any]:
    return {"issuer": ISSUER, **PLACES, **changed}


def test_an_object_is_an_answer() -> None:
    assert answer_of(200, b'{"a": 1}', redeems=False) == {"a": 1}


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"{", b"[" * 100_000, b"null"])
def test_anything_else_is_none(body: bytes) -> None:
    with pytest.raises(ProviderError, match="no JSON object"):
        answer_of(200, body, redeems=False)


def test_a_code_is_refused_and_other_statuses_are_errors() -> None:
    with pytest.raises(CodeRefusedError, match="400"):
        answer_of(400, b"{}", redeems=True)
    for status, redeems in ((401, False), (500, True), (302, True)):
        with pytest.raises(ProviderError, match=str(status)) as refused:
            answer_of(status, b"{}", redeems=redeems)
        assert not isinstance(refused.value, CodeRefusedError)


def test_what_a_provider_says_of_itself() -> None:
    assert metadata_of(described(), ISSUER) == Metadata(f"{ISSUER}/authorize", f"{ISSUER}/token", f"{ISSUER}/keys")
    more = {"userinfo_endpoint": f"{ISSUER}/me", "end_session_endpoint": f"{ISSUER}/end"}
    known = metadata_of(described(**more, authorization_response_iss_parameter_supported=True), ISSUER)
    assert (known.userinfo_endpoint, known.end_session_endpoint, known.names_itself) == (*more.values(), True)
    # What cannot be asked is not there.
    assert metadata_of(described(userinfo_endpoint="\ud800", end_session_endpoint=3), ISSUER).userinfo_endpoint is None


def test_another_name_is_another_provider() -> None:
    with pytest.raises(ProviderError, match="calls itself otherwise"):
        metadata_of(described(issuer="https://evil.example"), ISSUER)


@pytest.mark.parametrize("name", list(PLACES))
@pytest.mark.parametrize("place", [None, 3, "", "ftp://login.example/x", "https://[", "http://login.example/plain"])
def test_an_address_that_is_missing_wrong_or_in_the_clear(name: str, place: object) -> None:
    with pytest.raises(ProviderError, match="lacks an address"):
        metadata_of(described(**{name: place}), ISSUER)


def test_a_provider_on_this_machine_may_be_spoken_to_in_the_clear() -> None:
    here = {name: place.replace("https://login.example", "http://127.0.0.1:1") for name, place in PLACES.items()}
    assert metadata_of(described(issuer="http://127.0.0.1:1", **here), "http://127.0.0.1:1").names_itself is False


def test_tokens() -> None:
    assert tokens_of({"id_token": "a.b.c", "access_token": "x"}) == ("a.b.c", "x")
    for access in (None, 3, "", "a b", "a\nb", "ä"):
        assert tokens_of({"id_token": "a.b.c", "access_token": access}) == ("a.b.c", None)
    for answer in ({}, {"id_token": json.loads("[1]")}):
        with pytest.raises(ProviderError, match="no ID token"):
            tokens_of(answer)
