"""Where detectors find their packs and the tables beside them: an operator's folder first, the installation's after."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.base import MODELS, EngineError
from engines.load import load_engine
from monitor.detectors.check import Check, check_of
from monitor.detectors.packs import PackLoader
from tests.engines import packs


def test_an_operators_pack_goes_before_that_of_the_installation(tmp_path: Path) -> None:
    loader = PackLoader(tmp_path)
    assert loader.home("face_detector") == MODELS
    packs.write(tmp_path, name="face_detector")
    assert loader.home("face_detector") == tmp_path
    assert loader.has("face_detector")


def test_a_pack_that_is_nowhere_is_not_there(tmp_path: Path) -> None:
    assert not PackLoader(tmp_path).has("smile")


def test_a_pack_that_few_calls_need_is_made_by_the_loader_for_these(tmp_path: Path) -> None:
    packs.write(tmp_path, name="adder")
    asked = []

    def later(name: str, engine: str, folder: Path) -> object:
        asked.append((name, engine, folder))
        return load_engine(name, engine, folder)

    engine = PackLoader(tmp_path, "onnx", later=later).deferred("adder")  # type: ignore[arg-type]
    assert asked == [("adder", "onnx", tmp_path)]
    assert engine.manifest.name == "adder"


def test_a_file_beside_a_pack_is_read_missing_or_damaged(tmp_path: Path) -> None:
    packs.write(tmp_path, name="adder")
    loader = PackLoader(tmp_path)
    assert loader.beside("adder", "table.txt", bytes.decode) is None
    assert loader.beside("smile", "table.txt", bytes.decode) is None
    packs.put(tmp_path / "adder/table.txt", b"table")
    assert loader.beside("adder", "table.txt", bytes.decode) == "table"
    packs.put(tmp_path / "adder/table.txt", b"\xff")
    with pytest.raises(
        EngineError, match=r"table\.txt cannot be read \(UnicodeDecodeError\): reinstall the model pack"
    ):
        loader.beside("adder", "table.txt", bytes.decode)


def test_a_check_of_an_error_parts_what_is_wrong_from_what_to_do() -> None:
    failed = check_of("model pack adder", EngineError("a: b is missing: reinstall the model pack"))
    assert failed == Check("model pack adder", "failed", "a: b is missing", "reinstall the model pack")
