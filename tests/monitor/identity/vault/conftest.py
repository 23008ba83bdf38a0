"""What tests of the vault share: a time to set, and vaults on a file, with and without a second approver."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.identity.vault.vault import Vault
from tests.monitor.identity.build import Clock, vault


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(tmp_path: Path, clock: Clock) -> Iterator[Vault]:
    made = vault(tmp_path, now=clock)
    yield made
    made.close()


@pytest.fixture
def four_eyes(tmp_path: Path, clock: Clock) -> Iterator[Vault]:
    made = vault(tmp_path, second_approver=True, now=clock)
    yield made
    made.close()
