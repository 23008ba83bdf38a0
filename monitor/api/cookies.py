"""The cookies of a browser that has signed in: what they are called, what is said of them, and when they are heard.

A cookie is sent by the browser of its own accord, so a page of somebody else could act by it. Three things keep that
from happening, each enough alone: `SameSite=Strict`, the `Origin` that a browser tells, and a text that our own pages
alone can read and say (`X-CSRF-Token`).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from monitor.api.access.oidc.options import is_loopback_url
from monitor.api.access.sessions import csrf_of
from monitor.api.hosts import is_welcome
from monitor.api.problem import Problem

NAME, ATTEMPT = "sidewitness", "sidewitness-sign-in"
CSRF_HEADER = "x-csrf-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
ATTEMPT_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Seen:
    """The address that browsers see us at, without a slash at its end."""

    base: str

    @property
    def is_secure(self) -> bool:
        """Whether browsers speak TLS to it; by plain HTTP it is an address of this machine."""
        return self.base.startswith("https://")

    @property
    def path(self) -> str:
        """The path that the cookies are for."""
        return urlsplit(self.base).path or "/"

    def cookie(self, name: str) -> str:
        """Return the full name of a cookie: browsers take such a one from nobody but us (RFC 6265bis, 4.1.3)."""
        if not self.is_secure:
            return name
        return f"__Host-{name}" if self.path == "/" else f"__Secure-{name}"

    def give(self, response: Response, name: str, value: str, seconds: int, is_strict: bool = True) -> None:
        """Set a cookie; one that is not strict comes along when the provider sends the browser back."""
        response.set_cookie(
            self.cookie(name),
            value,
            max_age=seconds,
            path=self.path,
            secure=self.is_secure,
            httponly=True,
            samesite="strict" if is_strict else "lax",
        )

    def take(self, response: Response, name: str, is_strict: bool = True) -> None:
        """Have the browser forget a cookie."""
        self.give(response, name, "", 0, is_strict)


def seen_at(connection: HTTPConnection, public_url: str | None) -> Seen | None:
    """Return where the browser of a request sees us: as configured, else this machine's own address in the request.

    None where neither holds: what a request says of a host elsewhere is not believed.
    """
    if public_url is not None:
        return Seen(public_url)
    base = f"http://{connection.headers.get('host', '')}"
    return Seen(base + connection.scope.get("root_path", "")) if is_loopback_url(base) else None


def session_cookie(connection: HTTPConnection) -> str | None:
    """Return the text of the session that a page of ours speaks for, None where there is none or the page is not ours.

    A socket has to say which page opened it; a request by GET need not, since browsers leave that out there.
    """
    public_url: str | bool | None = getattr(connection.app.state, "public_url", False)
    seen = seen_at(connection, public_url) if not isinstance(public_url, bool) else None
    value = connection.cookies.get(seen.cookie(NAME)) if seen is not None else None
    origin = connection.headers.get("origin")
    is_socket = connection.scope["type"] == "websocket"
    if not value or (is_socket and origin is None) or not is_welcome(origin, connection.headers.get("host"), ()):
        return None
    return value


def check_change(connection: HTTPConnection, cookie: str) -> None:
    """Let what changes something be done by a cookie only where our own page says so; raises `Problem` 403."""
    if connection.scope["method"] in SAFE_METHODS:
        return
    said = connection.headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(said.encode(), csrf_of(cookie).encode()):
        raise Problem(403, "send the header `X-CSRF-Token` with `csrf` of GET /v1/session, or a token instead")
