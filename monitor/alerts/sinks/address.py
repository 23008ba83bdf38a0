"""Where a sink may connect to: addresses are looked up, checked, and only what was checked is connected to.

A name that is looked up a second time may lead elsewhere (DNS rebinding): whoever connects is given addresses, never
the name. Metadata services of clouds, which hand out credentials, are refused whatever is allowed.
"""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

from monitor.alerts.sinks.base import SinkError
from monitor.tap.rtp.candidates import denied, is_metadata


async def checked_addresses(host: str, port: int, allow_private: bool, plain: bool = False) -> list[str]:
    """Return the addresses of a host that may be connected to, in the order of the resolver; raises `SinkError`.

    `plain` is for what is sent unencrypted: that may reach private addresses only.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise SinkError("the host cannot be found: correct its address, or the resolver's") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    admitted = [address for address in addresses if is_admitted(address, allow_private, plain)]
    if admitted:
        return admitted
    if plain and any(is_admitted(address, allow_private=True) for address in addresses):
        raise SinkError("it would be sent in the clear to a public address: use https")
    raise SinkError("the host has a private address: set allow_private, if that is meant")


def is_admitted(address: str, allow_private: bool, plain: bool = False) -> bool:
    """Whether an address may be connected to; an IPv6 address may have a zone."""
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if is_metadata(parsed):
        return False
    return allow_private if denied(parsed) else not plain
