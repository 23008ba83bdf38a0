"""Findings over HTTP: read in order, searched, looked at one by one, and worked on."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from monitor.alerts.casework.case import Case, CaseState, case_json
from monitor.alerts.casework.desk import Desk
from monitor.alerts.casework.events import CaseworkError, EventKind, Label, NewEvent, event_json
from monitor.alerts.casework.search import Found, find
from monitor.alerts.casework.search import Query as Search
from monitor.alerts.disclosure import Disclosure, disclosed
from monitor.alerts.journal import MAX_SEQ, Entry, Journal, Row, Tampered
from monitor.alerts.sinks.base import Gap
from monitor.alerts.sinks.batch import next_batch
from monitor.alerts.wire import finding_message
from monitor.api.auth import Watching, WorkingOnCases, disclosure_of
from monitor.api.body import order_of, read_body
from monitor.api.problem import Problem
from monitor.api.reply import reply
from monitor.api.schemas import findings as shapes
from monitor.api.schemas.operation import JOURNAL_AWAY, NO_TOKEN, operation
from monitor.detectors import registry
from monitor.types import rfc3339

MAX_PAGE = 1000
MAX_EVENT_BYTES = 8192
JSON = "application/json"
SEARCHED = frozenset(
    (
        "call",
        "participant",
        "identity",
        "detector",
        "reason",
        "label",
        "state",
        "assignee",
        "since",
        "until",
        "text",
        "drills",
    )
)
LIST = operation(
    "Findings: their changes, oldest first, or what is searched for, newest first",
    shapes.Findings,
    errors=NO_TOKEN | JOURNAL_AWAY | {422: "A parameter is out of range, or there is no such detector."},
)
GET = operation(
    "A finding: all its changes, and its case",
    shapes.Finding,
    errors=NO_TOKEN | JOURNAL_AWAY | {404: "There is no such finding, or it is no longer kept."},
)
RECORD = operation(
    "Acknowledge, assign, note or label a finding",
    shapes.Recorded,
    status=201,
    description="Written; subscribers are told.",
    errors=NO_TOKEN
    | JOURNAL_AWAY
    | {
        400: "The body cannot be read.",
        404: "There is no such finding, or it is no longer kept.",
        408: "The body came too slowly.",
        413: "The body is too large.",
        415: "Not `application/json`.",
        422: "No such event, or something that it needs is missing.",
    },
    body={JSON: {"schema": shapes.EventOrder.model_json_schema()}},
)

Text = Annotated[str | None, Query(min_length=1, max_length=128)]


class Asked:
    """What `GET /v1/findings` is asked: a dependency of the route."""

    def __init__(
        self,
        view: Literal["changes", "findings"] | None = None,
        call: Text = None,
        participant: Text = None,
        identity: Text = None,
        detector: Text = None,
        reason: Text = None,
        label: Literal["true", "false", "unsure", "none"] | None = None,
        state: CaseState | None = None,
        assignee: Text = None,
        since: datetime | None = None,
        until: datetime | None = None,
        text: Text = None,
        before: Annotated[int | None, Query(ge=1, le=MAX_SEQ)] = None,
        drills: Annotated[bool, Query(description="Whether findings of drills are searched, too.")] = False,
    ) -> None:
        self.view = view
        self.search = Search(
            call,
            participant,
            identity,
            _reasons(detector, reason),
            label,
            state and str(state),
            assignee,
            _aware("since", since),
            _aware("until", until),
            text,
            before,
            drills,
        )


def router(journal: Journal, desk: Desk) -> APIRouter:
    """Return the routes of findings."""
    routes = APIRouter(tags=["findings"])

    @routes.get("/v1/findings", **LIST)
    async def list_findings(
        request: Request,
        grant: Watching,
        asked: Annotated[Asked, Depends()],
        after: Annotated[int, Query(ge=0, le=MAX_SEQ)] = 0,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
    ) -> Response:
        disclosure = disclosure_of(grant)
        is_search = asked.view == "findings" or (asked.view is None and SEARCHED & request.query_params.keys())
        if is_search:
            return reply(await asyncio.to_thread(_search, journal, desk, asked.search, limit, disclosure))
        return reply(await asyncio.to_thread(_changes, journal, after, limit, disclosure))

    @routes.get("/v1/findings/{finding}", **GET)
    async def get_finding(finding: str, grant: Watching) -> Response:
        disclosure = disclosure_of(grant)
        rows = await _known(journal, finding)
        log = await desk.of(finding)
        is_full = disclosure is Disclosure.FULL
        return reply(
            {
                "id": finding,
                "changes": [_change(row, disclosure) for row in rows if isinstance(row, Entry)],
                "tampered": [row.seq for row in rows if isinstance(row, Tampered)],
                "case": _case(log.case, disclosure),
                "events": [event_json(event, rfc3339(event.time)) for event in log.events] if is_full else [],
                "events_tampered": list(log.changed),
            }
        )

    @routes.post("/v1/findings/{finding}/events", **RECORD)
    async def record_event(finding: str, request: Request, grant: WorkingOnCases) -> Response:
        order = order_of(shapes.EventOrder, await read_body(request, JSON, MAX_EVENT_BYTES))
        rows = await _known(journal, finding)
        if EventKind(order.event) is EventKind.LABELLED and any(
            isinstance(row, Entry) and row.finding.drill for row in rows
        ):
            raise Problem(422, "this is a drill: it says nothing of anybody, and takes no label")
        try:
            recorded = await desk.record(NewEvent(finding, EventKind(order.event), grant.subject, _details(order)))
        except CaseworkError as error:
            raise Problem(422, str(error)) from None
        event = recorded.event
        body = {"event": event_json(event, rfc3339(event.time)), "case": _case(recorded.case, disclosure_of(grant))}
        return reply(body, 201)

    return routes


def message(entry: Entry, disclosure: Disclosure) -> dict[str, Any]:
    """Return a change as it may be told."""
    return disclosed(finding_message(entry.seq, entry.finding), disclosure)


def _change(entry: Entry, disclosure: Disclosure) -> dict[str, Any]:
    """Return a change as its page has it: with the conditions, where scores are told."""
    conditions = entry.finding.conditions if disclosure is Disclosure.FULL else {}
    return {**message(entry, disclosure), "conditions": conditions}


def _changes(journal: Journal, after: int, limit: int, disclosure: Disclosure) -> dict[str, Any]:
    # The head first: what is read after it holds everything up to it.
    head = journal.head()
    batch = next_batch(after, head, journal.read(after, limit))
    items = batch.items
    body: dict[str, Any] = {
        "findings": [message(item, disclosure) for item in items if isinstance(item, Entry)],
        "next": batch.cursor,
    }
    if gaps := [item.last for item in items if isinstance(item, Gap)]:
        # As in the `gap` message: up to this number findings are no longer kept, or were taken away.
        body["gap"] = gaps[-1]
    if changed := [item.seq for item in items if isinstance(item, Tampered)]:
        body["tampered"] = changed
    return body


def _search(journal: Journal, desk: Desk, search: Search, limit: int, disclosure: Disclosure) -> dict[str, Any]:
    # It makes the tables that the search reads.
    desk.casework.cases(())
    found = find(journal, search, limit)
    cases = desk.casework.cases(one.id for one in found)
    rows = {row.seq: row for row in journal.at(sorted({seq for one in found for seq in (one.first, one.last)}))}
    told = [_summary(one, rows, cases[one.id], disclosure) for one in found]
    body: dict[str, Any] = {
        "findings": [entry for entry in told if entry is not None],
        # One more page may be empty: that costs less than counting.
        "next": found[-1].first if len(found) == limit else None,
    }
    if changed := sorted(row.seq for row in rows.values() if isinstance(row, Tampered)):
        body["tampered"] = changed
    return body


def _summary(found: Found, rows: dict[int, Row], case: Case, disclosure: Disclosure) -> dict[str, Any] | None:
    """Return a finding as a line of a list: its newest change, when it began, and its case; None if it was changed."""
    newest, first = rows.get(found.last), rows.get(found.first)
    if not isinstance(newest, Entry) or not isinstance(first, Entry):
        return None
    # The reason of who has left is that they did; what was found stands in the changes before.
    began = {"opened": rfc3339(first.finding.time), "changes": found.changes, "found": first.finding.reason}
    return {**message(newest, disclosure), **began, "case": _case(case, disclosure)}


def _case(case: Case, disclosure: Disclosure) -> dict[str, Any]:
    """Return a case as it may be told: to whoever is not told scores, where it stands and nothing that people wrote."""
    told = case_json(case)
    if disclosure is Disclosure.FULL:
        return told
    hidden = {"assignee": None, "acknowledged_by": None, "labelled_by": None}
    return {**told, **hidden, "notes": [], "told": [], "actions": [], "challenges": []}


async def _known(journal: Journal, finding: str) -> list[Row]:
    rows = await asyncio.to_thread(journal.changes, finding)
    if not rows:
        raise Problem(404, "there is no such finding, or it is no longer kept: see GET /v1/findings")
    return rows


def _reasons(detector: str | None, reason: str | None) -> list[str] | None:
    """Return the reasons that a finding may have; None where any will do. Raises `Problem`."""
    if detector is None:
        return None if reason is None else [reason]
    infos = {info.name: info for info in registry.infos()}
    if detector not in infos:
        raise Problem(422, f"detector: use one of {', '.join(infos)}")
    brought = [str(one) for one in dict.fromkeys((infos[detector].cause, *infos[detector].phrases))]
    return brought if reason is None else [one for one in brought if one == reason]


def _aware(name: str, time: datetime | None) -> datetime | None:
    if time is not None and time.tzinfo is None:
        raise Problem(422, f"{name}: give the time with its zone, for example 2026-03-01T00:00:00Z")
    return time


def _details(order: shapes.EventOrder) -> dict[str, Any]:
    given = {"text": order.text, "label": order.label and str(Label(order.label))}
    told = {name: value for name, value in given.items() if value is not None}
    return {"to": order.to, **told} if order.event == "assigned" else told
