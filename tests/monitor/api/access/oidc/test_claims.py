"""What of a provider's word is taken, and who somebody is by it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from monitor.api.access.grant import Refusal
from monitor.api.access.oidc.claims import (
    MAX_SUBJECT_CHARS,
    SKEW_SECONDS,
    Person,
    RoleRules,
    access_token_refusal,
    id_token_objection,
    person_of,
    values_of,
)
from monitor.api.access.roles import Role

NOW = 1_770_000_000
ISSUER, CLIENT = "https://login.example", "sidewitness"
CLAIMS: dict[str, Any] = {"iss": ISSUER, "aud": CLIENT, "sub": "ann", "nonce": "n", "iat": NOW, "exp": NOW + 60}
RULES = RoleRules("groups", {"admins": Role.ADMIN, "secops": Role.ANALYST, "people": Role.SUBJECT})


def objection(**changed: Any) -> str | None:
    return id_token_objection({**CLAIMS, **changed}, ISSUER, CLIENT, "n", NOW)


def test_an_id_token_that_answers_is_taken() -> None:
    assert objection() is None
    assert objection(aud=["other", CLIENT], azp=CLIENT) is None
    assert objection(exp=NOW - SKEW_SECONDS + 1, iat=NOW + SKEW_SECONDS, nbf=NOW + SKEW_SECONDS) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://login.example/"}, {"iss": None}, {"aud": "other"}, {"aud": ["other"]}, {"aud": None},
        {"aud": {"sidewitness": 1}}, {"azp": "other"}, {"nonce": "m"}, {"nonce": None}, {"nonce": 7}, {"exp": None},
        {"exp": "9999999999"}, {"exp": True}, {"exp": NOW - SKEW_SECONDS}, {"nbf": NOW + SKEW_SECONDS + 1},
        {"exp": float("nan")}, {"exp": float("inf")}, {"nonce": "\ud800"},
        {"iat": NOW + SKEW_SECONDS + 1}, {"iat": "now"}, {"nbf": None},
    ],
)  # fmt: skip
def test_any_other_is_not(changed: dict[str, Any]) -> None:
    assert objection(**changed)


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({}, None),
        ({"nonce": None}, None),
        ({"exp": NOW - SKEW_SECONDS}, Refusal.EXPIRED),
        ({"nbf": NOW + 3600}, Refusal.NOT_YET),
        ({"aud": "other"}, Refusal.WRONG),
        ({"iss": "other", "exp": 0}, Refusal.WRONG),
    ],
)
def test_a_bearer_token_is_for_our_audience_and_its_time(changed: dict[str, Any], refusal: Refusal | None) -> None:
    assert access_token_refusal({**CLAIMS, **changed}, ISSUER, CLIENT, NOW) is refusal


def test_a_role_is_the_first_in_the_settings_that_fits() -> None:
    assert person_of({"sub": "ann", "groups": ["x", "secops", "admins"]}, RULES) == Person("oidc:ann", Role.ADMIN)
    assert person_of({"sub": "ann", "groups": "secops"}, RULES) == Person("oidc:ann", Role.ANALYST)
    for groups in ([], ["Secops"], "secops admins", None, {"secops": True}, [["secops"]], 7):
        assert person_of({"sub": "ann", "groups": groups}, RULES) is Refusal.NO_ROLE
    assert person_of({"sub": "ann"}, RULES) is Refusal.NO_ROLE


@pytest.mark.parametrize("sub", [None, "", 7, "a b", "ä", "a\n", "a" * (MAX_SUBJECT_CHARS + 1)])
def test_a_subject_that_no_log_could_hold_is_none(sub: Any) -> None:
    assert person_of({"sub": sub, "groups": ["admins"]}, RULES) is Refusal.WRONG
    assert isinstance(person_of({"sub": "a" * MAX_SUBJECT_CHARS, "groups": ["admins"]}, RULES), Person)


def test_a_protected_person_is_who_the_settings_say() -> None:
    claims = {"sub": "s-1", "groups": ["people"], "name": "Jane Doe", "upn": ["a", "b"]}
    assert person_of(claims, RULES) is Refusal.NO_ROLE
    by_sub = RoleRules("groups", RULES.roles, "sub", {"s-1": "Jane Doe"})
    assert person_of(claims, by_sub) == Person("oidc:s-1", Role.SUBJECT, "Jane Doe")
    by_name = RoleRules("groups", RULES.roles, "name")
    assert person_of(claims, by_name) == Person("oidc:s-1", Role.SUBJECT, "Jane Doe")
    assert person_of(claims, RoleRules("groups", RULES.roles, "upn")) is Refusal.NO_ROLE
    # Whoever is more than that is bound to nobody.
    assert person_of({**claims, "groups": ["admins"]}, by_sub) == Person("oidc:s-1", Role.ADMIN)


def test_where_a_claim_lies() -> None:
    claims = {
        "realm_access": {"roles": ["a", 7, "b"]},
        "https://example/roles": "c",
        "scope": "d e",
        "email": "f@example",
    }
    assert values_of(claims, "realm_access.roles") == {"a", "b"}
    assert values_of(claims, "https://example/roles") == {"c"}
    assert values_of(claims, "scope") == {"d", "e"}
    assert values_of(claims, "realm_access.other") == frozenset()
    assert values_of(claims, "scope.roles") == frozenset()
    assert values_of(claims, "email") == frozenset()
    assert values_of({**claims, "email_verified": True}, "email") == {"f@example"}


@pytest.mark.parametrize(
    ("orgs", "tenant"),
    [
        ("org-1", "acme"), (["org-1", "org-9"], "acme"), (["org-1", "org-3"], "acme"),
        ("org-2", "globex"), (["org-1", "org-2"], None), ("org-9", None), ([], None), (None, None), ("acme", None),
    ],
)  # fmt: skip
def test_somebody_is_of_the_one_tenant_that_the_claim_names_or_of_none(orgs: Any, tenant: str | None) -> None:
    rules = replace(RULES, tenant_claim="org", tenants={"org-1": "acme", "org-3": "acme", "org-2": "globex"})
    found = person_of({"sub": "ann", "groups": ["admins"], "org": orgs}, rules)
    assert found == (Person("oidc:ann", Role.ADMIN, None, tenant) if tenant else Refusal.NO_ROLE)
    # Without such a claim in the settings everybody is of the one tenant that there is.
    assert person_of({"sub": "ann", "groups": ["admins"], "org": orgs}, RULES) == Person("oidc:ann", Role.ADMIN)
