"""What a plug-in is asked to do in a call: once, and whatever comes of it is an outcome."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from monitor.host.calls import Actions, ActionStatus, Gateways, Outcome
from monitor.tap.media.source import SourceError
from monitor.types import Action, ActionKind
from plugins.base import Acting

ACT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ActsAnywhere:
    """What can be done in a platform's call by the ways in of a tenant here, else by those at other gateways."""

    here: Actions
    gateways: Gateways
    tenant: str

    def possible(self, call: str, participant: str) -> frozenset[ActionKind]:
        """Return what can be done from here: whoever decides something decides it where they are judged."""
        return self.here.possible(call, participant)

    async def act(self, call: str, participant: str, action: Action) -> Outcome:
        """Do something that somebody has decided, wherever they confirmed it."""
        outcome = await self.here.act(call, participant, action)
        if outcome.status is ActionStatus.NOT_HERE:
            return await self.gateways.act(self.tenant, call, participant, action)
        return outcome


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
