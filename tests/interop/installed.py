"""Which other people's programs are here, and in which versions."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

NODE_FOLDER = Path(__file__).parent / "node"
SBIN = "/usr/sbin:/usr/local/sbin"


def program(name: str) -> str | None:
    """Where a program is; daemons are not on everybody's path."""
    return shutil.which(name) or shutil.which(name, path=SBIN)


def needs(name: str, package: str) -> pytest.MarkDecorator:
    """Skip, with the package to install, where a program is missing."""
    return pytest.mark.skipif(
        program(name) is None, reason=f"{name} is not installed: make interop (package {package})"
    )


def needs_node(module: str) -> pytest.MarkDecorator:
    """Skip where Node.js or a module of ours for it is missing."""
    there = program("node") is not None and (NODE_FOLDER / "node_modules" / module).exists()
    return pytest.mark.skipif(not there, reason=f"Node.js or its module {module} is not installed: make interop")


def version_of(name: str, *arguments: str) -> str:
    """The version that a program gives of itself; empty where it gives none."""
    path = program(name)
    if path is None:
        return ""
    done = subprocess.run([path, *(arguments or ("--version",))], capture_output=True, text=True, timeout=30)
    numbers = re.findall(r"(?<![-\d.])\d+(?:\.\d+)+(?:esr)?", done.stdout + done.stderr)
    return numbers[0] if numbers else ""


def node_version(module: str) -> str:
    """The version of a module for Node.js."""
    text = (NODE_FOLDER / "node_modules" / module / "package.json").read_text()
    found = re.search(r'"version": "([^"]+)"', text)
    return found[1] if found else ""
