"""The rules of the house, read off the imports: what is pure, who knows whom, and where private names are touched."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.pure import PURE, ROOT

SHELLS = {"asyncio", "av", "torch", "aiortc", "aioice", "fastapi", "starlette", "sqlalchemy"}
PACKAGES = ("monitor", "engines", "plugins")
# The roof: it alone may know every room. Everything else in the root of a package is its floor.
ROOFS = {"monitor/serve.py": "monitor/serve", "engines/load.py": "engines/load"}
MOST_IN_ROOT = 17
LAB = "monitor/lab"
MAX_FILE_LINES, MAX_FUNCTION_LINES = 400, 60


def files(*names: str) -> list[Path]:
    """The Python files under these names, each of which must be there."""
    for name in names:
        assert (ROOT / name).exists(), f"a rule of the house names {name}, which is not there"
    paths = [ROOT / name for name in names]
    return sorted(file for path in paths for file in ([path] if path.is_file() else path.rglob("*.py")))


class Facts(NamedTuple):
    """What the rules ask of a file: trees would be looked through by every collection of garbage, and are not kept."""

    imported: tuple[tuple[str, tuple[str, ...]], ...]
    functions: tuple[tuple[str, int], ...]
    docstring: str | None
    is_empty: bool


@cache
def facts(file: Path) -> Facts:
    """Read a file once.

    Of imports it is every module, wherever it is imported, and the names taken from it, but not those for types only;
    of functions the names and how many lines they have. A file is empty that holds nothing but its docstring.
    """
    text = file.read_text()
    tree = ast.parse(text)
    typing_only = {
        id(node)
        for guard in (ast.walk(tree) if "TYPE_CHECKING" in text else ())
        if isinstance(guard, ast.If) and "TYPE_CHECKING" in ast.dump(guard.test)
        for node in ast.walk(guard)
    }
    imported: list[tuple[str, tuple[str, ...]]] = []
    functions: list[tuple[str, int]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            functions.append((node.name, (node.end_lineno or node.lineno) - node.lineno + 1))
        elif isinstance(node, ast.Import) and id(node) not in typing_only:
            imported += [(alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and id(node) not in typing_only:
            imported.append((node.module, tuple(alias.name for alias in node.names)))
    is_empty = all(isinstance(node, ast.Expr) for node in tree.body)
    return Facts(tuple(imported), tuple(functions), ast.get_docstring(tree), is_empty)


def imports(file: Path) -> set[str]:
    """The modules that a file imports."""
    return {module for module, _ in facts(file).imported}


@cache
def file_of(module: str) -> Path | None:
    """The file of a module of ours, None for a package's mere name and for anything else."""
    path = ROOT.joinpath(*module.split("."))
    if path.with_suffix(".py").is_file():
        return path.with_suffix(".py")
    return path / "__init__.py" if (path / "__init__.py").is_file() else None


@cache
def ours(file: Path) -> tuple[Path, ...]:
    """The files of ours that a file imports."""
    return tuple(_ours(file))


def _ours(file: Path) -> Iterator[Path]:
    for module, names in facts(file).imported:
        if module.split(".")[0] in PACKAGES:
            found = [file_of(f"{module}.{name}") for name in names]
            yield from (other for other in found if other is not None)
            package = file_of(module)
            if package is not None and (package.name != "__init__.py" or not names or None in found):
                yield package


def folder(file: Path) -> str:
    """The folder that a file lies in; a roof stands for itself."""
    name = str(file.relative_to(ROOT))
    return ROOFS.get(name, str(file.parent.relative_to(ROOT)))


@pytest.mark.parametrize("file", files(*PURE), ids=lambda f: str(f.relative_to(ROOT)))
def test_the_core_is_pure(file: Path) -> None:
    assert not {name.split(".")[0] for name in imports(file)} & SHELLS


def test_a_rule_that_names_what_is_not_there_fails() -> None:
    with pytest.raises(AssertionError, match="not there"):
        files("monitor/session.py")


def test_no_two_folders_import_each_other() -> None:
    arrows = {
        (folder(f), folder(other)): f"{f.relative_to(ROOT)} imports {other.relative_to(ROOT)}"
        for f in files(*PACKAGES)
        for other in ours(f)
        if folder(f) != folder(other) and not facts(other).is_empty
    }
    assert [(arrows[a, b], arrows[b, a]) for a, b in arrows if a < b and (b, a) in arrows] == []


def test_nothing_but_the_registration_of_commands_imports_the_laboratory() -> None:
    inside = ROOT / LAB
    users = {
        str(f.relative_to(ROOT))
        for f in files(*PACKAGES)
        if not f.is_relative_to(inside) and any(other.is_relative_to(inside) for other in ours(f))
    }
    assert users == {"monitor/cli/__init__.py"}


def test_what_serves_reaches_no_file_of_the_laboratory() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "monitor/serve.py", ROOT / "monitor/session/clip.py", ROOT / "monitor/__init__.py"]
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            waiting += list(ours(file))
    assert len(seen) > 50
    assert [f for f in seen if f.is_relative_to(ROOT / LAB)] == []


def test_the_root_of_the_product_is_one_screen() -> None:
    # What git leaves of a folder that has moved is no entry: compiled files only.
    there = [path for path in (ROOT / "monitor").iterdir() if path.is_file() or any(path.rglob("*.py"))]
    names = {path.name for path in there} - {"__init__.py", "py.typed"}
    assert len(names) <= MOST_IN_ROOT, sorted(names)


def test_every_folder_says_in_a_sentence_what_it_is_for() -> None:
    folders = {f.parent for f in files(*PACKAGES) if "migrations" not in f.parts}
    without = [
        str(path.relative_to(ROOT))
        for path in sorted(folders)
        if not (path / "__init__.py").is_file() or not facts(path / "__init__.py").docstring
    ]
    assert without == []


def test_the_vault_knows_nothing_of_enrolment_sessions_or_the_laboratory() -> None:
    above = ("monitor/identity/enrolment", "monitor/session", LAB)
    users = {
        f"{f.name}: {other.relative_to(ROOT)}"
        for f in files("monitor/identity/vault")
        for other in ours(f)
        if str(other.relative_to(ROOT)).startswith(above)
    }
    assert users == set()


def test_engines_know_nothing_of_calls() -> None:
    assert {
        f.name for f in files("engines") if any(n.split(".")[0] in ("monitor", "plugins") for n in imports(f))
    } == set()


def test_the_sidecar_knows_runtimes_by_the_protocol_only() -> None:
    runtimes = ("openvino", "onnxruntime", "engines.runtimes")
    users = {str(f.relative_to(ROOT)) for f in files("monitor") if any(n.startswith(runtimes) for n in imports(f))}
    assert users == set()


def test_torch_trains_and_runs_only_as_the_engine_of_its_name() -> None:
    users = {f for f in files(*PACKAGES) if "torch" in imports(f)}
    assert {str(f.parent.relative_to(ROOT)) for f in users} == {
        "engines/nets",
        "engines/training",
        "engines/convert",
        "engines/runtimes/pytorch",
    }
    # Whoever chooses another engine needs no torch: the registry names the module by a path, and nothing imports it.
    assert "engines.runtimes.pytorch.engine:" in (ROOT / "engines/registry.py").read_text()
    assert [f for f in files(*PACKAGES) if "engines.runtimes.pytorch.engine" in imports(f)] == []


def test_only_the_receiver_imports_what_is_internal_to_aiortc() -> None:
    public = {"aiortc.rtcconfiguration", "aiortc.mediastreams"}
    users = {
        str(f.relative_to(ROOT))
        for f in files(*PACKAGES)
        if any(n.startswith(("aiortc.", "aioice")) and n not in public for n in imports(f))
    }
    assert users
    assert all(user.startswith("monitor/tap/rtp/") for user in users), users


def test_the_surface_knows_who_is_judged_by_the_protocol_only() -> None:
    known = {module for f in files("monitor/api") for module in imports(f) if module.startswith("monitor.host")}
    assert "monitor.host.calls" in known
    assert known <= {"monitor.host.calls", "monitor.host.metrics"}


def test_who_embeds_the_sidecar_reaches_no_http() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "monitor/host/sidecar.py", ROOT / "monitor/host/judging.py"]
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            waiting += list(ours(file))
    assert len(seen) > 50
    assert [f for f in seen if f.is_relative_to(ROOT / "monitor/api")] == []
    assert not {"fastapi", "starlette", "uvicorn"} & {name.split(".")[0] for f in seen for name in imports(f)}


def test_plugins_import_their_base_and_the_documented_toolkit_and_nothing_deeper() -> None:
    own = ("plugins.janus_", "plugins.livekit_", "plugins.webhook", "plugins.zoom_call")
    allowed = ("monitor.tap.kit", "plugins.base", "plugins.registry", "plugins.protocols", "plugins.webrtc", *own)
    deeper = {
        f"{f.name}: {n}"
        for f in files("plugins")
        for n in imports(f)
        if n.startswith(("monitor.", "engines.", "plugins.")) and not n.startswith(allowed)
    }
    assert deeper == set()


@pytest.mark.parametrize("package", [*PACKAGES, "examples", "tests"])
def test_no_file_and_no_function_grows_beyond_a_screenful_or_two(package: str) -> None:
    long = [str(f.relative_to(ROOT)) for f in files(package) if f.read_text().count("\n") > MAX_FILE_LINES]
    for file in files(package):
        long += [
            f"{file.relative_to(ROOT)}: {name} has {lines} lines"
            for name, lines in facts(file).functions
            if lines > MAX_FUNCTION_LINES
        ]
    assert long == []
