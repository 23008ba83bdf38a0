"""The plug-in `livekit` in rooms that webhooks tell of, and what it does in them when it is told to."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import httpx
from livekit import api
from livekit.protocol import models

from monitor.host.calls import ActionStatus
from monitor.types import Action, ActionKind
from tests.interop.sidecar import free_port
from tests.plugins.livekit_server import API_KEY, API_SECRET, livekit_server
from tests.plugins.supervised import House, supervised
from tests.plugins.test_livekit import come, source

MUTE, REMOVE, END = (Action(kind) for kind in (ActionKind.MUTE, ActionKind.REMOVE, ActionKind.END_CALL))
NOTE = "Please show that it is you."


async def hook(port: int, event: str, room: str, secret: str = API_SECRET) -> int:
    """Send a webhook as LiveKit does; gives the status."""
    body = json.dumps({"event": event, "id": f"EV_{event}_{room}", "room": {"name": room}}).encode()
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    headers = {"Authorization": api.AccessToken(API_KEY, secret).with_sha256(digest).to_jwt()}
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"http://127.0.0.1:{port}/livekit", content=body, headers=headers)
    return answer.status_code


async def test_rooms_are_joined_as_webhooks_tell_of_them() -> None:
    port = free_port()
    async with livekit_server() as server:
        server.is_open = False
        options = source(server.url, webhook_listen=f"127.0.0.1:{port}", rooms=["boa*"])
        del options["room"]
        async with supervised(**options) as house:
            await house.until(lambda: house.status()["why"] == "no room is open", "nothing is open")
            assert await hook(port, "room_started", "board", "a-secret-that-is-another-one-of-theirs") == 401
            assert await hook(port, "room_started", "other") == 200
            assert server.joins == 0
            await come(server, "ada")
            server.is_open = True
            assert await hook(port, "room_started", "board") == 200
            await house.judged("ada")
            assert house.here["ada"].call == "board"
            # The same again, and more of the same room.
            assert await hook(port, "room_started", "board") == await hook(port, "participant_joined", "board") == 200
            await server.disconnect(models.DisconnectReason.ROOM_CLOSED)
            await house.until(lambda: not house.here and not server.clients, "the room is over")
            assert await hook(port, "track_published", "board") == 200
            await house.judged("ada")
            assert server.joins == 2
    async with livekit_server() as server:
        options["url"] = server.url
        async with supervised(**options) as house:
            await house.until(lambda: server.joins == 1, "a room that is open already is joined")


async def act(house: House, participant: str, action: Action) -> tuple[ActionStatus, str | None]:
    assert house.ingest is not None
    outcome = await house.ingest.act("meeting", participant, action)
    return outcome.status, outcome.why


async def test_what_is_decided_is_done_in_the_room() -> None:
    async with livekit_server() as server, supervised(**source(server.url, call="meeting")) as house:
        ada = await come(server, "ada")
        await server.join("bob")
        await house.judged("ada")
        assert house.ingest is not None
        assert house.ingest.possible("meeting", "bob") == frozenset(ActionKind)
        assert await act(house, "ada", MUTE) == (ActionStatus.DONE, "they can unmute themselves")
        assert server.people["ada"].tracks[ada["audio"]].info.muted
        assert not server.people["ada"].tracks[ada["video"]].info.muted
        assert await act(house, "bob", MUTE) == (ActionStatus.FAILED, "they send no sound that could be muted")
        assert await act(house, "ada", Action(ActionKind.SAY, NOTE)) == (ActionStatus.DONE, None)
        status, remark = await act(house, "bob", REMOVE)
        assert (status, remark) == (
            ActionStatus.DONE,
            "they can join again as long as their token holds: the platform must give them no other",
        )
        assert set(server.people) == {"ada"}
        await house.until(lambda: house.ingest.possible("meeting", "bob") == frozenset(), "bob is gone")  # type: ignore[union-attr]
        server.refused = 503
        assert await act(house, "ada", MUTE) == (ActionStatus.FAILED, "LiveKit refuses a request (503): see its log")
        server.refused, server.is_open = None, False
        assert await act(house, "ada", END) == (ActionStatus.DONE, None)
        await house.until(lambda: not house.here, "everybody is sent away")
    asked: dict[str, Any] = dict(server.asked)
    assert asked["RemoveParticipant"].identity == "bob"
    assert asked["SendData"].topic == "lk-chat-topic"
    assert json.loads(asked["SendData"].data)["message"] == NOTE
    assert asked["DeleteRoom"].room == "board"
