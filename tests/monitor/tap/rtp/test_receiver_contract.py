"""What `monitor.tap.rtp.receiver` takes for granted of aiortc and aioice: an upgrade that moves it fails here first."""

from __future__ import annotations

import inspect
import re
from importlib.metadata import version

import aiortc.rtcdtlstransport as dtls
from aioice.ice import CandidatePair, Connection, StunProtocol
from aiortc import RTCPeerConnection
from aiortc.rate import RemoteBitrateEstimator
from aiortc.rtcrtpreceiver import NackGenerator, RTCRtpReceiver, StreamStatistics

from monitor.tap.rtp.guards import CappedRouter
from monitor.tap.rtp.receiver import TapReceiver


def parameters(function: object) -> list[str]:
    assert callable(function)
    return list(inspect.signature(function).parameters)


def test_the_versions_are_those_that_were_read() -> None:
    assert (version("aiortc"), version("aioice")) == ("1.16.0", "0.13.0")


def test_the_receiver_has_every_method_that_aiortc_calls() -> None:
    called = ["receive", "stop", "setTransport", "getStats", "_set_rtcp_ssrc", "_handle_disconnect"]
    called += ["_handle_rtp_packet", "_handle_rtcp_packet"]
    for name in called:
        assert parameters(getattr(TapReceiver, name)) == parameters(getattr(RTCRtpReceiver, name)), name
        ours, theirs = getattr(TapReceiver, name), getattr(RTCRtpReceiver, name)
        assert inspect.iscoroutinefunction(ours) == inspect.iscoroutinefunction(theirs), name
    public = {name for name in vars(RTCRtpReceiver) if not name.startswith("_")}
    assert public - {"getCapabilities", "getSynchronizationSources"} <= set(dir(TapReceiver))


async def test_the_peer_connection_still_keeps_its_parts_where_they_were() -> None:
    pc = RTCPeerConnection()
    transceiver = pc.addTransceiver("video", "recvonly")
    assert vars(transceiver)["_RTCRtpTransceiver__receiver"] is transceiver.receiver
    transport = transceiver.receiver.transport
    assert type(transport._rtp_router) is dtls.RtpRouter
    assert transport._rx_srtp is None
    assert isinstance(transport.transport._connection, Connection)
    assert (transceiver.receiver._track, transceiver.receiver._enabled) == (None, True)
    assert transceiver.sender._ssrc > 0
    connection = transport.transport._connection
    assert (connection._check_list, connection._nominated, connection._protocols) == ([], {}, [])
    assert connection._queue.qsize() == 0
    await pc.close()


def test_the_router_and_transport_are_called_as_before() -> None:
    assert parameters(CappedRouter.route_rtp) == parameters(dtls.RtpRouter.route_rtp)
    assert parameters(CappedRouter.register_receiver) == parameters(dtls.RtpRouter.register_receiver)
    source = inspect.getsource(dtls.RTCDtlsTransport)
    for use in ("self._rx_srtp.unprotect(data)", "self._rx_srtp.unprotect_rtcp(data)", "self._setup_srtp()"):
        assert use in source
    assert "self._rtp_router.route_rtp(packet)" in source


def test_the_counters_are_built_as_before() -> None:
    assert NackGenerator().missing == set()
    assert parameters(RemoteBitrateEstimator.add)[1:] == ["arrival_time_ms", "abs_send_time", "payload_size", "ssrc"]
    assert isinstance(StreamStatistics.fraction_lost, property)
    assert (StreamStatistics(90_000).max_seq, StreamStatistics(90_000).jitter) == (None, 0)
    # Both are given packets of ours: these are the fields that they read.
    for reader in (StreamStatistics.add, NackGenerator.add):
        read = set(re.findall(r"packet\.(\w+)", inspect.getsource(reader)))
        assert read <= {"sequence_number", "timestamp"}, reader


def test_media_are_decrypted_and_routed_as_before() -> None:
    source = inspect.getsource(dtls.RTCDtlsTransport._recv_next)
    # The same bytes go to SRTP here as there, but for what RFC 5761 leaves to RTCP.
    assert "first_byte > 127 and first_byte < 192 and self._rx_srtp" in source
    assert inspect.iscoroutinefunction(dtls.RTCDtlsTransport._send_rtp)
    routed = set(re.findall(r"packet\.(\w+)", inspect.getsource(dtls.RtpRouter.route_rtp)))
    assert routed == {"ssrc", "payload_type"}


def test_datagrams_come_in_as_before() -> None:
    assert parameters(StunProtocol.datagram_received) == ["self", "data", "addr"]
    assert "self.receiver.data_received(data" in inspect.getsource(StunProtocol.datagram_received)
    assert isinstance(CandidatePair.remote_addr, property)
    assert CandidatePair.State.SUCCEEDED is not None
