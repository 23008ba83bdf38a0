from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.monitor.api.people import PATIENCE, TEMPLATE, Crew, crew
from tests.monitor.api.server import Site, serving

JANE = "/v1/identities/Jane%20Doe"
CONSENT = {"by": "Jane Doe", "given": "2026-01-02"}
NOBODY = "nobody is enrolled under this name"


@dataclass
class Desk:
    """A client of a server with protected identities."""

    client: httpx.AsyncClient
    crew: Crew
    site: Site

    async def send(
        self, *clips: str, path: str = JANE, consent: Any = CONSENT, actor: str | None = None, details: Any = None
    ) -> httpx.Response:
        given = {"consent": consent, "details": details}
        fields = {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in given.items()
            if value is not None
        }
        files = [("clips", (f"{n}.mp4", text)) for n, text in enumerate(clips)]
        headers = {} if actor is None else self.site.bearer("enroller", actor)
        return await self.client.post(path, data=fields, files=files, headers=headers)

    async def enrol(self, *clips: str, **options: Any) -> dict[str, Any]:
        """Send clips and wait for the end of the enrolment."""
        sent = await self.send(*(clips or ("good",)), **options)
        assert sent.status_code == 202, sent.text
        found = self.crew.people.enrolments.find(sent.json()["id"])
        assert found is not None
        await asyncio.wait_for(found.ended.wait(), PATIENCE)
        return dict((await self.client.get(sent.headers["location"])).json())


async def desk_with(
    folder: Path, findings_kept: int = 100, settings: dict[str, Any] | None = None, **policy: Any
) -> AsyncIterator[Desk]:
    made, more = crew(folder, **policy), {"findings_kept": findings_kept, **(settings or {})}
    async with serving(folder, people=made.people, **more) as site, site.client() as client:
        yield Desk(client, made, site)
        made.enroller.gate.set()
    made.people.vault.close()


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async for made in desk_with(tmp_path):
        yield made


@pytest_asyncio.fixture
async def two(tmp_path: Path) -> AsyncIterator[Desk]:
    """Where somebody else must approve."""
    async for made in desk_with(tmp_path, second_approver=True):
        yield made


def check(response: httpx.Response, status: int, *words: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert all(word in response.json()["detail"] for word in words), response.text


async def test_everything_needs_the_token(desk: Desk) -> None:
    async with httpx.AsyncClient(base_url=desk.site.base) as stranger:
        for method, path in (
            ("GET", "/v1/identities"), ("GET", JANE), ("POST", JANE), ("DELETE", JANE), ("POST", JANE + "/approve"),
            ("POST", JANE + "/reject"), ("GET", "/v1/enrolments"), ("GET", "/v1/enrolments/x"),
            ("DELETE", "/v1/enrolments/x"),
        ):  # fmt: skip
            assert (await stranger.request(method, path)).status_code == 401
    assert desk.crew.left() == []


async def test_a_person_is_enrolled_shown_and_erased(desk: Desk) -> None:
    empty = (await desk.client.get("/v1/identities")).json()
    assert empty["identities"] == []
    assert empty["policy"] == {
        "consent_required": True, "consent_days": 365, "second_approver": False, "max_upload_bytes": 100_000,
    }  # fmt: skip
    job = await desk.enrol("good", "better", actor="ops")
    assert (job["identity"], job["state"], job["enrolled"]) == ("Jane Doe", "done", {"version": 1, "state": "active"})
    assert job["quality"]["face_seconds"] == 72.4
    assert desk.crew.left() == []
    [(order, names)] = desk.crew.enroller.seen
    assert (order.name, order.actor, names) == ("Jane Doe", "ops", ["0.mp4", "1.mp4"])
    shown = (await desk.client.get(JANE)).json()
    assert (shown["name"], shown["state"], shown["versions"]) == ("Jane Doe", "active", 1)
    assert shown["version"]["consent"]["by"] == "Jane Doe"
    assert shown["version"]["enrolled_by"] == "ops"
    assert [version["version"] for version in shown["history"]] == [1]
    assert TEMPLATE.decode() not in json.dumps(shown)
    [listed] = (await desk.client.get("/v1/identities")).json()["identities"]
    assert listed == {key: shown[key] for key in listed}
    gone = await desk.client.delete(JANE, headers=desk.site.bearer("approver", "ops"))
    receipt = gone.json()["receipt"]
    assert (gone.status_code, receipt["erased_by"], receipt["destroyed"]) == (200, "ops", 1)
    assert "Jane" not in gone.text
    assert (await desk.client.get("/v1/identities")).json()["identities"] == []
    assert (await desk.client.get("/v1/enrolments")).json() == {"enrolments": []}


async def test_one_that_was_erased_and_one_that_never_was_look_the_same(desk: Desk) -> None:
    await desk.enrol()
    await desk.client.delete(JANE)
    for method, after in (("GET", ""), ("DELETE", ""), ("POST", "/approve"), ("POST", "/reject")):
        erased, never = [await desk.client.request(method, path + after) for path in (JANE, "/v1/identities/Nobody")]
        check(erased, 404, NOBODY)
        assert erased.content == never.content
        assert set(erased.headers) == set(never.headers)


async def test_enrolling_again_keeps_the_history(desk: Desk) -> None:
    await desk.enrol()
    job = await desk.enrol()
    assert job["enrolled"] == {"version": 2, "state": "active"}
    shown = (await desk.client.get(JANE)).json()
    assert [(each["version"], each["state"]) for each in shown["history"]] == [(2, "active"), (1, "superseded")]


async def test_somebody_else_must_approve(two: Desk) -> None:
    job = await two.enrol(actor="ops")
    assert job["enrolled"]["state"] == "pending_approval"
    assert (await two.client.get(JANE)).json()["state"] == "pending_approval"
    check(await two.client.post(JANE + "/approve", headers=two.site.bearer("approver", "ops")), 409, "somebody else")
    approved = await two.client.post(JANE + "/approve", headers=two.site.bearer("approver", "boss"))
    assert (approved.status_code, approved.json()) == (200, {"version": 1, "state": "active"})
    assert (await two.client.get(JANE)).json()["version"]["approved_by"] == "boss"
    check(await two.client.post(JANE + "/approve"), 409, "waits for approval")
    await two.enrol(actor="ops")
    assert (await two.client.post(JANE + "/reject")).json() == {"version": 2, "state": "rejected"}


async def test_clips_that_make_no_reference_are_refused_with_reasons(desk: Desk) -> None:
    job = await desk.enrol("short")
    assert (job["state"], job["reasons"]) == ("refused", ["20 s of face were found: send at least 60 s"])
    crashed = await desk.enrol("crash")
    assert (crashed["state"], crashed["reasons"]) == (
        "failed",
        ["The enrolment broke down. The sidecar's log says where."],
    )
    assert desk.crew.left() == []
    check(await desk.client.get(JANE), 404, NOBODY)


async def test_a_running_enrolment_tells_how_far_it_is_and_can_be_cancelled(desk: Desk) -> None:
    desk.crew.enroller.gate.clear()
    sent = (await desk.send("good")).json()
    await asyncio.to_thread(desk.crew.enroller.at_work.wait, PATIENCE)
    told = (await desk.client.get(f"/v1/enrolments/{sent['id']}")).json()
    assert (told["state"], told["stage"], told["progress"]) == ("running", "Looking for a face", 0.4)
    check(await desk.send("good"), 503, "already")
    cancelling = asyncio.create_task(desk.client.delete(f"/v1/enrolments/{sent['id']}"))
    await stop_asked(desk, sent["id"])
    desk.crew.enroller.gate.set()
    assert (await cancelling).status_code == 204
    check(await desk.client.get(f"/v1/enrolments/{sent['id']}"), 404)
    check(await desk.client.delete("/v1/enrolments/other"), 404)
    check(await desk.client.get(JANE), 404, NOBODY)
    assert desk.crew.left() == []


async def stop_asked(desk: Desk, job_id: str) -> None:
    """Wait until the request to stop has reached the queue."""
    job = desk.crew.people.enrolments.find(job_id)
    assert job is not None
    assert await asyncio.to_thread(job.stop.wait, PATIENCE)


async def test_erasing_stops_an_enrolment_on_its_way(desk: Desk) -> None:
    await desk.enrol()
    desk.crew.enroller.at_work.clear()
    desk.crew.enroller.gate.clear()
    sent = (await desk.send("good")).json()
    await asyncio.to_thread(desk.crew.enroller.at_work.wait, PATIENCE)
    erasing = asyncio.create_task(desk.client.delete(JANE))
    await stop_asked(desk, sent["id"])
    desk.crew.enroller.gate.set()
    assert (await erasing).status_code == 200
    check(await desk.client.get(JANE), 404, NOBODY)
    assert desk.crew.people.enrolments.jobs() == []


TOMORROW = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
BAD_CONSENTS = {
    "none": (None, "without consent"),
    "no JSON": ("{", "not valid JSON"),
    "deep JSON": ("[" * 50_000, "not valid JSON"),
    "no object": ("[]", "JSON object"),
    "a file": ({**CONSENT, "evidence": "/etc/passwd"}, "JSON object"),
    "nobody": ({"given": "2026-01-02"}, "by"),
    "no day": ({"by": "Jane"}, "given"),
    "no such day": ({"by": "Jane", "given": "2026-02-30"}, "given"),
    "to come": ({"by": "Jane", "given": TOMORROW}, "future"),
    "over": ({"by": "Jane", "given": "2020-01-01", "expires": "2020-02-01"}, "expired"),
    "other fields": ({**CONSENT, "x": 1}, "field"),
}


@pytest.mark.parametrize("case", BAD_CONSENTS)
async def test_without_a_consent_nothing_is_written(desk: Desk, case: str) -> None:
    consent, words = BAD_CONSENTS[case]
    check(await desk.send("good", consent=consent), 422, words)
    assert desk.crew.left() == []
    assert desk.crew.enroller.seen == []
    # The place that was held is free again.
    assert (await desk.send("good")).status_code == 202


async def test_tags_and_another_channel_are_given_with_the_clips(desk: Desk) -> None:
    await desk.enrol(details={"tags": ["board", "de"], "verify_by": "+49 30 1234567"})
    vault = desk.crew.people.vault
    (first,) = vault.history("Jane Doe")
    assert (first.tags, first.verify_by) == (("board", "de"), "+49 30 1234567")
    shown = (await desk.client.get(JANE)).text
    assert json.loads(shown)["version"]["verify_by"] is True
    assert "1234567" not in shown
    # What is left out stays as it was.
    await desk.enrol(details={"tags": ["audit"]})
    await desk.enrol()
    assert [(one.tags, one.verify_by) for one in vault.history("Jane Doe")[:2]] == [(("audit",), "+49 30 1234567")] * 2


@pytest.mark.parametrize(
    ("details", "words"),
    [
        ("[", "not valid JSON"),
        ({"tags": "board"}, "a JSON object"),
        ({"tags": ["Board of directors"]}, "lower-case letters"),
        ({"verify_by": "javascript:alert(1)"}, "https:// link"),
    ],
)
async def test_details_that_cannot_be_are_refused_before_anything_is_written(
    desk: Desk, details: Any, words: str
) -> None:
    check(await desk.send("good", details=details), 422, words)
    assert (desk.crew.enroller.seen, desk.crew.left()) == ([], [])


async def test_where_no_consent_is_required(tmp_path: Path) -> None:
    async for desk in desk_with(tmp_path, consent_required=False):
        assert (await desk.enrol(consent=None))["state"] == "done"
        assert (await desk.client.get(JANE)).json()["version"]["consent"]["by"] == "not recorded"


async def test_bad_uploads(desk: Desk) -> None:
    check(await desk.client.post(JANE, json={}), 415, "multipart")
    check(await desk.client.post(JANE, content=b"x" * 100_001), 413, "100000 bytes")
    check(await desk.send("x" * 100_000), 413, "100000 bytes")
    check(await desk.client.post(JANE, data={"consent": "{}", "identity": "x"}, files={"clips": ("a", "x")}), 400)
    check(await desk.send("good", path="/v1/identities/" + "x" * 129), 400, "identity")
    check(await desk.send("good", path="/v1/identities/a%09b"), 400, "identity")
    assert desk.crew.left() == []


async def test_a_client_that_goes_away_leaves_nothing(desk: Desk) -> None:
    host, port = desk.site.base.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = f"POST {JANE} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=edge\r\n"
    head += "Authorization: Bearer a-token-for-the-tests\r\nContent-Length: 90000\r\n\r\n"
    part = f'--edge\r\nContent-Disposition: form-data; name="consent"\r\n\r\n{json.dumps(CONSENT)}\r\n'
    part += '--edge\r\nContent-Disposition: form-data; name="clips"; filename="a.mp4"\r\n\r\nxyz'
    writer.write((head + part).encode())
    await until(lambda: desk.crew.people.enrolments.busy == 1)
    writer.close()
    await until(lambda: desk.crew.people.enrolments.busy == 0)
    assert desk.crew.left() == []
    assert (await desk.enrol())["state"] == "done"


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 - what the server does with a lost connection has no event to wait for
            await asyncio.sleep(0.001)


async def test_too_many_at_once(desk: Desk) -> None:
    desk.crew.enroller.gate.clear()
    for n in range(4):
        assert (await desk.send("good", path=f"/v1/identities/{n}")).status_code == 202
    full = await desk.send("good", path="/v1/identities/4")
    check(full, 503, "too many")
    assert int(full.headers["retry-after"]) > 0
    listed = (await desk.client.get("/v1/enrolments")).json()["enrolments"]
    assert [job["identity"] for job in listed] == ["0", "1", "2", "3"]
    # The server is stopped with them waiting: nothing of them may stay.
    desk.crew.enroller.gate.set()
    await desk.site.stop()
    assert desk.crew.left() == []


async def test_names_may_hold_anything_that_can_be_printed(desk: Desk) -> None:
    for path, name in (("%C3%89lodie%20M%2FB", "Élodie M/B"), ("a%3Fb%23c%25", "a?b#c%")):
        assert (await desk.enrol(path=f"/v1/identities/{path}"))["identity"] == name
        assert (await desk.client.get(f"/v1/identities/{path}")).json()["name"] == name
        assert (await desk.client.delete(f"/v1/identities/{path}")).status_code == 200


async def test_nobody_can_be_searched_for(desk: Desk) -> None:
    """Every way to ask about people takes a name and nothing else: a face in a request is never looked up."""
    await desk.enrol()
    for method in ("POST", "PUT", "PATCH"):
        check(await desk.client.request(method, "/v1/identities", content=b"x"), 405)
    for path in ("/v1/identities/search", "/v1/search", "/v1/identify", "/v1/faces"):
        assert (await desk.client.post(path + "?q=x", json={})).status_code in (404, 415)
    everybody = (await desk.client.get("/v1/identities")).json()
    assert (await desk.client.get("/v1/identities?name=J&face=x&limit=1")).json() == everybody
    words = json.dumps(everybody).lower()
    assert not [word for word in ("embedding", "vector", "template", "landmark", "distance") if word in words]


async def test_a_vault_that_cannot_be_asked(desk: Desk) -> None:
    with desk.crew.people.vault.database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE vault_identities RENAME TO hidden")
    unavailable = await desk.client.get("/v1/identities")
    check(unavailable, 503)
    assert unavailable.json()["title"] == "Vault unavailable"
    assert "Jane" not in unavailable.text


async def test_a_server_without_a_vault_has_no_identities(tmp_path: Path) -> None:
    async with serving(tmp_path) as site, site.client() as client:
        check(await client.get("/v1/identities"), 404)
