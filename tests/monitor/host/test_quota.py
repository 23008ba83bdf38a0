"""What one subject may hold of the places."""

from __future__ import annotations

import pytest

from monitor.api.access.claims import RESERVED
from monitor.host.quota import SERVER_SUBJECTS, Holding, Quota

STARTUP = "startup"


def held(subject: str, connected: int = 0, connecting: int = 0) -> list[Holding]:
    return [Holding(subject, False)] * connected + [Holding(subject, True)] * connecting


@pytest.mark.parametrize(
    ("quota", "subject", "own", "refused"),
    [
        (Quota(8), "ann", held("ann", 7), False),
        (Quota(8), "ann", held("ann", 8), True),
        (Quota(8, places=2), "ann", held("ann", 1), False),
        (Quota(8, places=2), "ann", held("ann", 2), True),
        (Quota(8, places=2), "ann", held("ann", 1, 1), True),
        (Quota(8), "ann", held("ann", 0, 3), False),
        (Quota(8), "ann", held("ann", 0, 4), True),
        (Quota(1), "ann", [], False),
        (Quota(8), STARTUP, held(STARTUP, 0, 7), False),
        (Quota(8, connecting=3), STARTUP, held(STARTUP, 0, 3), True),
        (Quota(8, connecting=3), "ann", held("ann", 4, 2), False),
    ],
)
def test_a_subject_gets_what_it_may_have(quota: Quota, subject: str, own: list[Holding], refused: bool) -> None:
    assert (quota.refusal(subject, own) is not None) is refused
    # What others hold is another thing: the host asks for room as well.
    assert (quota.refusal(subject, [*own, *held("others", 9, 9)]) is not None) is refused


def test_the_two_refusals_are_told_apart() -> None:
    assert "as it may have" in str(Quota(2).refusal("ann", held("ann", 2)))
    assert "connecting" in str(Quota(8).refusal("ann", held("ann", 0, 4)))


def test_the_subjects_of_the_servers_own_tokens_are_those_that_nobody_else_may_have() -> None:
    assert SERVER_SUBJECTS == RESERVED
