"""Requests of somebody whom another gateway judges: they are answered there, as they would be if they had come there.

Whoever asks must have shown a token here first, and is asked for it once more there. A request goes to another gateway
once, and the answer comes back whole; what is only read of calls is put together of all of them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engines.errors import SidewitnessError
from monitor.alerts.wire import Message as Described
from monitor.api.access.grant import Grant
from monitor.api.auth import identified
from monitor.api.body import BODY_SECONDS
from monitor.api.forwarded import path_within
from monitor.api.gate import vouch
from monitor.api.problem import Problem, internal
from monitor.host.calls import Calls, Gateways
from monitor.storage.tenancy.names import inside, outside

# The applications' own patterns end in `$`, before which a line may end.
OF_SOMEBODY = re.compile(r"/v1/calls/([^/]+)/participants/([^/]+)/(whip(?:/[^/]+)?|claim|policy)\n?")
# What one gateway has in progress, under an id that says nothing of where.
IN_PROGRESS = re.compile(r"/v1/(?:enrolments|drills)/[^/]+")
# Larger than any offer that the settings allow.
MAX_BODY_BYTES = 1 << 20
FULL, UNHEARD_OF = 503, 404
SCOPED = ("http_version", "method", "scheme", "path", "root_path")
TOO_LATE = Problem(408, "the body came too slowly", headers={"Connection": "close"})
TOO_LARGE = Problem(413, f"the body may have at most {MAX_BODY_BYTES} bytes", headers={"Connection": "close"})
UNKNOWN = Problem(FULL, "the gateway that has them did not answer: try again in a moment", headers={"Retry-After": "1"})

Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def words(self) -> dict[str, Any]:
        """Return it as it crosses to another gateway."""
        return {"status": self.status, "headers": [list(pair) for pair in self.headers], "body": self.body}

    @classmethod
    def of(cls, words: Mapping[str, Any]) -> Answer:
        """Return what crossed."""
        headers = tuple((str(name), str(value)) for name, value in words["headers"])
        return cls(int(words["status"]), headers, bytes(words["body"]))


class Elsewhere:
    """ASGI middleware around the applications of all tenants; `default` is the one that knows who bearers are."""

    def __init__(self, app: ASGIApp, default: FastAPI, gateways: Gateways) -> None:
        self._app, self._default, self._gateways = app, default, gateways
        gateways.answers_by(self.answer)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        place = await self._of(scope)
        if place is None:
            await self._anywhere(scope, receive, send)
            return
        is_offer = scope["method"] == "POST"
        candidates = self._gateways.candidates(place, is_offer)
        if candidates == [None] and not is_offer:
            await self._app(scope, receive, send)
            return
        vouch(scope)
        try:
            body = await _read(receive)
        except Problem as problem:
            await problem.response()(scope, receive, send)
            return
        if body is None:
            return
        try:
            answer = await self._first(candidates, scope, place, body, is_offer)
        except Exception:
            # As the application does: whoever asked is answered, and the guard writes down what it was.
            await _give(_of(internal()), send)
            raise
        await _give(answer, send)

    async def answer(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answer what another gateway was asked; it has asked for the token already, and so does the application."""
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            **{name: request[name] for name in SCOPED},
            "raw_path": request["path"].encode(),
            "query_string": request["query"].encode("latin-1"),
            "headers": _as_sent(request["headers"]),
            "client": tuple(request["client"]) if request["client"] else None,
            "server": None,
            "state": {},
        }
        return (await self._here(scope, bytes(request["body"]))).words()

    async def _of(self, scope: Scope) -> Place | None:
        """Return of whom a request is whose bearer is known; None for every other, which is answered here."""
        found = OF_SOMEBODY.fullmatch(path_within(scope)) if scope["type"] == "http" else None
        if found is None or scope["method"] == "OPTIONS":
            return None
        grant = await self._bearer(scope)
        return None if grant is None else (inside(grant.tenant, found[1]), found[2])

    async def _bearer(self, scope: Scope) -> Grant | None:
        """Return what whoever asks is granted; None where that is nothing, or cannot be told now."""
        try:
            grant = await identified(HTTPConnection({**scope, "app": self._default}))
        except SidewitnessError:
            return None
        return grant if isinstance(grant, Grant) else None

    async def _anywhere(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve what is of nobody here, and what is in progress wherever it is."""
        is_sought = scope["type"] == "http" and IN_PROGRESS.fullmatch(path_within(scope)) is not None
        if not is_sought or await self._bearer(scope) is None:
            await self._app(scope, receive, send)
            return
        answer = await self._here(scope, b"")
        for gateway in self._gateways.others() if answer.status == UNHEARD_OF else ():
            told = await self._gateways.ask(gateway, _words(scope, b""))
            if told is not None and Answer.of(told).status != UNHEARD_OF:
                answer = Answer.of(told)
                break
        await _give(answer, send)

    async def _first(
        self, candidates: Sequence[str | None], scope: Scope, place: Place, body: bytes, is_offer: bool
    ) -> Answer:
        """Return the first answer that is no refusal for want of room, else the last one."""
        answer: Answer | None = None
        for gateway in candidates:
            if gateway is None:
                answer = await self._here(scope, body)
            else:
                told = await self._gateways.ask(gateway, _words(scope, body))
                answer = Answer.of(told) if told is not None else answer
            if answer is not None and answer.status != FULL:
                return answer
        if answer is None and None not in candidates and self._gateways.candidates(place, is_offer=False) == [None]:
            # It is gone: what was with it is known here, if anywhere.
            return await self._here(scope, body)
        return answer or _of(UNKNOWN.response())

    async def _here(self, scope: Scope, body: bytes) -> Answer:
        """Have this gateway's own application answer."""
        waiting, status, headers, chunks = [body], 500, list[tuple[bytes, bytes]](), bytearray()

        async def receive() -> Message:
            if waiting:
                return {"type": "http.request", "body": waiting.pop(), "more_body": False}
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers.extend(message["headers"])
            else:
                chunks.extend(message.get("body", b""))

        await self._app(scope, receive, send)
        return Answer(status, _as_text(headers), bytes(chunks))


@dataclass(frozen=True, slots=True)
class Everywhere:
    """The calls of a tenant, to read: those of all gateways."""

    own: Calls
    gateways: Gateways
    tenant: str

    async def calls(self) -> list[Described]:
        """Describe every call."""
        own = [{**call, "call": inside(self.tenant, call["call"])} for call in await self.own.calls()]
        told = ((*outside(call["call"]), call) for call in await self.gateways.calls(own))
        return [{**call, "call": name} for tenant, name, call in told if tenant == self.tenant]

    async def call(self, name: str) -> Described | None:
        """Describe one call; None when nobody is in it."""
        return next((call for call in await self.calls() if call["call"] == name), None)

    async def explain(self, call: str, participant: str) -> Described | None:
        """Say by what a participant is taken to claim an identity: it is asked where they are judged."""
        return await self.own.explain(call, participant)


async def _read(receive: Receive) -> bytes | None:
    """Read a whole body, None where whoever sends it is gone before its end; raises `Problem`."""
    data, more = bytearray(), True
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                data += message.get("body", b"")
                more = message.get("more_body", False)
                if len(data) > MAX_BODY_BYTES:
                    raise TOO_LARGE
    except TimeoutError:
        raise TOO_LATE from None
    return bytes(data)


async def _give(answer: Answer, send: Send) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": _as_sent(answer.headers)})
    await send({"type": "http.response.body", "body": answer.body})


def _words(scope: Scope, body: bytes) -> dict[str, Any]:
    """Return a request as it crosses to another gateway."""
    return {
        **{name: scope.get(name, "") for name in SCOPED},
        "query": scope["query_string"].decode("latin-1"),
        "headers": [list(pair) for pair in _as_text(scope["headers"])],
        "client": list(scope["client"]) if scope.get("client") else None,
        "body": body,
    }


def _of(response: Response) -> Answer:
    return Answer(response.status_code, _as_text(response.raw_headers), bytes(response.body))


def _as_text(headers: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)


def _as_sent(headers: Iterable[Sequence[str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
