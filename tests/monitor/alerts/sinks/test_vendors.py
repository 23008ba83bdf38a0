"""Each kind that speaks HTTP against a receiver that was written from its maker's pages."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from py_ocsf_models.events.findings.detection_finding import DetectionFinding
from standardwebhooks import Webhook, WebhookVerificationError

from monitor.alerts.finding import Finding
from monitor.alerts.journal import Entry, Tampered
from monitor.alerts.sinks.base import Gap, GoneError, Item, RefusedError, Sink, SinkError
from monitor.alerts.sinks.event import event_of
from monitor.alerts.sinks.ocsf_event import ocsf_event
from monitor.alerts.sinks.registry import open_sinks
from monitor.alerts.sinks.slack import message as slack_message
from monitor.alerts.sinks.teams import message as teams_message
from monitor.config import ConfigError, SinkSettings
from monitor.types import ParticipantKey
from tests.monitor.alerts.build import NOON, finding
from tests.monitor.alerts.sinks.receiver import Answer, Receiver, Request, receiving
from tests.monitor.alerts.sinks.vendors import BY_KIND, SECRET, TOKEN, VENDORS, Vendor, otlp_attributes, otlp_records

EPISODE = [
    Entry(4, finding("e", 0, "opened")),
    Entry(5, replace(finding("e", 1, "updated"), verdict="suspect")),
    Entry(6, replace(finding("e", 2, "closed"), verdict="inconclusive", reason="ended", scores={}, evidence={})),
]
OTHERS: list[Item] = [Gap(1, 3), Tampered(7)]


@asynccontextmanager
async def opened(vendor: Vendor, receiver: Receiver, **more: Any) -> AsyncIterator[Sink]:
    options = {"kind": vendor.kind, "allow_private": True, **vendor.options(receiver.url), **more}
    (named,) = open_sinks([SinkSettings.model_validate(options)])
    try:
        yield named.sink
    finally:
        await named.sink.close()


async def deliver(vendor: Vendor, items: Sequence[Item], **more: Any) -> list[Request]:
    async with receiving(vendor.answer) as receiver, opened(vendor, receiver, **more) as sink:
        await sink.deliver(items)
    assert receiver.accepted == receiver.requests
    return receiver.accepted


def of(kind: str) -> Vendor:
    return BY_KIND[kind]


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.kind)
async def test_an_episode_arrives_in_order_with_ids_that_do_not_change(vendor: Vendor) -> None:
    async with receiving(vendor.answer) as receiver, opened(vendor, receiver) as sink:
        for _ in range(2):
            await sink.deliver(EPISODE)
    numbers = [number for request in receiver.accepted for number in vendor.numbers(request)]
    assert [seq for seq, _ in numbers] == [4, 5, 6] * 2
    assert numbers[:3] == numbers[3:]
    if vendor.kind not in ("slack", "teams"):
        assert [event_id for _, event_id in numbers[:3]] == ["e.0", "e.1", "e.2"]


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.kind)
async def test_what_will_not_come_is_told(vendor: Vendor) -> None:
    requests = await deliver(vendor, OTHERS)
    text = b"".join(request.body for request in requests).decode()
    assert "findings 1 to 3 are gone from the journal" in text or '"type":"gap"' in text
    assert "finding 7 was changed in the journal" in text or '"type":"tampered"' in text


@pytest.mark.parametrize(
    ("status", "error"), [(400, RefusedError), (401, SinkError), (410, GoneError), (429, SinkError), (500, SinkError)]
)
@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.kind)
async def test_what_an_answer_means(vendor: Vendor, status: int, error: type[SinkError]) -> None:
    def answer(request: Request) -> Answer:
        good = vendor.answer(request)
        return good if "oauth2" in request.target else Answer(status, b"", {"Retry-After": "9"})

    async with receiving(answer) as receiver, opened(vendor, receiver) as sink:
        with pytest.raises(SinkError) as caught:
            await sink.deliver(EPISODE)
    assert type(caught.value) is error
    assert caught.value.retry_after_seconds == (9.0 if status in (429, 500) else None)
    assert TOKEN not in str(caught.value)
    # In order: what follows is not sent before what was not accepted.
    assert len([request for request in receiver.requests if "oauth2" not in request.target]) == 1


async def test_a_webhook_has_two_signatures_while_its_secret_is_changed() -> None:
    old = "whsec_" + "b2xk" * 8
    (request,) = await deliver(of("webhook"), EPISODE[:1], old_secret=old)
    assert len(request.headers["webhook-signature"].split(" ")) == 2
    for secret in (SECRET, old):
        message = Webhook(secret).verify(request.body, dict(request.headers))
        assert (message["type"], message["data"]["id"], message["data"]["seq"]) == ("finding.opened", "e", 4)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "b3Ro" * 8).verify(request.body, dict(request.headers))
    changed = dict(request.headers) | {"webhook-id": "another"}
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(request.body, changed)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_c2hvcnQ=", "whsec_!!!!", "x" * 200])
def test_a_secret_that_is_none(secret: str) -> None:
    settings = SinkSettings.model_validate({"kind": "webhook", "url": "https://x.example", "secret": secret})
    with pytest.raises(ConfigError, match=r"'sinks\.0\.secret'.*random bytes in base64") as caught:
        open_sinks([settings])
    assert secret.removeprefix("whsec_") == "" or secret not in str(caught.value)


def test_an_ocsf_finding_holds_to_the_schema() -> None:
    events = [ocsf_event(event_of(entry)) for entry in EPISODE]
    for event, activity in zip(events, (1, 2, 3), strict=True):
        parsed = DetectionFinding.model_validate(event)
        assert (parsed.activity_id.value, parsed.type_uid.value) == (activity, 200400 + activity)
        assert (event["class_uid"], event["category_uid"]) == (2004, 2)
        assert event["finding_info"]["uid"] == "e"
        assert event["time"] == 1772366400250
    assert len({event["metadata"]["uid"] for event in events}) == 3
    first, second, last = events
    assert [event["severity_id"] for event in events] == [4, 3, 1]
    assert [event["is_alert"] for event in events] == [True, False, False]
    assert first["evidences"][0]["data"] == {
        "score": -0.1, "p_value": 0.001, "reason": None, "evidence": {"offsets_ms": [0, 40]},
    }  # fmt: skip
    assert first["evidences"][1]["user"] == {"name": "Ada"}
    (analysis,) = first["anomaly_analyses"]
    assert analysis["analysis_targets"] == [{"name": "board/p1", "type": "Participant"}]
    assert [(row["observation_parameter"], row["observations"][0]["value"]) for row in analysis["anomalies"]] == [
        ("synchrony score", "-0.1"), ("synchrony p-value", "0.001"),
    ]  # fmt: skip
    assert "anomaly_analyses" not in last
    assert second["status"] == "New"
    gap = ocsf_event(event_of(Gap(1, 3), NOON))
    assert (gap["class_uid"], gap["type_uid"], gap["unmapped"]) == (0, 99, {"type": "gap", "after": 3})


def test_a_finding_without_identity_and_scores_has_no_empty_lists() -> None:
    bare = Finding("e", 0, "opened", ParticipantKey("board", "p1"), NOON, "suspect", None)
    event = ocsf_event(event_of(Entry(1, bare)))
    assert not {"evidences", "anomaly_analyses"} & event.keys()
    assert event["finding_info"]["types"] == ["suspect"]
    DetectionFinding.model_validate(event)


async def test_a_cloudevent_has_its_attributes() -> None:
    (request,) = await deliver(of("ocsf"), EPISODE[:1], token="t0", source="urn:sidewitness:lobby")
    envelope = request.json
    assert request.headers["authorization"] == "Bearer t0"
    assert (envelope["id"], envelope["source"], envelope["type"]) == (
        "e.0", "urn:sidewitness:lobby", "sidewitness.finding.opened",
    )  # fmt: skip
    assert (envelope["subject"], envelope["time"]) == ("e", "2026-03-01T12:00:00.250Z")


async def test_splunk_is_sent_a_batch_at_once() -> None:
    (request,) = await deliver(of("splunk"), EPISODE, index="security")
    first = json.loads(request.body.decode().splitlines()[0])
    assert (first["time"], first["index"], first["sourcetype"]) == (1772366400.25, "security", "sidewitness:finding")
    assert (first["event"]["call"], first["event"]["severity"]) == ("board", "high")


@pytest.mark.parametrize(
    ("statuses", "error"),
    [
        ((201, 409, 200), None),
        ((201, 400, 201), RefusedError),
        ((400, 429, 201), SinkError),
        ((503, 201, 201), SinkError),
    ],
)
async def test_elastic_says_it_of_each_document(statuses: Sequence[int], error: type[SinkError] | None) -> None:
    items = [{"create": {"status": status}} for status in statuses]
    answer = Answer(200, json.dumps({"errors": True, "items": items}).encode())
    async with receiving(lambda _: answer) as receiver, opened(of("elastic"), receiver) as sink:
        if error is None:
            await sink.deliver(EPISODE)
            return
        with pytest.raises(SinkError) as caught:
            await sink.deliver(EPISODE)
    assert type(caught.value) is error


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"items": [{}]}', b'{"items": 3}', b"<html>"])
async def test_an_answer_that_is_none_of_bulk_accepts_nothing(body: bytes) -> None:
    async with receiving(lambda _: Answer(200, body)) as receiver, opened(of("elastic"), receiver) as sink:
        with pytest.raises(SinkError, match="none of _bulk"):
            await sink.deliver(EPISODE)


async def test_sentinel_keeps_its_token_and_fetches_another_when_it_is_not_taken() -> None:
    taken = [True, True, False, True]

    def answer(request: Request) -> Answer:
        good = of("sentinel").answer(request)
        return good if "oauth2" in request.target or taken.pop(0) else Answer(401)

    async with receiving(answer) as receiver, opened(of("sentinel"), receiver) as sink:
        for _ in range(2):
            await sink.deliver(EPISODE)
        with pytest.raises(SinkError, match="401"):
            await sink.deliver(EPISODE)
        await sink.deliver(EPISODE)
    asked = ["token" if "oauth2" in request.target else "rows" for request in receiver.requests]
    assert asked == ["token", "rows", "rows", "rows", "token", "rows"]
    row = receiver.requests[1].json[0]
    assert (row["TimeGenerated"], row["Verdict"], row["Severity"]) == ("2026-03-01T12:00:00.250Z", "alert", "high")


@pytest.mark.parametrize(
    "answer", [Answer(400), Answer(200, b"{}"), Answer(200, b'{"access_token": "a b"}'), Answer(200, b"[]")]
)
async def test_wrong_credentials_are_no_word_about_a_finding(answer: Answer) -> None:
    async with receiving(lambda _: answer) as receiver, opened(of("sentinel"), receiver) as sink:
        with pytest.raises(SinkError, match="token") as caught:
            await sink.deliver(EPISODE)
    assert type(caught.value) is SinkError
    assert len(receiver.requests) == 1


def named(call: str, participant: str) -> Entry:
    return Entry(1, replace(finding(), key=ParticipantKey(call, participant, None)))


def test_names_mean_nothing_to_slack_and_teams() -> None:
    event = event_of(named("<!channel> *b*", "[click](https://evil.example) & <https://evil.example|me>"))
    slack, teams = slack_message(event), teams_message(event)
    assert "<" not in slack["text"]
    for field in slack["blocks"][1]["fields"]:
        assert field["type"] == "plain_text"
    runs = [run for block in teams["attachments"][0]["content"]["body"] for run in block["inlines"]]
    assert {run["type"] for run in runs} == {"TextRun"}


@pytest.mark.parametrize("kind", ["slack", "teams"])
async def test_people_are_told_of_updates_unless_they_are_not(kind: str) -> None:
    requests = await deliver(of(kind), [*EPISODE, *OTHERS], updates=False)
    assert [of(kind).numbers(request)[0][0] for request in requests] == [4, 6, 3, 7]


async def test_a_page_is_one_alert_that_resolves() -> None:
    requests = await deliver(of("pagerduty"), EPISODE)
    assert [(request.json["event_action"], request.json["dedup_key"]) for request in requests] == [
        ("trigger", "e"), ("trigger", "e"), ("resolve", "e"),
    ]  # fmt: skip
    assert [request.json["payload"]["severity"] for request in requests] == ["critical", "warning", "info"]


async def test_a_log_record_has_its_values_and_types() -> None:
    (request,) = await deliver(of("otlp"), EPISODE, token="t0")
    first, second, third = otlp_records(request)
    assert [record["severityNumber"] for record in (first, second, third)] == [17, 13, 9]
    assert first["timeUnixNano"] == "1772366400250000000"
    attributes = otlp_attributes(first)
    assert (attributes["sidewitness.seq"], attributes["sidewitness.call"]) == ("4", "board")
    scores = attributes["sidewitness.scores"]["values"][0]["value"]["kvlistValue"]["values"]
    assert scores == [
        {"key": "score", "value": {"doubleValue": -0.1}},
        {"key": "p_value", "value": {"doubleValue": 0.001}},
        {"key": "reason", "value": {}},
    ]
    assert request.headers["authorization"] == "Bearer t0"


async def test_a_collector_that_takes_a_part_refuses_the_rest() -> None:
    answer = Answer(200, b'{"partialSuccess": {"rejectedLogRecords": "1", "errorMessage": "too old"}}')
    async with receiving(lambda _: answer) as receiver, opened(of("otlp"), receiver) as sink:
        with pytest.raises(RefusedError, match="partial success"):
            await sink.deliver(EPISODE)


def test_events_are_dated_and_named() -> None:
    assert event_of(EPISODE[0]).title == "alert: lips disagree with voice (opened)"
    assert event_of(EPISODE[2]).title == "inconclusive: ended (closed)"
    before = datetime.now(UTC)
    gap = event_of(Gap(1, 3))
    assert (gap.id, gap.seq, gap.kind) == ("gap.1-3", 3, "gap")
    assert gap.time >= before
    assert event_of(Tampered(7), NOON).fields == [("number", "7"), ("time", "2026-03-01T12:00:00.250Z")]
    assert dict(event_of(named("board", "p1")).fields)["identity"] == "nobody enrolled"
