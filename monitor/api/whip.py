"""WHIP (RFC 9725): a client publishes one participant by POST, trickles candidates by PATCH, leaves by DELETE.

Nothing is parsed before the token, the type and the size are right, and a place is held before an offer is
answered. The session URL is unguessable and names one publication: after a reconnection the old one is gone
(404).
"""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Sequence
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from monitor.api.access.grant import Grant
from monitor.api.access.roles import Role
from monitor.api.auth import Publishing
from monitor.api.body import read_body
from monitor.api.forwarded import address_of
from monitor.api.problem import Problem
from monitor.api.schemas.operation import NO_TOKEN, operation
from monitor.config import IceServer
from monitor.host.calls import AtCapacity, Calls, InvalidName, Occupied, Publication, participant_key
from monitor.tap.rtp.sdp import SdpError
from monitor.types import ParticipantKey, Profile

SDP = "application/sdp"
MAX_SHOWN_NAME_LENGTH = 256
FRAGMENT = "application/trickle-ice-sdpfrag"
ENDPOINT = "/v1/calls/{call}/participants/{participant}/whip"
SESSION = ENDPOINT + "/{session}"

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
    | {
        403: "The token is for another call, participant or identity.",
        409: "Somebody else is published under this name: wait until their media have stopped.",
        422: "Nothing in the offer can be judged.",
        503: "Full, too slow for one more, or shutting down: try again.",
    },
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
        self._live: dict[str, tuple[Publication, str]] = {}
        self.max_sdp_bytes = max_sdp_bytes
        self.links = [link(server) for server in ice_servers]

    async def publish(
        self, key: ParticipantKey, offer: str, owner: str, profile: Profile | None = None
    ) -> tuple[str, Publication]:
        """Have an offer of `owner` answered; returns the session's name and the publication."""
        publication = await self._calls.publish(key, offer, owner, profile)
        self._live = {name: one for name, one in self._live.items() if not one[0].ended}
        name = secrets.token_urlsafe(16)
        self._live[name] = publication, owner
        return name, publication

    def find(self, call: str, participant: str, session: str, grant: Grant) -> Publication:
        """Return a live publication of this bearer, or any to an admin; raises `Problem` 404."""
        found, owner = self._live.get(session, (None, ""))
        is_mine = owner == grant.subject or grant.role is Role.ADMIN
        if found is None or found.ended or not is_mine or _place(found) != (call, participant):
            raise Problem(404, "there is no such WHIP session: it has ended, publish again")
        return found


def router(publications: Publications) -> APIRouter:
    """Return the WHIP routes."""
    routes = APIRouter(tags=["whip"])

    @routes.options(ENDPOINT, **operation("What a publication is sent as", headers=OFFER_HEADERS))
    async def get_whip_options(call: str, participant: str) -> Response:
        return Response(headers={"Accept-Post": SDP, "Allow": "GET, HEAD, OPTIONS, POST"})

    @routes.options(SESSION, **operation("What candidates are sent as", headers=FRAGMENT_HEADERS))
    async def get_session_options(call: str, participant: str, session: str) -> Response:
        return Response(headers={"Accept-Patch": FRAGMENT, "Allow": "DELETE, OPTIONS, PATCH"})

    @routes.get(ENDPOINT, **operation("Nothing, as RFC 9725 has it", status=204))
    async def get_nothing(call: str, participant: str) -> Response:
        return Response(status_code=204)

    @routes.post(ENDPOINT, **PUBLISH)
    async def publish(
        request: Request,
        call: str,
        participant: str,
        grant: Publishing,
        identity: Annotated[str | None, Query()] = None,
        name: Annotated[str | None, Query(description="What others in the call read; anybody may choose it.")] = None,
    ) -> Response:
        key = _admitted(grant, call, participant, identity)
        offer = await read_body(request, SDP, publications.max_sdp_bytes, {"Accept-Post": SDP})
        try:
            session, publication = await publications.publish(key, offer, grant.subject, _profile(name))
        except SdpError as error:
            raise Problem(error.status, error.detail, error.title) from None
        except Occupied as error:
            raise Problem(409, str(error), headers={"Retry-After": str(error.retry_after)}) from None
        except TimeoutError:
            raise Problem(503, "no answer could be made in time: try again", headers={"Retry-After": "5"}) from None
        except AtCapacity as error:
            raise Problem(503, f"{error}: try again later", headers={"Retry-After": str(error.retry_after)}) from None
        return _created(request, key, session, publication, publications.links)

    @routes.patch(SESSION, **TRICKLE)
    async def trickle(request: Request, call: str, participant: str, session: str, grant: Publishing) -> Response:
        publication = publications.find(call, participant, session, grant)
        fragment = await read_body(request, FRAGMENT, publications.max_sdp_bytes, {"Accept-Patch": FRAGMENT})
        _check_etag(request.headers.get("if-match"), publication.etag)
        try:
            await publication.add_candidates(fragment)
        except SdpError as error:
            raise Problem(error.status, error.detail, error.title) from None
        return Response(status_code=204)

    @routes.delete(SESSION, **operation("The participant leaves", errors=NO_TOKEN | ENDED))
    async def leave(call: str, participant: str, session: str, grant: Publishing) -> Response:
        await publications.find(call, participant, session, grant).end()
        return Response()

    return routes


def _admitted(grant: Grant, call: str, participant: str, identity: str | None) -> ParticipantKey:
    """Return the key to publish under; raises `Problem` 400, or 403 where the token is for another seat."""
    try:
        key = participant_key(call, participant, identity)
    except InvalidName as error:
        raise Problem(400, str(error)) from None
    admitted = grant.published_as(key)
    if admitted is None:
        raise Problem(403, "this token is for another call, participant or identity")
    return admitted


def _profile(name: str | None) -> Profile:
    # Not `isprintable`: emoji are joined by characters that are not.
    shown = " ".join("".join(c for c in name or "" if c.isspace() or unicodedata.category(c) != "Cc").split())
    if len(shown) > MAX_SHOWN_NAME_LENGTH:
        raise Problem(400, f"the name must have at most {MAX_SHOWN_NAME_LENGTH} characters")
    return Profile(display_name=shown or None)


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
