"""The rules of the house, read off the imports: what is pure, who knows whom, and where private names are touched."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PURE = (
    "monitor/clock.py",
    "monitor/window.py",
    "monitor/grid.py",
    "monitor/face/expression.py",
    "monitor/types.py",
    "monitor/evaluation.py",
    "monitor/rates.py",
    "monitor/shedding.py",
    "monitor/tap/sdp.py",
    "monitor/detectors",
    "monitor/decision",
    "monitor/alerts/finding.py",
    "monitor/alerts/push.py",
    "monitor/identity/audit.py",
    "monitor/identity/consent.py",
    "monitor/identity/keys.py",
    "monitor/identity/records.py",
    "monitor/identity/sealing.py",
)
SHELLS = {"asyncio", "av", "torch", "aiortc", "aioice", "fastapi", "starlette", "sqlalchemy"}


def files(*names: str) -> list[Path]:
    """The Python files under these names."""
    paths = [ROOT / name for name in names]
    return sorted(file for path in paths for file in ([path] if path.is_file() else path.rglob("*.py")))


def imports(file: Path) -> Iterator[str]:
    """Every module that a file imports, wherever it does; what is imported for types only does not count."""
    tree = ast.parse(file.read_text())
    typing_only = {
        id(node)
        for guard in ast.walk(tree)
        if isinstance(guard, ast.If) and "TYPE_CHECKING" in ast.dump(guard.test)
        for node in ast.walk(guard)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("file", files(*PURE), ids=lambda f: str(f.relative_to(ROOT)))
def test_the_core_is_pure(file: Path) -> None:
    assert not {name.split(".")[0] for name in imports(file)} & SHELLS


def test_engines_know_nothing_of_calls() -> None:
    assert {
        f.name for f in files("engines") if any(n.split(".")[0] in ("monitor", "plugins") for n in imports(f))
    } == set()


def test_the_sidecar_knows_runtimes_by_the_protocol_only() -> None:
    runtimes = {"openvino", "onnxruntime", "engines.onnx", "engines.openvino"}
    # `doctor` asks whether they can be imported; the benchmark names their versions.
    allowed = {"doctor.py"}
    users = {f.name for f in files("monitor") if any(n in runtimes for n in imports(f))}
    assert users <= allowed


def test_torch_trains_and_runs_only_as_the_engine_of_its_name() -> None:
    users = {f.relative_to(ROOT) for f in files("monitor", "engines", "plugins") if "torch" in set(imports(f))}
    trains = {"engines/nets", "engines/training", "engines/convert"}
    assert trains == {str(f.parent) for f in users} - {"engines"}
    assert {f.name for f in users if f.parent == Path("engines")} == {"pytorch.py", "torch_graphs.py"}
    # Whoever chooses another engine needs no torch: the choice imports it, inside a function.
    choosers = [f for f in files("monitor", "engines", "plugins") if "engines.pytorch" in set(imports(f))]
    assert [f.name for f in choosers] == ["load.py"]
    top = [node.module for node in ast.parse(choosers[0].read_text()).body if isinstance(node, ast.ImportFrom)]
    assert "engines.pytorch" not in top


def test_only_the_receiver_imports_what_is_internal_to_aiortc() -> None:
    public = {"aiortc.rtcconfiguration", "aiortc.mediastreams"}
    users = {
        str(f.relative_to(ROOT))
        for f in files("monitor", "engines", "plugins")
        if any(n.startswith(("aiortc.", "aioice")) and n not in public for n in imports(f))
    }
    assert users
    assert all(user.startswith("monitor/tap/receiver/") for user in users), users


def test_plugins_import_the_source_and_nothing_deeper() -> None:
    deeper = {
        n
        for f in files("plugins")
        for n in imports(f)
        if n.startswith("monitor") and n not in ("monitor.tap.source", "monitor.types")
    }
    assert deeper == set()
