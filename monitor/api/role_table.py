"""Which role may call what, read off the routes: the table of docs/tokens.md; a test asks a server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Mount

from monitor.api.access.roles import PERMISSIONS, Permission, Role
from monitor.api.alerts import GuardedWebSocketRoute
from monitor.api.auth import Known, Requires

BEGIN, END = "<!-- roles:begin -->\n", "<!-- roles:end -->\n"
WEBSOCKET = "WebSocket"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Something that can be called; `needs_token` and `permission` say of whom it is asked."""

    method: str
    path: str
    needs_token: bool
    permission: Permission | None = None

    def answers(self, role: Role | None) -> str:
        """Return what somebody of a role is told, None for somebody without a token: a cell of the table."""
        if not self.needs_token:
            return "yes"
        if role is None or (self.permission is not None and self.permission not in PERMISSIONS[role]):
            return "no"
        is_reduced = self.permission is Permission.WATCH and Permission.SCORES not in PERMISSIONS[role]
        return "without scores" if is_reduced else "yes"


def endpoints(app: FastAPI) -> list[Endpoint]:
    """Return everything that an application serves, sorted by path."""
    return sorted(set(_walk(app.routes)), key=lambda endpoint: (endpoint.path, endpoint.method))


def table(app: FastAPI) -> str:
    """Return the table as Markdown, between its marks."""
    lines = ["| request | " + " | ".join(Role) + " | no token |", "|---|" + "---|" * (len(Role) + 1)]
    for endpoint in endpoints(app):
        cells = (endpoint.answers(role) for role in (*Role, None))
        shown = " | ".join({"no": "", "without scores": "no scores"}.get(cell, cell) for cell in cells)
        lines.append(f"| `{endpoint.method} {endpoint.path}` | {shown} |")
    return BEGIN + "\n".join(lines) + "\n" + END


def renewed(page: str, app: FastAPI) -> str:
    """Return a page with the table in it renewed."""
    before, _, rest = page.partition(BEGIN)
    return before + table(app) + rest.partition(END)[2]


def _walk(routes: Iterable[BaseRoute]) -> Iterator[Endpoint]:
    for route in routes:
        if isinstance(route, APIRoute):
            asked = [need.call for need in route.dependant.dependencies]
            permission = next((call.permission for call in asked if isinstance(call, Requires)), None)
            needs_token = permission is not None or any(isinstance(call, Known) for call in asked)
            for method in route.methods or ():
                yield Endpoint(method, route.path_format, needs_token, permission)
        elif isinstance(route, GuardedWebSocketRoute):
            yield Endpoint(WEBSOCKET, route.path, True, route.permission)
        elif isinstance(route, Mount):
            yield Endpoint("GET", f"{route.path}/{{path}}", False)
        elif included := getattr(route, "original_router", None):
            # Newer versions of FastAPI keep the routers apart that were included.
            yield from _walk(included.routes)
        else:
            raise TypeError(f"a route of the kind {type(route).__name__} says nothing of who may call it")
