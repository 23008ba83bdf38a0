"""The outermost layer: security headers on every response, CORS on the WHIP paths only, and no traceback to anyone.

It is also where a request is placed under the path that a proxy shows it at, and where HEAD becomes GET without a body.

CORS may allow any origin there because the token is not ambient: a browser never adds it by itself; a session's cookie
is, and is never allowed across origins (no `Access-Control-Allow-Credentials`). Everything else is for pages of this
server only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.api.forwarded import Network, path_within, prefix_of, seen_under

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    # What a page loads without asking (pictures, scripts); WHIP clients ask, which CORS below answers.
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
WHIP_PATH = re.compile(r"/v1/calls/[^/]+/participants/[^/]+/whip(/[^/]+)?")
CORS = {
    "Access-Control-Expose-Headers": "Accept-Patch, Accept-Post, ETag, Link, Location, Retry-After, WWW-Authenticate",
    "Vary": "Origin",
}
PREFLIGHT = {
    "Access-Control-Allow-Methods": "DELETE, GET, HEAD, OPTIONS, PATCH, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match",
    "Access-Control-Max-Age": "600",
}


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(
        self,
        app: ASGIApp,
        cors_origins: Sequence[str] = ("*",),
        root_path: str = "",
        trusted_proxies: Sequence[Network] = (),
    ) -> None:
        self._app = app
        self._origins = frozenset(cors_origins)
        self._root_path, self._trusted = root_path, tuple(trusted_proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        placed = seen_under(scope, prefix_of(scope, self._root_path, self._trusted))
        if scope["type"] != "http":
            await self._app(placed, receive, send)
            return
        extra = SECURITY | self._cors(placed)
        is_head = scope["method"] == "HEAD"

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in extra.items():
                    headers.setdefault(name, value)
            elif is_head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        try:
            # HEAD is what GET would answer, without its body (RFC 9110, 9.3.2), wherever there is a GET.
            await self._app({**placed, "method": "GET"} if is_head else placed, receive, send_with_headers)
        except Exception:
            # The application has answered with a bare 500 before it raises.
            structlog.stdlib.get_logger("api").exception("a request failed")

    def _cors(self, scope: Scope) -> dict[str, str]:
        origin = Headers(scope=scope).get("origin")
        if not WHIP_PATH.fullmatch(path_within(scope)):
            return {}
        allowed = "*" if "*" in self._origins else origin if origin in self._origins else None
        if allowed is None:
            return {"Vary": "Origin"}
        preflight = PREFLIGHT if scope["method"] == "OPTIONS" else {}
        return {"Access-Control-Allow-Origin": allowed, **CORS, **preflight}
