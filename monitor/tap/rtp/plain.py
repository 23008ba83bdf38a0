"""The receiver of a track of plain RTP or SRTP: two sockets, or one, in place of ICE and DTLS.

Everything from a decrypted packet on is `TapReceiver`'s, which takes these for aiortc's own.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import pylibsrtp
from aiortc.rtcrtpparameters import RTCRtpDecodingParameters, RTCRtpReceiveParameters
from aiortc.rtcrtptransceiver import RTCRtpTransceiver
from aiortc.rtp import RtcpByePacket, RtcpPacket

from monitor.tap.media.clock import CallClock
from monitor.tap.media.config import TapConfig
from monitor.tap.media.decode import DecodeLoop
from monitor.tap.rtp.guards import CappedSession
from monitor.tap.rtp.install import codec_parameters, parameter_sets_of
from monitor.tap.rtp.packet import parse
from monitor.tap.rtp.plain_sdp import PlainTrack
from monitor.tap.rtp.receiver import TapReceiver
from monitor.tap.rtp.source_pin import Address, SourcePin

_PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}


@dataclass
class _Receiver:
    """What stands where aiortc's receiver would."""

    transport: Any
    _track: None = None
    _enabled: bool = True


@dataclass
class _Sender:
    _ssrc: int


@dataclass
class _Transceiver:
    kind: str
    receiver: _Receiver
    sender: _Sender


class _Port(asyncio.DatagramProtocol):
    def __init__(self, take: Callable[[bytes, Address], None]) -> None:
        self._take = take

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self._take(data, (addr[0], addr[1]))


class PlainReceiver:
    """One track; `begin` binds its ports, and `on_packet` is called at each media packet that belongs here."""

    def __init__(
        self, track: PlainTrack, config: TapConfig, clock: CallClock, decode: DecodeLoop, on_packet: Callable[[], None]
    ) -> None:
        self.track = track
        self.pin = SourcePin()
        self.refused = 0
        self.said_goodbye = False
        self._on_packet = on_packet
        self._payloads = {codec.payload for codec in track.codecs}
        self._inbound = _session(track, config, pylibsrtp.Policy.SSRC_ANY_INBOUND)
        self._outbound = _session(track, config, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        self._sockets: list[asyncio.DatagramTransport] = []
        self._handling: set[asyncio.Task[None]] = set()
        transceiver = _Transceiver(track.kind, _Receiver(self), _Sender(secrets.randbits(32)))
        sets = parameter_sets_of(track.codecs)
        self.receiver = TapReceiver(cast(RTCRtpTransceiver, transceiver), config, clock, decode, sets)
        self._codecs = [codec_parameters(codec, config.max_pixels) for codec in track.codecs]

    async def begin(self, host: str) -> None:
        """Bind the ports and receive; raises `OSError`."""
        loop = asyncio.get_running_loop()
        ports = {self.track.port: self._any if self._is_multiplexed else self._media}
        ports.setdefault(self.track.rtcp_port, self._control)
        for port, take in ports.items():
            socket, _ = await loop.create_datagram_endpoint(lambda take=take: _Port(take), (host, port))  # type: ignore[misc]
            self._sockets.append(socket)
        encodings = [
            RTCRtpDecodingParameters(ssrc=self.track.ssrc, payloadType=codec.payload)
            for codec in self.track.codecs[:1]
            if self.track.ssrc is not None
        ]
        await self.receiver.receive(RTCRtpReceiveParameters(codecs=self._codecs, encodings=encodings))

    def report_to(self, port: int) -> None:
        """Send RTCP to a port of the sender that was said to take it."""
        self.pin = replace(self.pin, reports_to=port)

    async def close(self) -> None:
        """Release the ports; safe to call twice."""
        await self.receiver.stop()
        for socket in self._sockets:
            socket.close()

    @property
    def _is_multiplexed(self) -> bool:
        return self.track.port == self.track.rtcp_port

    def _any(self, data: bytes, address: Address) -> None:
        # RFC 5761 section 4.
        is_control = len(data) > 1 and 192 <= data[1] <= 223
        (self._control if is_control else self._media)(data, address)

    def _media(self, data: bytes, address: Address) -> None:
        now = time.monotonic()
        if not self.pin.may_send(address, now):
            self.refused += 1
            return
        try:
            packet = parse(self._inbound.unprotect(data) if self._inbound is not None else data)
        except (pylibsrtp.Error, ValueError):
            packet = None
        is_ours = packet is not None and packet.payload_type in self._payloads
        if packet is None or not is_ours or self.track.ssrc not in (None, packet.ssrc):
            self.refused += 1
            return
        self.pin = self.pin.heard(address, now)
        self.said_goodbye = False
        self.receiver.take(packet, now)
        self._on_packet()

    def _control(self, data: bytes, address: Address) -> None:
        if not self.pin.may_report(address, time.monotonic()):
            self.refused += 1
            return
        try:
            packets = RtcpPacket.parse(self._inbound.unprotect_rtcp(data) if self._inbound is not None else data)
        except (pylibsrtp.Error, ValueError):
            self.refused += 1
            return
        self.pin = self.pin.reported(address)
        for packet in packets:
            self.said_goodbye |= isinstance(packet, RtcpByePacket)
            task = asyncio.get_running_loop().create_task(self.receiver._handle_rtcp_packet(packet))
            self._handling.add(task)
            task.add_done_callback(self._handling.discard)

    async def _send_rtp(self, data: bytes) -> None:
        """Send RTCP to the sender, where it is known; the name is the one that the receiver expects."""
        address = self.pin.feedback(is_multiplexed=self._is_multiplexed)
        if address is None or not self._sockets:
            return
        protected = self._outbound.protect_rtcp(data) if self._outbound is not None else data
        self._sockets[-1].sendto(protected, address)

    def _register_rtp_receiver(self, receiver: TapReceiver, parameters: RTCRtpReceiveParameters) -> None:
        """Do nothing: there is one receiver a port."""

    def _unregister_rtp_receiver(self, receiver: TapReceiver) -> None:
        """Do nothing."""


def _session(track: PlainTrack, config: TapConfig, direction: int) -> Any:
    if not track.key:
        return None
    policy = pylibsrtp.Policy(key=track.key, ssrc_type=direction, srtp_profile=_PROFILES[track.profile])
    session = pylibsrtp.Session(policy)
    is_inbound = direction == pylibsrtp.Policy.SSRC_ANY_INBOUND
    return CappedSession(session, 2 * config.max_ssrc) if is_inbound else session
