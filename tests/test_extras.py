"""What needs an extra says so at once, in one line that installs it; the product itself needs none."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from engines.extras import EXTRAS, MissingExtraError, missing, package, require
from tests.monitor.tap.clips import write_clip
from tests.pure import ROOT
from tests.test_architecture import PACKAGES, files, imports, ours

OPTIONAL = {module for extra in EXTRAS.values() for module in extra.modules}
# What reads clips, judges them or computes: none of it is imported by a command that stops at its extra.
WORKING = {"av", "openvino", "onnxruntime", "matplotlib", "torch", "sklearn", "sqlalchemy"}
COMMANDS = "monitor/lab/commands"
# Each names clips that are not there, so that to look at one before would be another error.
NEEDS = {
    "train speech absent.csv": ("train speech", "train", ("torch", "onnx", "onnxscript", "matplotlib")),
    "train heads absent.csv --packs absent": ("train heads", "train", ("torch", "onnx", "onnxscript")),
    "train faces absent.csv": ("train faces", "train", ("torch", "onnx", "onnxscript", "matplotlib")),
    "train persona absent.csv": ("train persona", "train", ("torch", "onnx", "onnxscript", "matplotlib")),
    "train fusion absent.csv --out out": ("train fusion", "train", ("sklearn", "torch")),
    "train synthetic-voice absent.csv --steps 2": ("train synthetic-voice", "train", ("sklearn", "torch")),
    "train mouths absent.csv": ("train mouths", "train", ("sklearn",)),
    "train pairs absent.csv": ("train pairs", "train", ("sklearn",)),
    "train pairs absent.csv --matched out --compare": ("train pairs --compare", "train", ("torch",)),
    "train people absent.csv --out out": ("train people", "evaluate", ("matplotlib",)),
    "evaluate absent.csv --out out": ("evaluate", "evaluate", ("matplotlib",)),
    "evaluate absent.csv --out out --perturb": ("evaluate", "evaluate", ("matplotlib",)),
    "evaluate absent.csv --out out --live --mismatch": ("evaluate", "evaluate", ("matplotlib",)),
    "evaluate absent --out out --suite": ("evaluate --suite", "evaluate", ("matplotlib",)),
    "evaluate --out out --pairs absent.csv": ("evaluate --pairs", "evaluate", ("matplotlib",)),
    "evaluate absent.csv --out out --matched": ("evaluate --matched", "train", ("sklearn",)),
    "bench --clip absent.mp4": ("bench", "bench", ("psutil",)),
    "bench --clip absent.mp4 --out out": ("bench --out", "bench", ("matplotlib",)),
    "bench --clip absent.mp4 --peer": ("bench --peer", "train", ("torch",)),
    "bench --clip absent.mp4 --ray": ("bench --ray", "cluster", ("ray",)),
    "bench --clip absent.mp4 --database postgresql://absent/absent": ("bench --database", "postgres", ("psycopg",)),
    "enroll somebody absent.mp4 --poses out.png": ("enroll --poses", "evaluate", ("matplotlib",)),
    "engines import lr-asd absent --out out --accept-licence": (
        "engines import lr-asd",
        "train",
        ("torch", "onnx", "onnxscript"),
    ),
    "engines import dlib-face --out out --accept-licence": (
        "engines import dlib-face",
        "identity",
        ("onnx", "face_recognition_models"),
    ),
    "engines import dlib-face absent.dat --out out --accept-licence": (
        "engines import dlib-face",
        "identity",
        ("onnx",),
    ),
    "engines import silero-vad --out out --accept-licence": ("engines import silero-vad", "speech", ("onnx",)),
    "engines import resemblyzer --out out --accept-licence": ("engines import resemblyzer", "speech", ("onnx",)),
    "engines float16 out": ("engines float16", "tensorrt", ("onnx",)),
    "engines pool --engine onnx": ("engines pool", "cluster", ("ray",)),
}
CASES = [(command, module) for command, (_, _, modules) in NEEDS.items() for module in modules]
# What a command's imports reach in a module that it shares with another command, and never calls.
UNUSED = {
    ("engines", "ray"),
    ("evaluate", "torch"),
    ("suite", "sklearn"),
    ("suite", "torch"),
    ("tables", "sklearn"),
    ("tables", "torch"),
    ("train_people", "sklearn"),
    ("train_people", "torch"),
    ("train_calibration", "sklearn"),
    ("train_calibration", "torch"),
}
# As it is where a package is not installed: the search for it finds nothing.
HIDE = """
from importlib.machinery import PathFinder
hidden, find = set(), PathFinder.find_spec
PathFinder.find_spec = lambda name, path=None, target=None: (
    None if name.partition(".")[0] in hidden else find(name, path, target)
)
"""
RUN = f"""{HIDE}
import contextlib, io, json, sys
from monitor import cli
for command, module in json.load(sys.stdin):
    hidden.clear()
    hidden.add(module)
    with contextlib.redirect_stderr(io.StringIO()) as err, contextlib.redirect_stdout(io.StringIO()) as out:
        status = cli.run(command.split())
    loaded = sorted({{name.partition(".")[0] for name in sys.modules}})
    print(json.dumps([status, err.getvalue(), out.getvalue(), loaded]))
"""
SCAN = f"""{HIDE}
import sys
hidden.update(sys.argv[1].split(","))
import monitor.serve, monitor.session.clip
from monitor import cli
sys.exit(cli.run(["scan", sys.argv[2], "--json"]))
"""

Ended = tuple[int, str, str, list[str]]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[tuple[str, str], Ended], Path]:
    """How every command ends without one of its modules, and where they all ran."""
    folder = tmp_path_factory.mktemp("without")
    answered = _python(RUN, [], folder, json.dumps(CASES))
    assert answered.returncode == 0, answered.stderr
    return dict(zip(CASES, map(json.loads, answered.stdout.splitlines()), strict=True)), folder


@pytest.mark.parametrize(("command", "module"), CASES)
def test_a_command_without_its_extra_says_what_to_install_before_any_work(
    command: str, module: str, ended: tuple[dict[tuple[str, str], Ended], Path]
) -> None:
    user, extra, _ = NEEDS[command]
    commands, folder = ended
    status, err, out, loaded = commands[command, module]
    assert (status, out) == (1, "")
    # Of what is imported the licence is shown first: nothing is converted before it is accepted.
    *licence, last = err.splitlines()
    assert bool(licence) == command.startswith("engines import")
    assert last == f"error: {user} needs {package(module)}: pip install 'sidewitness[{extra}]'"
    assert not WORKING & set(loaded)
    assert list(folder.iterdir()) == []


def test_every_command_that_reaches_an_optional_package_is_among_these() -> None:
    covered: dict[str, set[str]] = {}
    for command, (_, _, modules) in NEEDS.items():
        covered.setdefault(_file(command), set()).update(modules)
    for file in files(COMMANDS):
        reached = {name for name in _reached(file) & OPTIONAL if (file.stem, name) not in UNUSED}
        assert reached <= covered.get(file.stem, set()), file.name
    assert {name for _, name in UNUSED} <= OPTIONAL


def test_an_extra_is_called_by_what_it_installs() -> None:
    listed: dict[str, list[str]] = _pyproject()["optional-dependencies"]
    for name, extra in EXTRAS.items():
        names = {re.split(r"[=<>;\[ ]", line)[0] for line in listed[name]}
        plain = {name.removesuffix("-cu13") for name in names}
        assert plain == {package(module) for module in extra.modules}, name


def test_no_requirement_is_of_the_laboratory_alone() -> None:
    required = {re.split(r"[=<>;\[ ]", line)[0] for line in _pyproject()["dependencies"]}
    assert not required & {package(module) for module in OPTIONAL}


def test_every_requirement_of_the_code_names_an_extra_and_what_is_in_it() -> None:
    found: list[Path] = []
    for file in (each for each in files(*PACKAGES) if "require(" in each.read_text()):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "require":
                extra, *modules = [ast.literal_eval(a) for a in node.args[1:] if not isinstance(a, ast.Starred)]
                assert set(modules) <= set(EXTRAS[extra].modules), file.name
                found.append(file)
    assert len(found) > 10


def test_what_is_missing_is_named_together() -> None:
    assert missing("json", "surely_not_here", "sklearn.surely_not_here", "nowhere.at_all") == [
        "surely_not_here",
        "sklearn.surely_not_here",
        "nowhere.at_all",
    ]
    with pytest.raises(
        MissingExtraError, match=r"^a --b needs surely_not_here and nor_here: pip install 'sidewitness\[train\]'$"
    ):
        require("a --b", "train", "surely_not_here", "json", "nor_here")


def test_the_product_needs_no_extra(tmp_path: Path) -> None:
    """Import the server, and judge a clip, where no package of any extra is installed."""
    clip = write_clip(tmp_path / "bars.mp4", seconds=2.0)
    done = _python(SCAN, [",".join(sorted(OPTIONAL)), str(clip)], tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"] == "inconclusive"


def _python(code: str, arguments: list[str], folder: Path, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, in this folder."""
    state = {name: value for name, value in os.environ.items() if not name.startswith("SIDEWITNESS_")}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        input=text,
        env={**state, "PYTHONPATH": str(ROOT), "SIDEWITNESS_STATE_DIR": str(folder / "state")},
        capture_output=True,
        text=True,
        timeout=240,
    )


def _file(command: str) -> str:
    """The file of a command, by its words."""
    words = command.split()
    if words[0] == "train":
        return "train" if words[1] == "speech" else f"train_{words[1].replace('-', '_')}"
    if "--suite" in words:
        return "suite"
    parts = {"float16": "engines_build", "pool": "engines_pool"}
    return parts.get(words[1], words[0]) if words[0] == "engines" else words[0]


def _reached(start: Path) -> set[str]:
    """The top packages that a file imports, and all files that it imports, wherever they do."""
    seen, waiting, found = {start}, [start], set[str]()
    while waiting:
        file = waiting.pop()
        found |= {name.split(".")[0] for name in imports(file)}
        # The groups of commands name the others, which are looked at by themselves.
        new = {other for other in ours(file) if not other.is_relative_to(ROOT / COMMANDS)} - seen
        seen |= new
        waiting += new
    return found


def _pyproject() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project
