"""Several gateways as one: each knows whom the others have, has them answer for these, and goes on where one is gone.

Every gateway links itself to every other and listens: what the other one's participants do is told to the subscribers
here, and what would be known of them, if it were gone, is kept. Of those whom a lost one had each of the others takes
some over, as their names say (`sharing.heir`).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from typing import Any
from uuid import uuid4

import structlog
from prometheus_client import Counter, Gauge

from monitor.config import ConfigError
from monitor.decision.words import HOST_DRAINED, HOST_LOST
from monitor.host.callbacks import Tells
from monitor.host.cluster.channel import StreamChannel
from monitor.host.cluster.clocks import departed_moved
from monitor.host.cluster.fleet import Fleet
from monitor.host.cluster.ledger import Place, Seat
from monitor.host.cluster.link import Link, LinkLost
from monitor.host.cluster.liveness import BEAT_SECONDS, SILENT_SECONDS
from monitor.host.cluster.refusals import HostError
from monitor.host.departed import Departed
from monitor.host.metrics import Metrics
from monitor.host.peers.adoption import Adoption, Journals
from monitor.host.peers.dialling import Dialling, Peer, bound
from monitor.host.peers.gateways import CALLS_SECONDS, OtherGateways
from monitor.host.peers.listening import Listening
from monitor.host.peers.options import PeerOptions
from monitor.host.peers.sharing import call_of, came_later, opens
from monitor.host.peers.speaking import Speaking
from monitor.host.peers.tls import contexts

# So long a gateway waits at its start for the others to say whom they have.
GREETING_SECONDS = 3.0
FLUSH_SECONDS = 1.0
# So long findings that wait are waited for: where the journal cannot be written evidence is worth more than order.
SETTLE_SECONDS = 4.0
# After one gateway every other notices within this that another one is gone.
NOTICE_SECONDS = SILENT_SECONDS + 0.5
HAND_OVER_SECONDS = 2.0 * (NOTICE_SECONDS + CALLS_SECONDS)


class Peers(Speaking):
    """The other gateways of one: the `Audience` of its fleet; `gateways` is what its surface asks.

    `journals` say what is written down; `hub` takes what subscribers are told.
    """

    def __init__(self, options: PeerOptions, hub: Tells, journals: Journals, metrics: Metrics) -> None:
        super().__init__(uuid4().hex)
        self._options, self._hub, self._journals = options, hub, journals
        registry = metrics.registry
        self._connected = Gauge("sidewitness_gateways", "Other gateways that are there.", registry=registry)
        forwarded = Counter("sidewitness_forwarded", "Requests that another gateway answered.", registry=registry)
        self._peers: dict[str, Peer] = {}
        self.gateways = OtherGateways(self._peers, forwarded)
        self._adoption: Adoption | None = None
        self._dialling: Dialling | None = None
        self._listening: Listening | None = None
        self._beating: asyncio.Task[None] | None = None
        # Who says that it hears this gateway over a link; one that is only heard may know nothing of anybody here.
        self._listeners: dict[Link, str] = {}
        self._letting_go: set[asyncio.Task[None]] = set()
        self._greeted, self._left = asyncio.Event(), asyncio.Event()
        self._knows_others = self._closing = False
        self.port = options.port

    # `Audience`.

    @property
    def takes_over(self) -> bool:
        """Whether there is another gateway that goes on with what is known here."""
        return self._goes_on(set(self._listeners.values()))

    async def start(self, fleet: Fleet) -> None:
        """Listen, and link to the others; raises `ConfigError`."""
        options = self._options
        self.gateways.fleet, self._adoption = fleet, Adoption(fleet, self.name, time.monotonic, self._journals)
        listens, connects = await asyncio.to_thread(contexts, options.secret)
        self._listening = Listening(listens, self._serve)
        try:
            self.port = self._listening.start(options.host, options.port)
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise ConfigError(f"cannot listen for other gateways ({why}): set peer_host and peer_port") from None
        self._dialling = Dialling(options.addresses, connects, self, random.random)
        self._dialling.start()
        self._beating = asyncio.create_task(self._beat(), name="peers' beat")
        self.ways(fleet.sources.configured, fleet.sources.claimed)
        try:
            await asyncio.wait_for(self._greeted.wait(), GREETING_SECONDS)
        except TimeoutError:
            structlog.stdlib.get_logger("peers").warning("no other gateway is there yet")
        self._knows_others = True

    def may_open(self, way: str) -> bool:
        """Whether a way into calls that others have in their settings too is to be opened here."""
        if not self._knows_others:
            return False
        views = [peer.view for peer in self._peers.values()]
        own = self._here.sources
        configured = {self.name: own.configured, **{view.id: view.configured for view in views if view.heir}}
        claimed = {self.name: own.claimed, **{view.id: view.claimed for view in views}}
        return opens(way, configured, claimed) == self.name

    def seated(self, seat: Seat) -> None:
        """Say that somebody is judged here from now on."""
        super().seated(seat)
        if self._adoption is not None:
            self._adoption.seated((seat.claimed.key.call, seat.claimed.key.participant))

    async def close(self) -> bool:
        """Have what was said arrive, then end every link; returns whether somebody goes on with it."""
        await self._settled()
        if self._listening is not None:
            # First: one that comes now would be told once more of those whom it goes on with already.
            await self._listening.close()
        listeners = set(self._listeners.values())
        for link in self.hush():
            link.close()
        if self._listening is not None:
            await self._listening.served(FLUSH_SECONDS)
        for task in (*self._letting_go, *([self._beating] if self._beating is not None else [])):
            task.cancel()
        # Not before: the others may have begun to end meanwhile.
        handed_over, self._closing = self._goes_on(listeners), True
        if self._dialling is not None:
            await self._dialling.close()
        if self._adoption is not None:
            await self._adoption.close()
        return handed_over

    async def expect(self, place: Place) -> None:
        """Have what others remember of somebody who is about to be judged here remembered here."""
        heir, lost = None, None
        if self._adoption is not None:
            await self._adoption.settled(CALLS_SECONDS)
            heir, lost = self._adoption.taken_over(place) or (None, None)
        for peer in [one for one in self._peers.values() if one.view.id == heir or one.view.keeps(place)]:
            try:
                known = await peer.link.ask("known", [*place, lost], HAND_OVER_SECONDS)
            except (LinkLost, TimeoutError, HostError):
                continue
            for departed in known:
                self._here.memory.left(departed_moved(departed, peer.view.behind))

    # `Hears`: what comes of the others.

    def came(self, peer: Peer) -> bool:
        """Take note that another gateway has said who it is."""
        if peer.view.id in self._peers:
            return False
        self._peers[peer.view.id] = peer
        self._connected.set(len(self._peers))
        structlog.stdlib.get_logger("peers").info("another gateway is there", gateways=len(self._peers))
        return True

    def said(self, peer: Peer, op: str, body: Any) -> None:
        """Take what another gateway says."""
        view, adoption, call = peer.view, self._adoption, call_of(op, body)
        if call is not None and not self._journals.has(call):
            # Settings are changed in one gateway after the other: what is of a tenant that is not here is not heard.
            return
        if op == "notice":
            self._hub.notice(body["message"], _moved(body["at"], view.behind))
            return
        view.take(op, body)
        if op == "whole":
            self._greeted.set()
        if op in ("whole", "ways"):
            self._review()
        elif op == "state":
            self._hub.state(body["message"], _moved(body["at"], view.behind))
        if adoption is not None:
            adoption.heard(view, op, body)
        if op == "seat":
            self._yield(view.id, body)

    def gone(self, peer: Peer) -> None:
        """Go on with what is known of those whom a gateway had that is gone."""
        del self._peers[peer.view.id]
        self._left.set()
        self._connected.set(len(self._peers))
        heirs = [one.view.id for one in self._peers.values() if one.view.heir]
        # One that ends itself takes over where nobody else does: whatever is open is closed by it.
        is_heir = not self._closing and not (self._here.draining and heirs)
        if self._adoption is not None and is_heir:
            reason = HOST_DRAINED if peer.view.leaving else HOST_LOST
            structlog.stdlib.get_logger("peers").warning("another gateway is gone", why=str(reason))
            self._adoption.lost(peer.view, reason, heirs)
            self._review()

    def _review(self) -> None:
        if self._knows_others:
            self._here.sources.review()

    def _yield(self, gateway: str, theirs: Seat) -> None:
        """End whom another gateway has as well, where they came to it later."""
        place = (theirs.claimed.key.call, theirs.claimed.key.participant)
        ours = self._here.ledger.seat(place)
        if ours is not None and came_later((theirs.began, gateway), (ours.began, self.name)):
            structlog.stdlib.get_logger("peers").warning("two gateways have one participant: this one lets them go")
            task = asyncio.create_task(self._let_go(place))
            self._letting_go.add(task)
            task.add_done_callback(self._letting_go.discard)

    async def _let_go(self, place: Place) -> None:
        await self._here.remove(*place)

    def _goes_on(self, listeners: set[str]) -> bool:
        return any(peer.view.heir and peer.view.id in listeners for peer in self._peers.values())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak to one gateway until it is gone."""
        bound(writer)

        def said(op: str, body: Any) -> None:
            if op == "listens":
                self._listeners[link] = str(body)

        link = Link(StreamChannel(reader, writer), said, self._asked)
        self.greet(link, self._here.ledger.seats(), time.monotonic())
        try:
            await link.run()
        finally:
            self.part(link)
            self._listeners.pop(link, None)
            writer.close()

    async def _asked(self, op: str, body: Any) -> Any:
        return await self._known(*body) if op == "known" else await self.gateways.answer(op, body)

    async def _known(self, call: str, participant: str, lost: str | None) -> list[Departed]:
        """Return what is known of somebody; where they are taken over from one that is `lost`, once that is done.

        They are remembered here until it is heard that they are judged there: the answer may not arrive.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(NOTICE_SECONDS):
                while lost in self._peers:
                    self._left.clear()
                    await self._left.wait()
        if self._adoption is not None:
            await self._adoption.settled(CALLS_SECONDS)
        # Before anybody else goes on with a finding: its changes are written in their order.
        await self._settled()
        return [
            one
            for one in self._here.memory.memory.departed
            if (one.key.call, one.key.participant) == (call, participant)
        ]

    async def _settled(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._journals.settled(), SETTLE_SECONDS)

    async def _beat(self) -> None:
        while True:
            view = self.gateways.host()
            self.beat(open=view.open, full=view.full, cores=view.cores)
            await asyncio.sleep(BEAT_SECONDS)

    @property
    def _here(self) -> Fleet:
        return self.gateways.here


def _moved(at: float | None, by: float) -> float | None:
    return None if at is None else at + by
