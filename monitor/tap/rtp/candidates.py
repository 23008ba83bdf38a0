"""Where this machine may be made to send packets: only to addresses that are public or were allowed. Pure.

The metadata services of clouds hand out credentials to whoever asks on the machine, so that they are not reached even
where the network that they lie in is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from monitor.tap.media.config import TapConfig

Address = IPv4Address | IPv6Address

_CANDIDATE = re.compile(
    r"(?P<foundation>[A-Za-z0-9+/]{1,32}) (?P<component>\d{1,3}) (?P<transport>[A-Za-z]{1,8}) (?P<priority>\d{1,10}) "
    r"(?P<host>[^ ]{1,255}) (?P<port>\d{1,5}) typ (?P<type>[a-z]{1,16})(?: .*)?",
    re.ASCII,
)
_TYPES = ("host", "srflx", "relay")
# IPv6 spellings of an IPv4 address, which is their last 32 bits: mapped (RFC 4291 section 2.5.5.2), compatible (section
# 2.5.5.1), translated (RFC 2765 section 2.1) and NAT64 (RFC 6052 section 2.1).
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_EMBEDDING = (_MAPPED, IPv6Network("::/96"), IPv6Network("::ffff:0:0:0/96"), _NAT64)
# Networks of those who translate addresses themselves (RFC 8215): where the IPv4 address stands in it is theirs to say.
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
METADATA = tuple(
    ip_network(network)
    for network in (
        "169.254.169.0/24",  # .254 is that of AWS, Azure, Google, Oracle, DigitalOcean, OpenStack and others
        "169.254.170.0/24",  # AWS: tasks .2, pods .23
        "169.254.0.23/32",  # Tencent
        "168.63.129.16/32",  # Azure's platform ("WireServer")
        "100.100.100.200/32",  # Alibaba
        "192.0.0.192/32",  # Oracle (classic)
        "fd00:ec2::/32",  # AWS: instances ::254, pods ::23
        "fd20:ce::254/128",  # Google
        "fd00:c1::a9fe:a9fe/128",  # Oracle
        "fd00:42::42/128",  # Scaleway
        "fe80::a9fe:a9fe/128",  # OpenStack
    )
)
_MIN_PORT = 1024


@dataclass(frozen=True, slots=True)
class Candidate:
    """One remote candidate (RFC 8839 section 5.1); `host` may be a name, which is never resolved here."""

    foundation: str
    component: int
    transport: str
    priority: int
    host: str
    port: int
    type: str


def parse_candidate(text: str) -> Candidate | None:
    """Parse the value of a candidate attribute; None when it is not one. Names, such as `.local`, stay names."""
    match = _CANDIDATE.fullmatch(text)
    if match is None or int(match["port"]) > 65535 or int(match["priority"]) >= 1 << 32:
        return None
    return Candidate(
        foundation=match["foundation"],
        component=int(match["component"]),
        transport=match["transport"].lower(),
        priority=int(match["priority"]),
        host=match["host"],
        port=int(match["port"]),
        type=match["type"],
    )


def select(candidates: Iterable[Candidate], config: TapConfig, in_use: int = 0) -> tuple[Candidate, ...]:
    """Keep the candidates that may be used, each address once, and no more than `max_candidates` with those in use."""
    selected: dict[tuple[str, int], Candidate] = {}
    for candidate in candidates:
        if in_use + len(selected) >= config.max_candidates:
            break
        if admitted(candidate, config):
            selected.setdefault((candidate.host, candidate.port), candidate)
    return tuple(selected.values())


def admitted(candidate: Candidate, config: TapConfig) -> bool:
    """Whether packets may be sent there: UDP, a literal address, no well-known port, and not a denied range."""
    if (candidate.component, candidate.transport) != (1, "udp") or candidate.type not in _TYPES:
        return False
    if candidate.port < _MIN_PORT:
        return False
    try:
        address = ip_address(candidate.host)
    except ValueError:
        return False
    if is_metadata(address):
        return False
    return any(address in network for network in config.allowed_networks) or not denied(address)


def denied(address: Address) -> bool:
    """Whether an address is loopback, link-local, multicast, private, a cloud's metadata, or hides one of these."""
    if is_metadata(address):
        return True
    if isinstance(address, IPv6Address):
        if address in _MAPPED:
            return denied(IPv4Address(address.packed[12:]))
        # Where a translator or a tunnel leads is not for a publisher to choose.
        if address.sixtofour is not None or address.teredo is not None or address in _LOCAL_NAT64:
            return True
        if any(address in network for network in _EMBEDDING):
            return True
    return not address.is_global or address.is_multicast


def is_metadata(address: Address) -> bool:
    """Whether an address is that of a cloud's metadata service, in whatever spelling."""
    return any(spelt in network for spelt in _spellings(address) for network in METADATA)


def _spellings(address: Address) -> Iterator[Address]:
    """Yield an address and the IPv4 addresses that it may stand for."""
    yield address
    if isinstance(address, IPv4Address):
        return
    if any(address in network for network in _EMBEDDING):
        yield IPv4Address(address.packed[12:])
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if address in _LOCAL_NAT64:
        # RFC 6052 section 2.2: behind prefixes of 48, 56, 64 and 96 bits, around the zero byte 8.
        yield from (IPv4Address(_without_zero_byte(address.packed)[start : start + 4]) for start in (6, 7, 8))
        yield IPv4Address(address.packed[12:])


def _without_zero_byte(packed: bytes) -> bytes:
    return packed[:8] + packed[9:]
