"""Nobody without a token learns how anybody is judged: every endpoint of the public listener is asked, and read."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from websockets.exceptions import ConnectionClosed

from monitor.api.openapi import described_application, document
from monitor.types import Reason, Verdict
from tests.monitor.api.server import WHIP, receive
from tests.monitor.api.test_identities import Desk, desk_with
from tests.monitor.rig import OPEN, block

SDP = {"Content-Type": "application/sdp"}
PAGES = (
    "/",
    "/try",
    "/enroll",
    "/findings",
    "/finding",
    "/wall",
    "/static/app.js",
    "/static/try.js",
    "/docs",
    "/openapi.json",
    "/v1/alerts",
    "/v1",
)
WORDS = "/v1/words"
METHODS = ("GET", "OPTIONS", "POST", "PATCH", "DELETE")
# What a participant has: the address of their session, and its tag. No token.
FIELDS = r'"(score|scores|p_value|statistic|threshold|verdict|evidence)"'
TOLD = re.compile(rf"{FIELDS}|sidewitness_(hops|findings|sink|score)")


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async for made in desk_with(tmp_path, settings={"metrics_min_participants": 1}):
        yield made


async def judged(desk: Desk, token: dict[str, str] | None = None) -> httpx.Response:
    """A participant who is on alert, with a finding that is open; the answer to their publication."""
    published = await desk.client.post(WHIP, content=b"v=0", headers={**SDP, **(token or {})})
    assert published.status_code == 201
    async with desk.site.subscribe(states=True) as socket:
        desk.site.peers.made[-1].put(block(OPEN))
        seen: set[str] = set()
        while not {"alert", "finding"} <= seen:
            message = await receive(socket)
            seen |= {str(message.get("verdict")), message["type"]}
    return published


async def asked(desk: Desk, published: httpx.Response, token: dict[str, str]) -> list[tuple[str, str, httpx.Response]]:
    """Every answer of the public listener to every method, asked by somebody who knows the session."""
    session = published.headers["location"].rpartition("/")[2]
    # What a path may be asked by later is asked by something, too.
    values = defaultdict(lambda: "x") | {
        "call": "board",
        "participant": "p1",
        "source": "0",
        "name": "Jane",
        "token_id": "none",
        "session": session,
    }
    paths = {path.format_map(values) for path in document(described_application())["paths"]} | set(PAGES)
    assert len(paths) > 20
    extra = {"If-Match": published.headers["etag"], "Origin": desk.site.base, **token}
    # The words for verdicts, which are the same for everybody.
    questions = [(method, path) for path in sorted(paths) for method in METHODS if (method, path) != ("GET", WORDS)]
    async with httpx.AsyncClient(base_url=desk.site.base, headers=extra) as stranger:
        return [(method, path, await stranger.request(method, path)) for method, path in questions]


@pytest.mark.parametrize("participant", [False, True])
async def test_no_answer_without_a_token_holds_a_verdict_or_a_score(desk: Desk, participant: bool) -> None:
    """Nor one to what a participant has: the session, and a token to publish with."""
    token = desk.site.bearer("publisher", "ada", call="board") if participant else {}
    published = await judged(desk, token)
    assert TOLD.search((await desk.client.get("/v1/calls")).text)
    # They are judged, and the operator's listener counts it.
    async with httpx.AsyncClient(base_url=desk.site.operators) as operator:
        assert 'verdict="alert"} 1.0' in (await operator.get("/metrics")).text
    said = {str(word) for word in (*Verdict, *Reason)}
    for method, path, answer in await asked(desk, published, token):
        text = f"{answer.text}\n{answer.headers}"
        if answer.headers.get("content-type", "").startswith(("text/html", "text/javascript")):
            # Files that are the same for everybody, as the next test sees: they name verdicts, and tell none.
            continue
        assert not TOLD.search(text), (method, path)
        assert not [word for word in said if re.search(rf"\b{word}\b", text)], (method, path)


async def test_the_public_answers_are_the_same_whatever_is_judged(desk: Desk) -> None:
    """Not a verdict in other words either: what a stranger reads before and after an alert differs in no byte."""
    async with httpx.AsyncClient(base_url=desk.site.base) as stranger:

        async def read() -> dict[str, Any]:
            answers = {path: await stranger.get(path) for path in (*PAGES, WORDS, "/healthz", "/readyz")}
            numbers = (await stranger.get("/metrics")).text
            names = {line.split(" ")[0] for line in numbers.splitlines() if line.startswith("sidewitness_")}
            return {path: (one.status_code, one.text) for path, one in answers.items()} | {"/metrics": names}

        before = await read()
        await judged(desk)
        assert await read() == before


async def test_a_socket_without_a_token_is_told_nothing(desk: Desk) -> None:
    await judged(desk)
    async with desk.site.connect() as silent:
        desk.site.components.hub.state({"type": "state", "verdict": "alert"})
        await silent.send('{"type": "subscribe", "token": "", "after": 0, "states": true}')
        with pytest.raises(ConnectionClosed) as closed:
            await silent.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401
