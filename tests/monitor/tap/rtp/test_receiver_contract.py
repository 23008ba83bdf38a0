"""What `monitor.tap.rtp.receiver` takes for granted of aiortc and aioice: an upgrade that moves it fails here first."""

from __future__ import annotations

import inspect
import re
from importlib.metadata import version

import aiortc.rtcdtlstransport as dtls
from aioice.candidate import Candidate
from aioice.ice import CandidatePair, Connection, StunProtocol
from aiortc import RTCConfiguration, RTCPeerConnection
from aiortc.rate import RemoteBitrateEstimator
from aiortc.rtcrtpreceiver import NackGenerator, RTCRtpReceiver, StreamStatistics

from monitor.tap.rtp.certificate import FINGERPRINT_HASH, TapCertificate
from monitor.tap.rtp.guards import CappedRouter
from monitor.tap.rtp.install import peer_connection
from monitor.tap.rtp.receiver import TapReceiver
from tests.monitor.tap.publisher import call


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


async def test_datagrams_come_in_as_before() -> None:
    assert parameters(StunProtocol.datagram_received) == ["self", "data", "addr"]
    assert "self.receiver.data_received(data" in inspect.getsource(StunProtocol.datagram_received)
    assert isinstance(CandidatePair.remote_addr, property)
    connection = Connection(ice_controlling=False)
    await connection.add_remote_candidate(Candidate("1", 1, "udp", 1, "198.51.100.7", 5000, "host"))
    assert [(c._network_host, c.port) for c in connection._remote_candidates] == [("198.51.100.7", 5000)]
    # Only who knows our password becomes a candidate by a check.
    source = inspect.getsource(Connection.request_received)
    assert source.index("check_message_integrity") < source.index("check_incoming")


def test_consent_and_checks_are_kept_as_before() -> None:
    assert "self._query_consent_task = asyncio.create_task(self.query_consent())" in inspect.getsource(
        Connection.connect
    )
    assert "self._query_consent_task" in inspect.getsource(Connection.close)
    assert "check.task.cancel()" in inspect.getsource(Connection.connect)
    assert "self.check_incoming(message, addr, protocol)" in inspect.getsource(Connection.request_received)
    assert parameters(Connection.check_incoming) == ["self", "message", "addr", "protocol"]
    assert parameters(Connection.check_state) == ["self", "pair", "state"]
    assert parameters(Connection.build_request) == ["self", "pair", "nominate"]
    assert "if pair.task is None:" in inspect.getsource(Connection.check_start_task)


async def test_certificates_are_made_and_used_as_before() -> None:
    pc = RTCPeerConnection()
    assert [type(one) for one in vars(pc)["_RTCPeerConnection__certificates"]] == [dtls.RTCCertificate]
    await pc.close()
    tap = peer_connection(RTCConfiguration(iceServers=[]))
    transport = tap.addTransceiver("audio", "recvonly").receiver.transport
    (fingerprint,) = transport.getLocalParameters().fingerprints
    assert fingerprint.algorithm == FINGERPRINT_HASH
    await tap.close()
    assert "_create_ssl_context(" in inspect.getsource(dtls.RTCDtlsTransport.start)
    assert parameters(TapCertificate._create_ssl_context) == parameters(dtls.RTCCertificate._create_ssl_context)


async def test_everything_is_installed_in_a_connection_that_is_answered() -> None:
    async with call(video=False) as live:
        transport = live.peer._pc.getReceivers()[0].transport
        connection = transport.transport._connection
        assert {"query_consent", "check_incoming"} <= vars(connection).keys()
        assert all("datagram_received" in vars(protocol) for protocol in connection._protocols)
