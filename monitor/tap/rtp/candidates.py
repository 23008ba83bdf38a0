"""Where this machine may be made to send packets: only to addresses that are public or were allowed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from monitor.tap.media.config import TapConfig

Address = IPv4Address | IPv6Address

_CANDIDATE = re.compile(
    r"(?P<foundation>[A-Za-z0-9+/]{1,32}) (?P<component>\d{1,3}) (?P<transport>[A-Za-z]{1,8}) (?P<priority>\d{1,10}) "
    r"(?P<host>[^ ]{1,255}) (?P<port>\d{1,5}) typ (?P<type>[a-z]{1,16})(?: .*)?",
    re.ASCII,
)
_TYPES = ("host", "srflx", "relay")
_NAT64 = IPv6Network("64:ff9b::/96")
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
    return any(address in network for network in config.allowed_networks) or not denied(address)


def denied(address: Address) -> bool:
    """Whether an address is loopback, link-local (cloud metadata is), multicast, private, or hides one of these."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return denied(address.ipv4_mapped)
        if address.sixtofour is not None or address.teredo is not None or address in _NAT64:
            return True
    return not address.is_global or address.is_multicast
