"""Reading the body of a request: of one type, of a limited size, and in a limited time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from fastapi import Request

from monitor.api.problem import Problem

BODY_SECONDS = 10.0


async def read_body(request: Request, expected: str, limit: int, accept: Mapping[str, str] | None = None) -> str:
    """Return the text of a body; raises `Problem` 400, 408, 413, or 415 with the headers of `accept`."""
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
