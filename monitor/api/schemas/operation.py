"""How a route is described in the OpenAPI document; nothing here changes what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from monitor.api.schemas.base import Shape

PROBLEM_TYPE = "application/problem+json"
PROBLEM_CONTENT = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
NO_TOKEN = {
    401: "No token, or a wrong, expired or revoked one.",
    403: "The token's role may not do this.",
    429: "Too many wrong tokens came from this address: wait `Retry-After` seconds.",
}
JOURNAL_AWAY = {503: "The journal cannot be read now: wait `Retry-After` seconds."}


def operation(
    summary: str,
    answer: type[Shape] | str | None = None,
    *,
    status: int = 200,
    description: str = "Done.",
    errors: Mapping[int, str] | None = None,
    headers: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the keyword arguments of a route.

    `answer` is the shape of a JSON answer, or the media type of another one, None where there is no body. `errors` says
    why the route answers with a problem of each status, `headers` which headers a success has, and `body` is the
    content of the request by media type.
    """
    success: dict[str, Any] = {"description": description}
    if isinstance(answer, str):
        success["content"] = {answer: {"schema": {"type": "string"}}}
    elif answer is not None:
        success["model"] = answer
    if headers:
        success["headers"] = {name: header(text) for name, text in headers.items()}
    problems = {
        code: {"description": text, "content": PROBLEM_CONTENT} for code, text in sorted((errors or {}).items())
    }
    # It also keeps FastAPI from describing a 422 that is never sent.
    problems |= {"default": {"description": "Any other error.", "content": PROBLEM_CONTENT}}  # type: ignore[dict-item]
    described: dict[str, Any] = {
        "summary": summary,
        "status_code": status,
        "response_class": Response,
        "responses": {status: success, **problems},
    }
    if body is not None:
        described["openapi_extra"] = {"requestBody": {"required": True, "content": dict(body)}}
    return described


def header(text: str) -> dict[str, Any]:
    """Return the description of a header."""
    return {"description": text, "schema": {"type": "string"}}
