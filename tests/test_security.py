"""The table of threats: every row says what stands against it, and names tests that are there."""

from __future__ import annotations

import re

import pytest

from tests.mutate.run import ROOT
from tests.mutate.table import MUTATIONS
from tests.mutate.test_table import is_there

DOCUMENT = ROOT / "docs" / "security.md"
TEST = re.compile(r"`(tests/[\w/]+\.py::\w+)`")
HEAD = ["threat", "defence", "tests"]
# Fewer would be fewer threats than were known when the table was first whole.
LEAST_ROWS = 34


def rows() -> list[list[str]]:
    """The cells of every threat."""
    lines = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [row for row in cells if row != HEAD and not set("".join(row)) <= set("-: ")]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_a_threat_has_a_defence_and_tests_that_are_there(row: list[str]) -> None:
    threat, defence, named = row
    assert threat
    assert defence
    assert TEST.sub("", named).replace("<br>", "") == ""
    tests = TEST.findall(named)
    assert tests
    assert len(set(tests)) == len(tests)
    assert [test for test in tests if not is_there(test)] == []


def test_no_threat_has_gone() -> None:
    threats = [row[0] for row in rows()]
    assert len(set(threats)) == len(threats) >= LEAST_ROWS


def test_what_is_taken_away_has_a_threat_that_it_stands_against() -> None:
    """A mutation of which no test is in the table defends against nothing that a reader is told of."""
    named = set(TEST.findall(DOCUMENT.read_text()))
    assert [mutation.name for mutation in MUTATIONS if not named & set(mutation.tests)] == []
