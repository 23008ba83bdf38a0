"""The bearer token: made once, kept readable by its owner only, compared in constant time."""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from monitor.api.gate import vouch
from monitor.api.problem import Problem
from monitor.config import ConfigError

FILE = "token"
TOKEN_BYTES = 32
# For the OpenAPI document only: it refuses nobody.
SCHEME = HTTPBearer(
    scheme_name="token", auto_error=False, description="SIDEWITNESS_TOKEN, or that in the file `token`."
)


class Token:
    """The one token of this server."""

    def __init__(self, value: str) -> None:
        self._value = value.encode()

    def __repr__(self) -> str:
        return "Token(...)"

    def check(self, candidate: str) -> bool:
        """Whether `candidate` is the token; takes the same time wherever they differ."""
        return hmac.compare_digest(self._value, candidate.encode("utf-8", "surrogatepass"))


def load_or_make(state_dir: Path) -> str:
    """Return the token kept in `state_dir`, made at the first start; raises `ConfigError` where none can be had."""
    path = state_dir / FILE
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    value = secrets.token_urlsafe(TOKEN_BYTES)
    try:
        # Exclusive: of two servers that start at once, one makes the token and the other reads it.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        return _read(path)
    except OSError as error:
        raise ConfigError(f"no token can be kept in {state_dir} ({error.strerror}): set SIDEWITNESS_TOKEN") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(value + "\n")
        file.flush()
        os.fsync(file.fileno())
    return value


def _read(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}): correct it or set SIDEWITNESS_TOKEN") from None
    with os.fdopen(descriptor) as file:
        if os.fstat(descriptor).st_mode & 0o077:
            raise ConfigError(
                f"{path} can be read by others: run chmod 600 on it, or delete it to have a new token made"
            )
        value = file.read().strip()
    if not value:
        raise ConfigError(f"{path} is empty: delete it to have a new token made")
    return value


async def require_token(request: Request, _described: Annotated[Any, Depends(SCHEME)]) -> None:
    """Refuse a request without the bearer token (RFC 6750, 2.1 and 3)."""
    token: Token = request.app.state.token
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not value:
        raise Problem(401, "send the header `Authorization: Bearer TOKEN`", headers=_challenge(""))
    if not token.check(value.strip()):
        raise Problem(401, "the token is wrong", headers=_challenge(', error="invalid_token"'))
    vouch(request.scope)


def _challenge(error: str) -> dict[str, str]:
    return {"WWW-Authenticate": f'Bearer realm="sidewitness"{error}'}
