from __future__ import annotations

import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from plugins.base import MAX_NAME_LENGTH, PluginError, name_from
from plugins.registry import BUILT_IN, GROUP, available, load
from tests.plugins.toy import MODULE, installed

ROOT = Path(__file__).parents[2]
PARTS = {"__init__", "base", "registry", "webrtc", "webhook", "janus_forward", "janus_link", "zoom_call"}
PARTS |= {f"livekit_{part}" for part in ("hooks", "media", "options", "room")}


def test_what_comes_with_the_product_is_registered_as_any_package_registers_its_own() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {entry.name: entry.value for entry in BUILT_IN} == project["entry-points"][GROUP]
    assert {entry.name for entry in BUILT_IN} == {path.stem for path in (ROOT / "plugins").glob("*.py")} - PARTS


@pytest.mark.parametrize("entry", BUILT_IN, ids=lambda entry: entry.name)
def test_what_comes_with_the_product_loads_under_its_name(entry: EntryPoint) -> None:
    assert load(entry).name == entry.name


def test_a_package_brings_a_plug_in_and_replaces_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with installed(tmp_path / "site", monkeypatch):
        found = available()
        assert found["toy"].value == f"{MODULE}:SPEC"
        assert load(found["toy"]).name == "toy"
        assert found["folder"].value == "plugins.folder:SPEC"
        with pytest.raises(PluginError, match=r"'broken' cannot be loaded \(ModuleNotFoundError\): reinstall"):
            load(found["broken"])
        with pytest.raises(PluginError, match="'odd' cannot be loaded: its entry point names no PluginSpec"):
            load(found["odd"])


def test_what_an_extra_would_bring_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plugins.livekit", None)
    (entry,) = (entry for entry in BUILT_IN if entry.name == "livekit")
    with pytest.raises(
        PluginError, match=r"'livekit' cannot be loaded \(Module.*\): pip install 'sidewitness\[livekit\]'"
    ):
        load(entry)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ada", "ada"),
        ("Ada Lovelace", "Ada_Lovelace"),
        ("/../etc", "etc"),
        ("", "_"),
        ("***", "_"),
        ("Ada 🙂", "Ada__"),
        ("山田", "山田"),
        ("a" * 200, "a" * MAX_NAME_LENGTH),
    ],
)
def test_any_text_makes_a_name(text: str, name: str) -> None:
    from monitor.host.calls import participant_key

    assert name_from(text) == name
    assert participant_key(name, name).participant == name
