"""Retention: what has had its time is destroyed by the server, at the start and at every interval.

In the vault that is enrolments whose consent has ended; whoever keeps other things brings what sweeps them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from engines.errors import SidewitnessError
from monitor.identity.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Sweep:
    """What is destroyed in a thread, and in which words that is logged; `run` returns how many went."""

    run: Callable[[], int]
    done: str
    failed: str


def of_vault(vault: Vault) -> Sweep:
    """Return the sweep of enrolments without consent."""
    return Sweep(vault.sweep, "consents ended, references destroyed", "the vault was not swept")


class Sweeper:
    """One task for all sweeps; one that fails is logged, holds up no other, and is tried again the next time."""

    def __init__(self, sweeps: Sequence[Sweep], seconds: float) -> None:
        self._sweeps = tuple(sweeps)
        self._seconds = seconds
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start on the running event loop."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop, after a sweep that is under way."""
        self._stop.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while not self._stop.is_set():
            for sweep in self._sweeps:
                await self._sweep(sweep)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), self._seconds)

    async def _sweep(self, sweep: Sweep) -> None:
        try:
            count = await asyncio.to_thread(sweep.run)
        except SidewitnessError as error:
            structlog.stdlib.get_logger("vault").warning(sweep.failed, why=str(error))
            return
        if count:
            structlog.stdlib.get_logger("vault").info(sweep.done, count=count)
