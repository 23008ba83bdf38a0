"""A room of Janus' VideoRoom: whoever publishes there is judged, each by a subscription of their own.

Nothing is published and no name is given. Where `roster` is `join` the room is entered, as somebody who only watches;
Janus tells nobody of that unless the room has `notify_joining`. Where it is `poll` it is not entered: the list of its
publishers is asked for again and again, which a room with `require_pvtid` does not allow. With `forward` nothing is
subscribed to: Janus is told to send each publisher's packets here as plain RTP.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidURI
from websockets.typing import Subprotocol

from monitor.tap.kit import ActionKind, PlainPeer, Profile, Reason, SdpError, TapConfig, WebRtcPeer
from plugins.base import Acting, Admitted, Intake, Listed, NoRoom, PluginSpec, Unavailable, name_from
from plugins.janus_forward import ForwardOptions, forwarded
from plugins.janus_link import ANSWER_SECONDS, JsonObject, Link
from plugins.protocols import janus
from plugins.webrtc import WebRtcOptions

POLL_SECONDS = 1.0
# How often it is asked who is in the room and sends nothing: of them Janus tells nobody.
ATTENDEES_SECONDS = 5.0
FULL_SECONDS = 5.0
FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.5, 8.0
# Whoever sends nothing has muted themselves; that they have left, the roster says.
SILENT_SECONDS = 86400.0


class JanusOptions(WebRtcOptions):
    """`identities` says who claims to be whom: the name that a publisher shows, and that of an enrolled person.

    A `room` of digits is a number unless the server has `string_ids`. Actions in a room that has a secret need
    `room_secret`, and so does `forward`. `publisher_tokens` says by the name that people show with which token they
    join, and `text_room` which room of the TextRoom plug-in they read notes in.
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
    room_secret: SecretStr | None = None
    publisher_tokens: dict[str, SecretStr] = Field(default_factory=dict)
    text_room: int | str | None = None
    text_secret: SecretStr | None = None
    identities: dict[str, str] = Field(default_factory=dict)
    forward: ForwardOptions | None = None

    @model_validator(mode="after")
    def _forwarding_needs_to_know_what_is_sent(self) -> JanusOptions:
        if self.forward is not None and self.roster == "poll":
            raise ValueError("forward needs roster: join, since lists do not say what somebody sends")
        return self

    @model_validator(mode="before")
    @classmethod
    def _numbered(cls, values: Any) -> Any:
        # A variable is a text; rooms are numbered unless the plug-in of Janus has `string_ids`.
        if not isinstance(values, dict) or values.get("string_ids"):
            return values
        rooms = {name: values.get(name) for name in ("room", "text_room")}
        return values | {n: int(room) for n, room in rooms.items() if isinstance(room, str) and room.isdecimal()}


class Janus(Acting):
    """One stay in a room, from the connection to its end."""

    def __init__(self, options: JanusOptions) -> None:
        self._options = options
        self._call = name_from(options.call or str(options.room))
        self._link: Link | None = None
        self._sounds: dict[janus.Number, tuple[str, ...]] = {}
        self._roster = janus.Roster()
        self._watched: dict[janus.Number, asyncio.Task[None]] = {}
        self._names: dict[janus.Number, str] = {}
        self._attendees: dict[janus.Number, str] = {}
        self._ours: janus.Number | None = None
        self._private_id: object = None
        self._room_is_gone = False

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
            await self._stay(
                _Stay(intake, Link(socket, {"apisecret": options.api_secret, "token": options.token}), tap)
            )

    @property
    def actions(self) -> frozenset[ActionKind]:
        """Everything; notes only where a room of the TextRoom plug-in is named."""
        cannot = {ActionKind.SAY} if self._options.text_room is None else set()
        return frozenset(ActionKind) - cannot

    async def mute(self, call: str, participant: str) -> str | None:
        """Have the server pass on no sound of a publisher (`moderate`); they cannot undo it."""
        feed = self._feed(call, participant)
        mids = self._sounds.get(feed)
        if not mids:
            raise Unavailable("nothing of their sound is known that could be muted")
        for mid in mids:
            await self._ask(janus.PLUGIN, request="moderate", id=feed, mid=mid, mute=True)
        return None

    async def remove(self, call: str, participant: str) -> str | None:
        """Put a publisher out of the room, with their token, where it is known, taken from those who may join."""
        feed = self._feed(call, participant)
        display = self._roster.people[feed].display
        token = self._options.publisher_tokens.get(display)
        if token is not None:
            await self._ask(janus.PLUGIN, request="allowed", action="remove", allowed=[token.get_secret_value()])
        await self._ask(janus.PLUGIN, request="kick", id=feed)
        return None if token is not None else "they can join again: publisher_tokens does not say what token is theirs"

    async def say(self, call: str, text: str) -> str | None:
        """Announce a note in the room of the TextRoom plug-in."""
        secret = self._options.text_secret
        body = {"request": "announcement", "room": self._options.text_room, "text": text}
        await self._ask(janus.TEXT_PLUGIN, **body, **({"secret": secret.get_secret_value()} if secret else {}))
        return None

    async def end_call(self, call: str) -> str | None:
        """Destroy the room, until whoever owns it creates it again."""
        try:
            await self._ask(janus.PLUGIN, request="destroy", permanent=False)
        except Unavailable:
            # Whoever is in a room may be told that it is gone before whoever had it destroyed.
            if not self._room_is_gone:
                raise
        return None

    def _feed(self, call: str, participant: str) -> janus.Number:
        """Return the number of a publisher by the name that was given them; raises `Unavailable`."""
        feed = next((feed for feed, name in self._names.items() if name == participant), None)
        if feed is None or call != self._call:
            raise Unavailable("they do not publish in the room any more")
        return feed

    def _room(self) -> JsonObject:
        """Return which room a request of its owner is about."""
        secret = self._options.room_secret
        return {"room": self._options.room, **({"secret": secret.get_secret_value()} if secret else {})}

    async def _ask(self, plugin: str, **body: Any) -> None:
        """Ask a plug-in of Janus for something, on a handle of its own; raises `Unavailable`."""
        link = self._link
        if link is None:
            raise Unavailable("the connection to Janus is not there yet")
        if plugin == janus.PLUGIN:
            body = {**self._room(), **body}
        try:
            handle = await link.attach(lambda _message: None, plugin)
            try:
                await link.message(handle, body)
            finally:
                await link.detach(handle)
        except janus.RefusedError as refusal:
            raise Unavailable(janus.NEEDS_SECRET.get(refusal.code, str(refusal))) from None

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
        self._link = link
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def heard(message: janus.Message) -> None:
            if (janus.is_over(message) or janus.is_hangup(message)) and not over.done():
                self._room_is_gone = janus.is_over(message)
                over.set_exception(Unavailable("the room has been closed: it is entered again when it is there"))
            self._take(stay, *self._roster.told(message))

        handle = await link.attach(heard)
        if options.roster == "poll":
            while True:
                listed = await link.message(handle, {"request": "listparticipants", "room": options.room})
                self._take(stay, *self._roster.listed(janus.participants(listed.data)))
                self._attend(stay, listed)
                stay.say(len(self._watched))
                await stay.intake.sleep(POLL_SECONDS)
        body = {"request": "join", "ptype": "publisher", "room": options.room, **self._credentials()}
        joined = await link.message(handle, body)
        self._private_id, self._ours = joined.data.get("private_id"), janus.feed_of(joined.data.get("id"))
        self._take(stay, *self._roster.told(joined))
        stay.say(len(self._watched))
        stay.start(self._look_for_attendees(stay, handle))
        await over

    async def _look_for_attendees(self, stay: _Stay, handle: int) -> None:
        """Ask again and again who is there, where that may be asked."""
        body = {"request": "listparticipants", "room": self._options.room}
        with contextlib.suppress(janus.RefusedError):
            while True:
                self._attend(stay, await stay.link.message(handle, body))
                await stay.intake.sleep(ATTENDEES_SECONDS)

    def _attend(self, stay: _Stay, listed: janus.Message) -> None:
        """Take note of who is in the room and sends nothing."""
        before, self._attendees = self._attendees, janus.attendees(listed.data, self._ours)
        for feed in before.keys() - self._attendees.keys() - self._roster.people.keys():
            self._names.pop(feed, None)
        for feed in self._attendees.keys() - self._names.keys():
            self._names[feed] = self._name(janus.Publisher(feed, self._attendees[feed]))
        if before != self._attendees:
            self._list(stay)

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
            self._sounds.pop(feed, None)
            if task is not None:
                task.cancel()
        for person in change.come:
            if person.feed not in self._names:
                # Whoever was there before keeps the name that they were listed under.
                self._names[person.feed] = self._name(person)
            self._watched[person.feed] = stay.start(self._watch(stay, person))
        if change.come or change.gone:
            stay.say(len(self._watched))
        if change != janus.Change():
            self._list(stay)

    def _list(self, stay: _Stay) -> None:
        """Say who is in the room, under which names now, and who of them sends nothing."""
        people = self._roster.people
        silent = [janus.Publisher(feed, name) for feed, name in self._attendees.items() if feed not in people]
        reasons = [(one, None) for one in people.values()] + [(one, Reason.WAITING_FOR_PUBLISHER) for one in silent]
        named = [(self._names[one.feed], why, one) for one, why in reasons if one.feed in self._names]
        stay.intake.roster(self._call, [Listed(name, why, *self._who(one)) for name, why, one in named])

    def _who(self, person: janus.Publisher) -> tuple[Profile, str | None]:
        """Return what somebody shows, and whom the configuration says that they are."""
        return Profile(display_name=person.display or None), self._options.identities.get(person.display)

    def _name(self, person: janus.Publisher) -> str:
        """Return what somebody is called here: as they call themselves, where nobody else is called so."""
        name = name_from(person.display) if person.display else name_from(str(person.feed))
        return name if name not in self._names.values() else name_from(f"{name[:64]}~{person.feed}")

    async def _watch(self, stay: _Stay, person: janus.Publisher) -> None:
        """Have a publisher judged until they go, whatever becomes of one subscription; harms nobody else."""
        failures, judge = 0, self._subscribe if self._options.forward is None else self._forward
        while True:
            try:
                await judge(stay, person)
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
            self._sounds[person.feed] = janus.sounds(attached.data, person.feed)
            peer, answer = await WebRtcPeer.answer(attached.offer, stay.tap)
            await link.message(handle, {"request": "start"}, {"type": "answer", "sdp": answer})
            await peer.settled.wait()
            if not peer.connected:
                detail = peer.failure.detail if peer.failure is not None else "Janus ended it"
                raise Unavailable(f"no media come from Janus ({detail}): see allowed_networks, ice_servers, firewalls")
            await self._judge(stay, person, peer, ended)
        finally:
            if peer is not None:
                await peer.close()
            await link.detach(handle)

    async def _forward(self, stay: _Stay, person: janus.Publisher) -> None:
        """Judge a publisher by the packets that Janus sends here, until none come."""
        assert self._options.forward is not None
        sent = zip(person.mids or (), person.codecs, strict=False)
        self._sounds[person.feed] = tuple(mid for mid, codec in sent if codec == "opus")
        async with forwarded(stay.link, self._options.forward, self._room(), person, stay.tap) as peer:
            try:
                await asyncio.wait_for(peer.heard.wait(), self._options.connect_seconds)
            except TimeoutError:
                raise Unavailable("no packet comes from Janus: see forward.to, its ports and firewalls") from None
            await self._judge(stay, person, peer, asyncio.Event())

    async def _judge(
        self, stay: _Stay, person: janus.Publisher, peer: WebRtcPeer | PlainPeer, ended: asyncio.Event
    ) -> None:
        stay.intake.connected()
        # As they are called by now.
        profile, identity = self._who(self._roster.people.get(person.feed, person))
        admitted = await stay.intake.admit(self._call, self._names[person.feed], peer, identity, profile)
        await _until_over(admitted, peer.closed, ended)


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


async def _until_over(admitted: Admitted, closed: asyncio.Event, ended: asyncio.Event) -> None:
    """Wait until the media of a participant have ended, one way or another, and end them."""
    waits = {asyncio.create_task(event.wait()) for event in (closed, ended)}
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await admitted.end()


SPEC = PluginSpec("janus", JanusOptions, Janus)
