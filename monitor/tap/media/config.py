"""What the tap admits: every limit that keeps one participant's media from harming the rest of the machine."""

from __future__ import annotations

import math
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from ifaddr import get_adapters

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server for our side of the call; `url` is an RFC 7064 or RFC 7065 URI."""

    url: str
    username: str | None = None
    credential: str | None = None


@dataclass(frozen=True, slots=True)
class ClipLimits:
    """What a recorded clip may cost; where it costs more it is refused.

    `max_pixels` is per picture, and one that is larger ends the pictures; `max_bad_packets` in a row end the track.
    `max_seconds` of media, `max_streams` of any kind and `max_frames` pictures are read of a clip. Its media may last
    `free_seconds`, and a second more for each `min_bytes_per_second` of the file: a call in which
    somebody is seen or heard has more.

    The process that decodes it may hold `memory_bytes` of address space, and compute for `free_cpu_seconds` and
    `cpu_seconds_per_mb` more for each 1e6 bytes of the file; `stall_seconds` without a word from it end it.
    """

    max_pixels: int = 4096 * 2304
    max_bad_packets: int = 1000
    max_seconds: float = 4 * 3600.0
    max_streams: int = 32
    max_frames: int = 2_000_000
    free_seconds: float = 120.0
    min_bytes_per_second: float = 200.0
    memory_bytes: int = 1 << 30
    free_cpu_seconds: float = 8.0
    cpu_seconds_per_mb: float = 20.0
    stall_seconds: float = 30.0

    def media_seconds(self, file_bytes: int) -> float:
        """Seconds that the media of a file of this size may last."""
        return min(self.max_seconds, self.free_seconds + file_bytes / self.min_bytes_per_second)

    def cpu_seconds(self, file_bytes: int) -> int:
        """Seconds that decoding a file of this size may compute."""
        return math.ceil(self.free_cpu_seconds + file_bytes / 1e6 * self.cpu_seconds_per_mb)


@dataclass(frozen=True, slots=True)
class TapConfig:
    """Limits of one WebRTC participant; durations in seconds, sizes in the unit of their name.

    `allowed_networks` are exceptions to the denied ranges (loopback, link-local, private, multicast, metadata):
    candidates inside them are used. A participant of whom no media packet comes for `leave_seconds` has left: behind an
    SFU the connection stays up when the publisher goes. `backlog_seconds` of media and `backlog_bytes` bound what waits
    of a track to be decoded and judged. A key frame that is needed is asked for every `keyframe_seconds`; where none
    has come in `conceal_seconds`, pictures are decoded with what is missing concealed.
    """

    max_sdp_bytes: int = 32768
    max_candidates: int = 8
    max_pixels: int = 1920 * 1088
    max_ssrc: int = 8
    handshake_seconds: float = 10.0
    consent_seconds: float = 30.0
    stall_seconds: float = 2.0
    leave_seconds: float = 60.0
    repair_seconds: float = 0.1
    keyframe_seconds: float = 1.0
    conceal_seconds: float = 3.0
    backlog_seconds: float = 2.0
    backlog_bytes: int = 1 << 24
    allowed_networks: tuple[Network, ...] = ()
    ice_servers: tuple[IceServer, ...] = ()


def local_addresses() -> tuple[Network, ...]:
    """List the addresses of this machine, each as a network of one, loopback left out.

    A sidecar that listens on loopback only may allow them, so that a browser on the same machine can publish to it.
    """
    addresses = {ip_address(_literal(ip.ip)) for adapter in get_adapters() for ip in adapter.ips}
    return tuple(ip_network(address) for address in sorted(addresses, key=str) if not address.is_loopback)


def _literal(address: str | tuple[str, int, int]) -> str:
    return address if isinstance(address, str) else address[0].partition("%")[0]
