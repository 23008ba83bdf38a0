"""What a plug-in is asked to do in a call: once, and whatever comes of it is an outcome."""

from __future__ import annotations

import asyncio

from monitor.host.calls import ActionStatus
from monitor.tap.media.source import SourceError
from monitor.types import Action, ActionKind
from plugins.base import Acting

ACT_SECONDS = 10.0


async def acted(plugin: Acting, call: str, participant: str, action: Action) -> tuple[ActionStatus, str | None]:
    """Call the method of an action, and say what became of it."""
    try:
        async with asyncio.timeout(ACT_SECONDS):
            match action.kind:
                case ActionKind.MUTE:
                    remark = await plugin.mute(call, participant)
                case ActionKind.REMOVE:
                    remark = await plugin.remove(call, participant)
                case ActionKind.SAY:
                    remark = await plugin.say(call, action.text)
                case ActionKind.END_CALL:
                    remark = await plugin.end_call(call)
    except SourceError as error:
        return ActionStatus.FAILED, str(error)
    except TimeoutError:
        return ActionStatus.FAILED, f"the platform has not answered within {ACT_SECONDS:g} s: see whether it was done"
    except Exception as error:
        # Of what is not ours only the type: its text may quote names and secrets.
        return ActionStatus.FAILED, f"{type(error).__name__} in the plug-in: please report it"
    return ActionStatus.DONE, remark
