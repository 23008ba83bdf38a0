"""What an identity provider answers, read: what it says of itself, and what a code is exchanged for. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engines.errors import SidewitnessError
from monitor.alerts.sinks.url import objection

NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")
MORE = ("userinfo_endpoint", "end_session_endpoint")


class ProviderError(SidewitnessError):
    """The identity provider cannot be asked, or answers what cannot be used; one line, without secrets."""


class CodeRefusedError(ProviderError):
    """The provider takes the code of a sign-in no more, or never did."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a provider says of itself (OpenID Connect Discovery 1.0, section 3)."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None
    names_itself: bool = False


def answer_of(status: int, body: bytes, *, redeems: bool) -> Mapping[str, Any]:
    """Return what a provider has answered; `redeems` where it was asked to exchange a code. Raises `ProviderError`."""
    if redeems and status in (400, 401):
        raise CodeRefusedError(f"the identity provider refuses the code of a sign-in ({status})")
    if status != 200:
        raise ProviderError(f"the identity provider answers {status}: correct issuer or client in oidc")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ProviderError("the identity provider answers no JSON object: correct issuer in oidc")
    return found


def metadata_of(found: Mapping[str, Any], issuer: str) -> Metadata:
    """Return what a provider says of itself; raises `ProviderError`."""
    if found.get("issuer") != issuer:
        raise ProviderError("the identity provider calls itself otherwise: write oidc.issuer as it does")
    told = {name: found.get(name) for name in (*NEEDED, *MORE)}
    texts = {name: text for name, text in told.items() if isinstance(text, str) and objection(text) is None}
    # All of them are sent what is secret, or believed: where the provider is spoken to by TLS, so are they.
    is_safe = not issuer.startswith("https:") or all(text.startswith("https:") for text in texts.values())
    if not is_safe or not all(name in texts for name in NEEDED):
        raise ProviderError("the identity provider lacks an address that signing in needs: correct oidc.issuer")
    return Metadata(**texts, names_itself=found.get("authorization_response_iss_parameter_supported") is True)


def tokens_of(answer: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return the ID token and the access token, if there is one; raises `ProviderError`."""
    id_token, access = answer.get("id_token"), answer.get("access_token")
    if not isinstance(id_token, str):
        raise ProviderError("the identity provider gave no ID token: have the client allowed the scope openid")
    # It goes into a header.
    is_usable = isinstance(access, str) and bool(access) and all("!" <= char <= "~" for char in access)
    return id_token, access if is_usable else None
