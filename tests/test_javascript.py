"""The check of the dashboard's JavaScript says why where it cannot run, and pins no address of a package."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CHECK = ROOT / ".ci/js/check"
BASH = shutil.which("bash") or "/bin/bash"
OLD_NODE = '#!/bin/sh\nif [ "$1" = --version ]; then echo v18.0.0; else exit 1; fi\n'


def run(folder: Path, **programs: str) -> subprocess.CompletedProcess[str]:
    """Run the check where these programs, by their text, are all that there is."""
    for name, text in programs.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return subprocess.run([BASH, CHECK], env={"PATH": str(folder)}, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("programs", "why"),
    [
        ({}, "node is not installed (20.19 or newer)"),
        ({"node": OLD_NODE}, "npm is not installed"),
        ({"node": OLD_NODE, "npm": OLD_NODE}, "node v18.0.0 is too old (20.19 or newer)"),
    ],
)
def test_where_it_cannot_run_it_passes_and_says_why(tmp_path: Path, programs: dict[str, str], why: str) -> None:
    done = run(tmp_path, **programs)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"note: the dashboard's JavaScript was not checked: {why}\n"


def test_make_check_calls_it() -> None:
    rules = (ROOT / "Makefile").read_text()
    [check] = [line for line in rules.splitlines() if line.startswith("check:")]
    assert "check-js" in check.split()
    assert "\ncheck-js:\n\t@bash .ci/js/check\n" in rules


@pytest.mark.parametrize(("folder", "kind"), [(".ci/js", "devDependencies"), ("tests/interop/node", "dependencies")])
def test_versions_are_pinned_and_no_address_is(folder: str, kind: str) -> None:
    wanted = json.loads((ROOT / folder / "package.json").read_text())[kind]
    assert all(version[0].isdigit() for version in wanted.values())
    packages = json.loads((ROOT / folder / "package-lock.json").read_text())["packages"]
    assert wanted == packages[""][kind]
    assert len(packages) > len(wanted)
    for name, package in packages.items():
        assert "resolved" not in package
        assert not name or {"version", "integrity"} <= set(package)
