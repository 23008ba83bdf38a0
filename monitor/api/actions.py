"""What follows from findings, over HTTP: actions confirmed or refused, verifications answered, drills.

A link leads to a page, and a page only asks: GET changes nothing. What confirms is a POST with the token, or the login,
of somebody whose role may; an answer counts once, until it expires.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from monitor.alerts.casework.case import Action, Case
from monitor.api.auth import MAY_ACT, MAY_DRILL, MAY_EXPLAIN, Acting, Drilling
from monitor.api.body import order_of, read_body
from monitor.api.forwarded import address_of
from monitor.api.problem import Problem
from monitor.api.reply import reply
from monitor.api.schemas import actions as shapes
from monitor.api.schemas.operation import JOURNAL_AWAY, NO_TOKEN, operation
from monitor.host.calls import Consequences, Drills, InvalidName, NotTaken
from monitor.identity.vault.errors import VaultError
from monitor.identity.vault.vault import Vault
from monitor.types import rfc3339

JSON = "application/json"
MAX_ORDER_BYTES = 4096
STATUS = {"unknown": 404, "answered": 409, "expired": 410}

UNKNOWN = {404: "There is no such action, or the finding is no longer kept."}
ANSWERED = UNKNOWN | {409: "It was answered already, or is done without.", 410: "It expired: it can be done no more."}
BODY = {
    400: "The body cannot be read.",
    408: "The body came too slowly.",
    413: "The body is too large.",
    415: "Not `application/json`.",
    422: "Something in the body cannot be.",
}
GET = operation(
    "An action: what it is, and whether it can be confirmed", shapes.Action, errors=NO_TOKEN | JOURNAL_AWAY | UNKNOWN
)
CONFIRM = operation(
    "Confirm an action, which is done then",
    shapes.Action,
    description="What became of it.",
    errors=NO_TOKEN | JOURNAL_AWAY | ANSWERED,
)
REFUSE = operation("Refuse an action", shapes.Action, errors=NO_TOKEN | JOURNAL_AWAY | ANSWERED)
ANSWER = operation(
    "Say what came of a verification on another channel",
    shapes.Action,
    errors=NO_TOKEN | JOURNAL_AWAY | UNKNOWN | BODY | {409: "It was answered already."},
    body={JSON: {"schema": shapes.ChallengeAnswer.model_json_schema()}},
)
EXPLAIN = operation(
    "Which rules of the policy hold for a participant, and what they would do now",
    shapes.PolicyExplanation,
    errors=NO_TOKEN | {404: "There is no such participant now."},
)
BEGIN = operation(
    "Begin a drill",
    shapes.Drill,
    status=201,
    description="The drill; sinks are being told.",
    errors=NO_TOKEN | JOURNAL_AWAY | BODY,
    headers={"Location": "Of the drill."},
    body={JSON: {"schema": shapes.DrillOrder.model_json_schema()}},
)
DRILL = operation("How far a drill has come", shapes.Drill, errors=NO_TOKEN | {404: "There is no such drill any more."})


@dataclass(frozen=True, slots=True)
class Consequent:
    """What the routes are a surface of; `vault` is None where nobody can be enrolled."""

    consequences: Consequences
    drills: Drills
    vault: Vault | None = None


def router(parts: Consequent) -> APIRouter:
    """Return the routes of actions, challenges, policy and drills."""
    routes = APIRouter(tags=["policy"])
    consequences = parts.consequences

    async def told(finding: str, action: str) -> Response:
        try:
            case, known = await consequences.action(finding, action)
        except NotTaken as refusal:
            raise _problem(refusal) from None
        return reply(await _describe(case, known, parts.vault))

    @routes.get("/v1/findings/{finding}/actions/{action}", dependencies=[MAY_ACT], **GET)
    async def get_action(finding: str, action: str) -> Response:
        return await told(finding, action)

    @routes.post("/v1/findings/{finding}/actions/{action}/confirm", **CONFIRM)
    async def confirm_action(finding: str, action: str, grant: Acting) -> Response:
        try:
            await consequences.confirm(finding, action, grant.subject)
        except NotTaken as refusal:
            raise _problem(refusal) from None
        return await told(finding, action)

    @routes.post("/v1/findings/{finding}/actions/{action}/refuse", **REFUSE)
    async def refuse_action(finding: str, action: str, grant: Acting) -> Response:
        try:
            await consequences.refuse(finding, action, grant.subject)
        except NotTaken as refusal:
            raise _problem(refusal) from None
        return await told(finding, action)

    @routes.post("/v1/findings/{finding}/challenges/{challenge}", **ANSWER)
    async def answer_challenge(finding: str, challenge: str, request: Request, grant: Acting) -> Response:
        order = order_of(shapes.ChallengeAnswer, await read_body(request, JSON, MAX_ORDER_BYTES))
        try:
            await consequences.answer(finding, challenge, order.outcome, grant.subject)
        except NotTaken as refusal:
            raise _problem(refusal) from None
        return await told(finding, challenge)

    _add_drills(routes, parts)
    return routes


def _add_drills(routes: APIRouter, parts: Consequent) -> None:
    """Add what explains the policy and practises it."""

    @routes.get("/v1/calls/{call}/participants/{participant}/policy", dependencies=[MAY_EXPLAIN], **EXPLAIN)
    async def explain_policy(call: str, participant: str) -> Response:
        found = parts.consequences.explain(call, participant)
        if found is None:
            raise Problem(404, "there is no such participant now")
        return reply(found)

    @routes.post("/v1/drills", **BEGIN)
    async def begin_drill(request: Request, grant: Drilling) -> Response:
        order = order_of(shapes.DrillOrder, await read_body(request, JSON, MAX_ORDER_BYTES))
        try:
            made = await parts.drills.begin(order.call, order.identity, grant.subject)
        except InvalidName as error:
            raise Problem(422, str(error)) from None
        return reply(made, 201, {"Location": address_of(request.scope, f"/v1/drills/{made['id']}")})

    @routes.get("/v1/drills/{drill}", dependencies=[MAY_DRILL], **DRILL)
    async def get_drill(drill: str) -> Response:
        found = parts.drills.describe(drill)
        if found is None:
            raise Problem(404, "there is no such drill any more")
        return reply(found)


async def _describe(case: Case, action: Action, vault: Vault | None) -> dict[str, Any]:
    details = action.details
    challenge = case.challenge(action.id)
    identity = details.get("identity")
    verify_by = None
    if challenge is not None and identity is not None and vault is not None:
        verify_by = await asyncio.to_thread(_verify_by, vault, identity)
    return {
        "finding": case.finding,
        "id": action.id,
        "action": action.action,
        "state": str(action.state),
        "call": details.get("call"),
        "participant": details.get("participant"),
        "identity": identity,
        "groups": details.get("groups", []),
        "confirm": bool(details.get("confirm")),
        "expires": details.get("expires"),
        "dry_run": bool(details.get("dry_run")),
        "drill": bool(details.get("drill")),
        "confirmed_by": action.confirmed_by,
        "why": details.get("why"),
        "challenge": None
        if challenge is None
        else {
            "words": challenge.details.get("words", []),
            "verify_by": verify_by,
            "made": rfc3339(challenge.made),
            "outcome": challenge.outcome,
            "answered_by": challenge.answered_by,
            "seconds": challenge.details.get("seconds"),
        },
    }


def _verify_by(vault: Vault, identity: str) -> str | None:
    try:
        info = vault.show(identity)
    except VaultError:
        return None
    return None if info is None else info.version.verify_by


def _problem(refusal: NotTaken) -> Problem:
    return Problem(STATUS[refusal.why], str(refusal))
