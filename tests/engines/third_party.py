"""Packages of third parties, written into a folder as an installer would: modules beside their metadata."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engines.registry import GROUP


class Site:
    """A folder on the path of this process, and through the environment on that of its children."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        folder.mkdir()
        monkeypatch.syspath_prepend(folder)
        monkeypatch.setenv("PYTHONPATH", ":".join((str(folder), str(Path(__file__).parents[2]))))

    def install(self, engine: str, target: str, package: str = "toy-pack", **modules: str) -> None:
        """Write a package that declares an engine, and its modules: name and source."""
        for name, source in modules.items():
            (self.folder / f"{name}.py").write_text(source)
            sys.modules.pop(name, None)
        about = self.folder / f"{package.replace('-', '_')}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[{GROUP}]\n{engine} = {target}\n")
