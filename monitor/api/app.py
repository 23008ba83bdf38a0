"""The application: which path leads where."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import FastAPI
from starlette.responses import FileResponse, HTMLResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from monitor.alerts.casework.desk import Desk
from monitor.alerts.journal import Journal
from monitor.alerts.together import Hubs, Recorders
from monitor.api import (
    actions,
    erasing,
    findings,
    fleet,
    health,
    identities,
    own,
    problem,
    rest,
    sign_in,
    sources,
    tokens,
    whip,
    words,
)
from monitor.api.access.authority import Authority
from monitor.api.access.issuer import Issuer
from monitor.api.alerts import Alerts, Doors, Room
from monitor.api.elsewhere import Elsewhere, Everywhere
from monitor.api.gate import Gate
from monitor.api.guard import Guard
from monitor.api.identities import People
from monitor.api.reception import Reception
from monitor.api.refusals import Refusals
from monitor.api.sign_in import SignIn
from monitor.config import Settings
from monitor.host.calls import Calls, Consequences, Drills, Gateways, Hosts, Shown, Sources
from monitor.host.metrics import Metrics
from monitor.storage.tenancy.names import DEFAULT_TENANT

DASHBOARD = Path(__file__).parent / "dashboard"


@dataclass(frozen=True, slots=True)
class Parts:
    """What a tenant's surface is of; `people` is None where nobody can be enrolled, `sign_in` where nobody signs in.

    `recorders` and `hubs` are those of all tenants, for health and metrics, and `rooms` what subscribers of each tenant
    are told of. Sockets and health are the default tenant's to serve, for all, and `hosts` its own to let go, None
    where there are none. `is_shared`: there are several tenants. `gateways` are the others of the machine's calls.
    """

    calls: Calls
    journal: Journal
    recorders: Recorders
    hubs: Hubs
    metrics: Metrics
    authority: Authority
    issuer: Issuer
    sources: Sources
    desk: Desk
    consequences: Consequences
    drills: Drills
    people: People | None = None
    sign_in: SignIn | None = None
    tenant: str = DEFAULT_TENANT
    rooms: Mapping[str, Room] = field(default_factory=dict)
    is_shared: bool = False
    hosts: Hosts | None = None
    gateways: Gateways | None = None


def build(settings: Settings, parts: Parts, refusals: Refusals, tenants: Mapping[str, Parts] | None = None) -> ASGIApp:
    """Return the ASGI application with the gate and the guard around it; `tenants` are those beside the default one."""
    default = application(settings, parts, refusals)
    app: ASGIApp = default
    if tenants:
        app = Reception(default, {name: application(settings, own, refusals) for name, own in tenants.items()})
    if parts.gateways is not None:
        app = Elsewhere(app, default, parts.gateways)
    gate = Gate(
        app,
        refusals,
        {settings.host.lower(), *settings.allowed_hosts},
        settings.trusted_proxies,
        settings.max_connections_per_address,
    )
    return Guard(gate, settings.cors_origins, settings.root_path, settings.trusted_proxies)


def build_operators(settings: Settings, parts: Parts, refusals: Refusals) -> ASGIApp:
    """Return the application of the operator's listener: by its own names too, and never refused for want of room."""
    app = health.operators(parts.calls, parts.recorders, parts.hubs, parts.metrics)
    names = {settings.admin_host.lower(), *settings.allowed_hosts}
    return Guard(Gate(app, refusals, names, per_address=sys.maxsize, places=sys.maxsize))


def application(settings: Settings, parts: Parts, refusals: Refusals) -> FastAPI:
    """Return the application: every route."""
    app = FastAPI(
        title="Sidewitness",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.authority = parts.authority
    app.state.tenant = parts.tenant
    app.state.trusted_proxies = settings.trusted_proxies
    # Absent where nobody signs in: no cookie is heard then.
    if parts.sign_in is not None:
        app.state.public_url = parts.sign_in.options.public_url
    problem.install(app)
    publications = whip.Publications(parts.calls, settings.max_sdp_bytes, settings.ice_servers)
    app.include_router(whip.router(publications))
    shown: Shown = parts.calls
    if parts.gateways is not None:
        shown = Everywhere(parts.calls, parts.gateways, parts.tenant)
    app.include_router(rest.router(shown))
    app.include_router(findings.router(parts.journal, parts.desk))
    vault = parts.people.vault if parts.people is not None else None
    app.include_router(erasing.router(parts.journal, parts.desk, vault))
    app.include_router(actions.router(actions.Consequent(parts.consequences, parts.drills, vault)))
    app.include_router(words.router())
    app.include_router(tokens.router(parts.issuer, parts.is_shared))
    app.include_router(sign_in.router(parts.sign_in))
    app.include_router(own.router(shown, parts.journal, vault))
    app.include_router(sources.router(parts.sources))
    if parts.tenant == DEFAULT_TENANT:
        app.include_router(fleet.router(parts.hosts))
    if parts.people is not None:
        app.include_router(identities.router(parts.people, parts.journal, parts.desk))
    app.include_router(health.router(parts.calls, parts.recorders, parts.hubs, parts.metrics))
    doors = Doors(settings.max_subscribers, settings.alert_origins, settings.trusted_proxies)
    alerts = Alerts(parts.rooms, parts.authority, parts.metrics, refusals, doors)
    app.router.routes.append(alerts.route())
    _pages(app, settings.try_scores)
    return app


def try_page(scores: bool) -> str:
    """Return the page that publishes your camera, with or without scores beside the words."""
    page = (DASHBOARD / "try.html").read_text(encoding="utf-8")
    return page.replace("<body>", '<body data-scores="shown">') if scores else page


def _pages(app: FastAPI, try_scores: bool) -> None:
    # No-cache, not no-store: a reload after an update must not mix old and new modules.
    fresh = {"Cache-Control": "no-cache"}

    @app.get("/", include_in_schema=False)
    async def dashboard() -> FileResponse:
        return FileResponse(DASHBOARD / "index.html", headers=fresh)

    try_html = try_page(try_scores)

    @app.get("/try", include_in_schema=False)
    async def try_it() -> HTMLResponse:
        return HTMLResponse(try_html, headers=fresh)

    @app.get("/findings", include_in_schema=False)
    async def search() -> FileResponse:
        return FileResponse(DASHBOARD / "search.html", headers=fresh)

    @app.get("/finding", include_in_schema=False)
    async def finding() -> FileResponse:
        return FileResponse(DASHBOARD / "finding.html", headers=fresh)

    @app.get("/wall", include_in_schema=False)
    async def wall() -> FileResponse:
        return FileResponse(DASHBOARD / "wall.html", headers=fresh)

    @app.get("/enroll", include_in_schema=False)
    async def enroll() -> FileResponse:
        return FileResponse(DASHBOARD / "enroll.html", headers=fresh)

    @app.get("/me", include_in_schema=False)
    async def own_status() -> FileResponse:
        return FileResponse(DASHBOARD / "me.html", headers=fresh)

    @app.get("/action", include_in_schema=False)
    async def action() -> FileResponse:
        return FileResponse(DASHBOARD / "action.html", headers=fresh)

    @app.get("/notice", include_in_schema=False)
    async def notice() -> FileResponse:
        return FileResponse(DASHBOARD / "notice.html", headers=fresh)

    app.mount("/static", StaticFiles(directory=DASHBOARD), name="static")
