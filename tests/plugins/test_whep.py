"""The player of WHEP against a server of ours that was written from the draft, over loopback, with real media."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from monitor.types import Profile
from plugins.base import Listed, Unavailable
from plugins.whep import Whep, WhepOptions
from tests.plugins.intake import PATIENCE_SECONDS, Reception
from tests.plugins.whep_server import WhepServer, whep_server

BEARER = "Bearer a-token"


def player(server: WhepServer, **options: Any) -> Whep:
    chosen = {"url": server.url, "participant": "Ada L", "call": "board", "token": "a-token", **options}
    return Whep(WhepOptions.model_validate(chosen))


@asynccontextmanager
async def playing(server: WhepServer, reception: Reception, **options: Any) -> AsyncIterator[asyncio.Task[None]]:
    """Run the plug-in until the context ends, as the sidecar does."""
    task = asyncio.create_task(player(server, **options).run(reception))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await reception.close()


async def test_a_stream_is_judged_asked_for_again_and_left() -> None:
    """Nothing is there at first; then it plays, ends, and plays again under the same name."""
    reception = Reception()
    async with whep_server("409 3", "409", "play", "409 1", "play") as server:
        async with playing(server, reception, identity="Ada", profile={"display_name": "Ada L"}):
            await reception.until(lambda: reception.guests and reception.guests[0].is_seen_and_heard, "media come")
            first = reception.guests[0]
            assert (first.call, first.participant, first.identity) == ("board", "Ada_L", "Ada")
            assert reception.profiles == [Profile(display_name="Ada L")]
            assert reception.listed == {"board": (Listed("Ada_L", None, Profile(display_name="Ada L"), "Ada"),)}
            assert reception.said == ["nothing is published there yet"] * 2 + ["connected"]
            assert reception.slept == [3.0, 4.0]
            await server.stop_playing()
            await reception.until(lambda: reception.listed == {"board": ()}, "nobody publishes there")
            await reception.until(lambda: len(reception.guests) == 2 and reception.guests[1].pictures, "it plays again")
            assert first.ended
            assert reception.guests[1].participant == first.participant
            assert reception.slept[2:] == [0.5, 1.0]
        # Whoever leaves says so.
        assert not server.sessions
        methods = [method for method, _, _ in server.asked]
        assert methods.count("POST") == 5
        assert methods[-1] == "DELETE"
        assert {bearer for _, _, bearer in server.asked} == {BEARER}


@pytest.mark.parametrize("answer", ["", "503", "404"])
async def test_a_server_that_is_gone_takes_nobody_out_of_the_call(answer: str) -> None:
    """Unlike one that says that there is no such stream any more."""
    reception = Reception()
    async with whep_server() as server:
        running = asyncio.create_task(player(server).run(reception))
        # Before that the one end waits for the other as long as ICE does.
        await reception.until(lambda: reception.guests and reception.guests[0].is_seen_and_heard, "media come")
        if answer:
            server.script = [answer]
            await server.stop_playing()
            await asyncio.wait([running], timeout=PATIENCE_SECONDS)
    with pytest.raises(Unavailable, match=f"({answer})" if answer else "does not answer"):
        await asyncio.wait_for(running, PATIENCE_SECONDS)
    here = [one.participant for one in reception.listed["board"]]
    assert here == ([] if answer == "404" else ["Ada_L"])
    await reception.close()


async def test_a_counter_offer_is_answered() -> None:
    reception = Reception()
    async with whep_server("offer") as server, playing(server, reception):
        await reception.until(lambda: reception.guests and reception.guests[0].is_seen_and_heard, "media come")
        assert [method for method, _, _ in server.asked] == ["POST", "PATCH"]


async def test_a_redirect_is_followed_with_the_offer_and_without_the_token() -> None:
    reception = Reception()
    async with whep_server() as server:
        elsewhere = server.url.replace("127.0.0.1", "localhost").replace("/whep", "/moved")
        server.script = ["307 " + elsewhere]
        async with playing(server, reception):
            await reception.until(lambda: "connected" in reception.said, "it plays")
        paths = [(method, path, bearer) for method, path, bearer in server.asked if method == "POST"]
        assert paths == [("POST", "/whep", BEARER), ("POST", "/moved", None)]


async def test_a_stream_without_sound_is_played() -> None:
    reception = Reception()
    async with whep_server(kinds=("video",)) as server, playing(server, reception):
        await reception.until(lambda: reception.guests and reception.guests[0].pictures > 2, "pictures come")
        assert reception.guests[0].faults == []


async def test_who_finds_no_room_and_who_is_removed() -> None:
    reception = Reception(refusals=1)
    async with whep_server() as server, playing(server, reception) as task:
        await reception.until(lambda: reception.guests, "there is room")
        assert reception.slept == [5.0]
        # An operator removes them: they are not brought again.
        await reception.guests[0].end()
        await asyncio.wait_for(task, 10)
        assert len(reception.guests) == 1


REFUSED = {
    "401": "the server refuses to play (401): check the url and the token",
    "429 9": "the server refuses to play (429): check the url and the token",
    "500": "the server cannot play now (500): see its log",
    "302 /moved": "the server redirects as a POST must not be (302): set the url that it leads to",
    "406": "the server takes no offer of ours and makes none: check that the url is a WHEP endpoint",
    "201": "the server has answered without saying where the session is: check that the url is a WHEP endpoint",
    "garbage": "what the server sends is not understood (the answer has not the media sections of the offer)",
    "flood": "the server's answer is over 32768 bytes: check the url",
    "play unreachable": "no media come from the server (no ICE answer within 0.3 s; candidates that could be tried: 0): "  # noqa: E501
    "see allowed_networks, ice_servers, firewalls",
}


async def test_what_goes_wrong_is_a_line_that_says_what_to_do() -> None:
    async with asyncio.timeout(PATIENCE_SECONDS), whep_server() as server:
        for script, said in REFUSED.items():
            server.script = [script]
            with pytest.raises(Unavailable) as refused:
                await player(server, connect_seconds=0.3).run(Reception())
            assert str(refused.value) == said
        server.script = ["429 9"]
        with pytest.raises(Unavailable) as refused:
            await player(server).run(Reception())
        assert refused.value.retry_after_seconds == 9.0
        server.script = [f"307 {server.url}"] * 9
        with pytest.raises(Unavailable, match="in circles"):
            await player(server).run(Reception())
        url = server.url
        assert not server.sessions
    with pytest.raises(Unavailable, match=r"does not answer \(ConnectError\): check the url, and that it runs"):
        await Whep(WhepOptions(url=url, participant="ada")).run(Reception())
