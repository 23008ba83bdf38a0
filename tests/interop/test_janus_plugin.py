"""The plug-in `janus` in a room of a real Janus: who comes, goes and comes again.

Publishers are aiortc's; the sidecar's supervision is the real one, and nobody is judged.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from monitor.config import SourceSettings
from monitor.host.source_check import check
from monitor.host.sources import configured_sources
from monitor.types import ClockState, Profile
from tests.interop import janus
from tests.interop.installed import needs
from tests.interop.janus_room import Publisher, make_room, publishing
from tests.plugins.supervised import reasons, supervised

pytestmark = [pytest.mark.asyncio(loop_scope="session"), needs("janus", "janus")]
PIN, SECRET = "a-pin-of-the-room", "the-secret-of-its-owner"
REJOIN_SECONDS = 10.0


async def listed(address: str) -> int:
    """How many Janus says are in the room."""
    async with janus.session(address) as one:
        answer = await one.message(await one.attach(), "listparticipants", room=janus.ROOM)
        return len(answer["plugindata"]["data"]["participants"])


@pytest.mark.parametrize("roster", ["join", "poll"])
async def test_who_publishes_in_the_room_is_brought(tmp_path: Path, roster: str) -> None:
    async with janus.janus(tmp_path) as address:
        await make_room(address, pin=PIN)
        source = {"plugin": "janus", "url": address, "room": janus.ROOM, "roster": roster, "pin": PIN}
        async with supervised(**source, identities={"Ada L": "Ada"}) as house:
            await house.until(lambda: house.status()["phase"] == "waiting", "the room is empty")
            async with publishing(address, "Ada L", PIN), publishing(address, "bob", PIN):
                await house.judged("Ada_L", "bob")
                assert (house.status()["phase"], house.here["Ada_L"].identity) == ("connected", "Ada")
                # Who only watches is not in the room, or is there without a name and publishes nothing.
                assert await listed(address) == (3 if roster == "join" else 2)
                async with publishing(address, "bob", PIN):
                    # A second one of the same name is somebody else.
                    await house.until(lambda: len(house.here) == 3, "the second bob comes")
                await house.judged("Ada_L", "bob")
            await house.until(lambda: not house.here, "they have left")
            async with publishing(address, "bob", PIN):
                await house.judged("bob")
            assert house.status()["failures"] == 0
        assert await listed(address) == 0


@pytest.mark.parametrize("roster", ["join", "poll"])
async def test_who_takes_another_name_keeps_their_place_and_it_is_told(tmp_path: Path, roster: str) -> None:
    async with janus.janus(tmp_path) as address:
        await make_room(address)
        async with (
            supervised(plugin="janus", url=address, room=janus.ROOM, roster=roster) as house,
            publishing(address, "Guest") as guest,
        ):
            await house.judged("Guest")
            await guest.session.message(guest.handle, "configure", display="Ada Lovelace")
            await house.until(lambda: house.shown.get("Guest", Profile()).display_name == "Ada Lovelace", "renamed")
            assert set(house.here) == {"Guest"}
            assert len(house.guests) == 1


@pytest.mark.parametrize("roster", ["join", "poll"])
async def test_who_is_in_the_room_and_sends_nothing_is_listed(tmp_path: Path, roster: str) -> None:
    async with janus.janus(tmp_path) as address:
        await make_room(address)
        source = {"plugin": "janus", "url": address, "room": janus.ROOM, "roster": roster, "call": "board"}
        async with supervised(**source) as house, janus.session(address) as one:
            handle = await one.attach()
            await one.message(handle, "join", ptype="publisher", room=janus.ROOM, display="carol")
            async with publishing(address, "ada"):
                await house.judged("ada")
                expected = {"ada": None, "carol": "waiting_for_publisher"}
                await house.until(lambda: reasons(house) == expected, "carol is listed", 10.0)
                await one.message(handle, "leave")
                await house.until(lambda: reasons(house) == {"ada": None}, "carol has left", 10.0)


@pytest.mark.parametrize("secret", [SECRET, "a-wrong-one"])
async def test_packets_are_forwarded_where_that_is_asked_for(tmp_path: Path, secret: str) -> None:
    async with janus.janus(tmp_path) as address:
        await make_room(address, secret=SECRET)
        source = {"plugin": "janus", "url": address, "room": janus.ROOM, "room_secret": secret}
        async with supervised(**source, forward={"to": "127.0.0.1"}) as house, publishing(address, "ada") as ada:
            if secret != SECRET:
                why = "Janus refuses to forward: set room_secret"
                await house.until(lambda: str(house.status()["why"]).startswith(why), why)
                assert not house.guests
                return
            await house.judged("ada")
            guest = house.here["ada"]
            assert (await forwarding(ada), guest.clock) == (2, ClockState.UNKNOWN)
            # As after a loss: a key frame is asked for at the port that Janus has said.
            seen = guest.pictures
            guest.source.pause(True)
            guest.source.pause(False)
            await house.until(lambda: guest.pictures > seen + 3, "a key frame came", 10.0)
            await house.until(lambda: house.status()["failures"] == 0, "nothing went wrong")
            assert house.ingest is not None
            await house.ingest.close()
            async with asyncio.timeout(REJOIN_SECONDS):
                while await forwarding(ada):  # noqa: ASYNC110 - Janus says it when it is asked
                    await asyncio.sleep(0.05)


async def forwarding(ada: Publisher) -> int:
    """How many tracks Janus forwards."""
    body: dict[str, Any] = {"room": janus.ROOM, "secret": SECRET}
    listed = await ada.session.message(await ada.session.attach(), "listforwarders", **body)
    people = listed["plugindata"]["data"]["publishers"]
    return sum(len(one["forwarders"]) for one in people)


async def test_what_is_wrong_is_told_in_a_line(tmp_path: Path) -> None:
    async with janus.janus(tmp_path) as address:
        await make_room(address, pin=PIN)
        base = {"plugin": "janus", "url": address, "room": janus.ROOM}
        cases = [
            (base | {"pin": PIN}, "waiting: nobody publishes in the room yet"),
            (base | {"pin": "wrong"}, "the pin or token is not right: set pin or room_token"),
            (base, "the room asks for something that is not given: set pin or room_token"),
            (base | {"room": 4321}, "there is no such room: correct room, or create it"),
            (base | {"room": 4321, "roster": "poll"}, "there is no such room: correct room, or create it"),
        ]
        for options, said in cases:
            (source,) = configured_sources([SourceSettings.model_validate(options)])
            assert (await check(source, wait_seconds=0.5)).said == said
    (source,) = configured_sources([SourceSettings.model_validate(base)])
    assert "Janus cannot be reached (ConnectionRefusedError): check the url" in (await check(source)).said
