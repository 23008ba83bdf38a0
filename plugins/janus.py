"""A room of Janus' VideoRoom: whoever publishes there is judged, each by a subscription of their own.

Nothing is published and no name is given. Where `roster` is `join` the room is entered, as somebody who only watches;
Janus tells nobody of that unless the room has `notify_joining`. Where it is `poll` it is not entered: the list of its
publishers is asked for again and again, which a room with `require_pvtid` does not allow.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.typing import Subprotocol

from monitor.tap.kit import Profile, SdpError, TapConfig, WebRtcPeer
from plugins.base import Admitted, Intake, NoRoom, PluginSpec, Unavailable, name_from
from plugins.protocols import janus
from plugins.webrtc import WebRtcOptions

ANSWER_SECONDS = 10.0
POLL_SECONDS = 1.0
FULL_SECONDS = 5.0
FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.5, 8.0
# Whoever sends nothing has muted themselves; that they have left, the roster says.
SILENT_SECONDS = 86400.0

JsonObject = dict[str, Any]


class JanusOptions(WebRtcOptions):
    """`identities` says who claims to be whom: the name that a publisher shows, and that of an enrolled person.

    A `room` of digits is a number unless the server has `string_ids`.
    """

    url: str = Field(pattern=r"^wss?://[^\s/]+", max_length=2048)
    room: int | str
    string_ids: bool = False
    call: str | None = Field(default=None, min_length=1, max_length=128)
    roster: Literal["join", "poll"] = "join"
    pin: SecretStr | None = None
    room_token: SecretStr | None = None
    api_secret: SecretStr | None = None
    token: SecretStr | None = None
    identities: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _numbered(cls, values: Any) -> Any:
        # A variable is a text; rooms are numbered unless the plug-in of Janus has `string_ids`.
        room = values.get("room") if isinstance(values, dict) else None
        if isinstance(room, str) and room.isdecimal() and not values.get("string_ids"):
            return {**values, "room": int(room)}
        return values


class Link:
    """A session with Janus over a WebSocket: requests and their answers, and events by handle."""

    def __init__(self, socket: ClientConnection, options: JanusOptions) -> None:
        self._socket = socket
        secrets_of = {"apisecret": options.api_secret, "token": options.token}
        self._always = {name: value.get_secret_value() for name, value in secrets_of.items() if value is not None}
        self._session = 0
        self._answers: dict[str, asyncio.Future[janus.Message]] = {}
        self._listeners: dict[int, Callable[[janus.Message], None]] = {}

    async def read(self) -> None:
        """Take what Janus says until the session ends; raises `Unavailable`."""
        try:
            async for text in self._socket:
                message = janus.parse(text)
                if janus.is_over(message) and message.kind == "timeout":
                    raise Unavailable("Janus has ended the session: it is begun again")
                answer = self._answers.get(message.transaction)
                if answer is not None and message.kind != "ack" and not answer.done():
                    answer.set_result(message)
                elif message.sender in self._listeners:
                    self._listeners[message.sender](message)
        except janus.JanusError as error:
            raise Unavailable(str(error)) from None
        except ConnectionClosed:
            pass
        raise Unavailable("the connection to Janus broke: it is made again")

    async def create(self) -> None:
        """Begin the session."""
        self._session = (await self.ask("create")).number

    async def attach(self, listener: Callable[[janus.Message], None]) -> int:
        """Attach a handle to the video room and have its events heard; returns its number."""
        handle = (await self.ask("attach", plugin=janus.PLUGIN)).number
        self._listeners[handle] = listener
        return handle

    async def message(self, handle: int, body: JsonObject, jsep: JsonObject | None = None) -> janus.Message:
        """Ask the video room for something; raises `RefusedError` or `Unavailable`."""
        extra: JsonObject = {"jsep": jsep} if jsep is not None else {}
        return await self.ask("message", handle_id=handle, body=body, **extra)

    async def ask(self, kind: str, **fields: Any) -> janus.Message:
        """Send a request and wait for what is more than an acknowledgement; raises `RefusedError`, `Unavailable`."""
        transaction = secrets.token_hex(8)
        answer: asyncio.Future[janus.Message] = asyncio.get_running_loop().create_future()
        self._answers[transaction] = answer
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self.tell(kind, transaction, **fields)
                message = await answer
        except TimeoutError:
            raise Unavailable("Janus does not answer: see its log") from None
        finally:
            del self._answers[transaction]
        if message.refusal is not None:
            raise message.refusal
        return message

    async def tell(self, kind: str, transaction: str = "", **fields: Any) -> None:
        """Send a request and wait for nothing; raises `Unavailable`."""
        session = {"session_id": self._session} if self._session else {}
        request = {"janus": kind, "transaction": transaction or secrets.token_hex(8), **session, **self._always}
        try:
            await self._socket.send(json.dumps({**request, **fields}))
        except ConnectionClosed:
            raise Unavailable("the connection to Janus broke: it is made again") from None

    async def detach(self, handle: int) -> None:
        """Let a handle go."""
        self._listeners.pop(handle, None)
        with suppress(Unavailable):
            await self.tell("detach", handle_id=handle)


class Janus:
    """One stay in a room, from the connection to its end."""

    def __init__(self, options: JanusOptions) -> None:
        self._options = options
        self._roster = janus.Roster()
        self._watched: dict[janus.Number, asyncio.Task[None]] = {}
        self._names: dict[janus.Number, str] = {}
        self._private_id: object = None

    async def run(self, intake: Intake) -> None:
        """Watch the room until the connection breaks; raises `Unavailable`."""
        options = self._options
        tap = await options.tap(urlsplit(options.url).hostname or "", SILENT_SECONDS)
        try:
            socket = await connect(
                options.url,
                subprotocols=[Subprotocol("janus-protocol")],
                max_size=janus.MAX_MESSAGE_BYTES,
                open_timeout=ANSWER_SECONDS,
                close_timeout=1.0,
                # It would be shown the secrets.
                proxy=None,
            )
        except (OSError, TimeoutError, InvalidHandshake, InvalidURI) as error:
            raise Unavailable(
                f"Janus cannot be reached ({type(error).__name__}): check the url, and that its WebSockets are on"
            ) from None
        async with socket:
            await self._stay(_Stay(intake, Link(socket, options), tap))

    async def _stay(self, stay: _Stay) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                stay.start = tasks.create_task
                tasks.create_task(stay.link.read())
                tasks.create_task(_keep_alive(stay))
                tasks.create_task(self._follow(stay))
        except ExceptionGroup as group:
            # The first is what went wrong; the others are what came of it.
            error = next((one for one in group.exceptions if not isinstance(one, Unavailable)), group.exceptions[0])
            if isinstance(error, janus.RefusedError):
                raise Unavailable(str(error)) from None
            raise error from None

    async def _follow(self, stay: _Stay) -> None:
        """Enter the room, or only look at its list, and take in whoever publishes."""
        options, link = self._options, stay.link
        await link.create()
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def heard(message: janus.Message) -> None:
            if (janus.is_over(message) or janus.is_hangup(message)) and not over.done():
                over.set_exception(Unavailable("the room has been closed: it is entered again when it is there"))
            self._take(stay, *self._roster.told(message))

        handle = await link.attach(heard)
        if options.roster == "poll":
            while True:
                listed = await link.message(handle, {"request": "listparticipants", "room": options.room})
                self._take(stay, *self._roster.listed(janus.participants(listed.data)))
                stay.say(len(self._watched))
                await stay.intake.sleep(POLL_SECONDS)
        body = {"request": "join", "ptype": "publisher", "room": options.room, **self._credentials()}
        joined = await link.message(handle, body)
        self._private_id = joined.data.get("private_id")
        self._take(stay, *self._roster.told(joined))
        stay.say(len(self._watched))
        await over

    def _credentials(self) -> JsonObject:
        options = self._options
        return {
            name: value.get_secret_value()
            for name, value in (("pin", options.pin), ("token", options.room_token))
            if value is not None
        }

    def _take(self, stay: _Stay, roster: janus.Roster, change: janus.Change) -> None:
        self._roster = roster
        for feed in change.gone:
            task = self._watched.pop(feed, None)
            self._names.pop(feed, None)
            if task is not None:
                task.cancel()
        for person in change.come:
            self._names[person.feed] = self._name(person)
            self._watched[person.feed] = stay.start(self._watch(stay, person))
        if change.come or change.gone:
            stay.say(len(self._watched))

    def _name(self, person: janus.Publisher) -> str:
        """Return what somebody is called here: as they call themselves, where nobody else is called so."""
        name = name_from(person.display) if person.display else name_from(str(person.feed))
        return name if name not in self._names.values() else name_from(f"{name[:64]}~{person.feed}")

    async def _watch(self, stay: _Stay, person: janus.Publisher) -> None:
        """Have a publisher judged until they go, whatever becomes of one subscription; harms nobody else."""
        failures = 0
        while True:
            try:
                await self._subscribe(stay, person)
                failures = 0
            except NoRoom as refusal:
                await stay.intake.sleep(refusal.retry_after_seconds or FULL_SECONDS)
                continue
            except janus.RefusedError as refusal:
                if refusal.code == janus.NO_SUCH_FEED:
                    return
                stay.intake.waiting(f"a publisher cannot be watched: {refusal}")
            except SdpError as error:
                stay.intake.waiting(f"a publisher cannot be watched ({error.detail})")
            except Unavailable as refusal:
                stay.intake.waiting(str(refusal))
            failures += 1
            await stay.intake.sleep(min(FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 8), LONGEST_RETRY_SECONDS))

    async def _subscribe(self, stay: _Stay, person: janus.Publisher) -> None:
        """Judge a publisher until their media end."""
        ended = asyncio.Event()

        def heard(message: janus.Message) -> None:
            if janus.is_hangup(message):
                ended.set()

        link = stay.link
        handle = await link.attach(heard)
        peer: WebRtcPeer | None = None
        try:
            body: JsonObject = {"request": "join", "ptype": "subscriber", "room": self._options.room, "use_msid": False}
            body |= {"streams": person.streams, "autoupdate": False, **self._credentials()}
            body |= {"private_id": self._private_id} if self._private_id is not None else {}
            attached = await link.message(handle, body)
            peer, answer = await WebRtcPeer.answer(attached.offer, stay.tap)
            await link.message(handle, {"request": "start"}, {"type": "answer", "sdp": answer})
            await peer.settled.wait()
            if not peer.connected:
                detail = peer.failure.detail if peer.failure is not None else "Janus ended it"
                raise Unavailable(f"no media come from Janus ({detail}): see allowed_networks, ice_servers, firewalls")
            stay.intake.connected()
            call = self._options.call or str(self._options.room)
            name, identity = self._names[person.feed], self._options.identities.get(person.display)
            profile = Profile(display_name=person.display or None)
            await _until_over(await stay.intake.admit(name_from(call), name, peer, identity, profile), peer, ended)
        finally:
            if peer is not None:
                await peer.close()
            await link.detach(handle)


class _Stay:
    """What belongs to one connection."""

    def __init__(self, intake: Intake, link: Link, tap: TapConfig) -> None:
        self.intake, self.link, self.tap = intake, link, tap
        self.start: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]] = asyncio.create_task

    def say(self, publishers: int) -> None:
        """Say that nobody is there, where that is so."""
        if not publishers:
            self.intake.waiting("nobody publishes in the room yet")


async def _keep_alive(stay: _Stay) -> None:
    while True:
        await stay.intake.sleep(janus.KEEP_ALIVE_SECONDS)
        await stay.link.tell("keepalive")


async def _until_over(admitted: Admitted, peer: WebRtcPeer, ended: asyncio.Event) -> None:
    """Wait until the media of a participant have ended, one way or another, and end them."""
    waits = {asyncio.create_task(event.wait()) for event in (peer.closed, ended)}
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await admitted.end()


SPEC = PluginSpec("janus", JanusOptions, Janus)
