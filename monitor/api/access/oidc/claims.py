"""What an identity provider says of somebody, read strictly: whose word it is, for whom, until when, and who they are.

Pure. Signatures are checked before any of this is read (OpenID Connect Core 1.0, section 3.1.3.7; RFC 9068, section 4).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from monitor.api.access.grant import Refusal
from monitor.api.access.roles import Role
from monitor.storage.tenancy.names import DEFAULT_TENANT

Claims = Mapping[str, Any]
# The audit log names actors of 128 characters at most, and ours has a prefix.
MAX_SUBJECT_CHARS = 120
# No token of ours has a subject with a colon: whoever signs in is never taken for somebody who holds a token.
PREFIX = "oidc:"
# Between the provider's clock and ours, which are not set by the same people.
SKEW_SECONDS = 30
# A number that is none (JSON as Python reads it has them), or is beyond any date, is no time.
MAX_TIME = 1e11
EXPIRED, NOT_YET = "it has expired", "it is not valid yet: check the clocks"
# Claims that hold several words in one text (RFC 8693, 4.2); everywhere else a text is one value.
WORD_LISTS = frozenset({"scope", "scp"})


@dataclass(frozen=True, slots=True)
class Person:
    """Who somebody is here: `subject` for the audit log, their role, and the enrolled name that is theirs, if any.

    `tenant` is the one that they are of.
    """

    subject: str
    role: Role
    identity: str | None = None
    tenant: str = DEFAULT_TENANT


@dataclass(frozen=True, slots=True)
class RoleRules:
    """By which claim somebody gets which role, and by which claim they are which enrolled person.

    Of several values that fit, the first of `roles` counts. Without a `tenant_claim` everybody is the default tenant's;
    with one, whoever has values of exactly one of `tenants` is of that, and anybody else is nobody.
    """

    role_claim: str
    roles: Mapping[str, Role]
    identity_claim: str = "sub"
    identities: Mapping[str, str] | None = None
    tenant_claim: str | None = None
    tenants: Mapping[str, str] = field(default_factory=dict)


def id_token_objection(claims: Claims, issuer: str, client_id: str, nonce: str, now: float) -> str | None:
    """Return why an ID token is not the answer to this sign-in, None where it is; `now` in seconds since 1970."""
    objection = _objection(claims, issuer, client_id, now)
    if objection is not None:
        return objection
    if claims.get("azp", client_id) != client_id:
        return "it was issued to another client"
    given = claims.get("nonce")
    if not isinstance(given, str) or not hmac.compare_digest(_bytes(given), _bytes(nonce)):
        return "it answers another sign-in"
    return None


def access_token_refusal(claims: Claims, issuer: str, audience: str, now: float) -> Refusal | None:
    """Return why a bearer token of the provider is not taken, None where it is."""
    objection = _objection(claims, issuer, audience, now)
    if objection is None:
        return None
    return {EXPIRED: Refusal.EXPIRED, NOT_YET: Refusal.NOT_YET}.get(objection, Refusal.WRONG)


def person_of(claims: Claims, rules: RoleRules) -> Person | Refusal:
    """Return who the claims of a verified token are here, or why they are nobody."""
    subject = claims.get("sub")
    if not _is_text(subject) or len(subject) > MAX_SUBJECT_CHARS or not all("!" <= char <= "~" for char in subject):
        return Refusal.WRONG
    held = values_of(claims, rules.role_claim)
    role = next((role for value, role in rules.roles.items() if value in held), None)
    tenant = _tenant_of(claims, rules)
    if role is None or tenant is None:
        return Refusal.NO_ROLE
    identity = _identity_of(claims, rules)
    if role is Role.SUBJECT and identity is None:
        return Refusal.NO_ROLE
    return Person(PREFIX + subject, role, identity if role is Role.SUBJECT else None, tenant)


def values_of(claims: Claims, name: str) -> frozenset[str]:
    """Return the texts that a claim holds, one or a list; a name with dots that is no claim leads into objects.

    An address of electronic mail that the provider has not verified is nobody's.
    """
    if name == "email" and claims.get("email_verified") is not True:
        return frozenset()
    value: Any = claims
    if name in claims:
        value = claims[name]
    else:
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(value, str):
        return frozenset(value.split()) if name in WORD_LISTS else frozenset({value})
    return frozenset(one for one in value if isinstance(one, str)) if isinstance(value, list) else frozenset()


def _tenant_of(claims: Claims, rules: RoleRules) -> str | None:
    if rules.tenant_claim is None:
        return DEFAULT_TENANT
    named = {rules.tenants[value] for value in values_of(claims, rules.tenant_claim) if value in rules.tenants}
    # Of two tenants is of none: a token opens one.
    return named.pop() if len(named) == 1 else None


def _identity_of(claims: Claims, rules: RoleRules) -> str | None:
    held = values_of(claims, rules.identity_claim)
    if len(held) != 1:
        return None
    [value] = held
    # The subject is the provider's number for somebody: it is nobody's name unless the settings say whose.
    return (rules.identities or {}).get(value, None if rules.identity_claim == "sub" else value) or None


def _objection(claims: Claims, issuer: str, audience: str, now: float) -> str | None:
    if claims.get("iss") != issuer:
        return "it is another issuer's"
    named = claims.get("aud")
    audiences = [named] if isinstance(named, str) else named
    if not isinstance(audiences, list) or audience not in audiences:
        return "it is for somebody else"
    expires, not_before, issued = claims.get("exp"), claims.get("nbf", 0), claims.get("iat", 0)
    if not (_is_time(expires) and _is_time(not_before) and _is_time(issued)):
        return "its times cannot be read"
    if now >= expires + SKEW_SECONDS:
        return EXPIRED
    return NOT_YET if max(not_before, issued) > now + SKEW_SECONDS else None


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < MAX_TIME


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value != ""
