from __future__ import annotations

from typing import Any

import pytest

from monitor.api.access.oidc.options import OidcOptions, options_of
from monitor.config import ConfigError, OidcSettings

GOOD = {"issuer": "https://login.example/realm/", "client_id": "us", "roles": {"secops": "analyst"}}


def read(**changed: Any) -> OidcOptions:
    return options_of(OidcSettings.model_validate({**GOOD, **changed}))


def test_what_is_set_is_kept_and_never_shown() -> None:
    options = read(client_secret="s3cret", scopes=["profile"], public_url="https://monitor.example/sidewitness/")
    assert (options.issuer, options.public_url) == (GOOD["issuer"], "https://monitor.example/sidewitness")
    assert options.scopes == ("openid", "profile")
    settings = OidcSettings.model_validate({**GOOD, "client_secret": "s3cret"})
    assert "s3cret" not in repr(settings) + repr(options)
    assert read(client_secret="").client_secret is None


def test_sessions_rest_on_who_gives_which_role() -> None:
    digest = read().digest
    assert read(idle_minutes=5).digest == digest
    for changed in (
        {"issuer": "https://other.example"}, {"roles": {"secops": "admin"}}, {"role_claim": "roles"},
        {"identities": {"a": "Ann"}}, {"client_id": "them"}, {"identity_claim": "upn"},
        {"roles": {"x": "viewer", "secops": "analyst"}},
    ):  # fmt: skip
        assert read(**changed).digest != digest
    assert read(roles={"a": "viewer", "b": "admin"}).digest != read(roles={"b": "admin", "a": "viewer"}).digest


@pytest.mark.parametrize(
    ("changed", "name", "why"),
    [
        ({"issuer": "http://login.example"}, "oidc.issuer", "https"),
        ({"issuer": "login.example"}, "oidc.issuer", "address"),
        ({"issuer": "https://a:b@login.example"}, "oidc.issuer", "user"),
        ({"issuer": "https://login.example?a=b"}, "oidc.issuer", "query"),
        ({"issuer": "https://[::1"}, "oidc.issuer", "address"),
        ({"public_url": "http://monitor.example"}, "oidc.public_url", "https"),
        ({"roles": {}}, "oidc.roles", "at least 1"),
        ({"roles": {"a": "root"}}, "oidc.roles.a", "publisher"),
        ({"roles": {"a": "publisher"}}, "oidc.roles", "make them a token"),
        ({"scopes": ["open id"]}, "oidc.scopes", "list of words"),
        ({"secret": "x"}, "oidc.secret", "unknown setting"),
        ({"client_id": "x" * 257}, "oidc.client_id", "at most 256"),
        ({"idle_minutes": 0}, "oidc.idle_minutes", "greater"),
    ],
)
def test_what_cannot_be_is_one_line_that_names_it(changed: dict[str, Any], name: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as raised:
        read(**changed)
    assert name in str(raised.value)
    assert "\n" not in str(raised.value)


def test_http_is_for_this_machine() -> None:
    for issuer in ("http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:9000"):
        assert read(issuer=issuer, public_url=issuer).issuer == issuer
