"""What a program can ask of who is judged now."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from monitor.alerts.disclosure import disclosed_call
from monitor.api.auth import MAY_EXPLAIN, Watching, disclosure_of
from monitor.api.problem import Problem
from monitor.api.reply import reply
from monitor.api.schemas import calls as shapes
from monitor.api.schemas.operation import NO_TOKEN, operation
from monitor.host.calls import Shown

EXPLAIN = operation(
    "By what a participant is taken to claim an identity",
    shapes.Explanation,
    errors=NO_TOKEN | {404: "There is no such participant now."},
)


def router(calls: Shown) -> APIRouter:
    """Return the routes under `/v1` that read."""
    routes = APIRouter(tags=["calls"])
    absent = {404: "Nobody is in this call now."}

    @routes.get("/v1/calls", **operation("Who is in calls, and what is said of them", shapes.Calls, errors=NO_TOKEN))
    async def list_calls(grant: Watching) -> Response:
        disclosure = disclosure_of(grant)
        return reply({"calls": [disclosed_call(call, disclosure) for call in await calls.calls()]})

    @routes.get(
        "/v1/calls/{call}",
        **operation("Who is in a call, and is watched", shapes.Call, errors=NO_TOKEN | absent),
    )
    async def get_call(call: str, grant: Watching) -> Response:
        found = await calls.call(call)
        if found is None:
            raise Problem(404, "nobody is in this call now")
        return reply(disclosed_call(found, disclosure_of(grant)))

    @routes.get("/v1/calls/{call}/participants/{participant}/claim", dependencies=[MAY_EXPLAIN], **EXPLAIN)
    async def explain(call: str, participant: str) -> Response:
        found = await calls.explain(call, participant)
        if found is None:
            raise Problem(404, "there is no such participant now")
        return reply(found)

    return routes
