"""One Zoom call that streams to us: its connections, kept and made anew, and the one face that is watched in it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Never

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from monitor.tap.kit import Profile, Reason, StampedPeer
from plugins.base import Admitted, Intake, Listed, NoRoom, Unavailable, name_from
from plugins.protocols.zoom import codes, messages
from plugins.protocols.zoom.codes import Stop
from plugins.protocols.zoom.meeting import Meeting, Person
from plugins.protocols.zoom.messages import Ids, Kind, RtmsError
from plugins.protocols.zoom.turns import Candidate, Turns

OPEN_SECONDS = 10.0
FULL_SECONDS = 5.0
FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.5, 8.0
# Of somebody whose camera was not said to be off: without a picture for so long it is.
DARK_SECONDS = 6.0
# After that they are tried again.
DARK_AGAIN_SECONDS = 60.0
# Pictures that come and wait for a key frame for so long are asked for anew.
KEY_SECONDS = 3.0
# Zoom stamps when its server made the sound or picture, not when it was captured; by how much the two differ on the way
# there it does not say. It was not measured.
UNCERTAINTY_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class CallOptions:
    """How a call is received; `secret` is the app's, `url` where its signalling is."""

    secret: str
    url: str
    call: str
    trust: ssl.SSLContext
    audio: str
    resolution: str
    fps: int
    dwell_seconds: float
    identities: Mapping[str, str]


class _Over(Exception):  # noqa: N818 - of the call, not a failure
    def __init__(self, stop: Stop) -> None:
        super().__init__(stop.why)
        self.stop = stop


class _Broken(Exception):  # noqa: N818 - it is made again
    """A connection broke, or could not be made: it is tried again as long as Zoom waits."""


@dataclass
class _Face:
    """Whoever is watched now, and since when without a picture that can be decoded."""

    user: int
    peer: StampedPeer
    admitted: Admitted
    pictured: float


class ZoomCall:
    """Receives one stream until Zoom ends it."""

    def __init__(self, ids: Ids, options: CallOptions, intake: Intake) -> None:
        self._ids, self._options, self._intake = ids, options, intake
        self.name = name_from(options.call)
        self._meeting = Meeting()
        self._turns = Turns(options.dwell_seconds)
        self._names: dict[int, str] = {}
        self._claims: dict[int, tuple[str, bool]] = {}
        self._listed: tuple[Listed, ...] = ()
        self._face: _Face | None = None
        self._dark: dict[int, float] = {}
        self._full_until = 0.0
        self._codecs: dict[Kind, str] = {}
        self._changed = asyncio.Event()
        self._stopping: asyncio.Future[Stop] = asyncio.get_running_loop().create_future()
        self._signalling: ClientConnection | None = None

    def stop(self, stop: Stop) -> None:
        """End because Zoom has said so by webhook."""
        if not self._stopping.done():
            self._stopping.set_result(stop)

    async def run(self) -> Stop:
        """Receive until the stream is over, and say why it is; raises `Unavailable` where it cannot be had."""
        try:
            await self._keep()
        except _Over as over:
            return await self.end(over.stop)
        except Unavailable:
            await self._lose()
            raise
        finally:
            self._stopping.cancel()

    async def end(self, stop: Stop) -> Stop:
        """Know of nobody in the call any more: the stream is over."""
        await self._unwatch()
        self._intake.roster(self.name, ())
        if stop.deletes:
            await self.forget()
        return stop

    async def forget(self) -> None:
        """Have what was kept of the call deleted."""
        await self._intake.forget(self.name)

    async def _keep(self) -> Never:
        """Connect, and connect again as long as Zoom waits for us."""
        failures, until = 0, float("inf")
        while True:
            self._codecs = {}
            try:
                await self._stay()
            except RtmsError as error:
                raise Unavailable(str(error)) from None
            except _Broken as broken:
                now = time.monotonic()
                if self._signalling is not None:
                    # It was whole: Zoom begins to wait now.
                    failures, until = 0, now + messages.RECONNECT_SECONDS
                until = min(until, now + messages.RECONNECT_SECONDS)
                await self._lose()
                pause = min(FIRST_RETRY_SECONDS * 2.0 ** min(failures, 8), LONGEST_RETRY_SECONDS)
                failures += 1
                if now + pause >= until:
                    raise Unavailable(f"{broken}: Zoom has ended the stream meanwhile") from None
                self._intake.waiting(f"{broken}: it is tried again")
                await self._intake.sleep(pause)

    async def _stay(self) -> None:
        """Receive until something ends; raises `_Over`, `_Broken`, `RtmsError` or `Unavailable`."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._stopped())
                tasks.create_task(self._receive(tasks))
        except ExceptionGroup as group:
            # What ends the call goes before what only broke because of it.
            order = (_Over, Unavailable, RtmsError, _Broken)
            found = [one for kind in order for one in group.exceptions if isinstance(one, kind)]
            raise next(iter(found), group.exceptions[0]) from None

    async def _stopped(self) -> Never:
        raise _Over(await asyncio.shield(self._stopping))

    async def _receive(self, tasks: asyncio.TaskGroup) -> None:
        options, ids = self._options, self._ids
        async with contextlib.AsyncExitStack() as open_now:
            signalling = await open_now.enter_async_context(self._connected(options.url))
            await _send(signalling, messages.hello(ids, options.secret))
            welcome = await self._answer(signalling)
            if not isinstance(welcome, messages.Welcome):
                raise RtmsError("Zoom answers the handshake with something else")
            await _send(signalling, messages.subscribe())
            sockets = [signalling]
            for kind in messages.MEDIA_TYPE:
                if kind not in welcome.urls:
                    raise RtmsError(codes.refusal(9 if kind == "audio" else 10))
                socket = await open_now.enter_async_context(self._connected(welcome.urls[kind]))
                await self._greet(socket, kind)
                sockets.append(socket)
            await _send(signalling, messages.ready(ids))
            self._signalling = signalling
            self._intake.connected()
            for socket in sockets:
                tasks.create_task(self._read(socket))
            await self._take_turns()

    @contextlib.asynccontextmanager
    async def _connected(self, url: str) -> AsyncIterator[ClientConnection]:
        """Open a WebSocket over TLS; raises `_Broken`."""
        try:
            socket = await connect(
                url,
                ssl=self._options.trust,
                max_size=messages.MAX_MESSAGE_BYTES,
                open_timeout=OPEN_SECONDS,
                close_timeout=1.0,
                compression=None,
                # Zoom asks by messages of its own; a proxy would be shown the media.
                ping_interval=None,
                proxy=None,
            )
        except ssl.SSLCertVerificationError:
            raise Unavailable("the certificate of Zoom's server is not trusted: set ca_file, or the clock") from None
        except (OSError, TimeoutError, InvalidHandshake, InvalidURI) as error:
            raise _Broken(f"Zoom's server cannot be reached ({type(error).__name__})") from None
        async with socket:
            yield socket

    async def _greet(self, socket: ClientConnection, kind: Kind) -> None:
        options = self._options
        hello = messages.media_hello(self._ids, options.secret, kind, options.audio, options.resolution, options.fps)
        await _send(socket, hello)
        opened = await self._answer(socket)
        if not isinstance(opened, messages.MediaOpen) or kind not in opened.codecs:
            raise RtmsError("Zoom does not say what media it sends")
        self._codecs[kind] = opened.codecs[kind]

    async def _answer(self, socket: ClientConnection) -> messages.Message:
        """Wait for the answer to a handshake; raises `_Broken` or `Unavailable`."""
        while True:
            message = await _next(socket, OPEN_SECONDS)
            match message:
                case messages.KeepAlive(timestamp):
                    await _send(socket, messages.alive(timestamp))
                case messages.Refused(code) if code in codes.RETRIED:
                    raise _Broken(codes.refusal(code))
                case messages.Refused(code):
                    raise Unavailable(codes.refusal(code))
                case messages.Welcome() | messages.MediaOpen():
                    return message
                case messages.StreamState("over", reason):
                    raise _Over(codes.stop(reason))
                case messages.Event():
                    self._meeting = self._meeting.told(message)
                case _:
                    pass

    async def _read(self, socket: ClientConnection) -> None:
        """Take what comes by one connection until it breaks; raises `_Broken`, `_Over` or `RtmsError`."""
        while True:
            try:
                message = await _next(socket, messages.KEEP_ALIVE_SECONDS)
            except RtmsError:
                # One that is not understood; the others go on.
                continue
            match message:
                case messages.Media():
                    self._take(message)
                case messages.KeepAlive(timestamp):
                    await _send(socket, messages.alive(timestamp))
                case messages.Event(messages.INTERRUPTED):
                    raise _Broken("Zoom has lost one of our connections")
                case messages.Event(number, people):
                    if number == messages.CAMERA_ON:
                        self._dark = {user: at for user, at in self._dark.items() if user not in dict(people)}
                    self._set(self._meeting.told(message))
                case messages.StreamState("over", reason):
                    raise _Over(codes.stop(reason))
                case messages.StreamState(phase):
                    self._set(replace(self._meeting, paused=phase == "paused"))
                case messages.Watched(user, code) if code != 0:
                    self._dark[user] = time.monotonic() + DARK_AGAIN_SECONDS
                    self._changed.set()
                case _:
                    pass

    def _take(self, media: messages.Media) -> None:
        self._set(self._meeting.heard(media))
        if (face := self._face) is None or face.user != media.user:
            return
        if media.kind == "video" and not face.peer.needs_key:
            face.pictured = time.monotonic()
        try:
            face.peer.put(media.kind, self._codecs[media.kind], media.payload(), media.seconds)
        except RtmsError:
            # One piece that cannot be read; what is decoded says whether too much is missing.
            return

    def _set(self, meeting: Meeting) -> None:
        if meeting is not self._meeting:
            self._changed.set()
        self._meeting = meeting

    async def _take_turns(self) -> None:
        """Watch whoever has their turn, and say whom the call holds, whenever something changes."""
        while True:
            self._changed.clear()
            await self._ask_claims()
            now = time.monotonic()
            self._check_pictures(now)
            is_closed = self._meeting.paused or now < self._full_until
            self._turns = self._turns.advance(now, [] if is_closed else self._present(), self._meeting.speaker)
            await self._watch(self._turns.watched)
            self._list()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._changed.wait()

    def _present(self) -> list[Candidate]:
        """Return those of whom pictures may be had."""
        seen = [one for one in self._meeting.people.values() if one.camera is not False and one.user not in self._dark]
        return [Candidate(one.user, self._claims.get(one.user, ("", False))[1]) for one in seen]

    async def _ask_claims(self) -> None:
        """Ask of everybody who is new, or has another name now, whether they claim to be a protected person."""
        for one in list(self._meeting.people.values()):
            if self._claims.get(one.user, (None, False))[0] != one.name:
                claims = await self._intake.claims(self.name, *self._who(one))
                self._claims[one.user] = one.name, claims
        here = self._meeting.people.keys()
        self._claims = {user: known for user, known in self._claims.items() if user in here}
        self._names = {user: name for user, name in self._names.items() if user in here}

    def _who(self, person: Person) -> tuple[str, str | None, Profile]:
        """Return the name that somebody keeps here, whom they are said to be, and what they show now."""
        if person.user not in self._names:
            name = name_from(person.name or str(person.user))
            is_taken = name in self._names.values()
            self._names[person.user] = name_from(f"{name[:64]}~{person.user}") if is_taken else name
        identity = self._options.identities.get(person.name)
        return self._names[person.user], identity, Profile(display_name=person.name or None)

    def _check_pictures(self, now: float) -> None:
        """Take note of who shows nothing though their camera was not said to be off."""
        self._dark = {user: until for user, until in self._dark.items() if now < until}
        face = self._face
        if face is not None and not face.peer.needs_key and now - face.pictured >= DARK_SECONDS:
            self._dark[face.user] = now + DARK_AGAIN_SECONDS

    async def _watch(self, user: int | None) -> None:
        face = self._face
        if face is not None and (face.user != user or face.admitted.ended):
            await self._unwatch()
        elif face is not None:
            if face.peer.needs_key and time.monotonic() - face.pictured >= KEY_SECONDS:
                # Asked for anew they begin with a key frame.
                face.pictured = time.monotonic()
                await self._ask(face.user, on=False)
                await self._ask(face.user, on=True)
            return
        person = self._meeting.people.get(user) if user is not None else None
        if person is None:
            return
        peer = StampedPeer(UNCERTAINTY_SECONDS)
        name, identity, profile = self._who(person)
        try:
            admitted = await self._intake.admit(self.name, name, peer, identity, profile)
        except NoRoom as refusal:
            self._full_until = time.monotonic() + (refusal.retry_after_seconds or FULL_SECONDS)
            self._turns = replace(self._turns, watched=None)
            return
        self._face = _Face(person.user, peer, admitted, time.monotonic())
        await self._ask(person.user, on=True)

    async def _unwatch(self) -> None:
        if self._face is not None:
            face, self._face = self._face, None
            await face.admitted.end()
            with contextlib.suppress(_Broken):
                await self._ask(face.user, on=False)

    async def _ask(self, user: int, *, on: bool) -> None:
        if self._signalling is not None:
            await _send(self._signalling, messages.watch(user, on, time.time()))

    async def _lose(self) -> None:
        """Let go of whoever is watched while the connection is away: they are somewhere out there."""
        self._signalling = None
        await self._unwatch()
        self._turns = replace(self._turns, watched=None)
        self._listed = tuple(replace(one, unwatched=Reason.SOURCE_LOST) for one in self._listed)
        self._intake.roster(self.name, self._listed)

    def _list(self) -> None:
        """Say whom the call holds, where that has changed."""
        listed = tuple(self._entry(one) for one in self._meeting.people.values())
        if listed != self._listed:
            self._listed = listed
            self._intake.roster(self.name, listed)

    def _entry(self, person: Person) -> Listed:
        name, identity, profile = self._who(person)
        if self._face is not None and self._face.user == person.user:
            return Listed(name, None, profile, identity)
        is_dark = person.camera is False or person.user in self._dark
        reason = Reason.CAMERA_OFF if is_dark else Reason.NOT_WATCHED
        return Listed(name, Reason.PAUSED_BY_USER if self._meeting.paused else reason, profile, identity)


async def _next(socket: ClientConnection, seconds: float) -> messages.Message:
    """Wait for a message; raises `_Broken` where none comes in time."""
    try:
        async with asyncio.timeout(seconds):
            return messages.parse(await socket.recv())
    except TimeoutError:
        raise _Broken("Zoom says nothing any more") from None
    except ConnectionClosed:
        raise _Broken("a connection to Zoom broke") from None


async def _send(socket: ClientConnection, text: str) -> None:
    try:
        await socket.send(text)
    except ConnectionClosed:
        raise _Broken("a connection to Zoom broke") from None
