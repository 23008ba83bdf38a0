"""What a program can ask: who is judged now, and what was found."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from monitor.alerts.disclosure import disclosed, disclosed_call
from monitor.alerts.journal import MAX_SEQ, Entry, Journal, Tampered
from monitor.alerts.sinks.base import Gap
from monitor.alerts.sinks.batch import next_batch
from monitor.alerts.wire import finding_message
from monitor.api.auth import MAY_EXPLAIN, Watching, disclosure_of
from monitor.api.problem import Problem
from monitor.api.reply import reply
from monitor.api.schemas import calls as shapes
from monitor.api.schemas.operation import JOURNAL_AWAY, NO_TOKEN, operation
from monitor.host.calls import Calls

MAX_PAGE = 1000
LIST_FINDINGS = operation(
    "Findings, oldest first",
    shapes.Findings,
    errors=NO_TOKEN | JOURNAL_AWAY | {422: "`after` or `limit` is out of range."},
)
EXPLAIN = operation(
    "By what a participant is taken to claim an identity",
    shapes.Explanation,
    errors=NO_TOKEN | {404: "There is no such participant now."},
)


def router(calls: Calls, journal: Journal) -> APIRouter:
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

    @routes.get("/v1/findings", **LIST_FINDINGS)
    async def list_findings(
        grant: Watching,
        after: Annotated[int, Query(ge=0, le=MAX_SEQ)] = 0,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
    ) -> Response:
        disclosure = disclosure_of(grant)
        head = await asyncio.to_thread(journal.head)
        entries = await asyncio.to_thread(journal.read, after, limit)
        batch = next_batch(after, head, entries)
        body: dict[str, Any] = {
            "findings": [
                disclosed(finding_message(item.seq, item.finding), disclosure)
                for item in batch.items
                if isinstance(item, Entry)
            ],
            "next": batch.cursor,
        }
        if gaps := [item.last for item in batch.items if isinstance(item, Gap)]:
            # As in the `gap` message: up to this number findings are no longer kept, or were taken away.
            body["gap"] = gaps[-1]
        if changed := [item.seq for item in batch.items if isinstance(item, Tampered)]:
            body["tampered"] = changed
        return reply(body)

    return routes
