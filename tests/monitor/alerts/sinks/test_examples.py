"""Every example of a sink, loaded as `serve --config` loads it, and tried with `sidewitness sinks test`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from monitor.alerts.sinks.registry import KINDS, open_sinks
from monitor.cli import run
from monitor.config import ConfigError, load
from tests.monitor.alerts.sinks.certificates import issue
from tests.monitor.alerts.sinks.receiver import Request, receiving
from tests.monitor.alerts.sinks.test_syslog import collecting
from tests.monitor.alerts.sinks.vendors import BY_KIND, SECRET, SENTINEL, TOKEN, VENDORS, Vendor

EXAMPLES = Path(__file__).parents[4] / "examples" / "sinks"


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
