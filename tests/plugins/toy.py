"""A way into calls as another package would bring it: a module and the metadata that an installer would write."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MODULE = "sidewitness_toy_plugin"
TOY = '''
import asyncio

from monitor.tap.kit import SourceError
from plugins.base import NoRoom, PluginOptions, PluginSpec, Unavailable

attempts = []


class ToyOptions(PluginOptions):
    participant: str = "toy"
    ends: tuple[str, ...] = ()


class Silence:
    """A source of nothing."""

    dropped = 0

    def __init__(self):
        self.closed = asyncio.Event()

    async def __aiter__(self):
        await self.closed.wait()
        return
        yield

    def pause(self, paused):
        pass

    async def close(self):
        self.closed.set()


class Toy:
    """Brings one participant; each attempt ends as the next of `ends` says, those after them stay."""

    def __init__(self, options):
        self.options = options

    async def run(self, intake):
        name = self.options.participant
        attempt = attempts.count(name)
        attempts.append(name)
        end = self.options.ends[attempt] if attempt < len(self.options.ends) else "stay"
        if end == "busy":
            raise Unavailable("nobody is there yet: start the call", retry_after_seconds=20.0)
        if end == "waiting":
            intake.waiting("nobody has come yet")
        admitted = await intake.admit("toys", name, Silence())
        if end == "crash":
            raise ValueError("a message that names " + name)
        if end == "cancel":
            raise asyncio.CancelledError
        intake.connected()
        intake.connected()
        if end == "hour":
            await intake.sleep(3600.0)
            raise ConnectionError
        if end == "leave":
            return
        while True:
            try:
                await admitted.wait()
                return
            except asyncio.CancelledError:
                if end != "stubborn":
                    raise


SPEC = PluginSpec("toy", ToyOptions, Toy)
'''


@contextmanager
def installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install the toy in a folder that is put on the path."""
    metadata = folder / "sidewitness_toy-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / f"{MODULE}.py").write_text(TOY)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: sidewitness-toy\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[sidewitness.plugins]\n"
        f"toy = {MODULE}:SPEC\n"
        f"broken = {MODULE}_absent:SPEC\n"
        f"odd = {MODULE}:Toy\n"
        f"folder = {MODULE}:SPEC\n"
    )
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.modules.pop(MODULE, None)
