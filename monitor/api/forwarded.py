"""Behind a reverse proxy: under which path clients see this server, so that the addresses it gives lead back to it.

Pure. The ASGI scope is rewritten as its specification has it (`root_path`, included in `path`), whether the proxy takes
its prefix away or leaves it; all addresses that the surface gives are made from that.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from starlette.datastructures import Headers
from starlette.types import Scope

from monitor.config import PATH_PREFIX

Network = IPv4Network | IPv6Network

HEADER = "x-forwarded-prefix"


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
    try:
        address = ip_address(client[0].partition("%")[0]) if client else None
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped is not None and any(mapped in network for network in trusted)


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
