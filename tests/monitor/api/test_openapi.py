"""The published documents say what a running server does: no path, status or field more or less."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from monitor import cli
from monitor.alerts.casework.events import EventKind, NewEvent
from monitor.api.app import application
from monitor.api.openapi import document, main, published
from monitor.api.refusals import Refusals
from monitor.config import Settings
from tests.monitor.alerts.build import finding
from tests.monitor.api.documents import DOCS, RENEW, OpenApi, message_problems, problems, read
from tests.monitor.api.server import BEARER, WHIP, receive, serving, subscription
from tests.monitor.api.test_identities import JANE, Desk, desk_with
from tests.monitor.rig import OPEN, block
from tests.monitor.tap.clips import write_clip

SDP = {"Content-Type": "application/sdp"}
OUTLINE = [[0.25, 0.5], [0.5, 0.125]]


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async for made in desk_with(tmp_path, findings_kept=10):
        yield made


def check(method: str, path: str, response: httpx.Response) -> None:
    media_type = response.headers.get("content-type", "").partition(";")[0]
    body = response.json() if media_type.endswith("json") else response.text
    assert OpenApi().answer_problems(method, path, response.status_code, media_type, body) == []


def api_routes(routes: Iterable[BaseRoute]) -> Iterator[APIRoute]:
    """Every route of ours, those of included routers too, which newer versions of FastAPI keep apart."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif included := getattr(route, "original_router", None):
            yield from api_routes(included.routes)


def test_the_published_files_are_what_the_command_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(tmp_path)
    assert str(tmp_path) in capsys.readouterr().out
    for name, text in published().items():
        assert (tmp_path / name).read_text() == text
        assert (DOCS / name).read_text() == text, RENEW
    assert {path.name for path in (DOCS / "schemas").iterdir()} == {
        path.name for path in (tmp_path / "schemas").iterdir()
    }


async def test_a_running_server_is_the_published_document(desk: Desk) -> None:
    running = application(Settings(), desk.site.surface.parts, Refusals(desk.site.components.metrics))
    assert document(running) == read("openapi.json"), RENEW
    routes = list(api_routes(running.routes))
    pages = {route.path for route in routes if not route.include_in_schema and "GET" in (route.methods or ())}
    assert pages == {"/", "/action", "/enroll", "/finding", "/findings", "/me", "/notice", "/try", "/wall"}
    served = {
        (method, route.path_format) for route in routes for method in route.methods or () if route.path not in pages
    } - {("HEAD", WHIP.replace("board", "{call}").replace("p1", "{participant}"))}
    assert served == OpenApi().operations


# Asked where people sign in: tests/monitor/api/test_sign_in.py.
SIGNED_IN = {"/v1/login", "/v1/login/callback", "/v1/me"}


async def test_every_get_answers_as_described(desk: Desk) -> None:
    desk.crew.enroller.poses = [OUTLINE]
    done = await desk.enrol()
    assert done["state"] == "done"
    refused = await desk.enrol("short", path="/v1/identities/Bob")
    assert refused["state"] == "refused"
    assert (await desk.client.post(WHIP + "?identity=Ada", content=b"v=0", headers=SDP)).status_code == 201
    async with desk.site.subscribe(states=True) as socket:
        desk.site.peers.made[0].put(block(OPEN))
        while (await receive(socket))["type"] != "state":
            pass
    drill = (await desk.client.post("/v1/drills", json={})).json()["id"]
    for n in range(15):
        desk.site.journal.append(finding(str(n)))
    proposed = NewEvent("14", EventKind.ACTION_PROPOSED, "policy", {"id": "a", "action": "mute"})
    await desk.site.components.desk.record(proposed)
    values = {"call": "board", "participant": "p1", "name": "Jane%20Doe", "job_id": done["id"], "finding": "14"}
    assert (await desk.client.post("/v1/sources", json={"plugin": "folder", "path": "/absent"})).status_code == 201
    values |= {"source": "0", "action": "a", "drill": drill}
    asked: dict[str, Any] = {}
    for method, path in sorted(OpenApi().operations):
        if method == "GET" and path not in SIGNED_IN:
            response = await desk.client.get(path.format(**values))
            assert response.is_success, (path, response.text)
            check("GET", path, response)
            asked[path] = response.json() if "json" in response.headers.get("content-type", "") else None
    # What was validated was not empty.
    assert asked["/v1/calls"]["calls"][0]["participants"][0]["scores"]["synchrony"]["evidence"]
    assert asked["/v1/findings"]["findings"]
    assert "gap" in asked["/v1/findings"]
    assert asked["/v1/identities"]["identities"][0]["version"]["consent"]["by"] == "Jane Doe"
    assert asked["/v1/identities/{name}"]["history"]
    assert asked["/v1/enrolments/{job_id}"]["poses"] == [OUTLINE]
    assert {job["state"] for job in asked["/v1/enrolments"]["enrolments"]} == {"done", "refused"}


async def test_everything_else_answers_as_described(desk: Desk) -> None:
    whip, session = ("/v1/calls/{call}/participants/{participant}/whip" + end for end in ("", "/{session}"))
    identity = "/v1/identities/{name}"
    check("OPTIONS", whip, await desk.client.options(WHIP))
    check("OPTIONS", session, await desk.client.options(WHIP + "/x"))
    begun = await desk.client.post(WHIP, content=b"v=0", headers=SDP)
    check("POST", whip, begun)
    fragment = {"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": begun.headers["etag"]}
    check("PATCH", session, await desk.client.patch(begun.headers["location"], content=b"a=x", headers=fragment))
    check("DELETE", session, await desk.client.delete(begun.headers["location"]))
    sent = await desk.send("good")
    check("POST", identity, sent)
    check("DELETE", "/v1/enrolments/{job_id}", await desk.client.delete(sent.headers["location"]))
    await desk.enrol()
    erased = await desk.client.delete(JANE)
    check("DELETE", identity, erased)
    assert erased.status_code == 200


async def test_approving_and_rejecting_answer_as_described(tmp_path: Path) -> None:
    async for desk in desk_with(tmp_path, second_approver=True):
        for word in ("approve", "reject"):
            await desk.enrol(actor="ann")
            response = await desk.client.post(f"{JANE}/{word}", headers=desk.site.bearer("approver", "bob"))
            assert response.status_code == 200, response.text
            check("POST", f"/v1/identities/{{name}}/{word}", response)


async def test_errors_answer_as_described(desk: Desk) -> None:
    get = desk.client.get
    check("GET", "/v1/calls", await get("/v1/calls", headers={"Authorization": "Bearer wrong"}))
    check("GET", "/v1/calls/{call}", await get("/v1/calls/nobody"))
    check("GET", "/v1/findings", await get("/v1/findings?after=-1"))
    check("GET", "/v1/identities/{name}", await get("/v1/identities/nobody"))
    check("GET", "/v1/enrolments/{job_id}", await get("/v1/enrolments/none"))
    whip, session = ("/v1/calls/{call}/participants/{participant}/whip" + end for end in ("", "/{session}"))
    check("POST", whip, await desk.client.post(WHIP, content=b"v=0"))
    check("POST", whip, await desk.client.post(WHIP, content=b"bad", headers=SDP))
    check("PATCH", session, await desk.client.patch(WHIP + "/none", content=b""))
    check("POST", "/v1/identities/{name}", await desk.send("good", consent="{"))
    check("POST", "/v1/identities/{name}", await desk.client.post(JANE, content=b"x"))
    check("POST", "/v1/identities/{name}/approve", await desk.client.post(JANE + "/approve"))
    with desk.site.journal.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE journal_head RENAME TO hidden")
    check("GET", "/v1/findings", await get("/v1/findings"))
    ready = await get("/readyz")
    assert ready.status_code == 503
    check("GET", "/readyz", ready)
    async with httpx.AsyncClient(base_url=desk.site.operators) as operator:
        described = OpenApi("openapi-admin.json")
        assert described.operations == {("GET", path) for path in ("/healthz", "/readyz", "/metrics")}
        for _, path in described.operations:
            answer = await operator.get(path)
            assert answer.status_code == (503 if path == "/readyz" else 200)
            media_type = answer.headers["content-type"].partition(";")[0]
            body = answer.json() if media_type.endswith("json") else answer.text
            assert described.answer_problems("GET", path, answer.status_code, media_type, body) == []


async def test_what_is_guarded_is_said_to_be(desk: Desk) -> None:
    values = {"call": "board", "participant": "p1"}
    values |= dict.fromkeys(("name", "job_id", "session", "token_id", "source", "finding", "session_id"), "x")
    values |= dict.fromkeys(("action", "challenge", "drill", "host"), "x")
    async with httpx.AsyncClient(base_url=desk.site.base) as stranger:
        for method, path in OpenApi().operations:
            answer = await stranger.request(method, path.format(**values))
            described = OpenApi().document["paths"][path][method.lower()]
            assert (answer.status_code == 401) == ("security" in described), (method, path)
    assert BEARER["Authorization"].startswith(
        OpenApi().document["components"]["securitySchemes"]["token"]["scheme"].title()
    )


async def test_messages_of_a_running_server_are_as_published(tmp_path: Path) -> None:
    async with serving(tmp_path, findings_kept=10) as site, site.client() as client:
        for n in range(12):
            site.journal.append(finding(str(n)))
        await client.post(WHIP + "?identity=Ada", content=b"v=0", headers=SDP)
        seen: dict[str, dict[str, Any]] = {}
        async with site.subscribe(after=0, states=True) as socket:
            site.peers.made[0].put(block(OPEN))
            while seen.keys() != {"hello", "gap", "finding", "state"} or seen["finding"]["seq"] <= 12:
                message = await receive(socket)
                assert message_problems(message) == []
                seen[message["type"]] = message
    assert seen["state"]["scores"]["synchrony"]["evidence"]
    assert seen["finding"]["identity"] == "Ada"


def test_what_the_client_sends_is_as_published() -> None:
    for text in (subscription(), subscription(after=3, states=True), '{"type": "subscribe", "token": "x"}'):
        assert message_problems(json.loads(text)) == []
    schema = read("schemas/subscribe.json")
    for bad in (
        {"type": "subscribe", "token": 7},
        {"type": "subscribe", "token": "x", "after": "1"},
        {"type": "hello", "token": "x"},
    ):
        assert problems(schema, bad) != []


def test_a_line_of_scan_is_as_published(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["scan", "--json", str(write_clip(tmp_path / "flashes.mkv"))]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert problems(read("schemas/scan.json"), json.loads(line)) == []


@pytest.mark.data
def test_a_line_of_scan_with_a_face_is_as_published(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["scan", "--json", str(data_dir / "clips/real/LivePortrait__d20.mp4")]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["scores"]["synchrony"]["score"] is not None
    assert problems(read("schemas/scan.json"), json.loads(line)) == []
