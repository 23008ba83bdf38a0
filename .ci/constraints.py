"""Renew every pinned version: constraints.txt, and the hashed files runtime.txt and models.txt that the image installs.

`constraints.txt` holds every version, direct or not, that an installation for the tests has, on Python 3.11 to 3.13.
`runtime.txt` holds what running needs and what builds the wheel, `models.txt` also what builds the packs that are not
published: the same versions, with the sha256 of every file that the index has of them, for
`pip install --require-hashes`.

What is pinned already stays as it is unless `--upgrade` is given; what the project no longer needs goes. uv resolves
for every Python version at once and writes a marker where they differ.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILE = ROOT / ".ci" / "constraints.txt"
# The extras of each hashed file.
HASHED: dict[Path, tuple[str, ...]] = {
    ROOT / ".ci" / "runtime.txt": ("postgres",),
    ROOT / ".ci" / "models.txt": ("identity", "speech"),
}
# They need an environment or a machine of their own, and no continuous integration installs them.
SEPARATE_EXTRAS = {"convert", "tensorrt"}
# What holds for every machine that the project supports says nothing about a version.
SUPPORTED = "python_full_version < '3.14' and sys_platform == 'linux'"
HEADER = """\
# Every version that continuous integration installs, on Python 3.11 to 3.13: `pip install -c` reads it.
# Made by `make constraints`, or with the newest versions by `make constraints UPGRADE=--upgrade`; not edited by hand.
"""
HASHED_HEADER = """\
# Versions of constraints.txt, each file by its sha256, for `pip install --require-hashes -r`: what builds the wheel,
# and what running needs{extras}. Made by `make constraints`; not edited by hand.
"""


def without_supported(line: str) -> str:
    """Return a pin without the marker that holds wherever the project runs."""
    pin, _, marker = line.removesuffix(" \\").partition(" ; ")
    ending = " \\" if line.endswith(" \\") else ""
    return pin + ending if marker == SUPPORTED else line


def compile_pins(folder: Path, output: Path, *options: str) -> list[str] | None:
    """Resolve the project in `folder` with uv's `options`; None when it failed, which it has said why."""
    places = ["--no-emit-index-url", "--no-annotate", "--no-header"]
    compiling = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--universal", "--python-version=3.11"]
    command = [*compiling, *places, *options, "--quiet", f"--output-file={output}"]
    done = subprocess.run(command, cwd=folder, check=False)
    if done.returncode != 0:
        return None
    return [without_supported(line) for line in output.read_text().splitlines() if not line.startswith("#")]


def write(file: Path, header: str, pins: list[str]) -> None:
    """Write a file of pins, and say how many versions it holds."""
    file.write_text(header + "".join(f"{pin}\n" for pin in pins))
    print(f"{sum('==' in pin for pin in pins)} versions in {file.relative_to(ROOT)}")


def main(arguments: list[str]) -> int:
    """Resolve, and write the files."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        output = folder / "constraints.txt"
        if FILE.exists():
            output.write_text(FILE.read_text())
        supported = f'\n[tool.uv]\nenvironments = ["{SUPPORTED}"]\n'
        (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text() + supported)
        names = project["project"]["optional-dependencies"].keys() - SEPARATE_EXTRAS
        pins = compile_pins(folder, output, *(f"--extra={name}" for name in sorted(names)), *arguments)
        if pins is None:
            return 1
        write(FILE, HEADER, pins)
        # Not with --build-constraints: the backend is installed with the rest, since pip's own isolation knows no hash.
        backend = folder / "backend.txt"
        backend.write_text("".join(f"{line}\n" for line in project["build-system"]["requires"]))
        for file, extras in HASHED.items():
            wanted = [f"--extra={name}" for name in extras]
            options = [str(backend), f"--constraint={FILE}", "--generate-hashes", *wanted]
            hashed = compile_pins(folder, folder / file.name, *options)
            if hashed is None:
                return 1
            with_extras = f" with the extra{'s' * (len(extras) > 1)} {' and '.join(extras)}" if extras else ""
            write(file, HASHED_HEADER.format(extras=with_extras), hashed)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
