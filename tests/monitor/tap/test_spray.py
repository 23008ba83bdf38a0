"""A publisher who has connected and sends under thousands of SSRCs: the tables of a real call stay small."""

from __future__ import annotations

import asyncio

import pylibsrtp
import pytest
from aiortc.rtp import RtpPacket

from monitor.tap.rtp.guards import CappedSession
from tests.monitor.tap.publisher import LOCAL, blocks, call, collect
from tests.monitor.tap.rtp.receiving import sender_report

SSRCS = 600
BATCH = 25
FIRST = 100_000


async def test_a_spray_of_ssrcs_over_a_real_call_leaves_small_tables() -> None:
    """Fails where a cap is not installed: of the router, of SRTP, of the receiver."""
    async with call(video=False) as live:
        await collect(live.peer, lambda items: len(blocks(items)) > 3)
        (sender,) = live.publisher.getSenders()
        (receiver,) = live.peer._receivers.values()
        transport = receiver.transport
        payload = next(iter(receiver._codecs))
        before = receiver.stats.packets
        for n in range(SSRCS):
            packet = RtpPacket(payload_type=payload, sequence_number=1, timestamp=n, ssrc=FIRST + n, payload=b"x" * 20)
            await sender.transport._send_rtp(packet.serialize())
            await sender.transport._send_rtp(bytes(sender_report(FIRST + n)))
            if n % BATCH == 0:
                heard = live.peer.take(100)
                del heard
                await asyncio.sleep(0)
        async with asyncio.timeout(10):
            while receiver.stats.packets < before + SSRCS / 2:
                await collect(live.peer, lambda items: bool(blocks(items)))
        session = transport._rx_srtp
        assert isinstance(session, CappedSession)
        assert len(session.streams.entries) == 2 * LOCAL.max_ssrc
        # What is forgotten is forgotten by libsrtp too: it knows no stream to remove any more.
        with pytest.raises(pylibsrtp.Error):
            session._session.remove_stream(FIRST)
        assert len(transport._rtp_router.ssrc_table) <= LOCAL.max_ssrc + 1
        assert len(receiver.ssrcs) <= LOCAL.max_ssrc
        assert len(receiver._reports.entries) <= LOCAL.max_ssrc
        assert len(receiver._selector.others) <= LOCAL.max_ssrc
        assert len(receiver._selector._reported.entries) <= LOCAL.max_ssrc
        assert live.peer.connected
        assert blocks(await collect(live.peer, lambda items: len(blocks(items)) > 3))
