"""Protected identities over HTTP: who is enrolled, enrolling from uploaded clips, approving, erasing.

One name in, one answer out: nothing here takes a face or searches for one. An identity that was erased, one that never
was and one that cannot be are the same 404.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from monitor.alerts.casework.desk import Desk
from monitor.alerts.journal import Journal
from monitor.alerts.privacy.everything import erase_everything
from monitor.api.auth import (
    MAY_ENROL,
    MAY_SEE_IDENTITIES,
    Approving,
    Enrolling,
    Erasing,
)
from monitor.api.enrolments import Busy, Enrolments, Job, Order
from monitor.api.form import MAX_CLIPS, FormError
from monitor.api.forwarded import address_of
from monitor.api.problem import Problem
from monitor.api.reply import reply
from monitor.api.schemas import identities as shapes
from monitor.api.schemas.operation import NO_TOKEN, operation
from monitor.api.uploads import Uploads
from monitor.detectors.reference import Reference
from monitor.detectors.registry import describe
from monitor.identity.vault.consent import NOT_RECORDED, Consent, ConsentError, checked
from monitor.identity.vault.errors import ApprovalRefused, NotEnrolled, VaultError
from monitor.identity.vault.records import NO_DETAILS, Details, check_name

if TYPE_CHECKING:
    from monitor.identity.vault.registry import Identities
    from monitor.identity.vault.vault import Vault

PATH = "/v1/identities/{name:path}"
JOB = "/v1/enrolments/{job_id}"
CONSENT, DETAILS = "consent", "details"
RETRY_SECONDS = 10

T = TypeVar("T")

VAULT_AWAY = {503: "The vault cannot be asked now: wait `Retry-After` seconds."}
NO_IDENTITY = {404: "Nobody is enrolled under this name."}
BAD_NAME = {400: "The name cannot be read."}
NOT_PENDING = {409: "Nothing waits for approval, or it was enrolled by the same subject."}
NO_JOB = {404: "There is no such enrolment; finished ones are remembered for an hour."}
ENDING = {503: "It is ending: wait `Retry-After` seconds."}

LIST_IDENTITIES = operation("Who is enrolled", shapes.Identities, errors=NO_TOKEN | VAULT_AWAY)
GET_IDENTITY = operation("One identity", shapes.IdentityDetail, errors=NO_TOKEN | NO_IDENTITY | VAULT_AWAY)
APPROVE = operation(
    "Approve a pending enrolment",
    shapes.Decided,
    errors=NO_TOKEN | BAD_NAME | NO_IDENTITY | NOT_PENDING | VAULT_AWAY,
)
REJECT = operation(
    "Reject a pending enrolment",
    shapes.Decided,
    errors=NO_TOKEN | BAD_NAME | NO_IDENTITY | NOT_PENDING | VAULT_AWAY,
)
ERASE = operation("Erase an identity", shapes.Erased, errors=NO_TOKEN | BAD_NAME | NO_IDENTITY | VAULT_AWAY)
ENROL = operation(
    "Enrol, or enrol again",
    shapes.Enrolment,
    status=202,
    description="The enrolment was queued.",
    errors=NO_TOKEN
    | {
        400: "The name or the form cannot be read, or the upload broke off.",
        408: "The upload came too slowly.",
        413: "Too many clips, or more than `max_upload_mb`.",
        431: "Too many headers in a part of the form, or too long ones.",
        415: "Not `multipart/form-data`.",
        422: "No consent, or one that cannot be used, or details that cannot.",
        503: "Too many enrolments, or this name is being enrolled already: wait `Retry-After` seconds.",
        507: "The disk is full.",
    },
    headers={"Location": "The enrolment: ask it how far it is."},
    body={"multipart/form-data": {"schema": {
        "type": "object",
        "required": ["clips"],
        "properties": {
            "consent": {
                "type": "string",
                "description": "JSON: `by`, `given`; `expires`, `purpose` and `evidence_sha256` may be there. First.",
            },
            "details": {
                "type": "string",
                "description": (
                    "JSON: `tags`, by which a policy groups people, and `verify_by`, a number or a link by which they "
                    "are reached. What is left out stays as it was. Before the clips."
                ),
            },
            "clips": {"type": "array", "maxItems": MAX_CLIPS, "items": {"type": "string", "format": "binary"}},
        },
    }}},
)  # fmt: skip
LIST_ENROLMENTS = operation("Enrolments that wait, run or ended lately", shapes.Enrolments, errors=NO_TOKEN)
GET_ENROLMENT = operation("One enrolment", shapes.Enrolment, errors=NO_TOKEN | NO_JOB)
CANCEL = operation("Stop an enrolment and forget it", status=204, errors=NO_TOKEN | NO_JOB | ENDING)


@dataclass(frozen=True, slots=True)
class Policy:
    """What an enrolment needs here; `is_outdated` whether a reference was made by other encoders."""

    consent_required: bool = True
    consent_days: int = 365
    second_approver: bool = False
    is_outdated: Callable[[Reference], bool] = lambda _reference: True


@dataclass(frozen=True, slots=True)
class People:
    """Everything about protected identities that the surface is a surface of."""

    vault: Vault
    identities: Identities
    uploads: Uploads
    enrolments: Enrolments
    policy: Policy


def router(people: People, journal: Journal, desk: Desk) -> APIRouter:
    """Return the routes of identities and of their enrolments; `journal` and `desk` are what may be erased, too."""
    routes = APIRouter(tags=["identities"])
    _add_identities(routes, people)
    _add_erasing(routes, people, journal, desk)
    _add_enrolments(routes, people.enrolments)
    return routes


def _add_identities(routes: APIRouter, people: People) -> None:
    vault = people.vault

    @routes.get("/v1/identities", dependencies=[MAY_SEE_IDENTITIES], **LIST_IDENTITIES)
    async def list_identities() -> Response:
        infos = await _ask(vault.list)
        return reply({"identities": [info.as_json() for info in infos], "policy": _policy(people)})

    @routes.get(PATH, dependencies=[MAY_SEE_IDENTITIES], **GET_IDENTITY)
    async def get_identity(name: str) -> Response:
        return reply(await _ask(_describe, people, name))

    @routes.post(PATH + "/approve", **APPROVE)
    async def approve(name: str, grant: Approving) -> Response:
        enrolled = await _ask(vault.approve, name, grant.subject)
        return reply({"version": enrolled.version, "state": enrolled.state})

    @routes.post(PATH + "/reject", **REJECT)
    async def reject(name: str, grant: Approving) -> Response:
        enrolled = await _ask(vault.reject, name, grant.subject)
        return reply({"version": enrolled.version, "state": enrolled.state})

    @routes.post(PATH, **ENROL)
    async def enrol(request: Request, name: str, grant: Enrolling) -> Response:
        job = await _submit(people, request, _checked("identity", name), grant.subject)
        location = address_of(request.scope, f"/v1/enrolments/{quote(job.id)}")
        return reply(job.describe(), 202, {"Location": location})


def _add_erasing(routes: APIRouter, people: People, journal: Journal, desk: Desk) -> None:
    @routes.delete(PATH, **ERASE)
    async def erase(
        name: str,
        grant: Erasing,
        findings: Annotated[bool, Query(description="Whether what was found of them is erased, too.")] = False,
    ) -> Response:
        # First: an enrolment that is on its way would bring the erased person back.
        if not await people.enrolments.forget(name):
            raise Problem(503, "an enrolment of this identity is ending: try again", headers=_retry())
        if findings:
            made = await _ask(erase_everything, name, grant.subject, journal, desk.casework, people.vault)
            return reply({"receipt": made["enrolment"], "findings": made["findings"]})
        receipt = await _ask(people.vault.erase, name, grant.subject)
        return reply({"receipt": receipt.as_json()})


def _add_enrolments(routes: APIRouter, enrolments: Enrolments) -> None:
    @routes.get("/v1/enrolments", dependencies=[MAY_ENROL], **LIST_ENROLMENTS)
    async def list_enrolments() -> Response:
        return reply({"enrolments": [_without_poses(job) for job in enrolments.jobs()]})

    @routes.get(JOB, dependencies=[MAY_ENROL], **GET_ENROLMENT)
    async def get_enrolment(job_id: str) -> Response:
        return reply(_find(enrolments, job_id).describe())

    @routes.delete(JOB, dependencies=[MAY_ENROL], **CANCEL)
    async def cancel_enrolment(job_id: str) -> Response:
        if not await enrolments.cancel(_find(enrolments, job_id)):
            raise Problem(503, "the enrolment is ending: try again", headers=_retry())
        return Response(status_code=204)


async def _submit(people: People, request: Request, name: str, actor: str) -> Job:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > people.uploads.max_bytes:
        raise _refusal(FormError(413, f"an upload may have at most {people.uploads.max_bytes} bytes"))
    agreed: list[tuple[Consent, Details]] = []

    def check(fields: Mapping[str, str]) -> None:
        if fields.keys() - {CONSENT, DETAILS}:
            raise Problem(400, "the only fields beside the clips are `consent` and `details`")
        agreed.append((_consent(fields.get(CONSENT), people.policy), _details(fields.get(DETAILS))))

    try:
        with people.enrolments.reserve(name):
            kind = request.headers.get("content-type", "")
            upload = await people.uploads.receive(kind, aiter(request.stream()), check)
            return people.enrolments.submit(Order(name, actor, *agreed[0]), upload)
    except FormError as error:
        raise _refusal(error) from None
    except ClientDisconnect:
        raise Problem(400, "the upload ended early: send it whole") from None
    except Busy as error:
        raise Problem(503, f"{error}: try again later", headers=_retry()) from None


def _consent(text: str | None, policy: Policy) -> Consent:
    """Return the consent of an upload; raises `Problem`."""
    now = datetime.now(UTC)
    if text is None:
        if policy.consent_required:
            raise Problem(422, 'nobody is enrolled without consent: send `consent` as JSON, with "by" and "given"')
        unrecorded = Consent(NOT_RECORDED, now.date(), None, NOT_RECORDED, None)
        return checked(unrecorded, days=policy.consent_days, now=now)
    try:
        return checked(read_consent_text(text), days=policy.consent_days, now=now)
    except ConsentError as error:
        raise Problem(422, str(error)) from None


def read_consent_text(text: str) -> Consent:
    """Return a consent from JSON; raises `ConsentError`."""
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        raise ConsentError("the consent is not valid JSON: correct it") from None
    if not isinstance(raw, dict) or "evidence" in raw:
        raise ConsentError('the consent must be a JSON object with "by" and "given"; of the evidence send the sha256')
    return Consent.from_json(raw)


def _details(text: str | None) -> Details:
    """Return what an upload says of the person; raises `Problem`."""
    if text is None:
        return NO_DETAILS
    try:
        return read_details(text)
    except VaultError as error:
        raise Problem(422, str(error)) from None


def read_details(text: str) -> Details:
    """Return details from JSON; raises `VaultError`."""
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        raise VaultError("the details are not valid JSON: correct them") from None
    return Details.given(raw)


def _describe(people: People, name: str) -> dict[str, Any]:
    """One identity with its history and what its reference was made from; raises `VaultError`."""
    info = people.vault.show(name)
    if info is None:
        raise NotEnrolled
    history = [version.as_json() for version in people.vault.history(name)]
    reference = people.identities.reference(name)
    made = None if reference is None else _reference(reference, people.policy)
    return {**info.as_json(), "history": history, "reference": made}


# What is told of a reference that no detector describes.
NOT_DESCRIBED: Mapping[str, Any] = {"moments": 0, "conditions": []}


def _reference(reference: Reference, policy: Policy) -> dict[str, Any]:
    sources = [
        {
            "name": source.name,
            "sha256": source.sha256,
            "seconds": source.seconds,
            "width": source.width,
            "height": source.height,
            "shots": source.shots,
        }
        for source in reference.sources
    ]
    return {
        "made": reference.made,
        "outdated": policy.is_outdated(reference),
        **NOT_DESCRIBED,
        **describe(reference),
        "sources": sources,
    }


def _policy(people: People) -> dict[str, Any]:
    policy = people.policy
    return {
        "consent_required": policy.consent_required,
        "consent_days": policy.consent_days,
        "second_approver": policy.second_approver,
        "max_upload_bytes": people.uploads.max_bytes,
    }


async def _ask(question: Callable[..., T], *arguments: Any) -> T:
    """Ask the vault in a thread; what it answers with an error becomes a problem."""
    try:
        return await asyncio.to_thread(question, *arguments)
    except NotEnrolled:
        raise Problem(404, "nobody is enrolled under this name") from None
    except ApprovalRefused as error:
        raise Problem(409, str(error)) from None


def _checked(kind: str, name: str) -> str:
    try:
        return check_name(kind, name)
    except VaultError as error:
        raise Problem(400, str(error)) from None


def _find(enrolments: Enrolments, job_id: str) -> Job:
    found = enrolments.find(job_id)
    if found is None:
        raise Problem(404, "there is no such enrolment: finished ones are remembered for an hour")
    return found


def _without_poses(job: Job) -> dict[str, Any]:
    return {key: value for key, value in job.describe().items() if key != "poses"}


def _refusal(error: FormError) -> Problem:
    # Only who has stopped sending is cut off: cut off in the middle, most clients would not read why they were refused.
    cut = {"Connection": "close"} if error.status == 408 else {}
    return Problem(error.status, str(error), headers=cut)


def _retry() -> dict[str, str]:
    return {"Retry-After": str(RETRY_SECONDS)}
