"""Outcomes are kept line by line; what a kill left half written is cut off, and nothing else is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.lab.evaluate.outcomes import Outcome, OutcomeLog

ONE = Outcome(0.1 + 0.2, None, 0.25, 7.32, 0.04)
OTHER = Outcome(None, "silence")
ABOUT = {"path": "a.mp4", "detector": "synchrony"}


def test_what_is_added_is_found_again_to_the_last_digit(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "partial.jsonl"
    with OutcomeLog(path) as partial:
        partial.add("one", ONE, ABOUT)
        partial.add("other", OTHER, ABOUT)
        # At once, not at the end.
        assert path.read_text().count("\n") == 2
        partial.add("one", OTHER, ABOUT)
    with OutcomeLog(path) as partial:
        assert partial.outcomes == {"one": ONE, "other": OTHER}
    assert path.read_text().count("\n") == 2


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_half_written_line_is_cut_off(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "partial.jsonl"
    with OutcomeLog(path) as partial:
        partial.add("one", ONE, ABOUT)
        partial.add("other", OTHER, ABOUT)
    path.write_bytes(path.read_bytes()[:-cut])
    with OutcomeLog(path) as partial:
        assert partial.outcomes == {"one": ONE}
        partial.add("other", OTHER, ABOUT)
    with OutcomeLog(path) as partial:
        assert partial.outcomes == {"one": ONE, "other": OTHER}


def test_lines_that_are_no_outcomes_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "partial.jsonl"
    path.write_text('{"key": "live", "seconds": 1}\nnot json\n[]\n')
    with OutcomeLog(path) as partial:
        assert partial.outcomes == {}
        partial.add("one", ONE, ABOUT)
    with OutcomeLog(path) as partial:
        assert partial.outcomes == {"one": ONE}
