"""Erasing over HTTP: by participant and by person, by whoever may, with a receipt; and searches without drills."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest_asyncio

from monitor.alerts.privacy.erasure import digest_of, remembered
from monitor.alerts.sinks.cursors import Cursors
from monitor.types import ParticipantKey
from tests.monitor.alerts.build import finding
from tests.monitor.api.documents import OpenApi
from tests.monitor.api.test_identities import JANE, Desk, desk_with

PATH = "/v1/calls/{call}/participants/{participant}/findings"
ALICE = "/v1/calls/board/participants/alice/findings"


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async for made in desk_with(tmp_path):
        yield made


def put(desk: Desk, participant: str, identity: str | None = None, **more: object) -> str:
    made = replace(finding(str(uuid4())), key=ParticipantKey("board", participant, identity))
    desk.site.journal.append(replace(made, **more))  # type: ignore[arg-type]
    return made.id


def audited(desk: Desk) -> list[tuple[str, str, str]]:
    """What the audit log says after the vault was made: action, actor, cause."""
    return [
        (line.action, line.actor, json.loads(line.detail).get("cause", "")) for line in desk.crew.people.vault.audit(1)
    ]


async def test_a_participant_is_erased_by_whoever_may_and_the_receipt_says_what_left(desk: Desk) -> None:
    gone, kept = put(desk, "alice", "Jane Doe"), put(desk, "bob")
    Cursors(desk.site.journal).begin("siem", 2)
    await desk.client.post(f"/v1/findings/{gone}/events", json={"event": "noted", "text": "asked to be erased"})
    for role in ("viewer", "analyst", "enroller", "publisher", "subject"):
        more = {"call": "board"} if role == "publisher" else {"identity": "Jane Doe"} if role == "subject" else {}
        assert (await desk.client.delete(ALICE, headers=desk.site.bearer(role, **more))).status_code == 403
    answer = await desk.client.delete(ALICE, headers=desk.site.bearer("approver", "ops"))
    receipt = answer.json()
    assert OpenApi().answer_problems("DELETE", PATH, 200, "application/json", receipt) == []
    assert (receipt["findings"], receipt["changes"], receipt["events"], receipt["erased_by"]) == ([gone], [1], 1, "ops")
    assert [(one["sink"], one["seq"]) for one in receipt["sent"]] == [("siem", 1)]
    assert not [word for word in ("alice", "Jane", "board", "asked") if word in answer.text]
    assert (await desk.client.get(f"/v1/findings/{gone}")).status_code == 404
    assert (await desk.client.get(f"/v1/findings/{kept}")).status_code == 200
    page = (await desk.client.get("/v1/findings")).json()
    assert ([one["id"] for one in page["findings"]], page["gap"], page["next"]) == ([kept], 1, 2)
    assert remembered(desk.site.journal)[0]["sha256"] == digest_of(receipt)
    assert audited(desk) == [("findings_erased", "ops", "participant")]
    assert (await desk.client.delete(ALICE)).status_code == 404


async def test_nothing_is_erased_while_the_vault_cannot_be_written(desk: Desk) -> None:
    kept = put(desk, "alice")
    with desk.crew.people.vault.database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE vault_audit_head RENAME TO hidden")
    answer = await desk.client.delete(ALICE)
    assert (answer.status_code, answer.json()["title"]) == (503, "Vault unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert (await desk.client.get(f"/v1/findings/{kept}")).status_code == 200


async def test_a_person_is_erased_with_their_findings_where_that_is_asked(desk: Desk) -> None:
    await desk.enrol()
    gone = put(desk, "alice", "Jane Doe")
    assert "findings" not in (await desk.client.delete(JANE)).json()
    assert (await desk.client.get(f"/v1/findings/{gone}")).status_code == 200
    answer = await desk.client.delete(JANE, params={"findings": True})
    told = answer.json()
    assert OpenApi().answer_problems("DELETE", "/v1/identities/{name}", 200, "application/json", told) == []
    assert (told["receipt"], told["findings"]["findings"]) == (None, [gone])
    assert "Jane" not in answer.text
    assert [line[0::2] for line in audited(desk)] == [
        ("enrolled", ""),
        ("erased", "asked"),
        ("findings_erased", "person"),
    ]
    await desk.enrol()
    whole = (await desk.client.delete(JANE, params={"findings": True})).json()
    assert (whole["receipt"]["destroyed"], whole["findings"]) == (1, None)
    assert [line[0] for line in audited(desk)][3:] == ["enrolled", "erased"]
    assert (await desk.client.delete(JANE, params={"findings": True})).status_code == 404


async def test_a_search_leaves_out_drills_and_shows_them_when_asked(desk: Desk) -> None:
    handling = {"kind": "finding", "drill": True, "notify": None, "groups": [], "held": {}, "actions": []}
    real, drill = put(desk, "alice"), put(desk, "drill", handling=handling)

    async def found(**asked: str) -> list[str]:
        return [one["id"] for one in (await desk.client.get("/v1/findings", params=asked)).json()["findings"]]

    assert await found(view="findings") == [real]
    assert await found(view="findings", drills="true") == [drill, real]
    assert await found(drills="false") == [real]
    # In order, by their numbers, everything is there.
    assert await found() == [real, drill]
