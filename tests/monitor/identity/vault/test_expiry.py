"""Consent that ends: the template no longer serves, and a sweep erases it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from monitor.identity.vault.errors import VaultError
from monitor.identity.vault.vault import SWEEPER, Vault
from tests.monitor.identity.build import BOB, CHIEF, CLERK, JANE, Clock, actions, consent, rows, tamper, template


@pytest.mark.parametrize("days", [0, 1])
def test_consent_ends(opened: Vault, clock: Clock, days: int) -> None:
    opened.store(JANE, template(), consent(date(2026, 4, 1)), CLERK)
    clock.time += timedelta(days=31 + days)
    held = days == 0
    assert (opened.load(JANE) is not None) == held
    assert (opened.current(JANE) is not None) == held
    info = opened.show(JANE)
    assert info is not None
    assert info.state == ("active" if held else "expired")
    assert opened.sweep() == (0 if held else 1)
    assert (opened.show(JANE) is not None) == held
    if not held:
        (receipt,) = opened.receipts(JANE)
        assert (receipt.cause, receipt.erased_by, receipt.destroyed) == ("consent_expired", SWEEPER, 1)
        assert actions(opened)[-2:] == [("consent_expired", SWEEPER), ("erased", SWEEPER)]


def test_a_sweep_leaves_others_alone(opened: Vault, clock: Clock) -> None:
    opened.store(JANE, template(), consent(date(2026, 4, 1)), CLERK)
    opened.store(BOB, template(1), consent(None), CLERK)
    assert opened.sweep(clock.time + timedelta(days=400)) == 1
    assert opened.load(BOB) == template(1)
    assert [info.name for info in opened.list()] == [BOB]
    assert opened.sweep(clock.time + timedelta(days=400)) == 0


def test_a_sweep_of_one_version_keeps_the_other(four_eyes: Vault, clock: Clock) -> None:
    four_eyes.store(JANE, template(1), consent(date(2026, 4, 1)), CLERK)
    four_eyes.approve(JANE, CHIEF)
    four_eyes.store(JANE, template(2), consent(), CLERK)
    clock.time += timedelta(days=60)
    assert four_eyes.load(JANE) is None
    assert four_eyes.sweep() == 1
    info = four_eyes.show(JANE)
    assert info is not None
    assert (info.state, info.pending, info.version.version) == ("pending_approval", 2, 2)
    assert [version.state for version in four_eyes.history(JANE)] == ["pending_approval", "expired"]
    four_eyes.approve(JANE, CHIEF)
    assert four_eyes.load(JANE) == template(2)


def test_an_entry_that_cannot_be_read_keeps_no_other_from_being_swept(tmp_path: Path, opened: Vault) -> None:
    ids = [opened.store(name, template(), consent(date(2026, 4, 1)), CLERK).id for name in (JANE, BOB, "Ada")]
    tamper(tmp_path, f"UPDATE vault_versions SET record = zeroblob(60) WHERE identity = '{ids[1]}'")
    with pytest.raises(VaultError, match="changed or moved"):
        opened.sweep(Clock().time + timedelta(days=60))
    assert rows(tmp_path, "SELECT identity FROM vault_versions") == [(ids[1],)]
    assert opened.erase(BOB, CLERK).destroyed == 1
