"""The addresses of a machine that the operator has named: it may be sent to, whatever range it is in."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address, ip_network

from monitor.tap.media.config import Network, local_addresses


async def networks_at(host: str) -> tuple[Network, ...]:
    """Return the addresses that a name or address stands for, each as a network of one; none where it is unknown.

    Who is reached by loopback is this machine, by whichever of its addresses.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return ()
    addresses = {ip_address(str(entry[4][0]).partition("%")[0]) for entry in found}
    networks = tuple(ip_network(address) for address in sorted(addresses, key=str))
    return networks + (local_addresses() if any(address.is_loopback for address in addresses) else ())
