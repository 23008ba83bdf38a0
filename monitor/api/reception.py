"""Where requests of tenants part: each tenant has an application of its own, which holds nothing of any other.

Whoever asks is identified once, before anything else; what the tenant's application serves them is made of that
tenant's stores and of its view of the calls, so that no route has to tell tenants apart. An application refuses a
bearer of another tenant, whatever brought them there (`monitor.api.auth`).
"""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from engines.errors import SidewitnessError
from monitor.api.access.grant import Grant
from monitor.api.auth import identified
from monitor.api.forwarded import path_within

# What needs no token, pages and health, is the same for everybody.
ASKED = "/v1/"


class Reception:
    """ASGI middleware in front of the applications of the tenants; whoever is of none is shown to the default one.

    So are sockets, which say who they are in their first message: see `monitor.api.alerts`.
    """

    def __init__(self, default: FastAPI, tenants: Mapping[str, ASGIApp]) -> None:
        self._default, self._tenants = default, tenants

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        app = await self._of(scope)
        await app(scope, receive, send)

    async def _of(self, scope: Scope) -> ASGIApp:
        if scope["type"] != "http" or not path_within(scope).startswith(ASKED):
            return self._default
        try:
            found = await identified(HTTPConnection({**scope, "app": self._default}))
        except SidewitnessError:
            # There it is asked once more, and they are told why it cannot be said.
            return self._default
        return self._tenants.get(found.tenant, self._default) if isinstance(found, Grant) else self._default
