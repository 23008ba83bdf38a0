"""Real publishers that fail to connect, or are lost, each in a way of its own; the peer says in which."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import pytest
from aiortc import RTCPeerConnection
from aiortc.rtcdtlstransport import RTCCertificate, SRTPProtectionProfile
from OpenSSL import SSL

from monitor.tap.media.source import ConnectionFailure
from monitor.tap.webrtc import WebRtcPeer
from tests.monitor.tap.publisher import LOCAL, Call, blocks, call, collect
from tests.monitor.tap.test_connecting import connection_of, fall_silent, stop_sending

SOON = replace(LOCAL, handshake_seconds=3.0)


async def end_of(peer: WebRtcPeer) -> ConnectionFailure:
    """Wait for the peer's end, and for what it says of it."""
    await asyncio.wait_for(peer.closed.wait(), 15)
    assert peer.failure is not None
    assert peer.end_reason == peer.failure.reason
    assert not re.search(r"[0-9A-F]{2}:[0-9A-F]{2}|\d+\.\d+\.\d+\.\d+", peer.failure.detail)
    return peer.failure


async def test_no_ice_at_all() -> None:
    """A publisher that never takes the answer: nothing comes to any candidate."""
    async with call(video=False) as live:
        offer = live.publisher.localDescription.sdp
    peer, _ = await WebRtcPeer.answer(offer, replace(LOCAL, handshake_seconds=0.3))
    assert peer.connecting
    failure = await end_of(peer)
    assert failure.reason == "no_ice_answer"
    assert re.fullmatch(r"no ICE answer within 0.3 s; candidates that could be tried: [1-8]", failure.detail)


async def test_a_certificate_that_is_not_the_one_of_the_offer() -> None:
    def forge(publisher: RTCPeerConnection) -> None:
        transport = publisher.getSenders()[0].transport
        vars(transport)["_RTCDtlsTransport__local_certificate"] = RTCCertificate.generateCertificate()

    async with call(config=SOON, video=False, prepare=forge) as live:
        failure = await end_of(live.peer)
        assert live.peer.connecting
    assert failure.reason == "dtls_failed"
    assert failure.detail == "DTLS handshake failed: the certificate is not the one of the offer's fingerprint"


class Particular(RTCCertificate):
    """Speaks one cipher suite, which the sidecar does not."""

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(b"ECDHE-ECDSA-AES256-GCM-SHA384")
        return context


async def test_no_cipher_suite_in_common() -> None:
    async with call(config=SOON, video=False, certificate=Particular.generateCertificate()) as live:
        failure = await end_of(live.peer)
    assert failure.reason == "dtls_failed"
    assert failure.detail == "DTLS handshake failed: the publisher said handshake_failure"


async def test_no_srtp_profile_in_common() -> None:
    def plain(publisher: RTCPeerConnection) -> None:
        """Offer the one that this side has not."""
        transport = publisher.getSenders()[0].transport
        transport._srtp_profiles = [replace(transport._srtp_profiles[-1], openssl_profile=b"SRTP_AES128_CM_SHA1_32")]

    async with call(config=SOON, video=False, prepare=plain) as live:
        failure = await end_of(live.peer)
    assert failure.reason == "dtls_failed"
    assert failure.detail == "DTLS handshake failed: no SRTP profile in common"


async def test_a_handshake_that_is_never_answered() -> None:
    def mute(publisher: RTCPeerConnection) -> None:
        async def nothing(data: bytes) -> None:
            pass

        publisher.getSenders()[0].transport.transport._send = nothing

    async with call(config=replace(SOON, handshake_seconds=1.0), video=False, prepare=mute) as live:
        failure = await end_of(live.peer)
        assert connection_of(live.publisher)._nominated
    assert failure == ConnectionFailure("dtls_failed", "DTLS handshake not finished within 1 s")


async def test_a_publisher_that_stops_answering_and_sending() -> None:
    async with call(config=replace(LOCAL, consent_seconds=0.5), video=False) as live:
        await collect(live.peer, lambda items: len(blocks(items)) > 5)
        fall_silent(live.publisher)
        await stop_sending(live)
        failure = await end_of(live.peer)
        assert not live.peer.connecting
    assert failure == ConnectionFailure("consent_expired", "consent expired: neither answers nor media for 0.5 s")


@pytest.mark.parametrize("by_publisher", [True, False])
async def test_who_says_goodbye_has_not_failed(by_publisher: bool) -> None:
    async with call(video=False) as live:
        await collect(live.peer, lambda items: len(blocks(items)) > 5)
        await close(live, by_publisher)
        await asyncio.wait_for(live.peer.closed.wait(), 10)
        assert (live.peer.failure, live.peer.end_reason) == (None, None)


async def close(live: Call, by_publisher: bool) -> None:
    """End a call from either side."""
    await (live.publisher.close() if by_publisher else live.peer.close())
