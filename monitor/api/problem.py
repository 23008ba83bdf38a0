"""Every error of the HTTP surface as problem JSON (RFC 9457): status, title, and a detail that says what to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from monitor.alerts.journal import JournalError
from monitor.identity.vault.errors import VaultError

MEDIA_TYPE = "application/problem+json"
METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


class Problem(Exception):  # noqa: N818 - named as in RFC 9457
    """An error for the client; `detail` quotes nothing that the client sent."""

    def __init__(self, status: int, detail: str, title: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.title = title or HTTPStatus(status).phrase
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """Return the problem as a response."""
        body = {"type": "about:blank", "title": self.title, "status": self.status, "detail": self.detail}
        return Response(json.dumps(body), self.status, self.headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(JournalError, _journal)
    app.add_exception_handler(VaultError, _vault)
    # Answered here, raised on by Starlette, and logged by the guard.
    app.add_exception_handler(Exception, _problem)


async def _problem(_request: Request, error: Exception) -> Response:
    return error.response() if isinstance(error, Problem) else internal()


async def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if status == 405:
        headers["Allow"] = ", ".join(sorted(_methods(request)))
    details = {404: "there is nothing here: check the path", 405: "this path does not take this method: see Allow"}
    return Problem(status, details.get(status, HTTPStatus(status).phrase), headers=headers).response()


def _methods(request: Request) -> set[str]:
    """Collect the methods of every route of this path (RFC 9110, 15.5.6); the router knows only the first."""
    found: set[str] = set()
    for method in METHODS:
        scope = {**request.scope, "method": method}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes):
            found.add(method)
    # The guard makes HEAD a GET.
    return found | {"HEAD"} if "GET" in found else found


async def _validation(_request: Request, error: Exception) -> Response:
    first = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": "invalid"}
    field = ".".join(str(part) for part in first["loc"][1:])
    return Problem(422, f"{field}: {first['msg']}").response()


async def _journal(_request: Request, error: Exception) -> Response:
    return Problem(503, str(error), "Journal unavailable", {"Retry-After": "5"}).response()


async def _vault(_request: Request, error: Exception) -> Response:
    return Problem(503, str(error), "Vault unavailable", {"Retry-After": "10"}).response()


def internal() -> Response:
    """Return the problem for what nobody foresaw."""
    return Problem(500, "the server failed at this request: its log says where").response()
