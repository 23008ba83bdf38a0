"""Findings through every sink, while receivers fail and the sidecar is killed: none lost, none twice under two ids."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.monitor.alerts.sinks.every_sink import flood

# The last run delivers a backlog of thousands to eleven sinks.
MAX_GROWTH_KB = 30_000


async def test_receivers_fail_and_the_sidecar_is_killed(tmp_path: Path) -> None:
    await flood(tmp_path, count=60, kills=1, share=0.05)


@pytest.mark.long
async def test_ten_thousand_findings(tmp_path: Path) -> None:
    flooded = await flood(tmp_path, count=10_000, kills=9, share=0.05)
    assert flooded.late_kb - flooded.early_kb < MAX_GROWTH_KB, flooded
