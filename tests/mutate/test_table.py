"""The table of mutations is not stale, and what reads the results of one says green where a test did not notice."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.mutate.mutation import Mutation
from tests.mutate.run import ROOT, failed_tests, is_stale, tried, verdict
from tests.mutate.table import MUTATIONS

THIS = "tests/mutate/test_table.py::test_the_table_names_tests_that_are_there"


@cache
def defined(file: str) -> frozenset[str]:
    """The tests of a file."""
    path = ROOT / file
    nodes = ast.parse(path.read_text()).body if path.is_file() else []
    return frozenset(n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def is_there(test: str) -> bool:
    """Whether a test id names a test."""
    file, _, name = test.partition("::")
    return name.startswith("test_") and name in defined(file)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: f"{m.file}: {m.name}")
def test_what_is_replaced_occurs_once(mutation: Mutation) -> None:
    assert not is_stale(mutation)
    assert mutation.old != mutation.new
    assert mutation.tests


def test_the_table_names_tests_that_are_there() -> None:
    assert [test for mutation in MUTATIONS for test in mutation.tests if not is_there(test)] == []
    names = [(mutation.file, mutation.name) for mutation in MUTATIONS]
    assert len(set(names)) == len(names)


def test_a_name_that_is_not_there_is_found() -> None:
    assert is_there(THIS)
    assert not is_there(THIS + "_no_more")
    assert not is_there("tests/mutate/no_such_file.py::test_it")


def test_only_what_every_named_test_notices_is_red() -> None:
    mutation = Mutation("", "", "", "", ("a.py::test_one", "a.py::test_two"))
    output = "FAILED a.py::test_one[x y] - no\nERROR a.py::test_two - at setup\nPASSED a.py::test_three\n"
    assert failed_tests(output) == {"a.py::test_one", "a.py::test_two"}
    assert verdict(mutation, 1, failed_tests(output)) == "red"
    assert verdict(mutation, 1, {"a.py::test_one"}) == "green"
    assert verdict(mutation, 0, set()) == "green"
    assert {verdict(mutation, status, failed_tests(output)) for status in (-1, 2, 4, 5)} == {"broken"}


CODE = "LIMIT = 8\n\n\ndef room(n: int) -> bool:\n    return n < LIMIT\n"
TEST = (
    "from room import room\n\n\ndef test_a_limit() -> None:\n    assert not room(8)\n\n\n"
    "def test_room() -> None:\n    assert room(3)\n"
)


@pytest.mark.parametrize(
    ("old", "test", "became"),
    [
        ("n < LIMIT", "test_a_limit", "red"),
        ("n < LIMIT", "test_room", "green"),
        ("n <= LIMIT", "test_a_limit", "stale"),
        ("n < LIMIT", "test_that_is_not_there", "broken"),
    ],
)
def test_a_defence_is_taken_away_and_put_back(tmp_path: Path, old: str, test: str, became: str) -> None:
    (tmp_path / "room.py").write_text(CODE)
    (tmp_path / "test_room.py").write_text(TEST)
    mutation = Mutation("no limit", "room.py", old, "True", (f"test_room.py::{test}",))
    assert tried(mutation, tmp_path) == became
    assert (tmp_path / "room.py").read_text() == CODE
