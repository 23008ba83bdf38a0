from __future__ import annotations

import asyncio
import json
from io import StringIO
from pathlib import Path
from typing import Any

from monitor.host import logging as log
from monitor.identity.vault.errors import VaultError
from monitor.identity.vault.sweeper import Sweeper, of_vault
from tests.monitor.identity.build import CLERK, JANE, Clock, consent, template, vault
from tests.monitor.rig import quiet_log


class Scripted:
    """A vault whose sweeps give what they are told, and that says when the last has begun."""

    def __init__(self, results: list[int | VaultError]) -> None:
        self.results = results
        self.loop = asyncio.get_running_loop()
        self.done = asyncio.Event()

    def sweep(self) -> int:
        if not self.results:
            return 0
        result = self.results.pop(0)
        if not self.results:
            self.loop.call_soon_threadsafe(self.done.set)
        if isinstance(result, VaultError):
            raise result
        return result


async def swept(results: list[int | VaultError]) -> list[dict[str, Any]]:
    stream = StringIO()
    with quiet_log():
        log.configure("info", "json", stream=stream)
        scripted: Any = Scripted(results)
        sweeper = Sweeper([of_vault(scripted)], 0.001)
        sweeper.start()
        await asyncio.wait_for(scripted.done.wait(), 10.0)
        await asyncio.wait_for(sweeper.close(), 10.0)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


async def test_it_tells_how_many_and_goes_on_after_a_failure() -> None:
    failure = VaultError("vault: disk is full: free space on the disk of the vault")
    lines = await swept([0, failure, 2])
    told = [(line["event"], line.get("count"), line.get("why")) for line in lines]
    assert told == [
        ("the vault was not swept", None, str(failure)),
        ("consents ended, references destroyed", 2, None),
    ]


async def test_never_started() -> None:
    await Sweeper([], 1.0).close()


async def test_what_has_no_consent_is_gone_after_the_start(tmp_path: Path) -> None:
    clock = Clock()
    opened = vault(tmp_path, now=clock)
    opened.store(JANE, template(), consent(), CLERK)
    clock.time = clock.time.replace(year=2030)
    sweeper = Sweeper([of_vault(opened)], 1000.0)
    sweeper.start()
    async with asyncio.timeout(10.0):
        while opened.receipts() == []:  # noqa: ASYNC110 - the sweep runs in a thread of its own
            await asyncio.sleep(0)
    await sweeper.close()
    assert opened.list() == []
    opened.close()
