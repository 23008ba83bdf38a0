"""What is known of the client that brings a bearer token: which address its mistakes are counted by. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import Scope

from monitor.api.access.grant import Client
from monitor.api.forwarded import Network, client_of, read_address

# Any of them says that somebody asks for somebody else, whether or not it is believed.
PROXY_HEADERS = (
    "x-forwarded-for", "forwarded", "via", "x-real-ip", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-prefix",
)  # fmt: skip


def bearer_client(scope: Scope, trusted: Sequence[Network]) -> Client:
    """Return the client of a request.

    A proxy that does not say for whom it asks, and this machine itself, are clients behind whom anybody may be: they
    are never locked, so that nobody can lock out an admin who comes by the same way.
    """
    connected = scope.get("client")
    peer = read_address(connected[0]) if connected else None
    counted = client_of(scope, trusted)
    is_loopback = peer is not None and peer.is_loopback
    is_proxied = any(name in Headers(scope=scope) for name in PROXY_HEADERS)
    is_own = is_loopback and not is_proxied
    return Client(counted or str(peer), is_local=is_own, lockable=counted is not None and not is_own)
