"""What is said to the sender in RTCP: what is missing, that a key frame is wanted, what came, how much there may be."""

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


def nack(own: int, ssrc: int, lost: list[int]) -> RtcpRtpfbPacket:
    """Ask for packets again (RFC 4585 section 6.2.1)."""
    packet = RtcpRtpfbPacket(fmt=RTCP_RTPFB_NACK, ssrc=own, media_ssrc=ssrc)
    packet.lost = lost
    return packet


def picture_loss(own: int, ssrc: int) -> RtcpPsfbPacket:
    """Ask for a key frame (RFC 4585 section 6.3.1)."""
    return RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=own, media_ssrc=ssrc)


def bandwidth(own: int, ssrc: int, bitrate: int) -> RtcpPsfbPacket:
    """Tell how many bits a second there seem to be (draft-alvestrand-rmcat-remb-03)."""
    return RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=own, media_ssrc=0, fci=pack_remb_fci(bitrate, [ssrc]))


def receiver_report(
    own: int, streams: Mapping[int, StreamStatistics], heard: Mapping[int, tuple[int, float]], now: float
) -> RtcpRrPacket | None:
    """Report what came of each stream (RFC 3550 section 6.4.2); None where nothing did.

    `heard` is the middle of the last sender report's time by SSRC, and when it came.
    """
    reports = []
    for ssrc, counted in streams.items():
        last, at = heard.get(ssrc, (0, now))
        reports.append(
            RtcpReceiverInfo(
                ssrc=ssrc,
                fraction_lost=counted.fraction_lost,
                packets_lost=counted.packets_lost,
                highest_sequence=counted.max_seq or 0,
                jitter=counted.jitter,
                lsr=last,
                dlsr=min(int((now - at) * 65536), 0xFFFFFFFF),
            )
        )
    return RtcpRrPacket(ssrc=own, reports=reports) if reports else None
