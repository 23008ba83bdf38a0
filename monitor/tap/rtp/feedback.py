"""RTCP messages to the sender: NACK, PLI, REMB and receiver reports.

`sender_ssrc` is our SSRC, `ssrc` that of the media.
"""

from __future__ import annotations

from collections.abc import Mapping

from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    pack_remb_fci,
)


def nack(sender_ssrc: int, ssrc: int, missing: list[int]) -> RtcpRtpfbPacket:
    """Make a NACK for the sequence numbers `missing` (RFC 4585 section 6.2.1)."""
    packet = RtcpRtpfbPacket(fmt=RTCP_RTPFB_NACK, ssrc=sender_ssrc, media_ssrc=ssrc)
    packet.lost = missing
    return packet


def picture_loss(sender_ssrc: int, ssrc: int) -> RtcpPsfbPacket:
    """Make a picture loss indication, which asks for a key frame (RFC 4585 section 6.3.1)."""
    return RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=sender_ssrc, media_ssrc=ssrc)


def bandwidth(sender_ssrc: int, ssrc: int, bitrate: int) -> RtcpPsfbPacket:
    """Make a REMB message of the estimated bits a second (draft-alvestrand-rmcat-remb-03)."""
    return RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=sender_ssrc, media_ssrc=0, fci=pack_remb_fci(bitrate, [ssrc]))


def receiver_report(
    sender_ssrc: int,
    streams: Mapping[int, StreamStatistics],
    sender_reports: Mapping[int, tuple[int, float]],
    now: float,
) -> RtcpRrPacket | None:
    """Make a receiver report on the streams received (RFC 3550 section 6.4.2); None where there are none.

    `sender_reports` has, by SSRC, the middle 32 bits of the last report's NTP time and when it was received, in
    monotonic seconds as `now`.
    """
    reports = []
    for ssrc, statistics in streams.items():
        last, received = sender_reports.get(ssrc, (0, now))
        reports.append(
            RtcpReceiverInfo(
                ssrc=ssrc,
                fraction_lost=statistics.fraction_lost,
                packets_lost=statistics.packets_lost,
                highest_sequence=statistics.max_seq or 0,
                jitter=statistics.jitter,
                lsr=last,
                dlsr=min(int((now - received) * 65536), 0xFFFFFFFF),
            )
        )
    return RtcpRrPacket(ssrc=sender_ssrc, reports=reports) if reports else None
