"""Rooms of LiveKit by its own SDK: whoever has a camera or a microphone on there is judged, and all others are listed.

A room is joined hidden, as an agent that may subscribe and nothing else. Which room is said by `room`; with
`webhook_listen` those are joined that LiveKit's webhooks tell of, and those that are open already.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import aiohttp
from livekit import api

from monitor.tap.kit import ActionKind, SourceError
from plugins.base import Acting, Intake, PluginSpec, Unavailable, name_from
from plugins.livekit_hooks import listening
from plugins.livekit_options import LiveKitOptions
from plugins.livekit_room import Stay
from plugins.protocols.livekit.roster import Ending
from plugins.protocols.livekit.webhook import Notice

ABSENT_SECONDS = 3.0
# What webhooks that were lost would have told of.
LIST_SECONDS = 60.0
MAX_ROOMS = 64
MAX_FAILURES = 6
FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.5, 8.0


class LiveKit(Acting):
    """One attempt to be in a room, or in all rooms that open."""

    def __init__(self, options: LiveKitOptions) -> None:
        self._options = options
        self._stays: dict[str, Stay] = {}
        self._rooms: dict[str, asyncio.Task[None]] = {}

    async def run(self, intake: Intake) -> None:
        """Watch until it is over; raises `Unavailable`."""
        async with self._service() as service:
            if self._options.room is None:
                await self._watch_all(intake, service)
            else:
                await self._watch_one(intake, service, self._options.room)

    async def _watch_one(self, intake: Intake, service: api.LiveKitAPI, room: str) -> None:
        while True:
            while not await self._open(service, room):
                intake.waiting("the room is not open: it is joined when somebody opens it")
                await intake.sleep(ABSENT_SECONDS)
            what, why = await self._stay(intake, room)
            if what is Ending.AGAIN:
                raise Unavailable(why)
            intake.waiting(why)
            if what is Ending.STAY_OUT:
                await asyncio.Event().wait()
            await intake.sleep(ABSENT_SECONDS)

    async def _watch_all(self, intake: Intake, service: api.LiveKitAPI) -> None:
        async with asyncio.TaskGroup() as tasks:

            def told(notice: Notice) -> None:
                if notice.room is not None and not notice.is_over:
                    self._enter(tasks, intake, notice.room)

            async with listening(self._options, told):
                while True:
                    for room in await self._open(service):
                        self._enter(tasks, intake, room)
                    intake.connected()
                    if not self._rooms:
                        intake.waiting("no room is open")
                    await intake.sleep(LIST_SECONDS)

    def _enter(self, tasks: asyncio.TaskGroup, intake: Intake, room: str) -> None:
        is_wanted = any(fnmatchcase(room, pattern) for pattern in self._options.rooms)
        if is_wanted and room not in self._rooms and len(self._rooms) < MAX_ROOMS:
            self._rooms[room] = task = tasks.create_task(self._watch_until_over(intake, room))
            task.add_done_callback(lambda _: self._rooms.pop(room, None))

    async def _watch_until_over(self, intake: Intake, room: str) -> None:
        """Watch a room, whatever becomes of one stay; harms no other room."""
        for failures in range(MAX_FAILURES):
            try:
                what, why = await self._stay(intake, room)
            except SourceError as error:
                what, why = Ending.AGAIN, str(error)
            except Exception as error:
                what, why = Ending.AGAIN, f"{type(error).__name__} in the plug-in: please report it"
            intake.waiting(why)
            if what is not Ending.AGAIN:
                return
            await intake.sleep(min(FIRST_RETRY_SECONDS * 2.0**failures, LONGEST_RETRY_SECONDS))

    async def _stay(self, intake: Intake, room: str) -> tuple[Ending, str]:
        call = name_from(self._options.call or room)
        stay = self._stays[call] = Stay(self._options, room, call, intake)
        try:
            what, why = await stay.run()
        finally:
            del self._stays[call]
            stay.lose()
        if what is not Ending.AGAIN:
            intake.roster(call, ())
        return what, why

    async def _open(self, service: api.LiveKitAPI, *names: str) -> list[str]:
        """Return which rooms are open, of these or of all; raises `Unavailable`."""
        answer: Any = await _asked(partial(service.room.list_rooms, api.ListRoomsRequest(names=names)))
        return [room.name for room in answer.rooms]

    @asynccontextmanager
    async def _service(self) -> AsyncIterator[api.LiveKitAPI]:
        options = self._options
        service = api.LiveKitAPI(
            options.url, options.api_key.get_secret_value(), options.api_secret.get_secret_value(), failover=False
        )
        try:
            yield service
        finally:
            await service.aclose()

    @property
    def actions(self) -> frozenset[ActionKind]:
        """Everything: an API key may do all of it."""
        return frozenset(ActionKind)

    async def mute(self, call: str, participant: str) -> str | None:
        """Mute all sound that somebody sends."""
        stay = self._in(call)
        identity, sids = stay.mics(participant)
        if not sids:
            raise Unavailable("they send no sound that could be muted")
        for sid in sids:
            request = api.MuteRoomTrackRequest(room=stay.room, identity=identity, track_sid=sid, muted=True)
            async with self._service() as service:
                await _asked(partial(service.room.mute_published_track, request))
        return "they can unmute themselves"

    async def remove(self, call: str, participant: str) -> str | None:
        """Put somebody out of the room."""
        stay = self._in(call)
        request = api.RoomParticipantIdentity(room=stay.room, identity=stay.identity(participant))
        async with self._service() as service:
            await _asked(partial(service.room.remove_participant, request))
        return "they can join again as long as their token holds: the platform must give them no other"

    async def say(self, call: str, text: str) -> str | None:
        """Send everybody a note, as a message of the chat of LiveKit's own components."""
        note = {"id": secrets.token_hex(8), "timestamp": round(time.time() * 1000), "message": text}
        request = api.SendDataRequest(
            room=self._in(call).room, data=json.dumps(note).encode(), topic=self._options.note_topic
        )
        async with self._service() as service:
            await _asked(partial(service.room.send_data, request))
        return None

    async def end_call(self, call: str) -> str | None:
        """Delete the room, which sends everybody away."""
        request = api.DeleteRoomRequest(room=self._in(call).room)
        async with self._service() as service:
            await _asked(partial(service.room.delete_room, request))
        return None

    def _in(self, call: str) -> Stay:
        stay = self._stays.get(call)
        if stay is None:
            raise Unavailable("the room is not joined now")
        return stay


async def _asked(ask: Callable[[], Awaitable[Any]]) -> Any:
    """Ask the API of LiveKit for something, once; raises `Unavailable`."""
    try:
        return await ask()
    except api.ServerError as error:
        if error.status in (401, 403):
            raise Unavailable("LiveKit refuses the key: check api_key and api_secret") from None
        raise Unavailable(f"LiveKit refuses a request ({error.status}): see its log") from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unavailable(
            f"LiveKit cannot be reached ({type(error).__name__}): check the url, and that it runs"
        ) from None


SPEC = PluginSpec("livekit", LiveKitOptions, LiveKit)
