"""The reference figures of plans: what a result is made into, and that what is shipped is that."""

from __future__ import annotations

import json

import pytest

from monitor.cli.plan import REFERENCE
from monitor.host.planning.costs import PlanError, costs_of
from monitor.lab.bench.budgets import BUDGETS, CORES, measured
from monitor.lab.bench.capacity import Capacity
from monitor.lab.bench.growth import Growth
from monitor.lab.bench.reference import KEPT, ROWS, reference_of, text_of
from monitor.lab.bench.result import BenchResult, live_rows
from tests.monitor.lab.bench.test_result import a_live

MACHINE = {"processor": "a processor", "cores": 2, "system": "of nobody's business"}
SETTINGS = {"engine": "openvino", "participants": 4, "cores": 2, "kilobits_per_second": 1500, "clip": "a/path.mp4"}


def test_what_is_shipped_is_of_the_form_that_a_result_is_made_into() -> None:
    text = REFERENCE.read_text()
    shipped = json.loads(text)
    assert text == text_of(reference_of(shipped, shipped["about"]))
    assert shipped["about"]
    written = {row.name: row.unit for row in live_rows(a_live())} | {name: unit for name, (unit, _) in BUDGETS.items()}
    assert {row["name"]: row["unit"] for row in shipped["rows"]}.items() <= written.items()


def test_a_result_is_made_into_figures_that_plans_read_and_nothing_else_is_taken() -> None:
    capacity = Capacity((), 2, 2, True, 12.0)
    made = BenchResult(MACHINE, SETTINGS, rows=live_rows(a_live()), growth=Growth(2, capacity, capacity)).as_json()
    made["capacity"], made["growth"]["several"] = {"participants": 5, "cores": 2, "steps": []}, 6
    reference = json.loads(text_of(reference_of(made, "a test")))
    assert reference.keys() == {"about", "rows", "notes", *KEPT}
    assert {name: set(reference[name]) for name in KEPT} == {name: set(names) for name, names in KEPT.items()}
    assert [row["name"] for row in reference["rows"]] == [
        name for name in ROWS if name in {r["name"] for r in made["rows"]}
    ]
    assert costs_of(reference, "x") == costs_of(made, "x")
    assert "path" not in json.dumps(reference)


def test_what_cannot_be_planned_with_is_not_shipped() -> None:
    made = BenchResult(MACHINE, SETTINGS, rows=[measured(CORES, None, "nothing ran")]).as_json()
    with pytest.raises(PlanError, match="does not say cores per live"):
        reference_of(made, "a test")
