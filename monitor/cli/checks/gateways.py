"""Whether the other gateways that the settings name are there, and have the same secret."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

from monitor.detectors.check import Check

if TYPE_CHECKING:
    from monitor.config import Settings

NAME = "gateways"
CONNECT_SECONDS = 2.0


def gateways(settings: Settings) -> Check:
    """Check what the settings say of other gateways, and connect to each."""
    from monitor.config import ConfigError
    from monitor.host.peers.options import options_of
    from monitor.host.peers.tls import contexts

    try:
        options = options_of(settings)
    except ConfigError as error:
        return Check(NAME, "failed", str(error), "correct that setting")
    if options is None:
        return Check(NAME, "ok", "none is named: this one is alone")
    context = contexts(options.secret)[1]
    why = [_why_not(address, context) for address in options.addresses]
    found = f"{why.count(None)} of {len(why)} addresses answer"
    reasons = sorted({reason for reason in why if reason is not None})
    if reasons:
        remedy = "begin them, or correct peers, peer_host, peer_port and peer_secret in all of them"
        return Check(NAME, "optional", f"{found} ({', '.join(reasons)})", remedy)
    return Check(NAME, "ok", found)


def _why_not(address: tuple[str, int], context: ssl.SSLContext) -> str | None:
    """Connect, and wait for the greeting; returns why there is none."""
    try:
        with socket.create_connection(address, CONNECT_SECONDS) as plain, context.wrap_socket(plain) as link:
            # Whoever is refused is told so after the handshake, in place of the first byte.
            return None if link.recv(1) else "hangs up"
    except ssl.SSLError:
        return "another secret"
    except OSError as error:
        return (error.strerror or type(error).__name__).lower()
