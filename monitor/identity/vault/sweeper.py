"""Retention: enrolments whose consent has ended are destroyed by the server, at the start and at every interval."""

from __future__ import annotations

import asyncio
import contextlib

import structlog

from monitor.identity.vault.errors import VaultError
from monitor.identity.vault.vault import Vault


class Sweeper:
    """One task that sweeps the vault in a thread; a sweep that fails is logged and the next one tries again."""

    def __init__(self, vault: Vault, seconds: float) -> None:
        self._vault = vault
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
            await self._sweep()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), self._seconds)

    async def _sweep(self) -> None:
        try:
            count = await asyncio.to_thread(self._vault.sweep)
        except VaultError as error:
            structlog.stdlib.get_logger("vault").warning("the vault was not swept", why=str(error))
            return
        if count:
            structlog.stdlib.get_logger("vault").info("consents ended, references destroyed", count=count)
