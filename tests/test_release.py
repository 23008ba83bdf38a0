"""What `make release-check` refuses, on made changelogs and archives; all of it is run by hand before a release."""

from __future__ import annotations

import importlib.util
import sys
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script, looking at an empty folder instead of at the repository."""
    spec = importlib.util.spec_from_file_location("release_check", ROOT / ".ci/release_check.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    (tmp_path / "project").mkdir()
    monkeypatch.setattr(module, "ROOT", tmp_path / "project")
    return module


def release(check: ModuleType, tmp_path: Path, version: str = "1.2.0") -> Any:
    return check.Release("sidewitness", version, tmp_path / "work")


def write_wheel(path: Path, files: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


def write_archives(made: Any, files: dict[str, str], direct: dict[str, str], documents: set[str]) -> None:
    name = f"sidewitness-{made.version}"
    write_wheel(made.dist / f"{name}-py3-none-any.whl", files)
    write_wheel(made.folder / "direct" / f"{name}-py3-none-any.whl", direct)
    with tarfile.open(made.dist / f"{name}.tar.gz", "w:gz") as archive:
        for document in documents:
            (made.folder / document).write_text(document)
            archive.add(made.folder / document, f"{name}/{document}")


DOCUMENTS = {"LICENSE", "NOTICE", "README.md", "pyproject.toml"}


@pytest.mark.parametrize(
    ("version", "changelog"),
    [
        ("1.2.0", "# Changes\n\n## 1.2.0 - 2026-03-01\n\n- Something\n"),
        ("1.2.0", "# Changes\n\n## Unreleased\n\n## [1.2.0] - 2026-03-01\n\n### Tap\n- Something\n\n## 1.1.0\n"),
        ("1.3.0.dev0", "# Changes\n\n## Unreleased\n\n- Something\n\n## 1.2.0 - 2026-03-01\n"),
    ],
)
def test_a_changelog_with_an_entry_is_taken(check: ModuleType, tmp_path: Path, version: str, changelog: str) -> None:
    (check.ROOT / "CHANGELOG.md").write_text(changelog)
    assert "in CHANGELOG.md" in check.check_changelog(release(check, tmp_path, version))


@pytest.mark.parametrize(
    ("version", "changelog", "why"),
    [
        ("1.2.0", "# Changes\n\n## Unreleased\n\n- Something\n", 'has no "## 1.2.0"'),
        ("1.2.0", "# Changes\n\n## 1.2.0 - 2026-03-01\n\n## 1.1.0\n\n- Something\n", "is empty"),
        ("1.2.0", "# Changes\n\n## 1.2.0\n\n- Something\n", "has no date"),
        ("1.2.0", "# Changes\n\n## 1.2.0 - soon\n\n- Something\n", "has no date"),
        ("1.3.0.dev0", "# Changes\n\n## 1.2.0 - 2026-03-01\n\n- Something\n", 'has no "## Unreleased"'),
    ],
)
def test_a_changelog_without_one_is_refused(
    check: ModuleType, tmp_path: Path, version: str, changelog: str, why: str
) -> None:
    (check.ROOT / "CHANGELOG.md").write_text(changelog)
    with pytest.raises(check.NotReadyError, match=why):
        check.check_changelog(release(check, tmp_path, version))


def test_archives_that_agree_are_taken(check: ModuleType, tmp_path: Path) -> None:
    made = release(check, tmp_path)
    files = {"monitor/a.py": "a", "sidewitness-1.2.0.dist-info/RECORD": "in one order"}
    write_archives(made, files, files | {"sidewitness-1.2.0.dist-info/RECORD": "in another"}, DOCUMENTS)
    assert "same wheel" in check.check_archives(made)


@pytest.mark.parametrize(
    ("direct", "documents", "why"),
    [
        ({"monitor/a.py": "b"}, DOCUMENTS, "another wheel than the files do: monitor/a.py"),
        ({"monitor/a.py": "a", "monitor/b.sql": ""}, DOCUMENTS, "another wheel than the files do: monitor/b.sql"),
        ({"monitor/a.py": "a"}, DOCUMENTS - {"NOTICE"}, "the sdist lacks NOTICE"),
    ],
)
def test_archives_that_differ_are_refused(
    check: ModuleType, tmp_path: Path, direct: dict[str, str], documents: set[str], why: str
) -> None:
    made = release(check, tmp_path)
    write_archives(made, {"monitor/a.py": "a"}, direct, documents)
    with pytest.raises(check.NotReadyError, match=why):
        check.check_archives(made)


def test_archives_of_another_version_are_refused(check: ModuleType, tmp_path: Path) -> None:
    made = release(check, tmp_path)
    write_wheel(made.dist / "sidewitness-1.1.0-py3-none-any.whl", {"monitor/a.py": "a"})
    with pytest.raises(check.NotReadyError, match=r"see \[project\] in pyproject\.toml"):
        check.check_archives(made)


@pytest.mark.parametrize(
    ("held", "why"),
    [
        ({"monitor/a.py": "a"}, "the wheel lacks monitor/page.css"),
        ({"monitor/a.py": "", "monitor/page.css": "", "monitor/b.py": ""}, "what git does not track: monitor/b.py"),
    ],
)
def test_a_wheel_with_too_little_or_too_much_is_refused(
    check: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: dict[str, str], why: str
) -> None:
    tracked = ["monitor/a.py", "monitor/page.css", "monitor/README.md", "tests/test_a.py", "README.md"]
    monkeypatch.setattr(check, "tracked_files", lambda: tracked)
    made = release(check, tmp_path)
    write_wheel(made.dist / "sidewitness-1.2.0-py3-none-any.whl", held)
    with pytest.raises(check.NotReadyError, match=why):
        check.check_contents(made)


def test_a_command_that_fails_is_shown_with_what_it_said(check: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(check.NotReadyError, match=r"failed: mend it\n.*no such module"):
        check.run(sys.executable, "-c", "raise SystemExit('no such module')", cwd=tmp_path, remedy="mend it")


def test_the_repository_names_what_its_wheel_holds(check: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "ROOT", ROOT)
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone")
    shipped = check.shipped_files(check.tracked_files())
    assert {
        "monitor/py.typed",
        "monitor/api/dashboard/index.html",
        "engines/models/face_detector/model.onnx",
    } <= shipped
    assert not any(name.endswith("README.md") or name.startswith("tests/") for name in shipped)
