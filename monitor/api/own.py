"""What a protected person is told of themselves: where their name is claimed, verdicts and reasons, and no scores."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from monitor.alerts.journal import Entry, Journal
from monitor.alerts.wire import finding_message
from monitor.api.auth import SeeingOwn
from monitor.api.problem import Problem
from monitor.api.reply import reply
from monitor.api.schemas import sign_in as shapes
from monitor.api.schemas.operation import JOURNAL_AWAY, NO_TOKEN, operation
from monitor.host.calls import Shown
from monitor.identity.vault.vault import Vault

MAX_LOOKED_AT, MAX_TOLD = 1000, 50
IN_CALL = ("participant", "claim", "since", "verdict", "reason")
OF_FINDING = ("seq", "id", "action", "call", "participant", "time", "verdict", "reason")
GET_OWN = operation(
    "What is said of oneself, for a protected person",
    shapes.OwnStatus,
    errors=NO_TOKEN | JOURNAL_AWAY | {404: "The token or account is of nobody who may be enrolled."},
)


def router(calls: Shown, journal: Journal, vault: Vault | None) -> APIRouter:
    """Return the route; without a vault nobody is enrolled."""
    routes = APIRouter(tags=["sign-in"])

    @routes.get("/v1/me", **GET_OWN)
    async def get_own_status(grant: SeeingOwn) -> Response:
        name = grant.identity
        if name is None:
            raise Problem(404, "this token is of nobody who is enrolled: it takes one of the role subject")
        present = [
            {"call": call["call"], **{field: one[field] for field in IN_CALL}}
            for call in await calls.calls()
            for one in call["participants"]
            if one["identity"] == name
        ]
        findings = await asyncio.to_thread(_findings, journal, name)
        enrolment = await asyncio.to_thread(_enrolment, vault, name) if vault is not None else None
        return reply({"identity": name, "enrolment": enrolment, "calls": present, "findings": findings})

    return routes


def _findings(journal: Journal, name: str) -> list[dict[str, Any]]:
    after = max(0, journal.head().seq - MAX_LOOKED_AT)
    rows = [row for row in journal.read(after, MAX_LOOKED_AT) if isinstance(row, Entry)]
    own = [finding_message(row.seq, row.finding) for row in rows if row.finding.key.identity == name]
    return [{field: message[field] for field in OF_FINDING} for message in reversed(own[-MAX_TOLD:])]


def _enrolment(vault: Vault, name: str) -> dict[str, Any] | None:
    info = vault.show(name)
    if info is None:
        return None
    consent = info.version.consent.as_json()
    return {
        "state": info.state,
        "consent_given": consent["given"],
        "consent_expires": consent["expires"],
        "purpose": consent["purpose"],
    }
