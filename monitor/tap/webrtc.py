"""One participant over WebRTC: an offer is answered, media come out with their capture times and their faults.

The event loop does packet work only; the reader's thread decodes, and closing never blocks the loop. Whatever happens
to a peer ends in `closed`, once, with its sockets released.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from aiortc import RTCConfiguration, RTCIceCandidate, RTCIceServer, RTCPeerConnection
from aiortc import RTCSessionDescription as Description
from aiortc.rtcconfiguration import RTCBundlePolicy

from monitor.tap.delivery import Delivery, describe
from monitor.tap.media.clock import CallClock
from monitor.tap.media.config import TapConfig
from monitor.tap.media.decode import DecodeLoop, Decoder, make_decoder
from monitor.tap.media.source import MEDIA_ENDED, ConnectionFailure
from monitor.tap.pulled import Pulled
from monitor.tap.rtp.candidates import Candidate, select
from monitor.tap.rtp.failure import Progress, explain
from monitor.tap.rtp.guards import SourceFilter
from monitor.tap.rtp.handshake import Handshake
from monitor.tap.rtp.ice import Consent
from monitor.tap.rtp.install import (
    agree,
    ask_for,
    guard_sources,
    install,
    peer_connection,
    watch_consent,
    watch_handshakes,
)
from monitor.tap.rtp.receiver import TapReceiver
from monitor.tap.rtp.sdp import Offer, SdpError
from monitor.tap.rtp.sdp_codecs import SUPPORTED_CODECS
from monitor.tap.rtp.sdp_parser import check_restart, parse_answer, parse_fragment, parse_offer
from monitor.types import Reason, TrackFault, TrackKind

# What an offer of ours asks for, in this order.
OFFERED: tuple[TrackKind, ...] = ("audio", "video")
_WATCH_SECONDS = 0.25
# Asynchronous iteration: how many frames are decoded at once, and how long to wait where there are none.


@dataclass(frozen=True, slots=True)
class TapStats:
    """Counters of one peer since it began; `decoded`, `dropped_packets` and `ssrcs` by track."""

    state: str
    decoded: dict[TrackKind, int]
    dropped_packets: dict[TrackKind, int]
    decode_errors: int
    packets: dict[TrackKind, int]
    nacks: int
    plis: int
    given_up: int
    ssrcs: dict[TrackKind, int]
    clock_resets: int
    refused_datagrams: int


class WebRtcPeer(Pulled):
    """Who sends media over WebRTC as a `Source`; made by `answer`, or by `offer` and begun by `accept`.

    It ends by `close`, a lost connection, a deadline or silence.
    """

    def __init__(self, pc: RTCPeerConnection, offer: Offer | None, config: TapConfig, factory: DecoderFactory) -> None:
        self.etag = f'"{secrets.token_hex(8)}"'
        self.settled = asyncio.Event()
        """It is connected, or closed without ever having been."""
        self.end_reason: str | None = None
        self.failure: ConnectionFailure | None = None
        self.clock = CallClock()
        super().__init__(DecodeLoop(config, self.clock, self._on_decoder_failure, factory))
        self.was_left = False
        """Whether the other side has ended it: it went, was lost, or never came."""
        self._pc, self._config = pc, config
        self._remote = offer
        self._loop = asyncio.get_running_loop()
        self._receivers: dict[TrackKind, TapReceiver] = {}
        self._filters: tuple[SourceFilter, ...] = ()
        self._consents: tuple[Consent, ...] = ()
        self._handshakes: tuple[Handshake, ...] = ()
        self._ice_completed = False
        self._candidate_count = 0
        self._connected_at: float | None = None
        self._paused = False
        self._resumed_at = float("-inf")
        self._causes: dict[TrackKind, Reason | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._closing_task: asyncio.Task[None] | None = None

    @classmethod
    async def answer(
        cls, offer_sdp: str, config: TapConfig | None = None, decoders: DecoderFactory = make_decoder
    ) -> tuple[WebRtcPeer, str]:
        """Answer an SDP offer: recvonly, with all candidates of this side.

        Raises `SdpError` with the HTTP status to send. `decoders` makes a decoder for a codec name and a pixel limit.
        """
        limits = config or TapConfig()
        offer = parse_offer(offer_sdp, limits)
        pc = peer_connection(_configuration(limits))
        peer = cls(pc, offer, limits, decoders)
        try:
            answer = await peer._negotiate()
        except BaseException:
            await peer.close()
            raise
        return peer, answer

    @classmethod
    async def offer(
        cls, config: TapConfig | None = None, decoders: DecoderFactory = make_decoder
    ) -> tuple[WebRtcPeer, str]:
        """Offer to receive sound and pictures: the SDP has all candidates of this side; see `accept`."""
        limits = config or TapConfig()
        pc = peer_connection(_configuration(limits))
        peer = cls(pc, None, limits, decoders)
        try:
            ask_for(pc, OFFERED)
            await pc.setLocalDescription(await pc.createOffer())
            peer._filters = guard_sources(pc)
        except BaseException:
            await peer.close()
            raise
        return peer, str(pc.localDescription.sdp)

    async def accept(self, answer_sdp: str) -> None:
        """Take the answer to the offer and connect; raises `SdpError`."""
        answer = parse_answer(answer_sdp, OFFERED, self._config)
        try:
            await self._pc.setRemoteDescription(Description(answer.for_the_stack().sdp(), "answer"))
        except Exception:
            raise SdpError(422, "unsupported answer", "this answer does not fit the offer") from None
        self._remote = answer
        self._install(answer, answered=True)
        self._consents = watch_consent(self._pc, self._config)
        await self._add(answer.candidates)
        self._start_task(self._watch())

    async def add_candidates(self, fragment: str) -> None:
        """Take a trickle fragment (RFC 8840); raises `SdpError`, 422 for an ICE restart.

        Candidates that may not be used, and those over the limit, are left out silently.
        """
        parsed = parse_fragment(fragment, self._config)
        check_restart(self._described, parsed)
        await self._add(select(parsed.candidates, self._config, self._candidate_count))

    @property
    def heard_at(self) -> float | None:
        """When the last packet of a track came; see `Hearing`."""
        return max((receiver.heard_at for receiver in self._receivers.values()), default=None)

    @property
    def dropped(self) -> int:
        """Encoded frames dropped because the reader was too slow."""
        return sum(self._decode.dropped.values())

    @property
    def connected(self) -> bool:
        """Whether ICE and DTLS are through."""
        return self._pc.connectionState == "connected"

    @property
    def connecting(self) -> bool:
        """Whether they have never been."""
        return self._connected_at is None

    def stats(self) -> TapStats:
        """Return the counters as they stand."""
        receivers = self._receivers
        counted = [r.stats for r in receivers.values()]
        return TapStats(
            state=self._pc.connectionState,
            decoded=dict(self._decode.decoded),
            dropped_packets=dict(self._decode.dropped),
            decode_errors=self._decode.errors,
            packets={kind: r.stats.packets for kind, r in receivers.items()},
            nacks=sum(c.nacks for c in counted),
            plis=sum(c.plis for c in counted),
            given_up=sum(c.given_up for c in counted),
            ssrcs={kind: len(r.ssrcs) for kind, r in receivers.items()},
            clock_resets=sum(track.resets for track in self.clock.tracks.values()),
            refused_datagrams=sum(f.refused + f.overflowed for f in self._filters),
        )

    def pause(self, paused: bool) -> None:
        """Leave media undecoded and mostly undecrypted; on resuming a key frame is requested. See `Source.pause`."""
        if paused == self._paused:
            return
        self._paused, self._resumed_at = paused, time.monotonic()
        self._decode.pause(paused)
        for receiver in self._receivers.values():
            receiver.pause(paused)
        for source_filter in self._filters:
            source_filter.paused = paused

    async def close(self) -> None:
        """End the session; safe to call twice and from anywhere, never blocks the event loop."""
        # The caller may be cancelled while it waits; the sockets are released all the same.
        await asyncio.shield(self._start_closing())

    async def _release(self) -> None:
        self._closing = True
        self._decode.close()
        for task in self._tasks:
            task.cancel()
        try:
            await self._pc.close()
        finally:
            self.closed.set()
            self.settled.set()

    @property
    def _described(self) -> Offer:
        """What the other side has said of itself."""
        if self._remote is None:
            raise RuntimeError("the offer has not been answered yet")
        return self._remote

    async def _negotiate(self) -> str:
        offer = self._described
        for section in offer.sections:
            self._pc.addTransceiver(section.kind, "recvonly")
        try:
            await self._pc.setRemoteDescription(Description(offer.for_the_stack().sdp(), "offer"))
        except Exception:
            # The offer was rewritten from what was understood, so this is for what nobody thought of.
            raise SdpError(
                422, "unsupported offer", f"this offer is not understood: offer {SUPPORTED_CODECS}"
            ) from None
        self._install(offer)
        await self._pc.setLocalDescription(await self._pc.createAnswer())
        self._filters = guard_sources(self._pc)
        self._consents = watch_consent(self._pc, self._config)
        await self._add(offer.candidates)
        self._start_task(self._watch())
        return str(self._pc.localDescription.sdp)

    def _install(self, remote: Offer, *, answered: bool = False) -> None:
        agree(self._pc, remote.sections, self._config.max_pixels)
        receivers = install(self._pc, self._config, self.clock, self._decode, remote.sections, answered=answered)
        sent = {section.kind for section in remote.sections if not section.rejected}
        self._receivers = {receiver.kind: receiver for receiver in receivers if receiver.kind in sent}
        self._handshakes = watch_handshakes(self._pc)
        self._pc.on("connectionstatechange", self._state_changed)
        self._pc.on("iceconnectionstatechange", self._ice_state_changed)

    async def _add(self, candidates: tuple[Candidate, ...]) -> None:
        for candidate in candidates:
            self._candidate_count += 1
            await self._pc.addIceCandidate(
                RTCIceCandidate(
                    component=candidate.component,
                    foundation=candidate.foundation,
                    ip=candidate.host,
                    port=candidate.port,
                    priority=candidate.priority,
                    protocol=candidate.transport,
                    type=candidate.type,
                    sdpMid=self._described.mid,
                )
            )

    def _state_changed(self) -> None:
        state = self._pc.connectionState
        if state == "connected" and self._connected_at is None:
            self._connected_at = time.monotonic()
            self.settled.set()
        elif state in ("failed", "closed"):
            self._end()

    def _ice_state_changed(self) -> None:
        self._ice_completed |= self._pc.iceConnectionState == "completed"

    def _end(self) -> None:
        """End because the connection did, and say why; what is being closed already has not failed."""
        if self._closing_task is None:
            self.was_left = True
            progress = Progress(
                ice=self._ice_completed,
                dtls=self._connected_at is not None,
                consent_expired=any(consent.expired for consent in self._consents),
                dtls_error=next((handshake.error for handshake in self._handshakes), ""),
                candidates=self._candidate_count,
            )
            self.failure = explain(progress, self._config.handshake_seconds, self._config.consent_seconds)
            self.end_reason = self.failure.reason if self.failure else None
        self._start_closing()

    async def _watch(self) -> None:
        """Close a peer that does not connect in time; report tracks from which nothing comes."""
        deadline = time.monotonic() + self._config.handshake_seconds
        while not self._closing:
            await asyncio.sleep(min(_WATCH_SECONDS, self._config.handshake_seconds))
            now = time.monotonic()
            if self._connected_at is not None:
                if self._has_left(now, self._connected_at):
                    self.end_reason, self.was_left = MEDIA_ENDED, True
                    self._start_closing()
                    return
                if not self._paused:
                    self._check_delivery(now, max(self._connected_at, self._resumed_at))
            elif now >= deadline:
                self._end()
                return

    def _has_left(self, now: float, connected_at: float) -> bool:
        """Whether no track has brought a packet for so long that the publisher must have gone."""
        heard = max((receiver.heard_at for receiver in self._receivers.values()), default=connected_at)
        return now - max(heard, connected_at) >= self._config.leave_seconds

    def _check_delivery(self, now: float, since: float) -> None:
        """Tell why nothing is decoded of a track, when that begins and when it changes."""
        for kind, receiver in self._receivers.items():
            delivery = Delivery(
                decoded_age=now - max(self._decode.newest.get(kind, since), since),
                heard_age=now - max(receiver.heard_at, since),
                unknown_age=now - receiver.unknown_at,
                unknown_packets=receiver.stats.unknown_payload,
                decoder_fault=self._decode.fault(kind),
                needs_key=receiver.needs_key,
                is_silent=receiver.is_silent(now),
            )
            cause, before = delivery.cause(self._config.stall_seconds), self._causes.get(kind)
            self._causes[kind] = cause
            # What the decoder finds it tells itself; after something else it is the reason once more.
            told = cause is before or (before is None and cause is delivery.decoder_fault)
            if cause is not None and not told:
                detail = describe(kind, cause, self._config.stall_seconds)
                self._decode.report(TrackFault(kind, cause, detail, now))

    def _on_decoder_failure(self, kind: TrackKind) -> None:
        """Ask for a key frame after a decoder failed; called from the thread that decodes."""
        receiver = self._receivers[kind]
        try:
            self._loop.call_soon_threadsafe(receiver.require_key)
        except RuntimeError:  # the loop has ended
            return

    def _start_closing(self) -> asyncio.Task[None]:
        if self._closing_task is None:
            self._closing_task = asyncio.create_task(self._release())
        return self._closing_task

    def _start_task(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


DecoderFactory = Callable[[str, int], Decoder]


def _configuration(config: TapConfig) -> RTCConfiguration:
    servers = [RTCIceServer(urls=s.url, username=s.username, credential=s.credential) for s in config.ice_servers]
    # An empty list matters: without one aiortc asks a public STUN server.
    return RTCConfiguration(iceServers=servers, bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
