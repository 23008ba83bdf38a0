"""How the surface answers: strict JSON that nobody may keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from monitor.alerts.plain import encode


def reply(body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON response."""
    return Response(encode(body), status, {"Cache-Control": "no-store", **(headers or {})}, "application/json")
