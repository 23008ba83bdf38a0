"""Erasing what is kept of a participant of a call, over HTTP: findings, cases, labels, and what waits for sinks."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from starlette.responses import Response

from monitor.alerts.casework.desk import Desk
from monitor.alerts.journal import Journal
from monitor.alerts.privacy.erasure import Participant, erase
from monitor.api.auth import Erasing
from monitor.api.problem import Problem
from monitor.api.reply import reply
from monitor.api.schemas import erasing as shapes
from monitor.api.schemas.operation import NO_TOKEN, operation
from monitor.identity.vault.vault import Vault

PATH = "/v1/calls/{call}/participants/{participant}/findings"
ERASE = operation(
    "Erase what is kept of a participant of a call",
    shapes.Erasure,
    description="The receipt. It is kept without names and ids: store it where it is needed.",
    errors=NO_TOKEN
    | {
        404: "No findings are kept of this participant.",
        503: "Journal or vault cannot be written now: nothing was erased, wait `Retry-After` seconds.",
    },
)


def router(journal: Journal, desk: Desk, vault: Vault | None) -> APIRouter:
    """Return the route; the audit log of `vault` says what was erased."""
    routes = APIRouter(tags=["findings"])

    @routes.delete(PATH, **ERASE)
    async def erase_findings(call: str, participant: str, grant: Erasing) -> Response:
        whom = Participant(call, participant)
        receipt = await asyncio.to_thread(erase, whom, grant.subject, journal, desk.casework, vault)
        if receipt is None:
            raise Problem(404, "no findings are kept of this participant")
        return reply(receipt.as_json())

    return routes
