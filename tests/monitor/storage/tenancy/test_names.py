from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.storage.tenancy.names import DEFAULT_TENANT, TENANT, inside, key_inside, key_outside, outside
from monitor.types import Claim, ParticipantKey
from tests.examples_count import examples

TENANTS = st.just(DEFAULT_TENANT) | st.from_regex(TENANT, fullmatch=True)


@settings(max_examples=examples(100))
@given(TENANTS, st.text())
@example(DEFAULT_TENANT, "acme/board")
@example("acme", "globex/board")
def test_whatever_a_call_is_called_it_is_its_tenants_and_comes_back(tenant: str, call: str) -> None:
    assert outside(inside(tenant, call)) == (tenant, call)


@settings(max_examples=examples(100))
@given(TENANTS, TENANTS, st.text(), st.text())
def test_calls_of_two_tenants_never_meet(tenant: str, other: str, call: str, name: str) -> None:
    if (tenant, call) != (other, name):
        assert inside(tenant, call) != inside(other, name)


def test_one_tenant_costs_nobody_a_name() -> None:
    assert inside(DEFAULT_TENANT, "board") == "board"
    assert outside("board") == (DEFAULT_TENANT, "board")


def test_a_key_keeps_who_it_is_of() -> None:
    key = ParticipantKey("board", "p1", "Jane Doe", Claim.ACCOUNT)
    judged = key_inside("acme", key)
    assert (judged.call, judged.participant, judged.identity, judged.claim) == ("acme/board", *_rest(key))
    assert key_outside(judged) == ("acme", key)
    assert key_outside(key) == (DEFAULT_TENANT, key)


def _rest(key: ParticipantKey) -> tuple[object, ...]:
    return key.participant, key.identity, key.claim
