"""Findings over HTTP: searched, looked at, worked on; who may, and what subscribers are told of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.monitor.alerts.build import finding
from tests.monitor.api.server import WHIP, Site, receive, serving
from tests.monitor.rig import OPEN, block

JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with serving(tmp_path) as made:
        for n in range(3):
            made.journal.append(finding(f"f{n}"))
        made.journal.append(replace(finding("f0", 1, "closed"), reason="ended"))
        yield made


@pytest.fixture
async def client(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with site.client(headers=site.bearer("analyst", "jo")) as made:
        yield made


async def post(client: httpx.AsyncClient, finding_id: str, **order: Any) -> httpx.Response:
    return await client.post(f"/v1/findings/{finding_id}/events", json=order)


async def test_an_analysts_work_on_a_finding(client: httpx.AsyncClient) -> None:
    assert (await post(client, "f0", event="acknowledged")).status_code == 201
    await post(client, "f0", event="assigned", to="sam")
    await post(client, "f0", event="noted", text="called her back: it was not her")
    written = await post(client, "f0", event="labelled", label="true", text="a dub")
    assert written.status_code == 201
    assert written.json()["event"]["actor"] == "jo"
    whole = (await client.get("/v1/findings/f0")).json()
    assert [change["action"] for change in whole["changes"]] == ["opened", "closed"]
    case = whole["case"]
    assert (case["state"], case["label"], case["assignee"], case["labelled_by"]) == ("closed", "true", "sam", "jo")
    assert [note["text"] for note in case["notes"]] == ["called her back: it was not her"]
    assert [event["event"] for event in whole["events"]] == ["acknowledged", "assigned", "noted", "labelled"]
    assert whole["events"][3]["details"] == {"label": "true", "text": "a dub"}
    assert (whole["tampered"], whole["events_tampered"]) == ([], [])
    await post(client, "f0", event="assigned")
    assert (await client.get("/v1/findings/f0")).json()["case"]["assignee"] is None


async def test_what_is_wrong_is_said_in_a_line(client: httpx.AsyncClient) -> None:
    for order, why in (
        ({"event": "action_done"}, "event"),
        ({"event": "noted"}, "text"),
        ({"event": "labelled"}, "label"),
        ({"event": "labelled", "label": "maybe"}, "label"),
        ({"event": "noted", "text": "x", "more": 1}, "more"),
    ):
        refused = await post(client, "f0", **order)
        assert (refused.status_code, "\n" in refused.json()["detail"]) == (422, False)
        assert why in refused.json()["detail"]
    assert (await post(client, "nothing", event="acknowledged")).status_code == 404
    assert (await client.get("/v1/findings/nothing")).status_code == 404
    content = await client.post("/v1/findings/f0/events", content=b"{", headers=JSON)
    assert content.status_code == 422


async def test_a_search_has_each_finding_once_and_pages(client: httpx.AsyncClient) -> None:
    await post(client, "f1", event="labelled", label="false")
    page = (await client.get("/v1/findings?view=findings&limit=2")).json()
    assert [one["id"] for one in page["findings"]] == ["f2", "f1"]
    assert page["findings"][1]["case"]["label"] == "false"
    rest = (await client.get(f"/v1/findings?view=findings&limit=2&before={page['next']}")).json()
    assert [(one["id"], one["changes"], one["action"], one["found"]) for one in rest["findings"]] == [
        ("f0", 2, "closed", "lips_disagree_with_voice")
    ]
    assert rest["next"] is None
    for query, found in (
        ("label=false", ["f1"]),
        ("label=none", ["f2", "f0"]),
        ("state=open", ["f2", "f0"]),
        ("detector=synchrony", ["f2", "f1", "f0"]),
        ("detector=pairwise", []),
        ("detector=synchrony&reason=ended", []),
        ("reason=ended", ["f0"]),
        ("call=board&text=ADA", ["f2", "f1", "f0"]),
        ("participant=nobody", []),
        ("since=2026-03-02T00:00:00Z", []),
        ("until=2026-03-02T00:00:00Z", ["f2", "f1", "f0"]),
    ):
        told = (await client.get(f"/v1/findings?{query}")).json()
        assert [one["id"] for one in told["findings"]] == found, query
    # Changes, unless something is searched for.
    assert [one["seq"] for one in (await client.get("/v1/findings")).json()["findings"]] == [1, 2, 3, 4]
    for query in ("detector=none", "label=x", "since=2026-03-02T00:00:00", "before=0", "view=x", "text="):
        refused = await client.get(f"/v1/findings?{query}")
        assert refused.status_code == 422, query
        assert query.partition("=")[0] in refused.json()["detail"]


async def test_what_was_changed_is_left_out_and_said(client: httpx.AsyncClient, site: Site) -> None:
    with site.journal.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE findings SET call = 'sales' WHERE seq = 4")
    told = (await client.get("/v1/findings?view=findings")).json()
    assert ([one["id"] for one in told["findings"]], told["tampered"]) == (["f2", "f1"], [4])
    assert (await client.get("/v1/findings/f0")).json()["tampered"] == [4]


async def test_subscribers_are_told_as_much_as_they_may_know(site: Site, client: httpx.AsyncClient) -> None:
    async with site.subscribe(token=site.token("viewer")) as viewer, site.subscribe() as analyst:
        assert [(await receive(socket))["type"] for socket in (viewer, analyst)] == ["hello", "hello"]
        await post(client, "f1", event="assigned", to="sam")
        told = await receive(analyst)
        assert (told["type"], told["finding"], told["actor"], told["assignee"]) == ("case", "f1", "jo", "sam")
        assert (told["state"], told["event"], told["label"]) == ("open", "assigned", None)
        less = await receive(viewer)
        assert less == {name: value for name, value in told.items() if name not in ("actor", "assignee")}


async def test_whoever_is_told_verdicts_reads_nothing_that_people_wrote(site: Site, client: httpx.AsyncClient) -> None:
    await post(client, "f0", event="labelled", label="unsure")
    await post(client, "f0", event="noted", text="secret")
    async with site.client(headers=site.bearer("viewer")) as viewer:
        whole = await viewer.get("/v1/findings/f0")
        listed = await viewer.get("/v1/findings?state=acknowledged")
        assert (await post(viewer, "f0", event="acknowledged")).status_code == 403
    assert whole.json()["case"]["label"] == "unsure"
    assert whole.json()["changes"][0]["scores"] == {}
    assert listed.json()["findings"][0]["case"]["state"] == "acknowledged"
    for told in (whole, listed):
        assert "secret" not in told.text
        assert "jo" not in told.text.replace("journal", "")


@pytest.mark.parametrize("role", ["viewer", "publisher", "enroller", "approver"])
async def test_who_may_not_work_on_a_case(site: Site, role: str) -> None:
    seat = {"call": "board"} if role == "publisher" else {}
    async with site.client(headers=site.bearer(role, **seat)) as other:
        assert (await post(other, "f0", event="acknowledged")).status_code == 403


async def test_a_finding_keeps_the_minute_it_was_made_in_and_sends_it_to_nobody(tmp_path: Path) -> None:
    async with serving(tmp_path) as made, made.client() as admin, made.subscribe(after=0) as socket:
        await admin.post(WHIP, content=b"v=0", headers={"Content-Type": "application/sdp"})
        made.peers.made[0].put(block(OPEN))
        while (told := await receive(socket))["type"] != "finding":
            pass
        assert "conditions" not in told
        [opening, *_] = (await admin.get(f"/v1/findings/{told['id']}")).json()["changes"]
        conditions = opening["conditions"]
        assert conditions["points"][-1][0] == 0.0
        assert conditions["points"][-1][2] == opening["verdict"]
        assert conditions["threshold"] > 0
        assert (set(conditions["ranges"]), conditions["packs"]) == (set(conditions["quality"]), {})
        async with made.client(headers=made.bearer("viewer")) as viewer:
            [hidden, *_] = (await viewer.get(f"/v1/findings/{told['id']}")).json()["changes"]
        assert hidden["conditions"] == {}
