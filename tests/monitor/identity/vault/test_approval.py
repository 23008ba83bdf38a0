"""Four eyes: who enrolled somebody cannot approve them, and nothing else makes them active."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from monitor.identity.vault.errors import ApprovalRefused, NotEnrolled, VaultError
from monitor.identity.vault.records import Enrolled
from monitor.identity.vault.vault import Vault
from tests.monitor.identity.build import BOB, CHIEF, CLERK, JANE, Clock, consent, one_line, tamper, template


def test_a_second_person_must_approve(four_eyes: Vault) -> None:
    enrolled = four_eyes.store(JANE, template(), consent(), CLERK)
    assert enrolled.state == "pending_approval"
    assert four_eyes.load(JANE) is None
    assert four_eyes.current(JANE) is None
    info = four_eyes.show(JANE)
    assert info is not None
    assert (info.state, info.pending, info.version.approved) == ("pending_approval", 1, None)
    for same in (CLERK, "CLERK", "ｃlerk"):
        with pytest.raises(ApprovalRefused, match="somebody else") as caught:
            four_eyes.approve(JANE, same)
        one_line(caught)
    assert four_eyes.load(JANE) is None
    assert four_eyes.approve(JANE, CHIEF) == Enrolled(enrolled.id, 1, "active")
    assert four_eyes.load(JANE) == template()
    (version,) = four_eyes.history(JANE)
    assert (version.enrolled_by, version.approved_by) == (CLERK, CHIEF)
    with pytest.raises(ApprovalRefused, match="waits for approval"):
        four_eyes.approve(JANE, CHIEF)
    with pytest.raises(NotEnrolled):
        four_eyes.approve(BOB, CHIEF)


def test_the_old_template_serves_until_the_new_one_is_approved(four_eyes: Vault) -> None:
    four_eyes.store(JANE, template(1), consent(), CLERK)
    four_eyes.approve(JANE, CHIEF)
    four_eyes.store(JANE, template(2), consent(), CLERK)
    assert four_eyes.load(JANE) == template(1)
    info = four_eyes.show(JANE)
    assert info is not None
    assert (info.state, info.version.version, info.pending) == ("active", 1, 2)
    # A later one takes the place of one that still waits.
    four_eyes.store(JANE, template(3), consent(), CHIEF)
    with pytest.raises(ApprovalRefused):
        four_eyes.approve(JANE, CHIEF)
    four_eyes.approve(JANE, CLERK)
    assert four_eyes.load(JANE) == template(3)
    assert [version.state for version in four_eyes.history(JANE)] == ["active", "superseded", "superseded"]


def test_an_enrolment_may_be_rejected(four_eyes: Vault) -> None:
    four_eyes.store(JANE, template(1), consent(), CLERK)
    assert four_eyes.reject(JANE, CHIEF).state == "rejected"
    assert four_eyes.show(JANE) is None
    assert four_eyes.receipts(JANE)[0].cause == "rejected"
    four_eyes.store(JANE, template(2), consent(), CLERK)
    four_eyes.approve(JANE, CHIEF)
    four_eyes.store(JANE, template(3), consent(), CLERK)
    assert four_eyes.reject(JANE, CLERK).version == 2
    assert four_eyes.load(JANE) == template(2)
    assert [version.state for version in four_eyes.history(JANE)] == ["rejected", "active"]
    with pytest.raises(ApprovalRefused):
        four_eyes.reject(JANE, CHIEF)


def test_a_consent_that_ended_is_neither_enrolled_nor_approved(four_eyes: Vault, clock: Clock) -> None:
    with pytest.raises(VaultError, match="expired"):
        four_eyes.store(JANE, template(), consent(date(2026, 2, 28)), CLERK)
    four_eyes.store(JANE, template(), consent(date(2026, 4, 1)), CLERK)
    clock.time += timedelta(days=60)
    with pytest.raises(ApprovalRefused, match="expired"):
        four_eyes.approve(JANE, CHIEF)
    info = four_eyes.show(JANE)
    assert info is not None
    assert info.state == "expired"


def test_a_pending_enrolment_is_not_made_active_by_whoever_writes_the_database(
    tmp_path: Path, four_eyes: Vault
) -> None:
    four_eyes.store(JANE, template(), consent(), CLERK)
    tamper(tmp_path, "UPDATE vault_versions SET state = 'active'")
    for call in (four_eyes.load, four_eyes.current, four_eyes.show):
        with pytest.raises(VaultError, match="changed or put back"):
            call(JANE)
