"""What is installed: every file that the code reads is package data, and the licences are told."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from engines.load import pack_names

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
IGNORED = {".py", ".pyc"}


@pytest.mark.parametrize("package", ["monitor", "engines", "plugins"])
def test_every_data_file_is_installed(package: str) -> None:
    """A wheel holds only what is listed; an editable install hides what is missing."""
    folder = ROOT / package
    listed = {path for glob in PROJECT["tool"]["setuptools"]["package-data"][package] for path in folder.glob(glob)}
    present = {path for path in folder.rglob("*") if path.is_file() and path.suffix not in IGNORED}
    documents = {path for path in present if path.name == "README.md"}
    assert present - documents - listed == set()


def test_the_licence_files_are_there() -> None:
    for name in PROJECT["project"]["license-files"]:
        assert (ROOT / name).is_file()
    assert "Apache License" in (ROOT / "LICENSE").read_text()


@pytest.mark.parametrize("name", pack_names())
def test_every_pack_has_a_card(name: str) -> None:
    assert (ROOT / "engines" / "models" / name / "card.md").read_text().startswith("# ")
