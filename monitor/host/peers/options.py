"""The settings of gateways that know each other, read and checked. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from monitor.config import STRONG_TOKEN, ConfigError, Settings

ADDRESS = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9_.-]+)):([0-9]{1,5})")
MAX_PORT = 65535
# What is the same in all gateways, and is made or kept by each where it is not set.
SHARED = ("database_url", "token", "token_key_file")


@dataclass(frozen=True, slots=True)
class PeerOptions:
    """Where this gateway listens for others, where they are, by name and port, and the secret that all of them have."""

    host: str
    port: int
    addresses: tuple[tuple[str, int], ...]
    secret: str = field(repr=False)


def options_of(settings: Settings) -> PeerOptions | None:
    """Return what the settings say of other gateways; None where there are none. Raises `ConfigError`."""
    if not settings.peers:
        return None
    secret = settings.peer_secret.get_secret_value() if settings.peer_secret is not None else ""
    if len(secret) < STRONG_TOKEN:
        raise ConfigError(
            f"setting 'peer_secret': gateways know each other by it: set the same {STRONG_TOKEN} or more random "
            "characters in all of them"
        )
    missing = [name for name in SHARED if getattr(settings, name) is None]
    if missing:
        # With a journal each findings would end where they began; with keys each a bearer would be a stranger there.
        names = ", ".join(missing)
        raise ConfigError(f"setting 'peers': gateways share a PostgreSQL, a token and its keys: set {names} too")
    addresses = tuple(_address(text) for text in settings.peers)
    return PeerOptions(settings.peer_host, settings.peer_port, addresses, secret)


def _address(text: str) -> tuple[str, int]:
    found = ADDRESS.fullmatch(text)
    if found is None or not 0 < int(found[3]) <= MAX_PORT:
        raise ConfigError("setting 'peers': write HOST:PORT, the peer_host and peer_port of each gateway")
    return found[1] or found[2], int(found[3])
