"""Signing in by OpenID Connect, and out; sessions for an admin to see and end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from monitor.api.access.grant import Grant, Refusal
from monitor.api.access.issuer import seconds_as_time
from monitor.api.access.keyring import KeyRing
from monitor.api.access.oidc import flow
from monitor.api.access.oidc.claims import Claims, Person, id_token_objection, person_of, values_of
from monitor.api.access.oidc.messages import CodeRefusedError, ProviderError
from monitor.api.access.oidc.options import OidcOptions
from monitor.api.access.oidc.provider import Provider
from monitor.api.access.oidc.verifier import rules_of
from monitor.api.access.roles import PERMISSIONS, Role
from monitor.api.access.sessions import Beginning, Sessions, csrf_of
from monitor.api.auth import ANYBODY_KNOWN, MAY_MANAGE_TOKENS
from monitor.api.cookies import ATTEMPT, ATTEMPT_SECONDS, NAME, Seen, seen_at, session_cookie
from monitor.api.problem import Problem
from monitor.api.reply import reply
from monitor.api.schemas import sign_in as shapes
from monitor.api.schemas.operation import JOURNAL_AWAY, NO_TOKEN, operation

CALLBACK = "/v1/login/callback"
KNOWN = {code: NO_TOKEN[code] for code in (401, 403, 429)}
NOT_HERE = "nobody signs in here: set oidc (docs/sign-in.md), or use a token"
SAYS = {404: "Signing in is not configured."}
LOGIN = operation(
    "Sign in: the browser is sent to the identity provider",
    status=303,
    description="Go to `Location`.",
    headers={"Location": "The provider."},
    errors=SAYS | {422: "`back` is no path of these pages.", 503: "The provider cannot be asked now."},
)
ANSWER = operation(
    "The provider's answer: the browser is sent back to the page, signed in or told why not",
    status=303,
    description="Go to `Location`; `#sign-in=` in it says why somebody is not signed in.",
    headers={"Location": "The page.", "Set-Cookie": "The session."},
    errors=SAYS,
)
LOGOUT = operation("Sign out", shapes.SignedOut, errors=KNOWN | JOURNAL_AWAY)
OWN = operation(
    "Whether one can sign in here, and who has; for pages, no token is needed",
    shapes.SessionState,
    errors=JOURNAL_AWAY,
)
LIST = operation("Who is signed in", shapes.Sessions, errors=NO_TOKEN | JOURNAL_AWAY)
END = operation("End a session", status=204, errors=NO_TOKEN | JOURNAL_AWAY | {404: "There is no such session."})


@dataclass(frozen=True, slots=True)
class SignIn:
    """What signing in is made of; `keys` sign what the browser remembers meanwhile."""

    options: OidcOptions
    provider: Provider
    sessions: Sessions
    keys: KeyRing
    clock: Callable[[], float] = time.time

    async def close(self) -> None:
        """Close the connection to the provider."""
        await self.provider.close()

    async def begin(self, seen: Seen, back: str) -> Response:
        """Send a browser to the provider; raises `Problem`."""
        try:
            metadata = await self.provider.metadata()
        except ProviderError as error:
            _log("nobody can sign in", str(error))
            raise Problem(503, "the identity provider cannot be asked now: the sidecar's log says why") from None
        attempt = flow.begun(back)
        target = flow.address_to_ask(
            metadata.authorization_endpoint, attempt, self.options.client_id, seen.base + CALLBACK, self.options.scopes
        )
        remembered = await asyncio.to_thread(self.keys.sign, flow.remembered(attempt, int(self.clock())))
        response = RedirectResponse(target, 303)
        seen.give(response, ATTEMPT, remembered, ATTEMPT_SECONDS, is_strict=False)
        return response

    async def answer(self, request: Request, seen: Seen) -> Response:
        """Take the provider's answer and send the browser back to where it came from."""
        cookie = request.cookies.get(seen.cookie(ATTEMPT), "")
        attempt = flow.recalled(self.keys.verify(cookie), self.clock())
        asked = {name: request.query_params.get(name) for name in ("state", "iss", "error", "code")}
        if attempt is None or not flow.is_answer_to(attempt, asked["state"] or "", asked["iss"], self.options.issuer):
            return self._back(seen, "/", "again")
        if asked["error"] is not None or asked["code"] is None:
            return self._back(seen, attempt.back, "denied" if asked["error"] == "access_denied" else "failed")
        try:
            person = await self._person(attempt, asked["code"], seen)
        except CodeRefusedError:
            return self._back(seen, attempt.back, "again")
        except ProviderError as error:
            _log("somebody cannot sign in", str(error))
            return self._back(seen, attempt.back, "failed")
        if isinstance(person, Refusal):
            _log("somebody cannot sign in", person.detail)
            return self._back(seen, attempt.back, "no-role")
        return await self._signed_in(request, seen, attempt.back, person)

    async def end(self, cookie: str, seen: Seen) -> Response:
        """End a session; the answer says where to end the provider's."""
        hint = await asyncio.to_thread(self.sessions.end, cookie)
        try:
            endpoint = (await self.provider.metadata()).end_session_endpoint
        except ProviderError:
            endpoint = None
        said = {"client_id": self.options.client_id, "post_logout_redirect_uri": seen.base + "/"}
        said |= {"id_token_hint": hint} if hint else {}
        target = endpoint and endpoint + ("&" if "?" in endpoint else "?") + urlencode(said)
        response = reply({"provider": target})
        seen.take(response, NAME)
        return response

    async def _person(self, attempt: flow.Attempt, code: str, seen: Seen) -> Beginning | Refusal:
        id_token, access_token = await self.provider.redeem(code, attempt.verifier, seen.base + CALLBACK)
        claims = await self.provider.verified(id_token)
        if claims is None:
            raise ProviderError("the identity provider's ID token has no signature that its keys verify")
        options = self.options
        objection = id_token_objection(claims, options.issuer, options.client_id, attempt.nonce, self.clock())
        if objection is not None:
            raise ProviderError(f"the identity provider's ID token is not taken: {objection}")
        claims = await self._whole(claims, access_token)
        person = person_of(claims, rules_of(options))
        return _beginning(person, id_token) if isinstance(person, Person) else person

    async def _whole(self, claims: Claims, access_token: str | None) -> Claims:
        """Return the claims with those that the provider tells on asking only, where what roles go by is missing."""
        by_tenant = () if self.options.tenant_claim is None else (self.options.tenant_claim,)
        wanted = (self.options.role_claim, self.options.identity_claim, *by_tenant)
        if access_token is None or all(values_of(claims, name) for name in wanted):
            return claims
        more = await self.provider.more_claims(access_token)
        # Of the same person (OpenID Connect Core 1.0, 5.3.2); and what was signed goes before what was not.
        return {**more, **claims} if more.get("sub") == claims.get("sub") else claims

    async def _signed_in(self, request: Request, seen: Seen, back: str, beginning: Beginning) -> Response:
        before = session_cookie(request)
        if before is not None:
            await asyncio.to_thread(self.sessions.end, before)
        text, expires = await asyncio.to_thread(self.sessions.begin, beginning)
        own_page = "/me" if beginning.role is Role.SUBJECT and back == "/" else back
        response = self._back(seen, own_page)
        seen.give(response, NAME, text, int(expires - self.clock()))
        structlog.stdlib.get_logger("access").info("somebody has signed in", role=str(beginning.role))
        return response

    def _back(self, seen: Seen, path: str, why_not: str = "") -> Response:
        fragment = f"#sign-in={why_not}" if why_not else ""
        response = RedirectResponse(seen.base + path + fragment, 303)
        seen.take(response, ATTEMPT, is_strict=False)
        return response


def router(sign_in: SignIn | None) -> APIRouter:
    """Return the routes of signing in; without `sign_in` they say that nobody does."""
    routes = APIRouter(tags=["sign-in"])

    def seen_by(request: Request) -> tuple[SignIn, Seen]:
        if sign_in is None:
            raise Problem(404, NOT_HERE)
        seen = seen_at(request, sign_in.options.public_url)
        if seen is None:
            raise Problem(404, "set oidc.public_url to the address that browsers see: this one is not this machine's")
        return sign_in, seen

    @routes.get("/v1/login", **LOGIN)
    async def begin_sign_in(request: Request, back: str = "/") -> Response:
        inside, seen = seen_by(request)
        if not flow.is_own_path(back):
            raise Problem(422, "`back` has to be a path of these pages, such as /try")
        return await inside.begin(seen, back)

    @routes.get(CALLBACK, **ANSWER)
    async def take_answer(request: Request) -> Response:
        inside, seen = seen_by(request)
        return await inside.answer(request, seen)

    @routes.post("/v1/logout", dependencies=[ANYBODY_KNOWN], **LOGOUT)
    async def sign_out(request: Request) -> Response:
        cookie = session_cookie(request)
        if cookie is None or "authorization" in request.headers:
            # A token has no session.
            return reply({"provider": None})
        inside, seen = seen_by(request)
        return await inside.end(cookie, seen)

    @routes.get("/v1/session", **OWN)
    async def get_own_session(request: Request) -> Response:
        cookie = session_cookie(request)
        found = await asyncio.to_thread(sign_in.sessions.find, cookie) if sign_in is not None and cookie else None
        session = _described(found, cookie or "") if isinstance(found, Grant) else None
        return reply({"sign_in": sign_in is not None, "session": session})

    @routes.get("/v1/sessions", dependencies=[MAY_MANAGE_TOKENS], **LIST)
    async def list_sessions() -> Response:
        rows = await asyncio.to_thread(sign_in.sessions.list) if sign_in is not None else []
        return reply({"sessions": [_listed(row) for row in rows]})

    @routes.delete("/v1/sessions/{session_id}", dependencies=[MAY_MANAGE_TOKENS], **END)
    async def end_session(session_id: str) -> Response:
        if sign_in is None or not await asyncio.to_thread(sign_in.sessions.revoke, session_id):
            raise Problem(404, "there is no such session: see GET /v1/sessions")
        return Response(status_code=204)

    return routes


def _beginning(person: Person, id_token: str) -> Beginning:
    return Beginning(person.subject, person.role, person.identity, id_token, person.tenant)


def _described(grant: Grant, cookie: str) -> dict[str, object]:
    return {
        "subject": grant.subject,
        "role": str(grant.role),
        "permissions": sorted(PERMISSIONS[grant.role]),
        "expires": seconds_as_time(grant.expires),
        "csrf": csrf_of(cookie),
    }


def _listed(row: dict[str, object]) -> dict[str, object]:
    times = {name: seconds_as_time(int(str(row[name]))) for name in ("begun", "seen", "expires")}
    return {name: row[name] for name in ("id", "subject", "role", "identity")} | times


def _log(event: str, why: str) -> None:
    structlog.stdlib.get_logger("access").warning(event, why=why)
