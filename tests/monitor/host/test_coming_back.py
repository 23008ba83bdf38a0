"""However somebody comes back by their way in, their evidence goes on and so does their finding; in virtual time.

The plug-in is a toy, and behaves as each of those that are built in may: the rest of the way is the sidecar's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.host.ingest import SourceRunner
from monitor.host.sources import ConfiguredSource
from monitor.session.models import Models
from plugins.base import Intake, Listed, PluginOptions, PluginSpec
from tests.monitor.frames import block
from tests.monitor.host.test_rejoin import Scripted, Site, models, site, virtually
from tests.monitor.virtual import Camera

STAYS, STAY_SECONDS, AWAY_SECONDS = 6, 20.0, 30.0
__all__ = ["models"]


class Way:
    """Brings ada, and again, and again, each time for a while too short to find anything."""

    def __init__(self, ends: str, stays: list[float]) -> None:
        self._ends, self._stays = ends, stays

    async def run(self, intake: Intake) -> None:
        while len(self._stays) < STAYS:
            self._stays.append(asyncio.get_running_loop().time())
            camera = Camera([block(np.zeros(480, np.float32), 0.0)], 0.5)
            intake.roster("board", [Listed("ada")])
            admitted = await intake.admit("board", "ada", camera)
            intake.connected()
            await intake.sleep(STAY_SECONDS)
            if self._ends == "breaks":
                raise ConnectionError
            if self._ends == "leaves":
                await admitted.end()
                intake.roster("board", [])
            if self._ends in ("leaves", "falls silent"):
                await camera.close()
                await admitted.end()
                await intake.sleep(AWAY_SECONDS)
            if self._ends == "is removed":
                return


@pytest.mark.parametrize("ends", ["leaves", "falls silent", "breaks", "publishes anew", "is removed"])
def test_who_comes_back_goes_on_with_their_evidence_and_their_finding(
    ends: str, tmp_path: Path, models: Models
) -> None:
    stays: list[float] = []

    async def work() -> Site:
        loop = asyncio.get_running_loop()
        async with site(tmp_path, models, Scripted(0.02)) as here:
            while len(stays) < STAYS:
                source = ConfiguredSource(
                    7, PluginSpec("way", PluginOptions, lambda _: Way(ends, stays)), PluginOptions()
                )
                nothing: Callable[[], Any] = lambda: None  # noqa: E731
                runner = SourceRunner(source, here.host, nothing, loop.time, asyncio.sleep, lambda: 0.5)
                runner.start()
                await asyncio.sleep(STAY_SECONDS * (1 if ends == "is removed" else 2 * STAYS) + AWAY_SECONDS * STAYS)
                await runner.close()
        return here

    here = virtually(work)
    opened = [at for at, finding in here.findings if finding.action == "opened"]
    assert len(opened) == 1
    # No stay was long enough by itself: it took what was known from before.
    assert stays[1] < opened[0]
    assert len({finding.id for _, finding in here.findings}) == 1
    assert [finding.step for _, finding in here.findings] == list(range(len(here.findings)))
    told = [at for at, finding in here.findings if finding.verdict == "alert"]
    assert sum(any(begin < at < begin + STAY_SECONDS for at in told) for begin in stays) >= 3
