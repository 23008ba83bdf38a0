"""What the plug-in `janus` does in a room when it is told to, in a real Janus: mute, remove, say, end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from monitor.host.calls import ActionStatus
from monitor.types import Action, ActionKind
from tests.interop import janus
from tests.interop.installed import needs
from tests.interop.janus_room import make_room, publishing
from tests.plugins.intake import PATIENCE_SECONDS
from tests.plugins.supervised import House, supervised

pytestmark = [pytest.mark.asyncio(loop_scope="session"), needs("janus", "janus")]
MUTE, REMOVE, END = (Action(kind) for kind in (ActionKind.MUTE, ActionKind.REMOVE, ActionKind.END_CALL))
NOTE = "Please show that it is you."
SAY = Action(ActionKind.SAY, NOTE)
CALL, TEXT_ROOM, SECRET = "board", 77, "the-secret"
TOKENS = ["ours", "adas", "bobs"]
# What is under way when somebody is muted still comes.
MORE_PICTURES = 15


def source(address: str, **more: Any) -> dict[str, Any]:
    base = {"plugin": "janus", "url": address, "room": janus.ROOM, "call": CALL, "room_secret": SECRET}
    return {**base, "room_token": "ours", "publisher_tokens": {"ada": "adas"}, **more}


@asynccontextmanager
async def reading(address: str) -> AsyncIterator[asyncio.Queue[dict[str, Any]]]:
    """Sit in a text room of a secret; gives what is said there."""
    peer, said = RTCPeerConnection(RTCConfiguration(iceServers=[])), asyncio.Queue[dict[str, Any]](16)
    try:
        async with janus.session(address) as one:
            handle = await one.attach(janus.TEXTROOM)
            await one.message(handle, "create", room=TEXT_ROOM, secret=SECRET)
            offer = await one.message(handle, "setup")
            channel = peer.createDataChannel("JanusDataChannel")
            channel.on("message", lambda text: said.put_nowait(json.loads(text)))
            join = {"textroom": "join", "transaction": "t", "room": TEXT_ROOM, "username": "reader"}
            channel.on("open", lambda: channel.send(json.dumps(join)))
            await peer.setRemoteDescription(RTCSessionDescription(offer["jsep"]["sdp"], "offer"))
            await peer.setLocalDescription(await peer.createAnswer())
            await one.message(handle, "ack", jsep={"type": "answer", "sdp": peer.localDescription.sdp})
            while (await asyncio.wait_for(said.get(), PATIENCE_SECONDS)).get("textroom") != "success":
                pass
            yield said
    finally:
        await peer.close()


async def act(house: House, participant: str, action: Action) -> tuple[ActionStatus, str | None]:
    assert house.ingest is not None
    outcome = await house.ingest.act(CALL, participant, action)
    assert outcome.plugin == "janus"
    return outcome.status, outcome.why


@pytest.mark.parametrize("roster", ["join", "poll"])
async def test_who_is_muted_is_heard_no_more(tmp_path: Path, roster: str) -> None:
    async with janus.janus(tmp_path) as address:
        await make_room(address, secret=SECRET)
        async with supervised(**source(address, roster=roster)) as house, publishing(address, "ada"):
            await house.judged("ada")
            ada = house.here["ada"]
            assert await act(house, "ada", MUTE) == (ActionStatus.DONE, None)
            seen = ada.pictures
            await house.until(lambda: ada.pictures > seen + MORE_PICTURES, "they are seen")
            seen, heard = ada.pictures, ada.blocks
            await house.until(lambda: ada.pictures > seen + MORE_PICTURES, "they are seen")
            assert ada.blocks == heard
            assert not ada.ended


async def test_who_is_removed_stays_out_where_their_token_is_known(tmp_path: Path) -> None:
    async with janus.janus(tmp_path) as address:
        await make_room(address, secret=SECRET, allowed=TOKENS)
        async with supervised(**source(address)) as house:
            async with publishing(address, "ada", token="adas"), publishing(address, "bob", token="bobs"):
                await house.judged("ada", "bob")
                assert await act(house, "ada", REMOVE) == (ActionStatus.DONE, None)
                await house.until(lambda: set(house.here) == {"bob"}, "ada is out")
                may = "they can join again: publisher_tokens does not say what token is theirs"
                assert await act(house, "bob", REMOVE) == (ActionStatus.DONE, may)
                await house.until(lambda: not house.here, "bob is out")
            with pytest.raises(AssertionError, match="Unauthorized"):
                async with publishing(address, "ada", token="adas"):
                    pass
            async with publishing(address, "bob", token="bobs"):
                await house.judged("bob")


async def test_a_note_is_read_and_a_call_ended(tmp_path: Path) -> None:
    async with janus.janus(tmp_path) as address:
        await make_room(address, secret=SECRET)
        async with (
            reading(address) as said,
            supervised(**source(address, text_room=str(TEXT_ROOM), text_secret=SECRET)) as house,
            publishing(address, "ada"),
        ):
            await house.judged("ada")
            assert await act(house, "ada", SAY) == (ActionStatus.DONE, None)
            while (message := await asyncio.wait_for(said.get(), PATIENCE_SECONDS))["textroom"] != "announcement":
                pass
            assert message["text"] == NOTE
            assert await act(house, "ada", END) == (ActionStatus.DONE, None)
            await house.until(lambda: not house.here, "they are out")
            await house.until(lambda: house.status()["phase"] == "retrying", "the room is gone")
            assert house.status()["why"].startswith(("the room has been closed", "there is no such room"))


async def test_what_janus_refuses_is_told_in_a_line(tmp_path: Path) -> None:
    async with janus.janus(tmp_path) as address:
        await make_room(address, secret=SECRET)
        wrong = source(address, room_secret="a-wrong-one", text_room=TEXT_ROOM)
        async with reading(address), supervised(**wrong) as house, publishing(address, "ada"):
            await house.judged("ada")
            for action in (MUTE, REMOVE, END):
                said = await act(house, "ada", action)
                assert said == (
                    ActionStatus.FAILED,
                    "the room's secret is not right or not given: set room_secret",
                )
            said = await act(house, "ada", SAY)
            assert said == (ActionStatus.FAILED, "the text room's secret is not right or not given: set text_secret")
            assert set(house.here) == {"ada"}
        async with supervised(**source(address, text_room=5)) as house, publishing(address, "ada"):
            await house.judged("ada")
            said = await act(house, "ada", SAY)
            assert said == (ActionStatus.FAILED, "there is no such text room: correct text_room, or create it")
