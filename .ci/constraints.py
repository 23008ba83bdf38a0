"""Renew constraints.txt: every version, direct or not, that an installation for the tests has, on Python 3.11 to 3.13.

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
# They need an environment or a machine of their own, and no continuous integration installs them.
SEPARATE_EXTRAS = {"convert", "tensorrt"}
# What holds for every machine that the project supports says nothing about a version.
SUPPORTED = "python_full_version < '3.14' and sys_platform == 'linux'"
HEADER = """\
# Every version that continuous integration installs, on Python 3.11 to 3.13: `pip install -c` reads it.
# Made by `make constraints`, or with the newest versions by `make constraints UPGRADE=--upgrade`; not edited by hand.
"""


def without_supported(line: str) -> str:
    """Return a pin without the marker that holds wherever the project runs."""
    pin, _, marker = line.partition(" ; ")
    return pin if marker == SUPPORTED else line


def main(arguments: list[str]) -> int:
    """Resolve, and write the file."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "constraints.txt"
        if FILE.exists():
            output.write_text(FILE.read_text())
        project = Path(folder) / "pyproject.toml"
        supported = f'\n[tool.uv]\nenvironments = ["{SUPPORTED}"]\n'
        project.write_text((ROOT / "pyproject.toml").read_text() + supported)
        names = tomllib.loads(project.read_text())["project"]["optional-dependencies"].keys() - SEPARATE_EXTRAS
        extras = [f"--extra={name}" for name in sorted(names)]
        options = ["--universal", "--python-version", "3.11", "--no-emit-index-url", "--no-annotate", "--no-header"]
        command = [sys.executable, "-m", "uv", "pip", "compile", str(project), *extras, *options, *arguments]
        done = subprocess.run([*command, "--quiet", "--output-file", str(output)], cwd=folder, check=False)
        if done.returncode != 0:
            return 1
        pins = [without_supported(line) for line in output.read_text().splitlines() if not line.startswith("#")]
    FILE.write_text(HEADER + "".join(f"{pin}\n" for pin in pins))
    print(f"{len(pins)} versions in {FILE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
