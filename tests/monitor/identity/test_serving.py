"""The server opens the vault, sweeps it, and says nothing of whom it held."""

from __future__ import annotations

import asyncio
import signal
import stat
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from monitor.config import Settings
from monitor.host.judging import judging
from monitor.identity.vault.keyfile import load_keys
from monitor.identity.vault.vault import Vault
from monitor.session.models import Models
from tests.monitor.api.test_serve import start
from tests.monitor.identity.build import BOB, CLERK, JANE, consent, template
from tests.monitor.waiting import Waiting

PATIENCE = 30.0


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SIDEWITNESS_{name.upper()}", raising=False)


async def test_a_consent_that_ended_while_it_was_off(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    past = Vault(settings.vault_url, load_keys(settings), now=lambda: datetime(2020, 1, 1, tzinfo=UTC))
    past.open()
    past.store(JANE, template(), consent(date(2020, 2, 1)), CLERK)
    past.store(BOB, template(1), consent(None), CLERK)
    process, _lines = await start(tmp_path)
    async with asyncio.timeout(PATIENCE):
        while not past.receipts(JANE):  # noqa: ASYNC110 - another process is waited for
            await asyncio.sleep(0)
    process.send_signal(signal.SIGTERM)
    _out, told = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 0
    assert b"references destroyed" in told
    for secret in (JANE, BOB, CLERK):
        assert secret.encode() not in told
    assert [info.name for info in past.list()] == [BOB]
    assert past.verify_audit().broken is None
    past.close()
    for name in ("vault.key", "vault.sqlite"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_what_the_enrolled_need_is_compiled_before_the_first_of_them_comes(tmp_path: Path) -> None:
    settings, later = Settings(state_dir=tmp_path), Waiting()
    unused: Any = None
    models = Models(unused, unused, unused, unused, unused, later=later)
    with closing(Vault(settings.vault_url, load_keys(settings))) as vault:
        vault.open()
        live = judging(settings, vault, models)
        live.warm_up()
        assert not later.asked
        vault.store(JANE, template(), consent(None), CLERK)
        live.warm_up()
    assert later.asked
