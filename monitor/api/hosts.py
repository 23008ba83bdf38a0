"""By which names this server is spoken to, and from whose pages: `Host` and `Origin` (RFC 9110 7.2, RFC 6454 7). Pure.

A page of a stranger can let its own name lead to this machine (DNS rebinding) and is then, for the browser, the same
origin as the sidecar. The `Host` header gives it away: it holds that name. An address needs no entry: it is not looked
up, so nobody can let it lead elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

LOCAL_NAME = "localhost"
DEFAULT_PORTS = {"http": 80, "https": 443}


def name_of(host: str) -> str:
    """Return the name or address in a `Host` header: lower case, without port, brackets and the dot of the root.

    Empty where the header is not well-formed.
    """
    parts = _parts(f"//{host.strip()}")
    return parts[0] if parts is not None else ""


def is_served(host: str | None, names: Collection[str]) -> bool:
    """Whether a request with this `Host` header is for this server; browsers always send one, so none is taken too."""
    if host is None:
        return True
    name = name_of(host)
    if name == LOCAL_NAME or name in names:
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def is_welcome(origin: str | None, host: str | None, origins: Collection[str]) -> bool:
    """Whether a page of this `Origin` may speak to us: our own pages, those in `origins`, and what is no page."""
    if origin is None:
        return True
    if origin in origins:
        return True
    scheme = origin.partition("://")[0]
    asked, ours = _parts(origin), _parts(f"//{(host or '').strip()}")
    if asked is None or ours is None or not asked[0] or scheme not in DEFAULT_PORTS:
        return False
    default = DEFAULT_PORTS[scheme]
    # A proxy that ends TLS speaks plain HTTP to us: the scheme says nothing, the name and the port do.
    return (asked[0], asked[1] or default) == (ours[0], ours[1] or default)


def _parts(url: str) -> tuple[str, int | None] | None:
    try:
        split = urlsplit(url)
        name, port = split.hostname or "", split.port
    except ValueError:
        return None
    if split.path or split.query or split.fragment or "@" in split.netloc or any(char.isspace() for char in url):
        return None
    return name.removesuffix("."), port
