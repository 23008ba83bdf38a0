"""One stay in a LiveKit room by the SDK: joined hidden, publishing nothing, subscribed to those who can be judged."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from livekit import api, rtc

from monitor.tap.kit import Reason, TrackKind
from plugins.base import Admitted, Intake, Listed, NoRoom, Unavailable, name_from
from plugins.livekit_media import LiveKitSource
from plugins.livekit_options import LiveKitOptions
from plugins.protocols.livekit.roster import Ending, Person, Track, ending, named, why_not

TOKEN_TIME = timedelta(minutes=10)
CLOCK_SECONDS = 1.0
STATS_SECONDS = 2.0
# The SDK tries for longer to come back than joining anew takes.
RECONNECT_SECONDS = 4.0
LEAVE_SECONDS = 2.0
FULL_SECONDS = 5.0
QUALITIES = {"low": rtc.VideoQuality.VIDEO_QUALITY_LOW, "medium": rtc.VideoQuality.VIDEO_QUALITY_MEDIUM}
# After each of these it is looked at anew who is there and what they send.
EVENTS: tuple[Any, ...] = (
    "participant_connected",
    "participant_disconnected",
    "participant_name_changed",
    "participant_attributes_changed",
    "participant_encryption_status_changed",
    "track_published",
    "track_unpublished",
    "track_subscribed",
    "track_unsubscribed",
    "track_muted",
    "track_unmuted",
    "connected",
)
# Rooms that somebody has given up to join: the SDK goes on, and is left when it is through.
_given_up: set[asyncio.Task[None]] = set()


def silence_sdk() -> None:
    """Keep the SDK from the log: it writes names, tokens and addresses."""
    logging.getLogger("livekit").setLevel(logging.CRITICAL + 1)
    root = logging.getLogger()
    if _is_not_of_sdk not in root.filters:
        root.addFilter(_is_not_of_sdk)


def _is_not_of_sdk(record: logging.LogRecord) -> bool:
    return "/livekit/rtc/" not in record.pathname


class Guest:
    """Somebody who is judged, or waits for room: the tracks that they have now, and the source while there is one."""

    def __init__(self) -> None:
        self.source: LiveKitSource | None = None
        self.task: asyncio.Task[None] | None = None
        self._tracks: dict[TrackKind, Any] = {}
        self._muted: frozenset[TrackKind] = frozenset()

    def has(self, tracks: dict[TrackKind, Any], muted: frozenset[TrackKind]) -> None:
        """Take what they send now."""
        self._tracks, self._muted = tracks, muted
        source = self.source
        if source is None:
            return
        source.mute(muted)
        for kind in {*source.attached, *tracks}:
            if kind not in tracks:
                source.detach(kind)
            elif source.attached.get(kind) is not tracks[kind]:
                source.attach(kind, tracks[kind])

    def begin(self, paused: Callable[[], None]) -> LiveKitSource:
        """Make a source of what they send."""
        self.source = LiveKitSource(paused)
        self.has(self._tracks, self._muted)
        return self.source

    async def end(self) -> None:
        """Let them leave."""
        if self.task is not None:
            self.task.cancel()
        if self.source is not None:
            await self.source.close()


class Stay:
    """From joining a room to its end. `names` has what people are called here, by their identity."""

    def __init__(self, options: LiveKitOptions, room: str, call: str, intake: Intake) -> None:
        self.room, self.call = room, call
        self.names: dict[str, str] = {}
        self._options, self._intake, self._reading = options, intake, options.reading
        self._sdk = rtc.Room()
        self._over: asyncio.Future[tuple[Ending, str]] = asyncio.get_running_loop().create_future()
        self._wake = asyncio.Event()
        self._guests: dict[str, Guest] = {}
        self._asked: dict[str, Any] = {}
        self._failed: set[str] = set()
        self._listed: tuple[Listed, ...] | None = None
        self._patience: asyncio.TimerHandle | None = None

    async def run(self) -> tuple[Ending, str]:
        """Watch the room until it is over for us; gives what follows and why. Raises `Unavailable`."""
        silence_sdk()
        self._listen()
        await self._join()
        self._intake.connected()
        self._wake.set()
        try:
            async with asyncio.TaskGroup() as tasks:
                following = [tasks.create_task(work) for work in (self._follow(tasks), self._read_clocks())]
                try:
                    return await self._over
                finally:
                    for task in following:
                        task.cancel()
                    await asyncio.gather(*(guest.end() for guest in self._guests.values()))
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            if self._patience is not None:
                self._patience.cancel()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._sdk.disconnect(), LEAVE_SECONDS)

    def lose(self) -> None:
        """Say of those who were there that nobody knows of them any more: the way in is broken."""
        if self._listed:
            self._intake.roster(self.call, [replace(one, unwatched=Reason.SOURCE_LOST) for one in self._listed])

    def mics(self, participant: str) -> tuple[str, tuple[str, ...]]:
        """Return somebody's identity and the sids of all sound that they send, by their name; raises `Unavailable`."""
        identity = self.identity(participant)
        one = self._sdk.remote_participants.get(identity)
        tracks = one.track_publications.values() if one is not None else ()
        return identity, tuple(t.sid for t in tracks if t.kind == rtc.TrackKind.KIND_AUDIO)

    def identity(self, participant: str) -> str:
        """Return somebody's identity by their name; raises `Unavailable`."""
        found = next((identity for identity, name in self.names.items() if name == participant), None)
        if found is None:
            raise Unavailable("they are not in the room any more")
        return found

    def _listen(self) -> None:
        for name in EVENTS:
            self._sdk.on(name, lambda *_: self._wake.set())
        self._sdk.on("track_subscription_failed", self._could_not_subscribe)
        self._sdk.on("reconnecting", self._begin_patience)
        self._sdk.on("reconnected", self._is_back)
        self._sdk.on("disconnected", lambda reason: self._end(*ending(int(reason))))

    def _could_not_subscribe(self, _participant: Any, sid: str, _error: Any) -> None:
        self._failed.add(sid)
        self._wake.set()

    def _begin_patience(self) -> None:
        why = "the connection to LiveKit broke: it is made again"
        self._patience = asyncio.get_running_loop().call_later(RECONNECT_SECONDS, self._end, Ending.AGAIN, why)

    def _is_back(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._wake.set()

    def _end(self, what: Ending, why: str) -> None:
        if not self._over.done():
            self._over.set_result((what, why))

    async def _join(self) -> None:
        joining = asyncio.create_task(self._sdk.connect(self._options.url, self._token(), self._room_options()))
        try:
            await asyncio.wait_for(asyncio.shield(joining), self._options.connect_seconds)
        except TimeoutError:
            raise Unavailable("LiveKit does not let us in: check the url, firewalls and TURN") from None
        except rtc.ConnectError as error:
            raise Unavailable(why_not(error.message)) from None
        finally:
            if not joining.done():
                # It cannot be called off: whoever is through nevertheless leaves at once.
                leaving = asyncio.create_task(_leave_when_joined(joining, self._sdk))
                _given_up.add(leaving)
                leaving.add_done_callback(_given_up.discard)

    def _token(self) -> str:
        options = self._options
        grants = api.VideoGrants(
            room_join=True,
            room=self.room,
            hidden=True,
            can_subscribe=True,
            # Both are allowed unless they are not.
            can_publish=False,
            can_publish_data=False,
            can_update_own_metadata=False,
        )
        token = api.AccessToken(options.api_key.get_secret_value(), options.api_secret.get_secret_value())
        # An agent holds no room open for itself, and is none of those who are charged for as people.
        return (
            token.with_identity(options.identity).with_kind("agent").with_grants(grants).with_ttl(TOKEN_TIME).to_jwt()
        )

    def _room_options(self) -> rtc.RoomOptions:
        options = self._options
        servers = [
            rtc.IceServer(
                urls=[server.url],
                username=server.username or "",
                password=server.credential.get_secret_value() if server.credential else "",
            )
            for server in options.ice_servers
        ]
        made = rtc.RoomOptions(auto_subscribe=False, single_peer_connection=False)
        if servers:
            made.rtc_config = rtc.RtcConfiguration(ice_servers=servers)
        if options.e2ee_key is not None:
            key = rtc.KeyProviderOptions(shared_key=options.e2ee_key.get_secret_value().encode())
            made.encryption = rtc.E2EEOptions(key_provider_options=key)
        return made

    async def _follow(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._look(tasks)

    async def _look(self, tasks: asyncio.TaskGroup) -> None:
        """Bring everything in line with who is there now and what they send."""
        if self._over.done() or self._sdk.connection_state != rtc.ConnectionState.CONN_CONNECTED:
            # The SDK forgets everybody where the connection is gone: they have not left, and nobody watches them.
            return
        there = dict(self._sdk.remote_participants)
        people = [self._person(one) for one in there.values()]
        self.names = named(people, self.names, name_from)
        listed = self._list(people)
        if listed != self._listed:
            self._listed = listed
            self._intake.roster(self.call, listed)
        here = {person.identity: person for person in people if person.identity in self.names}
        for identity in [one for one in self._guests if one not in here]:
            await self._guests.pop(identity).end()
        for identity, person in here.items():
            await self._look_at(person, there[identity], tasks)
        if here:
            self._intake.connected()
        else:
            self._intake.waiting("nobody is in the room")

    def _list(self, people: list[Person]) -> tuple[Listed, ...]:
        reading = self._reading
        return tuple(
            Listed(self.names[person.identity], reading.unwatched(person), reading.profile(person))
            for person in people
            if person.identity in self.names
        )

    async def _look_at(self, person: Person, participant: Any, tasks: asyncio.TaskGroup) -> None:
        judged = self._reading.judged(person)
        guest = self._guests.get(person.identity)
        wanted = {track.sid for track in judged.values()}
        is_paused = guest is not None and guest.source is not None and guest.source.paused
        for sid, publication in dict(participant.track_publications).items():
            self._ask(publication, sid in wanted and not is_paused)
        if not judged:
            if guest is not None:
                await self._guests.pop(person.identity).end()
            return
        tracks = {kind: participant.track_publications[track.sid].track for kind, track in judged.items()}
        tracks = {kind: track for kind, track in tracks.items() if track is not None}
        muted = frozenset(kind for kind, track in judged.items() if track.muted)
        if guest is None and tracks and muted != set(judged):
            guest = self._guests[person.identity] = Guest()
            guest.has(tracks, muted)
            guest.task = tasks.create_task(self._judge(guest, person.identity))
        elif guest is not None:
            guest.has(tracks, muted)

    def _ask(self, publication: Any, is_wanted: bool) -> None:
        """Have a track sent, or no more."""
        # After the SDK has come back it is another publication of the same number, and to be asked for anew.
        if is_wanted is (self._asked.get(publication.sid) is publication):
            return
        self._asked.pop(publication.sid, None)
        if is_wanted:
            self._asked[publication.sid] = publication
        publication.set_subscribed(is_wanted)
        quality = QUALITIES.get(self._options.quality)
        if (
            is_wanted
            and quality is not None
            and publication.kind == rtc.TrackKind.KIND_VIDEO
            and publication.simulcasted
        ):
            publication.set_video_quality(quality)

    async def _judge(self, guest: Guest, identity: str) -> None:
        """Have somebody judged until they leave or are removed."""
        claimed = self._options.identities.get(identity)
        while True:
            source = guest.begin(self._wake.set)
            try:
                profile = next(one.profile for one in self._listed or () if one.participant == self.names[identity])
                admitted: Admitted = await self._intake.admit(self.call, self.names[identity], source, claimed, profile)
            except NoRoom as refusal:
                guest.source = None
                await source.close()
                await self._intake.sleep(refusal.retry_after_seconds or FULL_SECONDS)
                continue
            # Whoever an operator removes is not brought again while they are in the room.
            await admitted.wait()
            await source.close()
            return

    async def _read_clocks(self) -> None:
        while True:
            for guest in list(self._guests.values()):
                if guest.source is not None:
                    # Of a track that has just ended there are no statistics.
                    with contextlib.suppress(TimeoutError, Exception):
                        await asyncio.wait_for(guest.source.read_clock(), STATS_SECONDS)
            await self._intake.sleep(CLOCK_SECONDS)

    def _person(self, participant: Any) -> Person:
        tracks = tuple(
            Track(
                sid=one.sid,
                source=int(one.source),
                muted=one.muted,
                encrypted=one.encryption_type != rtc.EncryptionType.NONE,
                failed=one.sid in self._failed,
            )
            for one in dict(participant.track_publications).values()
        )
        attributes = dict(participant.attributes)
        return Person(participant.identity, participant.name, int(participant.kind), attributes, tracks)


async def _leave_when_joined(joining: asyncio.Task[None], room: rtc.Room) -> None:
    with contextlib.suppress(Exception):
        await joining
        await room.disconnect()
