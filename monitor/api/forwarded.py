"""Behind a reverse proxy: under which path clients see this server, and which address they come from.

The addresses that this server gives lead back to it. Pure. The ASGI scope is rewritten as its specification has it
(`root_path`, included in `path`), whether the proxy takes its prefix away or leaves it; all addresses that the surface
gives are made from that.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.datastructures import Headers
from starlette.types import Scope

from monitor.config import PATH_PREFIX

Network = IPv4Network | IPv6Network

HEADER = "x-forwarded-prefix"
CLIENTS_HEADER = "x-forwarded-for"
# Who has one IPv6 address has at least this many bits of them (RFC 6177): they are counted as one.
IPV6_PREFIX_BITS = 64


def prefix_of(scope: Scope, root_path: str, trusted: Sequence[Network]) -> str:
    """Return the path, without a slash at its end, under which the client of this request sees the server.

    `root_path` is the operator's word and goes first; a proxy's is taken from those in `trusted` only.
    """
    if root_path:
        return root_path
    value = Headers(scope=scope).get(HEADER, "").strip().rstrip("/")
    return value if PATH_PREFIX.fullmatch(value) and is_trusted(scope, trusted) else ""


def is_trusted(scope: Scope, trusted: Sequence[Network]) -> bool:
    """Whether the connection comes from one of these networks."""
    client = scope.get("client")
    address = read_address(client[0]) if client else None
    return address is not None and any(address in network for network in trusted)


def client_of(scope: Scope, trusted: Sequence[Network]) -> str | None:
    """Return what to count a request's client by: its address, or the network that one holder of IPv6 addresses has.

    Behind a trusted proxy it is the address that the proxy saw (the last of `X-Forwarded-For` that is no trusted proxy
    itself: what stands before it, the client has written). None where a trusted address forwards for nobody, or
    nonsense: then nothing is known of the client.
    """
    client = scope.get("client")
    if client is None or not is_trusted(scope, trusted):
        return counted_as(read_address(client[0])) if client else None
    forwarded = ",".join(Headers(scope=scope).getlist(CLIENTS_HEADER)).split(",")
    for entry in reversed(forwarded):
        address = read_address(entry.strip())
        if address is None:
            return None
        if not any(address in network for network in trusted):
            return counted_as(address)
    return None


def read_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address in a text, an IPv4 address written as an IPv6 one as the former; None where there is none."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def counted_as(address: IPv4Address | IPv6Address | None) -> str | None:
    """Return one word for all addresses that one holder has."""
    if isinstance(address, IPv6Address):
        return str(ip_network((address, IPV6_PREFIX_BITS), strict=False))
    return str(address) if address is not None else None


def seen_under(scope: Scope, prefix: str) -> Scope:
    """Return the scope with the prefix as its `root_path`."""
    if not prefix:
        return scope
    path = scope["path"]
    is_whole = path == prefix or path.startswith(prefix + "/")
    return {**scope, "root_path": prefix, "path": path if is_whole else prefix + path}


def path_within(scope: Scope) -> str:
    """Return the path below the prefix."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def address_of(scope: Scope, path: str) -> str:
    """Return the absolute path that leads a client to `path` of this server (a URI reference, RFC 9110, 10.2.2)."""
    return f"{scope.get('root_path', '')}{path}"
