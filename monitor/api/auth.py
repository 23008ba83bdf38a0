"""Bearer tokens at the surface: the start-up token, made once and kept from others, and what routes ask for.

Who a bearer is, `monitor.api.access` says; here that becomes an answer, or 401, 403 or 429.
"""

from __future__ import annotations

import math
import os
import secrets
from pathlib import Path
from typing import Annotated, Any

import structlog
from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from starlette.requests import HTTPConnection

from monitor.alerts.disclosure import Disclosure
from monitor.api.access.authority import Authority
from monitor.api.access.grant import Grant, Refusal
from monitor.api.access.oidc.messages import ProviderError
from monitor.api.access.roles import Permission
from monitor.api.client import bearer_client
from monitor.api.cookies import check_change, session_cookie
from monitor.api.gate import vouch
from monitor.api.problem import Problem
from monitor.config import ConfigError

FILE = "token"
TOKEN_BYTES = 32
IDENTIFIED = "sidewitness.identified"
# For the OpenAPI document only: it refuses nobody.
SCHEME = HTTPBearer(
    scheme_name="token",
    auto_error=False,
    description="A token of `sidewitness tokens create`, SIDEWITNESS_TOKEN, that in the file `token`, or one of the "
    "identity provider. Pages of the sidecar send a session's cookie instead, and `X-CSRF-Token` with what changes "
    "anything.",
)


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


class Known:
    """A dependency of a route: there is a bearer, whatever they may do, else 401 or 429."""

    async def __call__(self, request: Request, _described: Annotated[Any, Depends(SCHEME)]) -> Grant:
        """Return what the bearer is granted."""
        return await bearer_of(request)


class Requires:
    """A dependency of a route: the bearer has the permission, else 401, 403 or 429 (RFC 6750, 2.1 and 3)."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def __call__(self, request: Request, _described: Annotated[Any, Depends(SCHEME)]) -> Grant:
        """Return what the bearer is granted."""
        grant = await bearer_of(request)
        if not grant.may(self.permission):
            raise Problem(403, "this token's role may not do this", headers=_challenge(', error="insufficient_scope"'))
        return grant


def disclosure_of(grant: Grant) -> Disclosure:
    """Return how much of a verdict somebody is told."""
    return Disclosure.FULL if grant.may(Permission.SCORES) else Disclosure.VERDICTS


async def identified(connection: HTTPConnection) -> Grant | Refusal | None:
    """Return what whoever asks is granted, by a token or else a session, or why nothing; None where there is neither.

    It is asked once of a request, however often it is called. Raises `SidewitnessError` where it cannot be told now.
    """
    # In `state`, which copies of a scope share.
    kept: dict[str, Grant | Refusal | None] = connection.scope.setdefault("state", {})
    if IDENTIFIED not in kept:
        authority: Authority = connection.app.state.authority
        token, cookie = _token(connection), session_cookie(connection)
        found: Grant | Refusal | None = None
        if token:
            client = bearer_client(connection.scope, connection.app.state.trusted_proxies)
            found = await authority.identify(token, client)
        elif cookie is not None:
            found = await authority.session(cookie)
        kept[IDENTIFIED] = found
    return kept[IDENTIFIED]


async def bearer_of(request: Request) -> Grant:
    """Return what the bearer of a request is granted, by a token or else by a session; raises `Problem`."""
    authority: Authority = request.app.state.authority
    try:
        found = await identified(request)
    except ProviderError as error:
        structlog.stdlib.get_logger("access").warning("a provider's token cannot be checked", why=str(error))
        raise Problem(503, "tokens of the identity provider cannot be checked now: try again later") from None
    except ConfigError as error:
        # Of the file of keys: a line without a secret, and none of a stranger's business.
        structlog.stdlib.get_logger("access").warning("tokens cannot be checked", why=str(error))
        raise Problem(503, "tokens cannot be checked now: the sidecar's log says why") from None
    if isinstance(found, Grant):
        if found.tenant != request.app.state.tenant:
            # Shown in here all the same, as where it could not be told at first who they are.
            raise Problem(503, "tokens cannot be checked now: try again later")
        if not _token(request):
            check_change(request, session_cookie(request) or "")
        vouch(request.scope)
        return found
    if found is None:
        raise Problem(401, "send the header `Authorization: Bearer TOKEN`", headers=_challenge(""))
    if found is Refusal.NO_ROLE:
        raise Problem(403, found.detail, headers=_challenge(', error="insufficient_scope"'))
    if found is Refusal.LOCKED:
        client = bearer_client(request.scope, request.app.state.trusted_proxies)
        seconds = math.ceil(authority.locked_for(client))
        raise Problem(429, found.detail, headers={"Retry-After": str(max(1, seconds))})
    raise Problem(401, found.detail, headers=_challenge(', error="invalid_token"'))


def _token(connection: HTTPConnection) -> str:
    scheme, _, value = connection.headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def _challenge(error: str) -> dict[str, str]:
    return {"WWW-Authenticate": f'Bearer realm="sidewitness"{error}'}


# What routes ask for. Those of the second kind want to know who it is as well.
MAY_WATCH = Depends(Requires(Permission.WATCH))
MAY_EXPLAIN = Depends(Requires(Permission.SCORES))
MAY_ACT = Depends(Requires(Permission.ACT))
MAY_DRILL = Depends(Requires(Permission.DRILL))
MAY_PUBLISH = Depends(Requires(Permission.PUBLISH))
MAY_SEE_IDENTITIES = Depends(Requires(Permission.IDENTITIES))
MAY_ENROL = Depends(Requires(Permission.ENROL))
MAY_APPROVE = Depends(Requires(Permission.APPROVE))
MAY_ERASE = Depends(Requires(Permission.ERASE))
MAY_MANAGE_TOKENS = Depends(Requires(Permission.TOKENS))
MAY_MANAGE_SOURCES = Depends(Requires(Permission.SOURCES))
MAY_MANAGE_HOSTS = Depends(Requires(Permission.HOSTS))
MAY_WORK_ON_CASES = Depends(Requires(Permission.CASES))
MAY_SEE_OWN = Depends(Requires(Permission.OWN))
ANYBODY_KNOWN = Depends(Known())
Watching = Annotated[Grant, MAY_WATCH]
Acting = Annotated[Grant, MAY_ACT]
Drilling = Annotated[Grant, MAY_DRILL]
Publishing = Annotated[Grant, MAY_PUBLISH]
Enrolling = Annotated[Grant, MAY_ENROL]
Approving = Annotated[Grant, MAY_APPROVE]
Erasing = Annotated[Grant, MAY_ERASE]
ManagingTokens = Annotated[Grant, MAY_MANAGE_TOKENS]
WorkingOnCases = Annotated[Grant, MAY_WORK_ON_CASES]
SeeingOwn = Annotated[Grant, MAY_SEE_OWN]
WithToken = Annotated[Grant, ANYBODY_KNOWN]
