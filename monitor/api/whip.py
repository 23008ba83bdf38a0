"""WHIP (RFC 9725): a client publishes one participant by POST, trickles candidates by PATCH, leaves by DELETE.

Nothing is parsed before the token, the type and the size are right, and a place is held before an offer is
answered. The session URL is unguessable and names one publication: after a reconnection the old one is gone
(404).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from monitor.api.auth import require_token
from monitor.api.forwarded import address_of
from monitor.api.problem import Problem
from monitor.api.schemas.operation import NO_TOKEN, operation
from monitor.config import IceServer
from monitor.host.calls import AtCapacity, Calls, InvalidName, Publication, participant_key
from monitor.tap.rtp.sdp import SdpError
from monitor.types import ParticipantKey

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
ENDPOINT = "/v1/calls/{call}/participants/{participant}/whip"
SESSION = ENDPOINT + "/{session}"
BODY_SECONDS = 10.0

OFFER_HEADERS = {"Accept-Post": "The media type of an offer.", "Allow": "The methods that are taken."}
FRAGMENT_HEADERS = {"Accept-Patch": "The media type of candidates.", "Allow": "The methods that are taken."}
ENDED = {404: "The session has ended: publish again."}
UNREADABLE = {
    400: "The body or a name cannot be read.",
    408: "The body came too slowly.",
    413: "More than `max_sdp_bytes`.",
    415: "Another media type.",
}
PUBLISH = operation(
    "Publish a participant",
    SDP,
    status=201,
    description="The SDP answer.",
    errors=NO_TOKEN
    | UNREADABLE
    | {422: "Nothing in the offer can be judged.", 503: "Full, too slow for one more, or shutting down: try again."},
    headers={
        "Location": "The session: PATCH candidates to it, DELETE it to leave.",
        "ETag": "The ICE session, for If-Match.",
        "Accept-Patch": "The media type of candidates.",
        "Link": "ICE servers (RFC 9725, 4.6).",
    },
    body={SDP: {"schema": {"type": "string", "description": "The SDP offer: at most one audio and one video track."}}},
)
TRICKLE = operation(
    "Add ICE candidates",
    status=204,
    errors=NO_TOKEN
    | UNREADABLE
    | ENDED
    | {412: "Another ETag in If-Match.", 422: "An ICE restart: publish again.", 428: "No If-Match."},
    body={FRAGMENT: {"schema": {"type": "string"}}},
)
TRICKLE["openapi_extra"]["parameters"] = [
    {"name": "If-Match", "in": "header", "required": True, "schema": {"type": "string"}}
]


class Publications:
    """Has offers answered and remembers their session URLs for as long as they are live."""

    def __init__(self, calls: Calls, max_sdp_bytes: int, ice_servers: Sequence[IceServer] = ()) -> None:
        self._calls = calls
        self._live: dict[str, Publication] = {}
        self.max_sdp_bytes = max_sdp_bytes
        self.links = [link(server) for server in ice_servers]

    async def publish(self, key: ParticipantKey, offer: str) -> tuple[str, Publication]:
        """Have an offer answered; returns the session's name and the publication."""
        publication = await self._calls.publish(key, offer)
        self._live = {name: one for name, one in self._live.items() if not one.ended}
        name = secrets.token_urlsafe(16)
        self._live[name] = publication
        return name, publication

    def find(self, call: str, participant: str, session: str) -> Publication:
        """Return a live publication; raises `Problem` 404."""
        found = self._live.get(session)
        if found is None or found.ended or _place(found) != (call, participant):
            raise Problem(404, "there is no such WHIP session: it has ended, publish again")
        return found


def router(publications: Publications) -> APIRouter:
    """Return the WHIP routes."""
    routes = APIRouter(tags=["whip"])
    guarded = [Depends(require_token)]

    @routes.options(ENDPOINT, **operation("What a publication is sent as", headers=OFFER_HEADERS))
    async def get_whip_options(call: str, participant: str) -> Response:
        return Response(headers={"Accept-Post": SDP, "Allow": "GET, HEAD, OPTIONS, POST"})

    @routes.options(SESSION, **operation("What candidates are sent as", headers=FRAGMENT_HEADERS))
    async def get_session_options(call: str, participant: str, session: str) -> Response:
        return Response(headers={"Accept-Patch": FRAGMENT, "Allow": "DELETE, OPTIONS, PATCH"})

    @routes.get(ENDPOINT, **operation("Nothing, as RFC 9725 has it", status=204))
    async def get_nothing(call: str, participant: str) -> Response:
        return Response(status_code=204)

    @routes.post(ENDPOINT, dependencies=guarded, **PUBLISH)
    async def publish(
        request: Request, call: str, participant: str, identity: Annotated[str | None, Query()] = None
    ) -> Response:
        try:
            key = participant_key(call, participant, identity)
        except InvalidName as error:
            raise Problem(400, str(error)) from None
        offer = await _body(request, SDP, {"Accept-Post": SDP}, publications.max_sdp_bytes)
        try:
            session, publication = await publications.publish(key, offer)
        except SdpError as error:
            raise Problem(error.status, error.detail, error.title) from None
        except TimeoutError:
            raise Problem(503, "no answer could be made in time: try again", headers={"Retry-After": "5"}) from None
        except AtCapacity as error:
            raise Problem(503, f"{error}: try again later", headers={"Retry-After": str(error.retry_after)}) from None
        return _created(request, key, session, publication, publications.links)

    @routes.patch(SESSION, dependencies=guarded, **TRICKLE)
    async def trickle(request: Request, call: str, participant: str, session: str) -> Response:
        publication = publications.find(call, participant, session)
        fragment = await _body(request, FRAGMENT, {"Accept-Patch": FRAGMENT}, publications.max_sdp_bytes)
        _check_etag(request.headers.get("if-match"), publication.etag)
        try:
            await publication.add_candidates(fragment)
        except SdpError as error:
            raise Problem(error.status, error.detail, error.title) from None
        return Response(status_code=204)

    @routes.delete(SESSION, dependencies=guarded, **operation("The participant leaves", errors=NO_TOKEN | ENDED))
    async def leave(call: str, participant: str, session: str) -> Response:
        await publications.find(call, participant, session).end()
        return Response()

    return routes


def _created(
    request: Request, key: ParticipantKey, session: str, publication: Publication, links: Sequence[str]
) -> Response:
    """Answer an offer (RFC 9725, 4.2)."""
    response = Response(publication.answer, 201, media_type=SDP)
    # Starlette would add a charset, which application/sdp does not define.
    response.headers["Content-Type"] = SDP
    response.headers["Location"] = _location(request, key, session)
    response.headers["ETag"] = _quoted(publication.etag)
    response.headers["Accept-Patch"] = FRAGMENT
    for ice_server in links:
        response.headers.append("Link", ice_server)
    return response


def link(server: IceServer) -> str:
    """Return the `Link` header of an ICE server (RFC 9725, 4.6)."""
    text = f'<{server.url}>; rel="ice-server"'
    if server.username is not None and server.credential is not None:
        credential = _escape(server.credential.get_secret_value())
        text += f'; username="{_escape(server.username)}"; credential="{credential}"; credential-type="password"'
    return text


async def _body(request: Request, expected: str, accept: dict[str, str], limit: int) -> str:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != expected:
        raise Problem(415, f"send the body as {expected}", headers=accept)
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                data += chunk
                if len(data) > limit:
                    raise _too_large(limit)
        return data.decode()
    except TimeoutError:
        raise Problem(408, "the body came too slowly", headers={"Connection": "close"}) from None
    except UnicodeDecodeError:
        raise Problem(400, "the body is not UTF-8 text") from None


def _too_large(limit: int) -> Problem:
    return Problem(413, f"the body may have at most {limit} bytes", headers={"Connection": "close"})


def _check_etag(given: str | None, etag: str) -> None:
    """RFC 9725, 4.3.1: 428 without an entity tag, 412 for another one."""
    if given is None:
        raise Problem(428, "send the ETag of the session in If-Match")
    tags = [tag.strip().removeprefix("W/") for tag in given.split(",")]
    if "*" not in tags and _quoted(etag) not in tags:
        raise Problem(412, "If-Match is not the ETag of this session")


def _location(request: Request, key: ParticipantKey, session: str) -> str:
    parts = (quote(key.call, safe=""), quote(key.participant, safe=""))
    return address_of(request.scope, f"/v1/calls/{parts[0]}/participants/{parts[1]}/whip/{session}")


def _place(publication: Publication) -> tuple[str, str]:
    return publication.key.call, publication.key.participant


def _quoted(etag: str) -> str:
    return etag if etag.startswith('"') else f'"{etag}"'


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
