"""The habits of the house hold together: groups of tests, the pure core, pinned versions, hooks."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests import groups, pure

ROOT = Path(__file__).parents[1]
PINS = [
    Requirement(line)
    for line in (ROOT / ".ci/constraints.txt").read_text().splitlines()
    if line and not line.startswith("#")
]
PYTHONS = ("3.11", "3.12", "3.13")


def requirements() -> list[Requirement]:
    """What the project needs itself, and by the extras that continuous integration installs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    separate = {"convert", "tensorrt"}
    lines = [*project["dependencies"], *(line for name in extras.keys() - separate for line in extras[name])]
    return [requirement for line in lines if (requirement := Requirement(line)).name != project["name"]]


def recipe(target: str) -> list[str]:
    """The commands of a target of the Makefile."""
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert found, target
    return [line.strip("\t@").replace("$(BIN)", ".venv/bin") for line in found.group(1).splitlines()]


def test_every_folder_of_tests_is_quick_or_slow() -> None:
    """Whoever adds a folder decides which: a line in tests/groups.py."""
    slow = {name for name in groups.SLOW if not name.endswith(".py")}
    assert groups.folders() - set(groups.QUICK) - slow == set()
    assert set(groups.QUICK) & slow == set()


def test_the_groups_name_what_is_there() -> None:
    assert [
        name
        for name in (*groups.QUICK, *groups.SLOW, *groups.LONGEST, *groups.COMPUTED_ONCE)
        if not (ROOT / name).exists()
    ] == []


def test_what_is_quick_imports_no_torch() -> None:
    """Importing it takes longer than most quick tests, and what needs it trains."""
    importing = re.compile(r"^\s*(import torch|from torch)|importorskip\(\s*\"torch\"", re.MULTILINE)
    assert [name for name in groups.quick_files() if importing.search((ROOT / name).read_text())] == []


def test_the_core_has_tests() -> None:
    assert [name for name in pure.PURE if not (ROOT / name).exists()] == []
    assert all((ROOT / name).exists() for name in pure.tests())
    assert len(pure.tests()) > len(pure.PURE) / 2


@pytest.mark.parametrize("python", PYTHONS)
def test_every_requirement_is_pinned_as_it_allows(python: str) -> None:
    """Where this fails: make constraints."""
    environment = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
    pins: dict[str, set[str]] = {}
    for pin in PINS:
        if pin.marker is None or pin.marker.evaluate(environment):
            pins.setdefault(canonicalize_name(pin.name), set()).add(str(pin.specifier).removeprefix("=="))
    assert {name: versions for name, versions in pins.items() if len(versions) != 1} == {}
    wrong = [
        str(requirement)
        for requirement in requirements()
        if (requirement.marker is None or requirement.marker.evaluate(environment))
        and not any(map(requirement.specifier.contains, pins.get(canonicalize_name(requirement.name), ())))
    ]
    assert wrong == []


def test_pins_are_exact_and_name_no_place() -> None:
    text = (ROOT / ".ci/constraints.txt").read_text()
    assert "://" not in text
    assert "--" not in re.sub(r"^#.*$", "", text, flags=re.MULTILINE)
    assert [str(pin) for pin in PINS if not re.fullmatch(r"==[\w.!+]+", str(pin.specifier))] == []
    assert "torch==2.13.0" in text.splitlines()


def test_hooks_are_the_checks_of_make_check() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repo["repo"] for repo in hooks] == ["local"]
    assert [hook["entry"] for hook in hooks[0]["hooks"]] == [*recipe("check"), *recipe("check-js")]
    assert {hook["language"] for hook in hooks[0]["hooks"]} == {"system"}


def test_a_python_that_is_not_here_is_skipped_with_a_reason() -> None:
    environment = {"PATH": os.defpath, "HOME": "/nowhere", "VERSIONS": "3.99"}
    done = subprocess.run([ROOT / ".ci/check-pythons"], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "Python 3.99: skipped, no such interpreter here\n")


def test_make_test_leaves_no_folder_out() -> None:
    """All of tests/ runs, but for what looks at the clock of real calls, which follows."""
    rest, calls = (line for line in recipe("test") if '-m "(not core or data) and not long"' in line)
    assert "$(CALLS:%=--ignore=%) tests ||" in rest
    assert "$(CALLS) ||" in calls
    (named,) = re.findall(r"^CALLS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert [name for name in named.split() if not (ROOT / name).exists()] == []


def test_tests_multiply_in_one_thread_each() -> None:
    """Set in `tests/__init__.py`, which has to be read before numpy is: with two, a call's sound took three times."""
    pools = pytest.importorskip("threadpoolctl", reason="comes with scikit-learn").threadpool_info()
    assert {pool["num_threads"] for pool in pools if pool["user_api"] == "blas"} == {1}
