"""What may be an address to send requests to. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

MAX_URL = 2048


def objection(text: str) -> str | None:
    """Return what is wrong with an address, as what to do; None where nothing is. It is not quoted: it may be a secret.

    `http` and `https` only, printable ASCII, without user, password and fragment.
    """
    try:
        parts = urlsplit(text)
        whole = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole or len(text) > MAX_URL or not all("!" <= char <= "~" for char in text):
        return "write an address such as https://siem.example/path"
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "leave user, password and fragment out of the address"
    return None
