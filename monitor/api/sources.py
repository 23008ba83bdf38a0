"""Ways into calls over HTTP: listed, opened and ended by an admin while the sidecar runs."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from monitor.api.auth import MAY_MANAGE_SOURCES
from monitor.api.body import order_of, read_body
from monitor.api.forwarded import address_of
from monitor.api.problem import Problem
from monitor.api.reply import reply
from monitor.api.schemas import sources as shapes
from monitor.api.schemas.operation import NO_TOKEN, operation
from monitor.config import ConfigError, SourceSettings
from monitor.host.calls import AtCapacity, Sources

JSON = "application/json"
MAX_ORDER_BYTES = 16384

LIST = operation("Ways into calls", shapes.Sources, errors=NO_TOKEN)
GET = operation("How a source is doing", shapes.Source, errors=NO_TOKEN | {404: "There is no such source."})
CREATE = operation(
    "Open a way into calls",
    shapes.Source,
    status=201,
    description="The source. It is not kept: after a restart there are those of the configuration.",
    errors=NO_TOKEN
    | {
        400: "The body cannot be read.",
        408: "The body came too slowly.",
        413: "The body is too large.",
        415: "Not `application/json`.",
        422: "No such plug-in, or an option that cannot be.",
        503: "There are too many sources, or the sidecar is shutting down.",
    },
    headers={"Location": "Of the source."},
    body={JSON: {"schema": shapes.SourceOrder.model_json_schema()}},
)
REMOVE = operation(
    "End a source and whom it has brought", status=204, errors=NO_TOKEN | {404: "There is no such source."}
)


def router(sources: Sources) -> APIRouter:
    """Return the routes of sources."""
    routes = APIRouter(tags=["sources"])

    @routes.get("/v1/sources", dependencies=[MAY_MANAGE_SOURCES], **LIST)
    async def list_sources() -> Response:
        return reply({"sources": sources.describe()})

    @routes.get("/v1/sources/{source}", dependencies=[MAY_MANAGE_SOURCES], **GET)
    async def get_source(source: str) -> Response:
        found = next((one for one in sources.describe() if str(one["source"]) == source), None)
        if found is None:
            raise _absent()
        return reply(found)

    @routes.post("/v1/sources", dependencies=[MAY_MANAGE_SOURCES], **CREATE)
    async def create_source(request: Request) -> Response:
        # By hand: the framework would read a body of any size before it asks for the token.
        order = order_of(SourceSettings, await read_body(request, JSON, MAX_ORDER_BYTES))
        try:
            made = await sources.add(order)
        except ConfigError as error:
            raise Problem(422, str(error)) from None
        except AtCapacity as error:
            raise Problem(503, str(error), headers={"Retry-After": str(error.retry_after)}) from None
        return reply(made, 201, {"Location": address_of(request.scope, f"/v1/sources/{made['source']}")})

    @routes.delete("/v1/sources/{source}", dependencies=[MAY_MANAGE_SOURCES], **REMOVE)
    async def remove_source(source: str) -> Response:
        # Not parsed by the framework, which would quote it; and a number of a thousand digits is no number of ours.
        number = int(source) if source.isascii() and source.isdecimal() and len(source) < 10 else -1
        if not await sources.remove(number):
            raise _absent()
        return Response(status_code=204)

    return routes


def _absent() -> Problem:
    return Problem(404, "there is no such source: see GET /v1/sources")
