"""Every example of a sink, loaded as `serve --config` loads it, and tried with `sidewitness sinks test`."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from monitor.alerts.sinks.delivery import Deliveries
from monitor.alerts.sinks.registry import KINDS, open_sinks
from monitor.cli import run
from monitor.config import ConfigError, SinkSettings, load
from monitor.host import logging as logs
from monitor.host.sidecar import assemble
from tests.monitor.alerts.build import finding, ready_journal
from tests.monitor.alerts.sinks.certificates import issue
from tests.monitor.alerts.sinks.receiver import Answer, Request, receiving
from tests.monitor.alerts.sinks.test_delivery import commit
from tests.monitor.alerts.sinks.test_syslog import collecting
from tests.monitor.alerts.sinks.vendors import BY_KIND, SECRET, SENTINEL, TOKEN, VENDORS, Vendor
from tests.monitor.rig import quiet_log, scripted

ROOT = Path(__file__).parents[4]
EXAMPLES, DOCS = ROOT / "examples" / "sinks", ROOT / "docs"


def variables(kind: str, url: str) -> Mapping[str, str]:
    """What each example is to be given."""
    return {
        "webhook": {"WEBHOOK_URL": url, "WEBHOOK_SECRET": SECRET},
        "ocsf": {"OCSF_URL": url},
        "syslog": {"SYSLOG_HOST": url},
        "splunk": {"SPLUNK_URL": url, "SPLUNK_TOKEN": TOKEN},
        "otlp": {"OTLP_ENDPOINT": url},
        "elastic": {"ELASTIC_URL": url, "ELASTIC_API_KEY": TOKEN},
        "sentinel": {
            "SENTINEL_ENDPOINT": url,
            "SENTINEL_LOGIN_URL": url,
            **{f"SENTINEL_{name.upper()}": value for name, value in SENTINEL.items()},
        },
        "slack": {"SLACK_WEBHOOK_URL": f"{url}/services/T0/B0/x"},
        "teams": {"TEAMS_WEBHOOK_URL": f"{url}/workflows/1?sig=x"},
        "pagerduty": {"PAGERDUTY_URL": f"{url}/v2/enqueue", "PAGERDUTY_ROUTING_KEY": TOKEN},
        "jsonl": {},
    }[kind]


def given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: Mapping[str, str]) -> None:
    monkeypatch.setenv("SIDEWITNESS_STATE_DIR", str(tmp_path))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


async def try_it(kind: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run the command, and return the finding that was accepted."""
    arguments = ["sinks", "test", kind, "--config", str(EXAMPLES / f"{kind}.yaml"), "--json"]
    status = await asyncio.to_thread(run, arguments)
    said = capsys.readouterr()
    assert (status, said.err) == (0, "")
    return str(json.loads(said.out)["finding"])


def test_every_kind_has_an_example() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.yaml")} == set(KINDS)


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.kind)
async def test_an_example_delivers(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with receiving(vendor.answer) as receiver:
        given(monkeypatch, tmp_path, variables(vendor.kind, receiver.url))
        finding = await try_it(vendor.kind, capsys)
    findings = [request for request in receiver.accepted if "oauth2" not in request.target]
    assert all(finding.encode() in request.body for request in findings)
    assert sum(len(vendor.numbers(request)) for request in findings) == 2


async def test_the_example_of_syslog_delivers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    issued = issue(tmp_path)
    async with collecting(issued) as (collector, port):
        environment = {"SYSLOG_HOST": "localhost", "SYSLOG_PORT": str(port), "SYSLOG_CA_FILE": str(issued.ca)}
        given(monkeypatch, tmp_path, environment)
        finding = await try_it("syslog", capsys)
    assert [finding.encode() in message for message in collector.messages] == [True, True]


async def test_the_example_of_a_file_delivers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given(monkeypatch, tmp_path, {"JSONL_PATH": str(tmp_path / "findings.jsonl")})
    finding = await try_it("jsonl", capsys)
    lines = [json.loads(line) for line in (tmp_path / "findings.jsonl").read_text().splitlines()]
    assert [(line["id"], line["action"]) for line in lines] == [(finding, "opened"), (finding, "closed")]


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"jsonl"}))
def test_an_example_without_its_variables_names_them(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    optional = {"PAGERDUTY_URL", "SENTINEL_LOGIN_URL"}
    for name in variables(kind, "x"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError) as caught:
        load(EXAMPLES / f"{kind}.yaml")
    missing = str(caught.value).partition("empty: ")[2].partition(": export")[0].split(", ")
    assert set(missing) == variables(kind, "x").keys() - optional


def blocks() -> list[tuple[str, str]]:
    """Every configuration of sinks that a document shows, with the document's name."""
    found = []
    for path in sorted(DOCS.glob("sinks*.md")):
        found += [(path.name, text) for text in re.findall(r"^```yaml\n(.*?)^```", path.read_text(), re.M | re.S)]
    return found


@pytest.mark.parametrize(("document", "text"), blocks())
def test_what_a_document_shows_works_as_it_is_pasted(
    document: str, text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "sidewitness.yaml"
    path.write_text(text)
    for kind in KINDS:
        given(monkeypatch, tmp_path, variables(kind, "https://siem.example"))
    monkeypatch.setenv("SYSLOG_HOST", "syslog.example")
    assert len(open_sinks(load(path).sinks)) == 1


def test_every_kind_has_a_configuration_in_a_document() -> None:
    shown = {kind for _, text in blocks() for kind in re.findall(r"kind: (\w+)", text)}
    assert shown == set(KINDS)


async def test_serving_a_file_delivers_what_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The sidecar's own composition: the settings file, its sinks, and the recorder that wakes them."""
    async with receiving(BY_KIND["splunk"].answer) as receiver:
        given(monkeypatch, tmp_path, variables("splunk", receiver.url))
        settings = load(EXAMPLES / "splunk.yaml")
        components = assemble(settings, scripted(), sinks=open_sinks(settings.sinks))
        components.journal.open()
        await components.deliveries.start()
        components.recorder.start()
        components.recorder.put(finding("e"), 0.0)
        await receiver.until(lambda: len(receiver.accepted) == 1)
        await components.recorder.close()
        await components.deliveries.close()
        components.journal.close()
    assert BY_KIND["splunk"].numbers(receiver.accepted[0]) == [(1, "e.0")]


async def test_no_log_of_any_level_holds_a_secret_or_an_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every kind fails in every way, with all loggers of the process at debug."""
    stream = io.StringIO()
    canaries = (TOKEN, SECRET.removeprefix("whsec_"), "/services/T0", "sig=", "hunter2")
    with quiet_log():
        logs.configure("debug", "json", (), stream)
        for fault in (Answer(500, b"hunter2"), Answer(400, b"hunter2"), "reset"):
            async with receiving(lambda _, fault=fault: fault) as receiver:  # type: ignore[misc]
                for vendor in VENDORS:
                    options = {"kind": vendor.kind, "allow_private": True, **vendor.options(receiver.url)}
                    (named,) = open_sinks([SinkSettings.model_validate(options)])
                    runner = Deliveries([named], ready_journal(tmp_path), CollectorRegistry())
                    await runner.start()
                    (delivery,) = runner
                    commit(delivery._journal, runner, "e")
                    await receiver.until(lambda: bool(receiver.requests))
                    await runner.close()
                    delivery._journal.close()
                    receiver.requests.clear()
    written = stream.getvalue()
    assert "a sink does not accept findings" in written
    assert [canary for canary in canaries if canary in written] == []


def test_no_secret_of_an_example_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for kind in set(KINDS) - {"jsonl", "syslog"}:
        given(monkeypatch, tmp_path, variables(kind, "https://siem.example/hunter2"))
        settings = load(EXAMPLES / f"{kind}.yaml")
        (named,) = open_sinks(settings.sinks)
        for secret in ("hunter2", TOKEN, SECRET):
            assert secret not in repr((settings, named, named.sink)), kind


def test_a_receiver_of_a_vendor_refuses_what_is_wrong() -> None:
    """They are no yes-men: what they are for would be in vain."""
    wrong = Request("POST", "/", {"content-type": "text/plain", "authorization": "none"}, b"{}")
    for kind in ("webhook", "splunk", "elastic", "otlp", "sentinel"):
        assert BY_KIND[kind].answer(wrong).status >= 400, kind
