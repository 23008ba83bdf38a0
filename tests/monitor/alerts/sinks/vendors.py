"""Receivers of every kind that speaks HTTP, written from the pages of those who make them: what they refuse, and how.

`numbers` reads from an accepted request which changes it brought, as (number in the journal, id of the change).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from py_ocsf_models.events.findings.detection_finding import DetectionFinding
from standardwebhooks import Webhook, WebhookVerificationError

from tests.monitor.alerts.sinks.receiver import Answer, Request

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
TOKEN = "a-token-of-the-tests"
Numbers = list[tuple[int, str]]


@dataclass(frozen=True)
class Vendor:
    """One kind: its options beside those of every sink, how its receiver answers, and what a request holds."""

    kind: str
    options: Callable[[str], Mapping[str, Any]]
    answer: Callable[[Request], Answer]
    numbers: Callable[[Request], Numbers]


def refused(status: int, why: str) -> Answer:
    return Answer(status, json.dumps({"error": why}).encode())


# https://www.standardwebhooks.com
def webhook(request: Request) -> Answer:
    try:
        message = Webhook(SECRET).verify(request.body, dict(request.headers))
    except WebhookVerificationError as error:
        return refused(401, str(error))
    return Answer(204, b"") if {"type", "timestamp", "data"} == message.keys() else refused(400, "no such message")


# https://github.com/cloudevents/spec (JSON format, HTTP binding: structured mode), https://schema.ocsf.io
def ocsf(request: Request) -> Answer:
    if request.headers["content-type"] != "application/cloudevents+json" or request.json["specversion"] != "1.0":
        return refused(415, "no event")
    if not all(request.json.get(name) for name in ("id", "source", "type", "time")):
        return refused(400, "an attribute is missing")
    event = request.json["data"]
    if event["class_uid"] == 2004:
        DetectionFinding.model_validate(event)
        at_least_one = {"actor", "api", "connection_info", "data", "device", "file", "process", "url", "user", "job"}
        if not all(at_least_one & evidence.keys() for evidence in event.get("evidences", [])):
            return refused(422, "constraint of evidences")
    return Answer(202, b"")


# https://docs.splunk.com/Documentation/Splunk/latest/Data/TroubleshootHTTPEventCollector
def splunk(request: Request) -> Answer:
    if request.target != "/services/collector/event":
        return Answer(404, b'{"text":"The requested URL was not found on this server.","code":404}')
    if request.headers.get("authorization") != f"Splunk {TOKEN}":
        return Answer(403, b'{"text":"Invalid token","code":4}')
    if not all("event" in event for event in splunk_events(request)):
        return Answer(400, b'{"text":"Event field is required","code":12}')
    return Answer(200, b'{"text":"Success","code":0}')


def splunk_events(request: Request) -> list[dict[str, Any]]:
    """Objects follow each other, with or without a line break between them."""
    text, events, at = request.body.decode(), [], 0
    while at < len(text):
        event, at = json.JSONDecoder().raw_decode(text, at)
        events.append(event)
        at += len(text[at:]) - len(text[at:].lstrip())
    return events


# https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk
def elastic(request: Request) -> Answer:
    if request.headers.get("authorization") != f"ApiKey {TOKEN}":
        return refused(401, "security_exception")
    if not request.target.endswith("/_bulk") or request.headers["content-type"] != "application/x-ndjson":
        return refused(406, "no such request")
    if not request.body.endswith(b"\n"):
        return refused(400, "The bulk request must be terminated by a newline [\\n]")
    items = [{"create": {"_id": event_id, "status": 201}} for _, event_id in elastic_numbers(request)]
    return Answer(200, json.dumps({"errors": False, "items": items}).encode())


def elastic_numbers(request: Request) -> Numbers:
    lines = [json.loads(line) for line in request.body.decode().splitlines()]
    pairs = zip(lines[::2], lines[1::2], strict=True)
    return [(document["event"]["sequence"], action["create"]["_id"]) for action, document in pairs]


# https://learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview
def sentinel(request: Request) -> Answer:
    parts = urlsplit(request.target)
    if parts.path == "/tenant/oauth2/v2.0/token":
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        wanted = {"grant_type": "client_credentials", "client_id": "client", "client_secret": TOKEN}
        if form != {**wanted, "scope": "https://monitor.azure.com/.default"}:
            return refused(400, "invalid_client")
        return Answer(200, json.dumps({"token_type": "Bearer", "expires_in": 3599, "access_token": "entra"}).encode())
    if request.headers.get("authorization") != "Bearer entra":
        return refused(401, "no token")
    if parts.path != "/dataCollectionRules/dcr-1/streams/Custom-SidewitnessFindings":
        return refused(404, "no such rule")
    if parse_qs(parts.query) != {"api-version": ["2023-01-01"]} or not all(
        "TimeGenerated" in row for row in request.json
    ):
        return refused(400, "InvalidStream")
    return Answer(204, b"")


def sentinel_numbers(request: Request) -> Numbers:
    if "oauth2" in request.target:
        return []
    return [(row["Sequence"], row["EventId"]) for row in request.json]


# https://api.slack.com/messaging/webhooks, https://api.slack.com/reference/block-kit/blocks
def slack(request: Request) -> Answer:
    header, section = request.json["blocks"]
    texts = [header["text"], *section["fields"]]
    if not request.json["text"] or len(header["text"]["text"]) > 150 or not 1 <= len(section["fields"]) <= 10:
        return Answer(400, b"invalid_blocks")
    if any(text["type"] != "plain_text" or not 1 <= len(text["text"]) <= 2000 for text in texts):
        return Answer(400, b"invalid_blocks")
    return Answer(200, b"ok")


def slack_numbers(request: Request) -> Numbers:
    fields = dict(field["text"].split("\n", 1) for field in request.json["blocks"][1]["fields"])
    return [(int(fields["number"]), fields.get("finding", ""))]


# https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook
def teams(request: Request) -> Answer:
    (attachment,) = request.json["attachments"]
    card = attachment["content"]
    if request.json["type"] != "message" or attachment["contentType"] != "application/vnd.microsoft.card.adaptive":
        return refused(400, "no card")
    if card["type"] != "AdaptiveCard" or not all(block["type"] == "RichTextBlock" for block in card["body"]):
        return refused(400, "no card")
    return Answer(202, b"")


def teams_numbers(request: Request) -> Numbers:
    rows = [block["inlines"] for block in request.json["attachments"][0]["content"]["body"][1:]]
    fields = {name["text"].removesuffix(": "): value["text"] for name, value in rows}
    return [(int(fields["number"]), fields.get("finding", ""))]


# https://developer.pagerduty.com/docs/events-api-v2-overview
def pagerduty(request: Request) -> Answer:
    event = request.json
    if (
        request.target != "/v2/enqueue"
        or event["routing_key"] != TOKEN
        or event["event_action"] not in ("trigger", "resolve")
    ):
        return Answer(400, b'{"status":"invalid event","message":"Event object is invalid"}')
    payload = event["payload"]
    if (
        not payload["summary"]
        or not payload["source"]
        or payload["severity"] not in ("critical", "error", "warning", "info")
    ):
        return Answer(400, b'{"status":"invalid event","message":"Event object is invalid"}')
    return Answer(202, json.dumps({"status": "success", "dedup_key": event["dedup_key"]}).encode())


def pagerduty_numbers(request: Request) -> Numbers:
    details = request.json["payload"]["custom_details"]
    return [(details.get("seq", 0), details["event_id"])]


# https://opentelemetry.io/docs/specs/otlp/#otlphttp
def otlp(request: Request) -> Answer:
    if request.target != "/v1/logs" or request.headers["content-type"] != "application/json":
        return refused(404, "no such request")
    if not all(record["timeUnixNano"].isdigit() and record["body"]["stringValue"] for record in otlp_records(request)):
        return refused(400, "no record")
    return Answer(200, b"{}")


def otlp_records(request: Request) -> list[dict[str, Any]]:
    (resource,) = request.json["resourceLogs"]
    (scope,) = resource["scopeLogs"]
    records: list[dict[str, Any]] = scope["logRecords"]
    return records


def otlp_attributes(record: Mapping[str, Any]) -> dict[str, Any]:
    return {row["key"]: next(iter(row["value"].values()), None) for row in record["attributes"]}


def otlp_numbers(request: Request) -> Numbers:
    attributes = [otlp_attributes(record) for record in otlp_records(request)]
    return [(int(row["sidewitness.seq"]), row["event.id"]) for row in attributes]


SENTINEL = {"rule_id": "dcr-1", "tenant_id": "tenant", "client_id": "client", "client_secret": TOKEN}
VENDORS = (
    Vendor(
        "webhook",
        lambda url: {"url": url, "secret": SECRET},
        webhook,
        lambda request: [(request.json["data"].get("seq", 0), request.headers["webhook-id"])],
    ),
    Vendor(
        "ocsf",
        lambda url: {"url": url},
        ocsf,
        lambda request: [(request.json["data"]["metadata"]["sequence"], request.json["id"])],
    ),
    Vendor(
        "splunk",
        lambda url: {"url": url, "token": TOKEN},
        splunk,
        lambda request: [(row["event"].get("seq", 0), row["event"]["event_id"]) for row in splunk_events(request)],
    ),
    Vendor("elastic", lambda url: {"url": url, "api_key": TOKEN}, elastic, elastic_numbers),
    Vendor("sentinel", lambda url: {"endpoint": url, "login_url": url, **SENTINEL}, sentinel, sentinel_numbers),
    Vendor("slack", lambda url: {"url": f"{url}/services/T0/B0/{TOKEN}"}, slack, slack_numbers),
    Vendor("teams", lambda url: {"url": f"{url}/workflows/1?sig={TOKEN}"}, teams, teams_numbers),
    Vendor("pagerduty", lambda url: {"url": f"{url}/v2/enqueue", "routing_key": TOKEN}, pagerduty, pagerduty_numbers),
    Vendor("otlp", lambda url: {"url": url}, otlp, otlp_numbers),
)
BY_KIND = {vendor.kind: vendor for vendor in VENDORS}
