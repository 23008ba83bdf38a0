"""The toolkit of plug-ins: everything of the product that a way into a call may use, and nothing else is promised.

- **What a plug-in makes**: a `Source` of `VideoFrame`s, `AudioBlock`s and `TrackFault`s, each with its `Stamp`; a
  `PullSource` where the media are decoded by whoever judges them.
- **Files**: `probe_clip`, `ReplaySource`.
- **RTP**: `parse_packet` reads a packet, a `JitterBuffer` puts packets in order and joins them to frames.
- **Time**: a `CallClock` maps the RTP time of both tracks to the sender's clock by sender reports (`ntp_seconds` reads
  their timestamp), and says what it does not know.
- **Messages**: a `StampedPeer` is a `PullSource` of whole frames that a platform's server has stamped.
- **Decoding**: a `DecodeLoop` keeps a bounded backlog of `EncodedFrame`s and decodes them when it is asked to.
  `to_video_frame` gives the planes of a decoded picture; an `AudioCutter` resamples decoded sound to `SAMPLE_RATE_HZ`
  and cuts it into blocks of `BLOCK_SAMPLES`.
- **SDP and WebRTC**: `parse_offer` reads an offer and refuses what is not understood (`SdpError`), `Offer.sdp` renders
  one from values, `WebRtcPeer.answer` answers one and is a `PullSource`. `TapConfig` bounds all of it.
"""

from __future__ import annotations

from monitor.tap.clip_file import ClipInfo
from monitor.tap.media.clock import CallClock, TrackClock, ntp_seconds
from monitor.tap.media.config import ClipLimits, IceServer, TapConfig
from monitor.tap.media.decode import DecodeLoop, Decoder, EncodedFrame, make_decoder
from monitor.tap.media.formats import BLOCK_SAMPLES, AudioCutter, to_video_frame
from monitor.tap.media.source import PullSource, Source, SourceError
from monitor.tap.neighbours import networks_at
from monitor.tap.plain_peer import PlainPeer
from monitor.tap.replay import ReplaySource, probe_clip
from monitor.tap.rtp.jitter import JitterBuffer
from monitor.tap.rtp.packet import Packet
from monitor.tap.rtp.packet import parse as parse_packet
from monitor.tap.rtp.sdp import Codec, Offer, SdpError, Section
from monitor.tap.rtp.sdp_parser import parse_offer
from monitor.tap.stamped_peer import StampedPeer
from monitor.tap.webrtc import TapStats, WebRtcPeer
from monitor.types import (
    SAMPLE_RATE_HZ,
    ActionKind,
    AudioBlock,
    ClockState,
    MediaItem,
    Profile,
    Reason,
    Stamp,
    TrackFault,
    TrackKind,
    VideoFrame,
)

__all__ = [
    "BLOCK_SAMPLES",
    "SAMPLE_RATE_HZ",
    "ActionKind",
    "AudioBlock",
    "AudioCutter",
    "CallClock",
    "ClipInfo",
    "ClipLimits",
    "ClockState",
    "Codec",
    "DecodeLoop",
    "Decoder",
    "EncodedFrame",
    "IceServer",
    "JitterBuffer",
    "MediaItem",
    "Offer",
    "Packet",
    "PlainPeer",
    "Profile",
    "PullSource",
    "Reason",
    "ReplaySource",
    "SdpError",
    "Section",
    "Source",
    "SourceError",
    "Stamp",
    "StampedPeer",
    "TapConfig",
    "TapStats",
    "TrackClock",
    "TrackFault",
    "TrackKind",
    "VideoFrame",
    "WebRtcPeer",
    "make_decoder",
    "networks_at",
    "ntp_seconds",
    "parse_offer",
    "parse_packet",
    "probe_clip",
    "to_video_frame",
]
