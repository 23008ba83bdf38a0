"""Signed tokens over HTTP: made, listed and revoked by an admin; and whose token it is that somebody has."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from starlette.responses import Response

from monitor.api.access.claims import TokenError, TokenOrder, ordered
from monitor.api.access.issuer import Issuer, described
from monitor.api.access.roles import PERMISSIONS
from monitor.api.auth import MAY_MANAGE_TOKENS, ManagingTokens, WithToken
from monitor.api.body import order_of, read_body
from monitor.api.problem import Problem
from monitor.api.reply import reply
from monitor.api.schemas import tokens as shapes
from monitor.api.schemas.operation import JOURNAL_AWAY, NO_TOKEN, operation

JSON = "application/json"
MAX_ORDER_BYTES = 4096

KNOWN = {code: NO_TOKEN[code] for code in (401, 429)}
CREATE = operation(
    "Make a token",
    shapes.NewToken,
    status=201,
    description="The token. Its text is kept nowhere: it is never told again.",
    errors=NO_TOKEN
    | JOURNAL_AWAY
    | {
        400: "The body cannot be read.",
        408: "The body came too slowly.",
        413: "The body is too large.",
        415: "Not `application/json`.",
        422: "No such role, or a subject, time or name that cannot be.",
    },
    body={JSON: {"schema": shapes.TokenOrder.model_json_schema()}},
)
LIST = operation("Tokens that were made", shapes.Tokens, errors=NO_TOKEN | JOURNAL_AWAY)
REVOKE = operation(
    "Put a token out of force", status=204, errors=NO_TOKEN | JOURNAL_AWAY | {404: "There is no such token."}
)
WHOSE = operation("Whose token this is", shapes.Bearer, errors=KNOWN | JOURNAL_AWAY)


def router(issuer: Issuer, is_shared: bool = False) -> APIRouter:
    """Return the routes of tokens; `is_shared` where there are tenants beside the default one."""
    routes = APIRouter(tags=["tokens"])

    @routes.get("/v1/token", **WHOSE)
    async def get_own_token(grant: WithToken) -> Response:
        whose = {"tenant": grant.tenant, "shared": is_shared}
        return reply({**described(grant), "permissions": sorted(PERMISSIONS[grant.role]), **whose})

    @routes.get("/v1/tokens", dependencies=[MAY_MANAGE_TOKENS], **LIST)
    async def list_tokens() -> Response:
        return reply({"tokens": await asyncio.to_thread(issuer.list)})

    @routes.post("/v1/tokens", **CREATE)
    async def create_token(request: Request, grant: ManagingTokens) -> Response:
        # By hand: the framework would read a body of any size before it asks for the token.
        order = _order(await read_body(request, JSON, MAX_ORDER_BYTES))
        text, issued = await asyncio.to_thread(issuer.issue, order, grant.subject)
        return reply({"token": text, **issuer.describe(issued)}, 201)

    @routes.delete("/v1/tokens/{token_id}", **REVOKE)
    async def revoke_token(token_id: str, grant: ManagingTokens) -> Response:
        if not await asyncio.to_thread(issuer.revoke, token_id, grant.subject):
            raise Problem(404, "there is no such token: see GET /v1/tokens")
        return Response(status_code=204)

    return routes


def _order(text: str) -> TokenOrder:
    """Return the token that is asked for; raises `Problem`."""
    asked = order_of(shapes.TokenOrder, text)
    try:
        return ordered(asked.subject, asked.role, asked.minutes, asked.call, asked.participant, asked.identity)
    except TokenError as error:
        raise Problem(422, str(error)) from None
