"""A host of two places, with what it writes to, for every test of hosts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.monitor.host.test_host import Bench, bench_with
from tests.monitor.rig import factory, quiet_log


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    with quiet_log():
        made = bench_with(tmp_path, factory)
        yield made
        await made.host.drain()
        await made.recorder.close()
        made.journal.close()
