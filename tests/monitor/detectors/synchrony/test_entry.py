"""Synchrony in the registry: its table is read, missing or damaged, and doctor says which."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.base import MODELS, EngineError
from monitor.detectors.base import LoadedDetector
from monitor.detectors.packs import PackLoader
from monitor.detectors.synchrony.entry import CALIBRATION, DETECTOR, LIPS, load_calibration
from tests.engines import packs


def test_the_packs_of_the_installation_are_calibrated() -> None:
    loaded = DETECTOR.load(PackLoader())
    assert loaded.calibration.tables
    assert [check.state for check in DETECTOR.check(MODELS)] == ["ok"]


def test_encoders_from_elsewhere_have_no_table_until_it_was_made(tmp_path: Path) -> None:
    packs.write(tmp_path, name=LIPS)
    assert load_calibration(tmp_path).tables == ()
    (check,) = DETECTOR.check(tmp_path)
    assert (check.state, check.detail) == ("failed", "the shipped packs have none")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"tables": 7}'])
def test_a_damaged_table_is_an_error_that_doctor_tells(tmp_path: Path, text: str) -> None:
    packs.write(tmp_path, name=LIPS)
    packs.put(tmp_path / LIPS / CALIBRATION, text.encode())
    with pytest.raises(EngineError, match="reinstall the model pack"):
        load_calibration(tmp_path)
    (check,) = DETECTOR.check(tmp_path)
    assert (check.state, check.remedy) == ("failed", "reinstall the model pack")


def test_no_pack_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"no model pack in .*speech_lips"):
        load_calibration(tmp_path)


def test_there_is_no_engine_to_wrap() -> None:
    loaded: LoadedDetector = DETECTOR.load(PackLoader())
    assert loaded.through(lambda engine: engine) is loaded
