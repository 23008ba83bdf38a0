"""The tables say what summary.json says, also where there is nothing to say."""

from __future__ import annotations

import pytest
from rich.console import Console
from rich.table import Table

from monitor.lab.evaluate.call_replay import CallOutcome
from monitor.lab.evaluate.call_summary import summarise_calls
from monitor.lab.evaluate.robustness import describe
from monitor.lab.evaluate.tables import live_table, robustness_table
from tests.monitor.lab.evaluate.test_robustness import made


def text(table: Table) -> str:
    console = Console(width=200, record=True, quiet=False, file=None, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_robustness_in_a_row_for_each_task() -> None:
    told = describe(made())
    shown = text(robustness_table({"synchrony": told, "[odd]": describe({})}))
    assert f"{told['clean']:.3f}" in shown
    assert f"{told['fall_points']:.1f} ({told['fall_low']:.1f} to" in shown
    assert "[odd]" in shown
    assert "all" in text(robustness_table({}))


@pytest.mark.parametrize("opened", [(), (42.0,)])
def test_calls_genuine_and_by_method(opened: tuple[float, ...]) -> None:
    calls = [
        CallOutcome("a", "real", "real", "ann", 3600.0, 5.0, 100, 20, opened),
        CallOutcome("b", "fake", "[x]", "bob", 60.0, 5.0, 100, 20, opened),
    ]
    shown = text(live_table(summarise_calls(calls)))
    assert "[x]" in shown
    assert ("1.00 (0.03 to 5.57)" in shown) == bool(opened)
    assert ("42 s" in shown) == bool(opened)
    assert "0.17" in shown
    assert "-" in text(live_table(summarise_calls([])))
