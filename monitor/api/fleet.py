"""The processes that judge over HTTP: listed, and let go and begun anew, by an admin of the machine."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from monitor.api.auth import MAY_MANAGE_HOSTS
from monitor.api.problem import Problem
from monitor.api.reply import reply
from monitor.api.schemas import hosts as shapes
from monitor.api.schemas.operation import NO_TOKEN, operation
from monitor.host.calls import Hosts

LIST = operation("The processes that judge", shapes.Hosts, errors=NO_TOKEN)
DRAIN = operation(
    "Have a host's participants go on elsewhere, and the host begun anew",
    shapes.Hosts,
    status=202,
    description="It is done when no host waits and none is let go. Its participants publish anew.",
    errors=NO_TOKEN | {404: "There is no such host."},
)
ROLL = operation(
    "Have every host begun anew, one after the other",
    shapes.Hosts,
    status=202,
    description="It is done when no host waits and none is let go. Participants publish anew.",
    errors=NO_TOKEN | {404: "There are no hosts: participants are judged in the process of the gateway."},
)
NONE = {
    "hosts": [],
    "rolling": {"now": None, "waiting": [], "done": [], "why": None},
    "capacity": {
        "participants": 0,
        "cores_per_participant": None,
        "participants_fit": None,
        "hosts_wanted": None,
    },
}


def router(hosts: Hosts | None) -> APIRouter:
    """Return the routes of hosts; None where there are none."""
    routes = APIRouter(tags=["hosts"])

    @routes.get("/v1/hosts", dependencies=[MAY_MANAGE_HOSTS], **LIST)
    async def list_hosts() -> Response:
        return reply(NONE if hosts is None else hosts.describe())

    @routes.post("/v1/hosts/roll", dependencies=[MAY_MANAGE_HOSTS], **ROLL)
    async def roll_hosts() -> Response:
        if hosts is None:
            raise Problem(404, "there are no hosts: begin the sidecar anew, or set `processes`")
        hosts.roll()
        return reply(hosts.describe(), 202)

    @routes.post("/v1/hosts/{host}/drain", dependencies=[MAY_MANAGE_HOSTS], **DRAIN)
    async def drain_host(host: str) -> Response:
        # Not parsed by the framework, which would quote it; and a number of a thousand digits is no number of ours.
        number = int(host) if host.isascii() and host.isdecimal() and len(host) < 10 else -1
        if hosts is None or not hosts.drain(number):
            raise Problem(404, "there is no such host: see GET /v1/hosts")
        return reply(hosts.describe(), 202)

    return routes
