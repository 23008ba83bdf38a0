"""`make release-check`: whether what lies here can be released, from the changelog to a wheel that runs by itself.

Reads and builds from a copy of the files that git tracks, so that nothing left behind by work gets into an archive.
Each step prints a line; the first that fails says what to do and ends it with status 1.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import venv
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[1]
CI = ROOT / ".ci"
RUNTIME = CI / "runtime.txt"
# What builds the wheel; the rest of runtime.txt runs.
BACKEND = {"setuptools"}
PACKAGES = ("monitor", "engines", "plugins")
# Documents of a folder for people who read the source; no code reads them.
SOURCE_ONLY = "README.md"


class NotReadyError(Exception):
    """Why this cannot be released, and what to do, in one line."""


@dataclass(slots=True)
class Release:
    """What is checked: the project's name and version, and where its copy, archives and venv lie."""

    name: str
    version: str
    folder: Path

    @property
    def is_development(self) -> bool:
        """Whether the version is one between two releases."""
        return ".dev" in self.version

    @property
    def source(self) -> Path:
        """The copy of the tracked files."""
        return self.folder / "source"

    @property
    def dist(self) -> Path:
        """Where the archives are built."""
        return self.folder / "dist"

    @property
    def wheel(self) -> Path:
        """The wheel that was built from the sdist."""
        return next(self.dist.glob("*.whl"))

    @property
    def binaries(self) -> Path:
        """The commands of the empty venv."""
        return self.folder / "venv" / "bin"

    @property
    def bill(self) -> Path:
        """The list of what the release holds, which stays."""
        return ROOT / ".cache" / f"{self.name}-{self.version}.cdx.json"


def run(*command: str | Path, cwd: Path, remedy: str) -> str:
    """Run a command and return what it printed; what fails is shown with its last lines."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise NotReadyError(f"{' '.join(map(str, command[:4]))} failed: {remedy}\n{tail}")
    return done.stdout


def tracked_files() -> list[str]:
    """List the files that git tracks and that are there."""
    listed = run("git", "ls-files", "-z", cwd=ROOT, remedy="run this in a clone of the repository")
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def shipped_files(names: list[str]) -> set[str]:
    """Select the tracked files that a wheel has to hold."""
    return {name for name in names if name.split("/")[0] in PACKAGES and PurePosixPath(name).name != SOURCE_ONLY}


def check_changelog(release: Release) -> str:
    """Require an entry for this version in the changelog; between releases, it is `Unreleased`."""
    dated = re.compile(r"\[?[^\s\]]+\]? - \d{4}-\d\d-\d\d")
    title = "Unreleased" if release.is_development else release.version
    text = (ROOT / "CHANGELOG.md").read_text()
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    bodies = {re.split(r"[\s\]]", section.lstrip("["), maxsplit=1)[0]: section for section in sections}
    entry = bodies.get(title)
    if entry is None:
        raise NotReadyError(f'CHANGELOG.md has no "## {title}": write what changed since the last release under it')
    if not re.search(r"^- ", entry, re.MULTILINE):
        raise NotReadyError(f'"## {title}" in CHANGELOG.md is empty: write what changed since the last release')
    if not release.is_development and not dated.fullmatch(entry.partition("\n")[0].strip()):
        raise NotReadyError(f'"## {title}" in CHANGELOG.md has no date: write "## {title} - YYYY-MM-DD"')
    return f'"## {title}" in CHANGELOG.md'


def build_archives(release: Release) -> str:
    """Build the sdist and the wheel from it, and the wheel once more from the files themselves."""
    for name in tracked_files():
        target = release.source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    build = (sys.executable, "-m", "build", "--no-isolation")
    remedy = "correct what it says"
    run(*build, "--outdir", release.dist, release.source, cwd=release.folder, remedy=remedy)
    run(*build, "--wheel", "--outdir", release.folder / "direct", release.source, cwd=release.folder, remedy=remedy)
    sizes = [f"{path.name} ({path.stat().st_size / 1e6:.0f} MB)" for path in sorted(release.dist.iterdir())]
    return " and ".join(sizes)


def digests(wheel: Path) -> dict[str, str]:
    """Compute the sha256 of each file in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {
            name: hashlib.sha256(archive.read(name)).hexdigest()
            for name in archive.namelist()
            if not name.endswith("/RECORD")
        }


def check_archives(release: Release) -> str:
    """Require the version in both names, and the sdist to make the wheel that the files make."""
    names = {path.name for path in release.dist.iterdir()}
    expected = {f"{release.name}-{release.version}.tar.gz", f"{release.name}-{release.version}-py3-none-any.whl"}
    if names != expected:
        raise NotReadyError(f"built {sorted(names)}, not {sorted(expected)}: see [project] in pyproject.toml")
    from_sdist, direct = digests(release.wheel), digests(next((release.folder / "direct").glob("*.whl")))
    different = sorted(name for name in from_sdist.keys() | direct.keys() if from_sdist.get(name) != direct.get(name))
    if different:
        raise NotReadyError(f"the sdist makes another wheel than the files do: {', '.join(different[:5])}")
    with tarfile.open(release.dist / f"{release.name}-{release.version}.tar.gz") as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    missing = {"LICENSE", "NOTICE", "README.md", "pyproject.toml"} - inside
    if missing:
        raise NotReadyError(f"the sdist lacks {', '.join(sorted(missing))}")
    return "the sdist makes the same wheel as the files"


def check_contents(release: Release) -> str:
    """Require every tracked file of the packages (dashboard, migrations, models, splits), and nothing else."""
    expected = shipped_files(tracked_files())
    held = {name for name in digests(release.wheel) if ".dist-info/" not in name}
    if expected - held:
        missing = ", ".join(sorted(expected - held)[:5])
        raise NotReadyError(
            f"the wheel lacks {missing}: list it under [tool.setuptools.package-data] in pyproject.toml"
        )
    if held - expected:
        raise NotReadyError(f"the wheel holds what git does not track: {', '.join(sorted(held - expected)[:5])}")
    data = sum(not name.endswith(".py") for name in held)
    return f"{len(held)} files, {data} of them data, as git has them"


def install_wheel(release: Release) -> str:
    """Install what the wheel needs in an empty venv, each file by its hash, and then the wheel alone."""
    venv.create(release.folder / "venv", with_pip=True)
    install = (release.binaries / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    remedy = "`make constraints`, if versions or hashes disagree"
    run(*install, "--require-hashes", "-r", RUNTIME, cwd=release.folder, remedy=remedy)
    run(*install, "--no-deps", release.wheel, cwd=release.folder, remedy=remedy)
    run(release.binaries / "python", "-m", "pip", "check", cwd=release.folder, remedy="`make constraints`")
    return "in an empty venv, without extras, every file by its hash"


def check_version(release: Release) -> str:
    """Require the installed command to say the version of pyproject.toml."""
    shown = run(
        release.binaries / "sidewitness", "--version", cwd=release.folder, remedy="correct what it says"
    ).strip()
    if shown != release.version:
        raise NotReadyError(f"`sidewitness --version` says {shown}, pyproject.toml {release.version}")
    return f"sidewitness --version says {shown}"


def check_doctor(release: Release) -> str:
    """Require the installed command to miss nothing that it needs to run."""
    run(release.binaries / "sidewitness", "doctor", cwd=release.folder, remedy="correct what it says failed")
    return "sidewitness doctor misses nothing that it needs"


def check_image(release: Release) -> str:
    """Require the image's base by digest in a release: a tag is whatever it names on the day."""
    base = re.search(r"^ARG PYTHON_IMAGE=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    if base is None:
        raise NotReadyError("the Dockerfile has no line ARG PYTHON_IMAGE=...: its base must be named there")
    if re.fullmatch(r"[\w./:-]+@sha256:[0-9a-f]{64}", base[1]):
        return f"the base is {base[1].partition('@')[0]}, by its digest"
    if not release.is_development:
        raise NotReadyError(f"the Dockerfile's base {base[1]} is a tag: pin it with make base-image")
    return f"note: the base {base[1]} is a tag, which no release may have: make base-image"


def check_bill(release: Release) -> str:
    """Write the software bill of materials of the empty venv, and require what runtime.txt pins to be in it."""
    site = run(
        release.binaries / "python",
        "-c",
        "import sysconfig; print(sysconfig.get_path('purelib'))",
        cwd=release.folder,
        remedy="correct what it says",
    ).strip()
    counted = run(sys.executable, CI / "sbom.py", site, release.bill, cwd=release.folder, remedy="correct what it says")
    held = {part["name"] for part in json.loads(release.bill.read_text())["components"] if "purl" in part}
    pins = (line for line in RUNTIME.read_text().splitlines() if "==" in line)
    pinned = {line.partition("==")[0] for line in pins if ";" not in line} - BACKEND
    if pinned - held:
        raise NotReadyError(f"{release.bill.name} lacks {', '.join(sorted(pinned - held))}: see .ci/sbom.py")
    return f"{counted.strip()} in {release.bill.relative_to(ROOT)}"


def check_advisories(release: Release) -> str:
    """Require what is shipped to have no known vulnerability, where that can be asked."""
    said = run(sys.executable, CI / "audit.py", cwd=release.folder, remedy="make constraints UPGRADE=--upgrade")
    return "; ".join(said.strip().splitlines())


STEPS: tuple[Callable[[Release], str], ...] = (
    check_changelog,
    build_archives,
    check_archives,
    check_contents,
    install_wheel,
    check_version,
    check_doctor,
    check_bill,
    check_image,
    check_advisories,
)


def main() -> int:
    """Run the steps in order."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    with tempfile.TemporaryDirectory(prefix="release-") as folder:
        release = Release(project["name"], project["version"], Path(folder))
        for step in STEPS:
            begun = time.monotonic()
            try:
                result = step(release)
            except NotReadyError as error:
                print(f"error: {error}", file=sys.stderr)
                return 1
            print(f"{step.__name__.replace('_', ' '):16} {result} ({time.monotonic() - begun:.0f} s)", flush=True)
    if release.is_development:
        print(f"note: {release.version} is a version between releases: docs/releasing.md says how to set the next one")
    return 0


if __name__ == "__main__":
    sys.exit(main())
