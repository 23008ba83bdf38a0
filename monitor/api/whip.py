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
from monitor.api.names import check_identity, check_name
from monitor.api.problem import Problem
from monitor.config import IceServer
from monitor.host.calls import AtCapacity, Calls, Publication
from monitor.tap.rtp.sdp import SdpError
from monitor.types import ParticipantKey

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
ENDPOINT = "/v1/calls/{call}/participants/{participant}/whip"
SESSION = ENDPOINT + "/{session}"
BODY_SECONDS = 10.0


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
    routes = APIRouter()
    guarded = [Depends(require_token)]

    @routes.options(ENDPOINT)
    async def options(call: str, participant: str) -> Response:
        return Response(headers={"Accept-Post": SDP, "Allow": "GET, HEAD, OPTIONS, POST"})

    @routes.options(SESSION)
    async def session_options(call: str, participant: str, session: str) -> Response:
        return Response(headers={"Accept-Patch": FRAGMENT, "Allow": "DELETE, OPTIONS, PATCH"})

    @routes.api_route(ENDPOINT, methods=["GET", "HEAD"])
    async def nothing(call: str, participant: str) -> Response:
        return Response(status_code=204)

    @routes.post(ENDPOINT, dependencies=guarded)
    async def publish(
        request: Request, call: str, participant: str, identity: Annotated[str | None, Query()] = None
    ) -> Response:
        key = ParticipantKey(check_name("call", call), check_name("participant", participant), check_identity(identity))
        offer = await _body(request, SDP, {"Accept-Post": SDP}, publications.max_sdp_bytes)
        try:
            session, publication = await publications.publish(key, offer)
        except SdpError as error:
            raise Problem(error.status, error.detail, error.title) from None
        except TimeoutError:
            raise Problem(503, "no answer could be made in time: try again", headers={"Retry-After": "5"}) from None
        except AtCapacity as error:
            raise Problem(503, f"{error}: try again later", headers={"Retry-After": str(error.retry_after)}) from None
        response = Response(publication.answer, 201, media_type=SDP)
        # Starlette would add a charset, which application/sdp does not define.
        response.headers["Content-Type"] = SDP
        response.headers["Location"] = _location(request, key, session)
        response.headers["ETag"] = _quoted(publication.etag)
        response.headers["Accept-Patch"] = FRAGMENT
        for each in publications.links:
            response.headers.append("Link", each)
        return response

    @routes.patch(SESSION, dependencies=guarded)
    async def trickle(request: Request, call: str, participant: str, session: str) -> Response:
        publication = publications.find(call, participant, session)
        fragment = await _body(request, FRAGMENT, {"Accept-Patch": FRAGMENT}, publications.max_sdp_bytes)
        _check_etag(request.headers.get("if-match"), publication.etag)
        try:
            await publication.add_candidates(fragment)
        except SdpError as error:
            raise Problem(error.status, error.detail, error.title) from None
        return Response(status_code=204)

    @routes.delete(SESSION, dependencies=guarded)
    async def leave(call: str, participant: str, session: str) -> Response:
        await publications.find(call, participant, session).end()
        return Response()

    return routes


def link(server: IceServer) -> str:
    """Return the `Link` header of an ICE server (RFC 9725, 4.6)."""
    text = f'<{server.url}>; rel="ice-server"'
    if server.username is not None and server.credential is not None:
        credential = _escape(server.credential.get_secret_value())
        text += f'; username="{_escape(server.username)}"; credential="{credential}"; credential-type="password"'
    return text


async def _body(request: Request, wanted: str, accept: dict[str, str], limit: int) -> str:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != wanted:
        raise Problem(415, f"send the body as {wanted}", headers=accept)
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
    prefix = str(request.scope.get("root_path", ""))
    return f"{prefix}/v1/calls/{parts[0]}/participants/{parts[1]}/whip/{session}"


def _place(publication: Publication) -> tuple[str, str]:
    return publication.key.call, publication.key.participant


def _quoted(etag: str) -> str:
    return etag if etag.startswith('"') else f'"{etag}"'


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
