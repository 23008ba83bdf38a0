"""Our receivers and guards in an aiortc peer connection, in place of its own.

Only this package knows the private names of aiortc and aioice (aiortc 1.16.0, aioice 0.13.0, pinned). `install` puts a
`TapReceiver` into each transceiver, and guards around the connection: a source filter, a bounded datagram queue and
caps on SSRCs. All of it is per instance; nothing global is changed. `tests/monitor/tap/rtp/test_receiver_contract.py`
fails when an upgrade moves what is used here.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import structlog
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender
from aiortc.exceptions import InvalidStateError
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtpparameters import ParametersDict, RTCRtcpFeedback, RTCRtpCodecParameters

from monitor.tap.media.clock import CallClock
from monitor.tap.media.config import TapConfig
from monitor.tap.media.decode import DecodeLoop
from monitor.tap.media.parameter_sets import ParameterSets, parse_sprop
from monitor.tap.rtp.certificate import TapCertificate
from monitor.tap.rtp.fast_path import FastPath
from monitor.tap.rtp.guards import CappedRouter, CappedSession, SourceFilter
from monitor.tap.rtp.h264_format import format_parameters, parse_format
from monitor.tap.rtp.handshake import Handshake
from monitor.tap.rtp.ice import Consent, resume_checks
from monitor.tap.rtp.receiver import TapReceiver
from monitor.tap.rtp.sdp import Codec, Section
from monitor.types import TrackKind

_CERTIFICATES = "_RTCPeerConnection__certificates"
_RECEIVER = "_RTCRtpTransceiver__receiver"
_NAMES = {"opus": "audio/opus", "vp8": "video/VP8", "h264": "video/H264", "rtx": "video/rtx"}


def peer_connection(configuration: RTCConfiguration) -> RTCPeerConnection:
    """Make a peer connection with our own kind of certificate; its transports come later and take that one."""
    pc = RTCPeerConnection(configuration)
    setattr(pc, _CERTIFICATES, [TapCertificate.generateCertificate()])
    return pc


def ask_for(pc: RTCPeerConnection, kinds: Sequence[TrackKind]) -> None:
    """Add a section to receive each of these kinds, in the codecs that are decoded here; before our offer."""
    for kind in kinds:
        transceiver = pc.addTransceiver(kind, "recvonly")
        known = RTCRtpSender.getCapabilities(kind).codecs
        transceiver.setCodecPreferences([codec for codec in known if codec.mimeType in _NAMES.values()])


def agree(pc: RTCPeerConnection, sections: Sequence[Section], max_pixels: int) -> None:
    """Put the codecs of an admitted offer into the answer, in their order; between remote and local description.

    aiortc finds only the formats that it encodes, and puts them in its own order.
    """
    by_mid = {section.mid: section for section in sections}
    for transceiver in pc.getTransceivers():
        section = by_mid[transceiver.mid or ""]
        transceiver._codecs = [codec_parameters(codec, max_pixels) for codec in section.codecs]


def codec_parameters(codec: Codec, max_pixels: int) -> RTCRtpCodecParameters:
    """Return a codec as aiortc describes it, for pictures of up to `max_pixels`."""
    name = codec.name.lower()
    return RTCRtpCodecParameters(
        mimeType=_NAMES[name],
        clockRate=codec.clock_rate,
        channels=codec.channels,
        payloadType=codec.payload,
        rtcpFeedback=[RTCRtcpFeedback(kind, parameter or None) for kind, parameter in _feedback(codec)],
        parameters=_answer(codec, max_pixels),
    )


def _feedback(codec: Codec) -> Iterator[tuple[str, str]]:
    for message in codec.feedback:
        kind, _, parameter = message.partition(" ")
        yield kind, parameter


def _answer(codec: Codec, max_pixels: int) -> ParametersDict:
    if codec.name.lower() == "rtx":
        return {"apt": int(codec.parameters.removeprefix("apt="))}
    offered = parse_format(codec.parameters) if codec.name.lower() == "h264" else None
    if offered is None:
        return {}
    return {**format_parameters(offered.answer(max_pixels))}


def install(
    pc: RTCPeerConnection,
    config: TapConfig,
    clock: CallClock,
    decode: DecodeLoop,
    sections: Sequence[Section] = (),
    *,
    answered: bool = False,
) -> tuple[TapReceiver, ...]:
    """Replace the receivers of a peer connection and cap its tables; between remote and local description.

    `sections` are those of the offer, for what it says of the streams. Where the other side has `answered` an offer of
    ours, they are those of the answer, and this comes at once after it: before the event loop goes on to connect.
    """
    if pc.signalingState != ("stable" if answered else "have-remote-offer") or pc.iceConnectionState != "new":
        raise InvalidStateError("the tap is installed between the offer and the answer, or at once after an answer")
    receivers: list[TapReceiver] = []
    parameter_sets = parameter_sets_of([codec for section in sections for codec in section.codecs])
    for transceiver in pc.getTransceivers():
        receiver = TapReceiver(transceiver, config, clock, decode, parameter_sets)
        setattr(transceiver, _RECEIVER, receiver)
        receivers.append(receiver)
    for transport in {id(r.transport): r.transport for r in receivers}.values():
        _cap(transport, config)
    return tuple(receivers)


def parameter_sets_of(codecs: Sequence[Codec]) -> dict[int, ParameterSets]:
    """Give the parameter sets that came with codecs by payload type (RFC 6184 section 8.1)."""
    named = [(c.payload, format_parameters(c.parameters)) for c in codecs if c.name.lower() == "h264"]
    parsed = {payload: parse_sprop(values.get("sprop-parameter-sets", "")) for payload, values in named}
    if not all(well_formed for _, well_formed in parsed.values()):
        structlog.stdlib.get_logger("tap").warning("malformed sprop-parameter-sets of an offer are left out")
    return {payload: sets for payload, (sets, _) in parsed.items()}


def guard_sources(pc: RTCPeerConnection) -> tuple[SourceFilter, ...]:
    """Put source filters before the sockets; after the candidates have been gathered."""
    filters = []
    for transport in _transports(pc):
        connection = transport.transport._connection
        source_filter = SourceFilter(connection, FastPath(transport).take)
        for protocol in connection._protocols:
            source_filter.guard(protocol)
        filters.append(source_filter)
    return tuple(filters)


def watch_consent(pc: RTCPeerConnection, config: TapConfig) -> tuple[Consent, ...]:
    """Have the far ends' consent watched, and their checks answered; before ICE begins."""
    consents = []
    for transport in _transports(pc):
        connection = transport.transport._connection
        consent = Consent(connection, config.consent_seconds, partial(_last_media, transport))
        connection.query_consent = consent.run  # type: ignore[method-assign]
        resume_checks(connection)
        consents.append(consent)
    return tuple(consents)


def watch_handshakes(pc: RTCPeerConnection) -> tuple[Handshake, ...]:
    """Have it noted why a DTLS handshake fails; before it begins."""
    (certificate,) = getattr(pc, _CERTIFICATES)
    return tuple(Handshake(transport, certificate) for transport in _transports(pc))


def _transports(pc: RTCPeerConnection) -> Iterable[RTCDtlsTransport]:
    return {id(r.transport): r.transport for r in pc.getReceivers()}.values()


def _last_media(transport: RTCDtlsTransport) -> float:
    session = transport._rx_srtp
    return session.authenticated_at if isinstance(session, CappedSession) else float("-inf")


def _count_unknown_payload(receiver: TapReceiver) -> None:
    receiver.note_unknown(time.monotonic())


def _cap(transport: RTCDtlsTransport, config: TapConfig) -> None:
    transport._rtp_router = CappedRouter(config.max_ssrc, _count_unknown_payload)
    setup_srtp = transport._setup_srtp

    def capped() -> None:
        setup_srtp()
        if transport._rx_srtp is not None:
            transport._rx_srtp = CappedSession(transport._rx_srtp, 2 * config.max_ssrc)  # type: ignore[assignment]

    transport._setup_srtp = capped  # type: ignore[method-assign]
