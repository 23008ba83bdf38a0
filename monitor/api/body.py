"""Reading the body of a request: of one type, of a limited size, and in a limited time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from monitor.api.problem import Problem

BODY_SECONDS = 10.0
T = TypeVar("T", bound=BaseModel)


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


def order_of(shape: type[T], text: str) -> T:
    """Return what a body asks for; raises `Problem`, which quotes no value: it may be a secret."""
    try:
        return shape.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise Problem(422, f"{where if where.isprintable() and where else 'the body'}: {first['msg']}") from None
