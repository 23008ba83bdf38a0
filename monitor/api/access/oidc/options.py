"""The setting `oidc`: which identity provider is believed, as which client we come, and who gets which role."""

from __future__ import annotations

import hashlib
import json
from ipaddress import ip_address
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator, model_validator

from monitor.alerts.sinks.tls import ConnectOptions
from monitor.api.access.roles import Role
from monitor.config import ConfigError, OidcSettings, describe_error

MAX_URL = 2048


def is_loopback_url(url: str) -> bool:
    """Whether a URL leads to this machine, by its name or address."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_base(value: str) -> str:
    try:
        parts = urlsplit(value)
        whole = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ValueError("write an address such as https://login.example") from None
    if not whole or len(value) > MAX_URL or not all("!" <= char <= "~" for char in value):
        raise ValueError("write an address such as https://login.example")
    if parts.query or parts.fragment or parts.username is not None:
        raise ValueError("leave user, query and fragment out of the address")
    if parts.scheme == "http" and not is_loopback_url(value):
        raise ValueError("use https: http is for addresses of this machine only")
    return value


Base = Annotated[str, AfterValidator(_is_base)]


class OidcOptions(ConnectOptions):
    """What may stand in `oidc`; certificates, `allow_private` and `timeout_seconds` are as those of sinks.

    `roles` maps a value of `role_claim` to a role; of several that fit the first that is written counts. `identities`
    maps a value of `identity_claim` to the enrolled name of who signs in; a value that is not in it is the name itself,
    unless the claim is `sub`. `audience` is whom bearer tokens of the provider are for; without it none is taken.
    `tenants` maps a value of `tenant_claim` to the tenant of who signs in.
    """

    issuer: Base
    client_id: str = Field(min_length=1, max_length=256)
    client_secret: SecretStr | None = None
    scopes: tuple[str, ...] = ("openid",)
    role_claim: str = Field(default="groups", min_length=1, max_length=256)
    roles: dict[str, Role] = Field(min_length=1, max_length=1000)
    identity_claim: str = Field(default="sub", min_length=1, max_length=256)
    identities: dict[str, str] = Field(default_factory=dict, max_length=10_000)
    tenant_claim: str | None = Field(default=None, min_length=1, max_length=256)
    tenants: dict[str, str] = Field(default_factory=dict, max_length=10_000)
    audience: str | None = Field(default=None, min_length=1, max_length=256)
    public_url: Base | None = None
    idle_minutes: float = Field(default=30.0, ge=1.0, le=1440.0)
    session_hours: float = Field(default=10.0, ge=0.1, le=168.0)

    @field_validator("issuer", "public_url")
    @classmethod
    def _no_slash_at_the_end(cls, value: str | None, info: Any) -> str | None:
        # An issuer is compared letter by letter; where we are seen is put before paths.
        return value.rstrip("/") if value and info.field_name == "public_url" else value

    @field_validator("client_secret")
    @classmethod
    def _empty_is_none(cls, value: SecretStr | None) -> SecretStr | None:
        return value or None

    @field_validator("scopes")
    @classmethod
    def _openid_is_asked_for(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(scope and all("!" <= char <= "~" for char in scope) for scope in value):
            raise ValueError("write scopes as a list of words, such as [openid, profile]")
        return value if "openid" in value else ("openid", *value)

    @field_validator("roles")
    @classmethod
    def _no_publisher(cls, value: dict[str, Role]) -> dict[str, Role]:
        if Role.PUBLISHER in value.values():
            raise ValueError("nobody signs in as a publisher, who is bound to a call: make them a token")
        return value

    @model_validator(mode="after")
    def _tenants_go_by_a_claim(self) -> Self:
        if (self.tenant_claim is None) is bool(self.tenants):
            raise ValueError("set tenant_claim and tenants together: by which claim, and which value is which tenant")
        return self

    @property
    def digest(self) -> str:
        """Stands for what sessions rest on: one that was begun under other rules is over."""
        rules = [self.issuer, self.client_id, self.role_claim, list(self.roles.items())]
        rules += [self.identity_claim, sorted(self.identities.items())]
        if self.tenant_claim is not None:
            rules += [self.tenant_claim, sorted(self.tenants.items())]
        return hashlib.sha256(json.dumps(rules).encode()).hexdigest()[:32]


def options_of(settings: OidcSettings) -> OidcOptions:
    """Return the checked options; raises `ConfigError` with one line that names the setting."""
    try:
        return OidcOptions.model_validate(settings.model_extra or {})
    except ValidationError as error:
        raise ConfigError(describe_error(error, "oidc")) from None
