"""Ways into calls over HTTP: opened, watched and ended while it runs, by an admin only, without their secrets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from monitor import cli
from monitor.cli.sources import NoAnswerError, Server, explained, follow
from monitor.config import ClaimSettings
from monitor.identity.claimed import resolve
from monitor.types import ParticipantKey, Profile
from tests.monitor.api.documents import OpenApi
from tests.monitor.api.server import TOKEN, Site, serving
from tests.plugins.toy import installed

SDP = {"Content-Type": "application/sdp"}
BOB = {"plugin": "toy", "participant": "bob"}
SOURCES = "/v1/sources"
ONE = "/v1/sources/{source}"


@pytest.fixture(autouse=True)
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with installed(tmp_path / "site", monkeypatch):
        yield


@pytest_asyncio.fixture
async def site(tmp_path: Path, toy: None) -> AsyncIterator[Site]:
    async with serving(tmp_path) as made:
        yield made


def check(method: str, path: str, response: httpx.Response) -> None:
    media_type = response.headers.get("content-type", "").partition(";")[0]
    body = response.json() if media_type.endswith("json") else response.text
    assert OpenApi().answer_problems(method, path, response.status_code, media_type, body) == []


async def test_a_source_is_opened_told_of_and_ended_with_whom_it_brought(site: Site) -> None:
    async with site.client() as client:
        assert (await client.get(SOURCES)).json() == {"sources": []}
        made = await client.post(SOURCES, json=BOB)
        assert (made.status_code, made.headers["location"]) == (201, "/v1/sources/0")
        check("POST", SOURCES, made)
        while (told := (await client.get(made.headers["location"])).json())["phase"] != "connected":
            pass
        assert (told["plugin"], told["participants"], told["why"]) == ("toy", 1, None)
        check("GET", ONE, await client.get(made.headers["location"]))
        listed = await client.get(SOURCES)
        check("GET", SOURCES, listed)
        assert [row["source"] for row in listed.json()["sources"]] == [0]
        calls = (await client.get("/v1/calls")).json()["calls"]
        assert [person["participant"] for call in calls for person in call["participants"]] == ["bob"]
        gone = await client.delete(made.headers["location"])
        check("DELETE", ONE, gone)
        assert (gone.status_code, (await client.get("/v1/calls")).json()) == (204, {"calls": []})
        for answer in (await client.delete(made.headers["location"]), await client.get(made.headers["location"])):
            assert (answer.status_code, "there is no such source" in answer.text) == (404, True)
        check("GET", ONE, answer)


REFUSED: tuple[tuple[Any, int, str], ...] = (
    ({"plugin": "pigeon"}, 422, "there is no such plug-in"),
    ({"plugin": "toy", "participant": {"a-secret": 1}}, 422, "option 'participant': Input should be"),
    ({"participant": "a-secret"}, 422, "plugin: Field required"),
    (["a-secret"], 422, "the body: "),
    ("a" * 20000, 413, "at most 16384 bytes"),
)


async def test_what_cannot_be_opened_is_refused_in_a_line_and_nothing_is_opened_at_the_end(site: Site) -> None:
    async with site.client() as client:
        for body, status, said in REFUSED:
            answer = await client.post(SOURCES, json=body)
            check("POST", SOURCES, answer)
            assert (answer.status_code, said in answer.json()["detail"]) == (status, True), answer.text
            assert "a-secret" not in answer.text
        for number in ("-1", "9" * 4000, "x", "٣", "0"):
            assert (await client.delete(f"{SOURCES}/{number}")).status_code == 404
        assert (await client.get(SOURCES)).json() == {"sources": []}
        await site.components.ingest.close()
        answer = await client.post(SOURCES, json=BOB)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        check("POST", SOURCES, answer)


def test_the_command_says_why_no_server_can_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIDEWITNESS_STATE_DIR", str(tmp_path))
    for arguments, said in (
        (["list", "--url", "file:///etc/passwd"], "begins with http"),
        (["list"], "there is no token"),
        (["check"], "no source is configured"),
    ):
        assert cli.run(["sources", *arguments]) != 0
        assert said in capsys.readouterr().err
    monkeypatch.setenv("SIDEWITNESS_TOKEN", TOKEN)
    assert cli.run(["sources", "list", "--url", "http://127.0.0.1:9"]) == 1
    assert "no server answers there" in capsys.readouterr().err


async def test_a_running_server_is_asked_by_the_command(site: Site) -> None:
    async with site.client() as client:
        await client.post(SOURCES, json=BOB)
    rows = await asyncio.to_thread(Server(site.base, TOKEN).sources)
    assert [(row["source"], row["plugin"]) for row in rows] == [(0, "toy")]
    for role in ("viewer", "analyst", "publisher", "enroller", "approver"):
        seat: dict[str, Any] = {"call": "board"} if role == "publisher" else {}
        other = Server(site.base, site.token(role, **seat))
        with pytest.raises(NoAnswerError, match="403: the token's role may not do this"):
            await asyncio.to_thread(other.sources)
        async with site.client(headers=site.bearer(role, **seat)) as client:
            answers = [await client.post(SOURCES, json=BOB), await client.delete(SOURCES + "/0")]
            assert [answer.status_code for answer in answers] == [403, 403]


async def test_why_somebody_is_taken_to_claim_an_identity(site: Site) -> None:
    async with site.client() as client:
        await client.post("/v1/calls/board/participants/p:1/whip?identity=Ada&name=Jane", content=b"v=0", headers=SDP)
    told = await asyncio.to_thread(Server(site.base, TOKEN).explain, "board", "p:1")
    assert list(explained(told)) == ["claims to be Ada: said when they were published"]
    with pytest.raises(NoAnswerError, match="404: nobody is judged under this name"):
        await asyncio.to_thread(Server(site.base, TOKEN).explain, "board", "p/2")


def test_an_explanation_in_words() -> None:
    settings = ClaimSettings.model_validate({"rules": [{"identity": "Ada", "names": ["Lady Byron"]}]})
    roster = ("Jane Doe", "Jane Doe (Paris)", "Ada")

    def lines(name: str) -> list[str]:
        told = resolve(ParticipantKey("board", "p-1"), Profile(name), settings, roster).explain()
        return list(explained(json.loads(json.dumps(told))))

    assert lines("Jane Doe") == [
        "claims to be nobody who could be compared with",
        "may be Jane Doe or Jane Doe (Paris): compared with none of them for it, a rule would settle it",
        "  weighed: Jane Doe (display_name, the name in full; enrolled)",
        "  weighed: Jane Doe (Paris) (display_name, the name in full; enrolled)",
    ]
    assert lines("L\u0430dy Byron") == [
        "claims to be Ada: by the name they bear, which anybody may choose",
        "has a name like that of Ada",
        "  weighed: Ada (display_name, the name in full by letters that look alike; enrolled)",
    ]


def test_every_change_is_told_once() -> None:
    row = {"source": 0, "plugin": "toy", "phase": "connecting", "failures": 0, "participants": 0, "why": None}
    rounds = iter(
        [[row | {"seconds": 0.0}], [row | {"seconds": 1.0}], [row | {"phase": "connected", "seconds": 0.1}], []]
    )
    told: list[dict[str, Any]] = []
    pauses: list[float] = []
    follow(lambda: next(rounds), told.append, pauses.append, 4)
    assert [(one["source"], one["phase"]) for one in told] == [(0, "connecting"), (0, "connected"), (0, "removed")]
    assert pauses == [1.0, 1.0, 1.0]


def test_what_is_configured_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIDEWITNESS_SOURCES", json.dumps([BOB, {"plugin": "toy", "ends": ["busy"]}]))
    assert cli.run(["sources", "check"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["ok   0 toy: connected", "FAIL 1 toy: nobody is there yet: start the call"]
    monkeypatch.setenv("SIDEWITNESS_SOURCES", json.dumps([BOB]))
    assert cli.run(["sources", "check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True


def test_the_plug_ins_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["sources", "list", "--plugins", "--json"]) == 0
    found = {row["plugin"]: row for row in json.loads(capsys.readouterr().out)["plugins"]}
    assert (found["toy"]["package"], found["folder"]["package"]) == ("sidewitness-toy", "sidewitness")
    assert "path" in found["folder"]["options"]
    assert "cannot be loaded" in found["broken"]["why"]
