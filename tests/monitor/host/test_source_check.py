"""A source is tried on its own: what is said of it, and that it leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from monitor.host.source_check import check
from monitor.host.sources import ConfiguredSource
from plugins.base import Intake, PluginOptions, PluginSpec, Unavailable
from tests.monitor.rig import ScriptedSource

Script = Callable[[Intake], Awaitable[None]]


def source(script: Script) -> ConfiguredSource:
    class Scripted:
        async def run(self, intake: Intake) -> None:
            await script(intake)

    return ConfiguredSource(3, PluginSpec("scripted", PluginOptions, lambda options: Scripted()), PluginOptions())


async def never(intake: Intake) -> None:
    await asyncio.Event().wait()


async def joins(intake: Intake) -> None:
    intake.connected()
    await never(intake)


async def waits(intake: Intake) -> None:
    intake.waiting("nobody publishes yet")
    await never(intake)


async def waits_and_joins(intake: Intake) -> None:
    intake.waiting("nobody publishes yet")
    await intake.sleep(0)
    await joins(intake)


async def is_away(intake: Intake) -> None:
    raise Unavailable("the server refuses the token: correct it")


async def crashes(intake: Intake) -> None:
    raise ValueError("a text with a secret")


async def waits_and_crashes(intake: Intake) -> None:
    intake.waiting("nobody publishes yet")
    await intake.sleep(0)
    await crashes(intake)


async def cancels_itself(intake: Intake) -> None:
    raise asyncio.CancelledError


async def ends(intake: Intake) -> None:
    return


@pytest.mark.parametrize(
    ("script", "is_well", "said"),
    [
        (joins, True, "connected"),
        (waits, True, "waiting: nobody publishes yet"),
        (waits_and_joins, True, "connected"),
        (ends, True, "it has ended already: there is nobody to bring"),
        (is_away, False, "the server refuses the token: correct it"),
        (crashes, False, "ValueError in the plug-in: please report it"),
        (waits_and_crashes, False, "ValueError in the plug-in: please report it"),
        (cancels_itself, False, "it cancelled itself in the plug-in: please report it"),
        (never, False, "no answer within 0.2 s: see that the address is right and that no firewall is in between"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_what_became_of_it_is_one_line(script: Script, is_well: bool, said: str) -> None:
    result = await check(source(script), seconds=0.2, wait_seconds=0.2)
    assert (result.number, result.plugin, result.is_well, result.said) == (3, "scripted", is_well, said)


async def test_it_leaves_and_lets_go_whom_it_was_brought() -> None:
    media, left = ScriptedSource(), asyncio.Event()

    async def brings(intake: Intake) -> None:
        admitted = await intake.admit("board", "ada", media)
        intake.connected()
        try:
            await admitted.wait()
        finally:
            left.set()

    assert (await check(source(brings))).is_well
    assert left.is_set()
    assert [item async for item in media] == []
