"""The files for operators: rules that Prometheus takes and that fire, and no number in them that is not there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.alerts.sinks.metrics import SinkMetrics
from monitor.host.metrics import Metrics

FOLDER = Path(__file__).parents[1] / "examples/observability"
NUMBER = re.compile(r"\b(?:sidewitness_\w+|process_\w+|sidewitness:[\w:]+)")
RULES = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian package: prometheus)"
)


def expressions() -> Iterator[str]:
    for group in RULES:
        yield from (rule["expr"] for rule in group["rules"])
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield DASHBOARD["templating"]["list"][1]["query"]


def there() -> set[str]:
    """The names of what a sidecar with a sink tells, and of what the rules make of it."""
    metrics = Metrics(min_participants=1)
    sinks = SinkMetrics(metrics.registry)
    sinks.delay.labels("siem").observe(1.0)
    metrics.watching(lambda: (2, 1))
    metrics.judged(5)
    metrics.hop("bona_fide", None)
    told = {sample.name for family in metrics.registry.collect() for sample in family.samples}
    labelled = {f"{name}_total" for name in ("sidewitness_sink_findings_delivered", "sidewitness_sink_failures")}
    labelled |= {f"sidewitness_sink_{name}" for name in ("findings_waiting", "healthy", "stopped")}
    labelled |= {f"sidewitness_sink_{name}_total" for name in ("dead_letters", "findings_missed")}
    families = {family.name for family in metrics.registry.collect()}
    assert {name.removesuffix("_total") for name in labelled} <= families
    of_labels = {f"{name}_total" for name in families} | families
    records = {rule["record"] for group in RULES for rule in group["rules"] if "record" in rule}
    return told | of_labels | records


def test_rules_and_dashboard_ask_for_what_is_there() -> None:
    asked = {name for expression in expressions() for name in NUMBER.findall(expression)}
    assert len(asked) > 20
    assert asked - there() == set()


def test_every_objective_of_the_documents_is_a_rule_and_every_alert_says_what_to_do() -> None:
    page = (FOLDER.parents[1] / "docs/operations.md").read_text()
    records = {rule["record"] for group in RULES for rule in group["rules"] if "record" in rule}
    assert set(re.findall(r"`(sidewitness:[\w:]+)`", page)) == records
    alerts: dict[str, Any] = {rule["alert"]: rule for group in RULES for rule in group["rules"] if "alert" in rule}
    assert set(re.findall(r"`(Sidewitness[A-Z]\w+)`", page)) <= alerts.keys()
    for rule in alerts.values():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"].keys() == {"summary", "description"}


def test_panels_have_a_place_and_a_name_of_their_own() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["title"] for panel in panels}) == len({panel["id"] for panel in panels}) == len(panels)
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) < 24


@promtool
@pytest.mark.parametrize(
    "arguments",
    [("check", "rules", "alerts.yml"), ("check", "config", "prometheus.yml"), ("test", "rules", "alerts_test.yml")],
)
def test_prometheus_takes_them(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@promtool
def test_a_rule_that_is_made_blind_does_not_pass(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "copy")
    rules = tmp_path / "copy/alerts.yml"
    rules.write_text(rules.read_text().replace("sidewitness:watched:share < 0.9", "sidewitness:watched:share < 0.1"))
    command = ["promtool", "test", "rules", "alerts_test.yml"]
    done = subprocess.run(command, cwd=rules.parent, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
