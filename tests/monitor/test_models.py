"""What a session runs is loaded whole, or refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.base import EngineError
from monitor.models import CALIBRATION, LIPS, load_calibration, load_models


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (None, "FileNotFoundError"),
        ("{", "JSONDecodeError"),
        ("[]", "CalibrationError"),
        ('{"schema": 1}', "Calibration"),
    ],
)
def test_a_calibration_that_cannot_be_read_is_one_line(tmp_path: Path, text: str | None, error: str) -> None:
    (tmp_path / LIPS).mkdir()
    if text is not None:
        (tmp_path / LIPS / CALIBRATION).write_text(text)
    with pytest.raises(
        EngineError, match=rf"calibration.json cannot be read \({error}.*reinstall the model pack"
    ) as caught:
        load_calibration(tmp_path)
    assert "\n" not in str(caught.value)


def test_missing_packs_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"no model pack in .*speech_lips"):
        load_models(folder=tmp_path)
