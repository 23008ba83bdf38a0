"""The plug-in `livekit` in a room of a server of ours that speaks the protocol: the real SDK and its libwebrtc join."""

from __future__ import annotations

import time
from typing import Any

import pytest
from livekit.protocol import models

from monitor.config import SourceSettings
from monitor.host.source_check import check
from monitor.host.sources import configured_sources
from monitor.tap.kit import ClockState
from tests.monitor.tap.publisher import Beeps, Flashes
from tests.plugins.livekit_server import API_KEY, API_SECRET, CAMERA, MICROPHONE, LiveKitServer, livekit_server
from tests.plugins.supervised import reasons, supervised

SCREEN = CAMERA | {"source": models.TrackSource.SCREEN_SHARE}
GCM = models.Encryption.Type.GCM


def source(url: str, **more: Any) -> dict[str, Any]:
    return {"plugin": "livekit", "url": url, "api_key": API_KEY, "api_secret": API_SECRET, "room": "board", **more}


async def come(server: LiveKitServer, identity: str, name: str = "", **more: Any) -> dict[str, str]:
    """Somebody joins with a camera and a microphone on; gives their sids by kind."""
    await server.join(identity, name, **more)
    start = time.monotonic() + 0.2
    return {
        "audio": await server.publish(identity, lambda: Beeps(start), **MICROPHONE),
        "video": await server.publish(identity, lambda: Flashes(start, fps=15, size=(160, 120)), **CAMERA),
    }


async def test_who_is_in_the_room_is_judged_leaves_and_comes_again() -> None:
    async with livekit_server() as server:
        async with supervised(**source(server.url, identities={"ada@x": "Ada"})) as house:
            await house.until(lambda: house.status()["phase"] == "waiting", "the room is empty")
            await come(server, "ada@x", "Ada L")
            await come(server, "bob")
            await house.judged("ada@x", "bob")
            assert house.here["ada@x"].identity == "Ada"
            await house.until(lambda: house.here["ada@x"].clock is ClockState.MAPPED, "the clock is known")
            await server.leave("bob")
            await house.until(lambda: set(house.here) == {"ada@x"}, "bob has left")
            await come(server, "bob")
            await house.judged("ada@x", "bob")
            (client,) = server.clients
            grants = client.claims["video"]
            assert client.claims["kind"] == "agent"
            assert (grants["hidden"], grants["canSubscribe"]) == (True, True)
            assert (grants["canPublish"], grants["canPublishData"], grants["canUpdateOwnMetadata"]) == (False,) * 3
            assert house.status()["failures"] == 0
        await house.until(lambda: not server.clients, "it has left")


async def test_why_somebody_is_not_watched_is_said_as_it_changes() -> None:
    """Muted, camera off, encrypted, a screen only, the telephone, nothing yet; and machines are nobody."""
    async with livekit_server() as server, supervised(**source(server.url)) as house:
        ada = await come(server, "ada")
        await house.judged("ada")
        for kind, reason in (("audio", "muted"), ("video", "camera_off")):
            await server.mute("ada", ada[kind])
            await house.until(lambda r=reason: reasons(house) == {"ada": r}, reason)  # type: ignore[misc]
            assert not house.here["ada"].ended
            await server.mute("ada", ada[kind], muted=False)
            await house.until(lambda: reasons(house) == {"ada": None}, "all is well again")
        kinds = models.ParticipantInfo.Kind
        await server.join("bob")
        await server.join("carol")
        await server.publish("carol", lambda: Flashes(time.monotonic()), **SCREEN)
        await server.join("dora", kind=kinds.SIP)
        await server.publish("dora", lambda: Beeps(time.monotonic()), **MICROPHONE)
        await server.join("eve")
        await server.publish("eve", lambda: Beeps(time.monotonic()), encryption=GCM, **MICROPHONE)
        await server.publish("eve", lambda: Flashes(time.monotonic()), encryption=GCM, **CAMERA)
        await server.join("recorder", kind=kinds.EGRESS)
        await come(server, "agent", kind=kinds.AGENT)
        expected = {
            "ada": None,
            "bob": "waiting_for_publisher",
            "carol": "screen_share_only",
            "dora": "phone_audio_only",
            "eve": "end_to_end_encrypted",
        }
        await house.until(lambda: reasons(house) == expected, "everybody is listed")
        await house.until(lambda: "dora" in house.here, "who is on the phone is heard")
        assert set(house.here) == {"ada", "dora"}
        (client,) = server.clients
        # Of screens and of what is encrypted nothing is asked for.
        assert len(client.wanted) == 3
        await server.unpublish("ada", ada["audio"])
        await server.unpublish("ada", ada["video"])
        await house.until(lambda: "ada" not in house.here, "who sends nothing is not judged")


REASONS = models.DisconnectReason


@pytest.mark.parametrize(
    ("reason", "phase", "said"),
    [
        (REASONS.DUPLICATE_IDENTITY, "waiting", "somebody else has joined under our identity"),
        (REASONS.PARTICIPANT_REMOVED, "waiting", "the room's host has put us out"),
        (REASONS.ROOM_DELETED, "waiting", "the room is not open"),
        (REASONS.SERVER_SHUTDOWN, "connected", ""),
    ],
)
async def test_what_follows_from_why_the_server_sends_us_away(reason: int, phase: str, said: str) -> None:
    async with livekit_server() as server, supervised(**source(server.url)) as house:
        await come(server, "ada")
        await house.until(lambda: "ada" in house.here, "ada is here")
        server.is_open = reason != REASONS.ROOM_DELETED
        await server.disconnect(reason)
        await house.until(lambda: not house.here, "we have left")
        if phase == "connected":
            await house.until(lambda: server.joins == 2 and "ada" in house.here, "we are back")
            return
        await house.until(lambda: str(house.status()["why"]).startswith(said), said)
        assert (house.status()["phase"], server.joins) == ("waiting", 1)
        if reason == REASONS.ROOM_DELETED:
            assert reasons(house) == {}
            server.is_open = True
            await house.until(lambda: server.joins == 2, "it is open again, and joined")


async def test_what_is_wrong_is_told_in_a_line() -> None:
    async with livekit_server() as server:
        base = source(server.url)
        cases = [
            (base, "connected"),
            (
                base | {"api_secret": "another-secret-that-is-wrong-too"},
                "LiveKit refuses the key: check api_key and api_secret",
            ),
        ]
        for options, said in cases:
            (one,) = configured_sources([SourceSettings.model_validate(options)])
            assert (await check(one, wait_seconds=0.5)).said == said
        server.refused = 404
        (one,) = configured_sources([SourceSettings.model_validate(base)])
        assert (await check(one)).said == "LiveKit has no such room or no such path: check the url and the room"
    (one,) = configured_sources([SourceSettings.model_validate(base)])
    assert (await check(one)).said.startswith("LiveKit cannot be reached (ClientConnectorError): check the url")
