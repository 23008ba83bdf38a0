"""Voiceprint in the registry: what is installed is said, and what is not is lived without."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from engines.base import MODELS, EngineError
from monitor.detectors.packs import PackLoader
from monitor.detectors.registry import find
from monitor.detectors.voiceprint import entry
from monitor.detectors.voiceprint.entry import DETECTOR, PACK, load_voices
from monitor.detectors.voiceprint.people import VoicePeople
from monitor.detectors.voiceprint.reference import VoiceReference
from tests.monitor.detectors.voiceprint.voices import Ears, direction, people


def test_the_registry_finds_it() -> None:
    assert find("voiceprint") is DETECTOR


def test_doctor_looks_for_the_voice_encoder(tmp_path: Path) -> None:
    (absent,) = DETECTOR.check(tmp_path)
    assert absent.state == "optional"
    assert "make voiceprint" in absent.remedy
    (tmp_path / PACK).mkdir()
    (damaged,) = DETECTOR.check(tmp_path)
    assert damaged.state == "failed"
    assert {check.state for check in DETECTOR.check(MODELS)} <= {"ok", "optional"}


def test_doctor_says_when_its_people_are_of_other_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (MODELS / PACK).exists():
        pytest.skip("the pack voice_identity was not built: make voiceprint")
    shutil.copytree(MODELS / PACK, tmp_path / PACK)
    (tmp_path / "people.npz").write_bytes(people().to_bytes())
    monkeypatch.setattr(entry, "load_voices", lambda: load_voices(tmp_path / "people.npz"))
    (check,) = DETECTOR.check(tmp_path)
    assert (check.state, "other weights" in check.detail) == ("optional", True)


def test_the_shipped_people_are_many_and_nobodys_voice() -> None:
    known = load_voices()
    assert known.people >= 50
    assert known.cohort.shape == (200, 256)
    assert isinstance(known, VoicePeople)


def test_people_that_cannot_be_read_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "people.npz").write_bytes(b"garbled")
    for name in ("people.npz", "absent.npz"):
        with pytest.raises(EngineError, match="reinstall sidewitness"):
            load_voices(tmp_path / name)


def test_without_the_pack_nothing_is_loaded_and_with_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PackLoader, "has", lambda *_: False)
    assert (DETECTOR.load(PackLoader()).encoder, entry.load_encoder()) == (None, None)
    monkeypatch.setattr(PackLoader, "has", lambda *_: True)
    monkeypatch.setattr(PackLoader, "deferred", lambda *_: Ears())
    loaded = DETECTOR.load(PackLoader())
    assert loaded.encoder is not None
    assert loaded.people is not None


def test_little_is_told_of_a_voice() -> None:
    part = VoiceReference("k", ("as recorded",), direction(7)[None], 41.5).to_bytes()
    assert DETECTOR.describe(part) == {"voice_seconds": 41.5, "lines": ["as recorded"]}
    assert np.isfinite(direction(7)).all()
