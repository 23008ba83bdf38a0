"""Zoom RTMS against a server of our own that was written from Zoom's messages, over TLS, with real media."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.tap.kit import ClockState, Reason
from plugins import zoom_call
from plugins.base import Unavailable
from plugins.protocols.zoom import messages
from plugins.zoom_rtms import ZoomOptions, ZoomRtms
from tests.interop.sidecar import free_port
from tests.plugins.intake import Guest, Reception
from tests.plugins.zoom_server import (
    CLIENT_ID,
    CLIENT_SECRET,
    MEETING,
    WEBHOOK_SECRET,
    Behaviour,
    Person,
    Zoom,
    made_person,
    post,
    signed,
    started,
    stopped,
    zoom,
)

CALL = "zoom-4gXk_Wb7Sw__"


@pytest.fixture(scope="module")
def ada() -> Person:
    return made_person(16778240, "Ada L")


@pytest.fixture(scope="module")
def bob(ada: Person) -> Person:
    return Person(33556610, "Bob", ada.pictures, ada.sound, ada.period, ada.opus)


@dataclass
class Receiver:
    """The plug-in while it runs, and where its webhooks come to."""

    reception: Reception
    port: int
    task: asyncio.Task[None]

    async def tell(self, message: dict[str, Any], **how: Any) -> httpx.Response:
        return await post(self.port, message, **how)

    def here(self) -> list[Guest]:
        return [guest for guest in self.reception.guests if not guest.ended]

    def listed(self) -> dict[str, Reason | None]:
        return {one.participant: one.unwatched for one in self.reception.listed.get(CALL, ())}


@asynccontextmanager
async def receiving(server: Zoom, reception: Reception | None = None, **options: Any) -> AsyncIterator[Receiver]:
    reception, port = reception or Reception(naps=True), free_port()
    chosen = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "webhook_secret": WEBHOOK_SECRET, "port": port}
    made = ZoomOptions.model_validate({**chosen, "ca_file": server.issued.ca, **options})
    task = asyncio.create_task(ZoomRtms(made).run(reception))
    try:
        await reception.until(lambda: reception.said or task.done(), "it listens")
        yield Receiver(reception, port, task)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await reception.close()
        assert server.faults == []


async def test_a_call_streams_and_somebody_is_seen_and_heard(tmp_path: Path, ada: Person, bob: Person) -> None:
    async with (
        zoom(tmp_path, ada, bob, behaviour=Behaviour(cameras_off={bob.user})) as server,
        receiving(server, identities={"Ada L": "Ada Lovelace"}) as receiver,
    ):
        reception = receiver.reception
        assert reception.said == ["no call streams to us yet"]
        assert (await receiver.tell(started(server.url))).status_code == 200
        await reception.until(lambda: reception.guests and reception.guests[0].is_seen_and_heard, "media come")
        guest = reception.guests[0]
        assert (guest.call, guest.participant, guest.identity) == (CALL, "Ada_L", "Ada Lovelace")
        assert receiver.listed() == {"Ada_L": None, "Bob": Reason.CAMERA_OFF}
        await reception.until(lambda: guest.clock is ClockState.MAPPED, "both tracks are on Zoom's clock")
        await reception.until(lambda: len(guest.gaps) >= 3, "flashes and beeps of one moment")
        assert all(abs(gap) < 0.045 for gap in guest.gaps[:3])
        # Zoom asks on every connection whether we are there.
        await reception.until(lambda: len(server.alive) == 3, "every keep-alive is answered")
        assert sorted(server.alive) == [1727384349123, 1727384349124, 1727384349125]
        assert [message["msg_type"] for message in server.heard if message["msg_type"] != 13][:5] == [1, 5, 3, 3, 7]
        assert [one["user_id"] for one in server.asked(28)] == [ada.user]
        await server.tell(msg_type=8, state=4, reason=6, timestamp=1)
        await reception.until(lambda: guest.ended and not receiver.listed(), "the meeting has ended")
        assert reception.said[-1] == "the meeting has ended"
        assert reception.forgotten == []


async def test_sound_of_opus_in_the_other_envelope_and_before_anybody_has_joined(tmp_path: Path, ada: Person) -> None:
    behaviour = Behaviour(
        is_flat=True, sound_before_join=True, announces_cameras=False, noise=("{", "[]", '{"msg_type": 77}')
    )
    async with (
        zoom(tmp_path, ada, behaviour=behaviour) as server,
        receiving(server, audio="opus", call="Board room") as receiver,
    ):
        await receiver.tell(started(server.url, "webinar.rtms_started", nested=True))
        reception = receiver.reception
        await reception.until(lambda: reception.guests and reception.guests[0].is_seen_and_heard, "media come")
        assert (reception.guests[0].call, reception.guests[0].participant) == ("Board_room", "Ada_L")


async def test_duplicates_and_strangers_change_nothing(tmp_path: Path, ada: Person) -> None:
    async with zoom(tmp_path, ada) as server, receiving(server) as receiver:
        reception = receiver.reception
        forged = await receiver.tell(started(server.url), secret="another")
        assert forged.status_code == 401
        assert "correct webhook_secret" in reception.said[-1]
        assert (await receiver.tell(started(server.url), at=1_000_000_000.0)).status_code == 401
        for _ in range(3):
            assert (await receiver.tell(started(server.url))).status_code == 200
        await reception.until(lambda: reception.guests and reception.guests[0].pictures, "media come")
        await receiver.tell(started(server.url))
        assert len(server.asked(1)) == 1
        assert (await receiver.tell({"event": "meeting.ended", "payload": {}})).status_code == 200
        await receiver.tell(stopped(6))
        await reception.until(lambda: not receiver.here(), "it has ended")
        # Said again when it is over: nothing is left to connect to.
        assert (await receiver.tell(started(server.url))).status_code == 200
        await asyncio.gather(*(asyncio.sleep(0) for _ in range(50)))
        assert len(server.asked(1)) == 1


async def test_the_address_is_checked_and_what_is_no_webhook_is_refused(tmp_path: Path, ada: Person) -> None:
    async with zoom(tmp_path, ada) as server, receiving(server) as receiver:
        answer = await receiver.tell({"event": "endpoint.url_validation", "payload": {"plainToken": "abc"}})
        assert answer.status_code == 200
        assert set(answer.json()) == {"plainToken", "encryptedToken"}
        assert (await receiver.tell({}, path="/elsewhere")).status_code == 404
        async with httpx.AsyncClient(trust_env=False, base_url=f"http://127.0.0.1:{receiver.port}") as client:
            assert (await client.get("/zoom/webhook")).status_code == 405
            big = b"x" * 70_000
            assert (await client.post("/zoom/webhook", content=big, headers=signed(big))).status_code == 413
            headers = {"x-padding": "y" * 40_000}
            assert (await client.post("/zoom/webhook", content=b"{}", headers=headers)).status_code in (400, 431)
        reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
        writer.write(b"no HTTP at all\r\n\r\n")
        assert b" 400 " in await reader.readline()
        writer.close()
        # It still listens.
        assert (await receiver.tell({})).status_code == 200


async def test_who_claims_to_be_protected_is_watched_first_and_others_have_turns(
    tmp_path: Path, ada: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zoom_call, "DARK_SECONDS", 600.0)
    reception = Reception(naps=True, protected={"Ada L"})
    async with zoom(tmp_path, bob, ada) as server, receiving(server, reception, dwell_seconds=10.0) as receiver:
        monkeypatch.setattr("plugins.zoom_call.time", Fast)
        await receiver.tell(started(server.url))
        await reception.until(lambda: len(reception.guests) >= 3, "three turns")
        assert [guest.participant for guest in reception.guests[:3]] == ["Ada_L", "Bob", "Ada_L"]
        assert [one["user_id"] for one in server.asked(28) if one["subscribe"]][:3] == [ada.user, bob.user, ada.user]
        watched = [name for name, reason in receiver.listed().items() if reason is None]
        assert len(watched) == 1
        assert set(receiver.listed().values()) == {None, Reason.NOT_WATCHED}
        assert len(receiver.here()) == 1


class Fast:
    """Time that passes ten times as fast as it does."""

    time = staticmethod(time.time)

    @staticmethod
    def monotonic() -> float:
        return 10.0 * time.monotonic()


async def test_cameras_pauses_and_people_who_leave(tmp_path: Path, ada: Person, bob: Person) -> None:
    async with zoom(tmp_path, ada, bob) as server, receiving(server) as receiver:
        reception = receiver.reception
        await receiver.tell(started(server.url))
        await reception.until(lambda: receiver.listed() == {"Ada_L": None, "Bob": Reason.NOT_WATCHED}, "both are there")
        await server.event(9, participants=[{"user_id": ada.user}])
        await reception.until(lambda: receiver.listed() == {"Ada_L": Reason.CAMERA_OFF, "Bob": None}, "a camera is off")
        await server.tell(msg_type=9, state=3)
        paused = {"Ada_L": Reason.PAUSED_BY_USER, "Bob": Reason.PAUSED_BY_USER}
        await reception.until(lambda: receiver.listed() == paused and not receiver.here(), "the user has paused it")
        await server.tell(msg_type=9, state=4)
        await reception.until(lambda: receiver.listed()["Bob"] is None, "it goes on")
        server.people = [ada]
        await server.event(4, participants=[{"user_id": bob.user}])
        await reception.until(lambda: receiver.listed() == {"Ada_L": Reason.CAMERA_OFF}, "somebody has left")
        assert not receiver.here()
        await server.event(8, participants=[{"user_id": ada.user}])
        await reception.until(lambda: receiver.listed() == {"Ada_L": None}, "a camera is on again")
        # A second one of the same name, and somebody who is renamed: their place stays, their name is told.
        await server.event(3, participants=[{"user_id": 7, "user_name": "Ada L"}])
        await reception.until(lambda: "Ada_L~7" in receiver.listed(), "two of one name")
        await server.event(2, user_id=7, user_name="Grace Hopper")
        await reception.until(
            lambda: [one.profile.display_name for one in reception.listed[CALL] if one.profile][1] == "Grace Hopper",
            "renamed",
        )
        assert set(receiver.listed()) == {"Ada_L", "Ada_L~7"}


async def test_a_camera_that_shows_nothing_is_taken_for_off(
    tmp_path: Path, ada: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zoom_call, "DARK_SECONDS", 0.5)
    behaviour = Behaviour(announces_cameras=False, cameras_off={ada.user})
    async with zoom(tmp_path, ada, bob, behaviour=behaviour) as server, receiving(server) as receiver:
        await receiver.tell(started(server.url))
        await receiver.reception.until(lambda: receiver.listed() == {"Ada_L": Reason.CAMERA_OFF, "Bob": None}, "dark")
        await server.event(8, participants=[{"user_id": ada.user}])
        await receiver.reception.until(lambda: receiver.listed()["Ada_L"] is Reason.NOT_WATCHED, "it is on")


async def test_zoom_is_killed_and_the_stream_is_taken_up_again(tmp_path: Path, ada: Person) -> None:
    async with zoom(tmp_path, ada) as server, receiving(server, Reception()) as receiver:
        reception = receiver.reception
        await receiver.tell(started(server.url))
        await reception.until(lambda: reception.guests and reception.guests[0].is_seen_and_heard, "media come")
        await server.kill()
        await reception.until(lambda: receiver.listed() == {"Ada_L": Reason.SOURCE_LOST}, "it is told")
        assert not receiver.here()
        # Our earlier connection may be held there for a while.
        server.behaviour.signalling = [8]
        await server.start()
        await reception.until(lambda: len(reception.guests) == 2 and reception.guests[1].is_seen_and_heard, "again")
        assert reception.guests[1].participant == "Ada_L"
        assert reception.said[-1] == "connected"
        await server.event(7)
        await reception.until(lambda: len(reception.guests) == 3, "Zoom says that a connection was lost")


async def test_who_is_away_for_too_long_has_lost_the_stream(
    tmp_path: Path, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "RECONNECT_SECONDS", 0.5)
    async with zoom(tmp_path, ada) as server, receiving(server, Reception(naps=True)) as receiver:
        await receiver.tell(started(server.url))
        reception = receiver.reception
        await reception.until(lambda: reception.guests and reception.guests[0].pictures, "media come")
        await server.kill()
        await reception.until(lambda: "Zoom has ended the stream meanwhile" in reception.said[-1], "given up")
        # The meeting goes on, as far as anybody knows, until Zoom says otherwise.
        assert receiver.listed() == {"Ada_L": Reason.SOURCE_LOST}
        assert not receiver.task.done()
        await receiver.tell(stopped(8))
        await reception.until(lambda: reception.forgotten and not receiver.listed(), "the stream was revoked")


async def test_a_revoked_stream_deletes_what_was_kept(tmp_path: Path, ada: Person) -> None:
    async with zoom(tmp_path, ada) as server, receiving(server) as receiver:
        reception = receiver.reception
        await receiver.tell(started(server.url))
        await reception.until(lambda: reception.guests and reception.guests[0].pictures, "media come")
        await server.tell(msg_type=8, state=4, reason=8)
        await reception.until(lambda: reception.forgotten, "it is forgotten")
        assert reception.guests[0].ended
        assert reception.said[-1] == "the stream was revoked: what was kept of this call is deleted"
        # Said by webhook when the connection has gone already.
        await receiver.tell(stopped(8))
        await reception.until(lambda: reception.forgotten == [CALL, CALL], "once more")
        await receiver.tell(stopped(6))
        assert reception.forgotten == [CALL, CALL]


REFUSED: list[tuple[Behaviour, str]] = [
    (Behaviour(signalling=[3]), "correct client_id and client_secret"),
    (Behaviour(media_status={"audio": 9}), "scope meeting:read:meeting_audio"),
    (Behaviour(media_status={"video": 30}), "the video parameter fps"),
    (Behaviour(audio={"data_opt": 1}), "the sound of everybody in one"),
    (Behaviour(video={"codec": 5}), "pictures that are no video"),
    (Behaviour(urls=lambda url: {"audio": url}), "scope meeting:read:meeting_video"),
    (Behaviour(urls=lambda url: {"all": url.replace("wss", "ws")}), "names no media server"),
]


@pytest.mark.parametrize(("behaviour", "said"), REFUSED, ids=[said for _, said in REFUSED])
async def test_what_zoom_refuses_is_a_line_that_says_what_to_do(
    tmp_path: Path, ada: Person, behaviour: Behaviour, said: str
) -> None:
    async with zoom(tmp_path, ada, behaviour=behaviour) as server, receiving(server) as receiver:
        await receiver.tell(started(server.url))
        await receiver.reception.until(lambda: said in receiver.reception.said[-1], said)
        assert receiver.reception.guests == []
        assert MEETING not in " ".join(receiver.reception.said)
        # Of this stream there is no more; the next one is taken.
        assert not receiver.task.done()


async def test_a_certificate_that_is_not_trusted_and_a_port_that_is_taken(tmp_path: Path, ada: Person) -> None:
    async with zoom(tmp_path, ada) as server, receiving(server, ca_file="") as receiver:
        await receiver.tell(started(server.url))
        await receiver.reception.until(lambda: "certificate" in receiver.reception.said[-1], "it is not trusted")
        options = {"client_id": "a", "client_secret": "b", "webhook_secret": "c", "port": receiver.port}
        with pytest.raises(Unavailable, match=r"\(Address already in use\): choose another port"):
            await ZoomRtms(ZoomOptions.model_validate(options)).run(Reception())
        with pytest.raises(Unavailable, match="correct ca_file"):
            await ZoomRtms(ZoomOptions.model_validate({**options, "ca_file": tmp_path / "none"})).run(Reception())


async def test_who_finds_no_room_is_not_watched_and_brought_again(
    tmp_path: Path, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zoom_call, "FULL_SECONDS", 0.1)
    reception = Reception(refusals=1)
    async with zoom(tmp_path, ada) as server, receiving(server, reception) as receiver:
        monkeypatch.setattr("plugins.zoom_call.time", Fast)
        await receiver.tell(started(server.url))
        await reception.until(lambda: receiver.listed() == {"Ada_L": Reason.NOT_WATCHED}, "there is no room")
        await reception.until(lambda: reception.guests, "there is room")
