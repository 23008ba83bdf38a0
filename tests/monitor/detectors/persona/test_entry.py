"""Persona in the registry: its packs loaded, missing and damaged, and what doctor says of each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engines.base import EngineError
from monitor.detectors import packs as looked_for
from monitor.detectors.base import Hop
from monitor.detectors.packs import PackLoader
from monitor.detectors.persona.detector import PersonaReference
from monitor.detectors.persona.entry import BASIS, DETECTOR, FIT, MOTION, PERSONA, load_persona
from monitor.detectors.persona.live import LoadedPersona
from monitor.session.warm_later import Later
from monitor.window.window import WindowBuffer
from tests.engines import packs
from tests.monitor import movers
from tests.monitor.detectors.persona.test_detector import reference

VOICE = "v" * 64


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The packs of an installation."""
    monkeypatch.setattr(looked_for, "MODELS", tmp_path)
    movers.write_packs(tmp_path, VOICE)
    return tmp_path


def remove(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


def write_people(folder: Path, key: str | None = None) -> None:
    engines = load_persona(PackLoader(folder, "onnx"))
    assert engines is not None
    people = movers.people(engines)
    packs.put(folder / PERSONA / "people.npz", (replace(people, key=key) if key else people).to_bytes())


def test_everything_of_it_is_loaded(folder: Path) -> None:
    write_people(folder)
    loaded = DETECTOR.load(PackLoader(folder, "onnx", voice=VOICE))
    assert loaded.engines is not None
    assert loaded.people is not None
    assert loaded.people.key == loaded.engines.key
    assert loaded.engines.has_companion
    assert loaded.engines.fit is not None
    assert loaded.engines.fit().manifest.name == FIT
    wrapped = loaded.through(lambda engine: engine)
    assert wrapped.engines is not None
    assert (wrapped.engines is loaded.engines, wrapped.engines.key) == (False, loaded.engines.key)
    assert wrapped.engines.has_companion


def test_the_companion_and_learning_are_lived_without(folder: Path) -> None:
    packs.take(folder / MOTION / "population.npz")
    remove(folder / FIT)
    engines = load_persona(PackLoader(folder, "onnx"))
    assert engines is not None
    assert (engines.has_companion, engines.fit) == (False, None)
    assert not engines.through(lambda engine: engine).has_companion


@pytest.mark.parametrize("voice", ["w" * 64])
def test_a_pack_that_hears_another_encoder_is_not_used(folder: Path, voice: str) -> None:
    assert load_persona(PackLoader(folder, "onnx", voice=voice)) is None
    assert load_persona(PackLoader(folder, "onnx", voice=VOICE)) is not None


def test_without_models_nobody_watches_a_picture() -> None:
    live = LoadedPersona(None, None).live(5.0, Later())
    live.restart(WindowBuffer())
    window: Any = None
    assert live.observe is None
    assert live.score(Hop(window)).value is None


def test_coefficients_of_other_trackers_are_for_files_only(folder: Path) -> None:
    write_people(folder)
    other = replace(movers.basis(), name="flame")
    packs.put(folder / PERSONA / BASIS, other.to_bytes())
    loaded = DETECTOR.load(PackLoader(folder, "onnx"))
    assert (loaded.engines, loaded.people) == (None, None)


def test_without_its_pack_nothing_is_loaded(folder: Path) -> None:
    remove(folder / PERSONA)
    loaded = DETECTOR.load(PackLoader(folder, "onnx"))
    assert (loaded.engines, loaded.people) == (None, None)
    assert loaded.through(lambda engine: engine) is loaded
    (check,) = DETECTOR.check(folder)
    assert (check.state, check.remedy) == ("optional", "reinstall sidewitness")


@pytest.mark.parametrize("file", [BASIS, "tokens.npz"])
def test_a_pack_without_its_tables_is_an_error(folder: Path, file: str) -> None:
    packs.take(folder / PERSONA / file)
    with pytest.raises(EngineError, match=r"lacks basis\.npz or tokens\.npz: reinstall the model pack"):
        load_persona(PackLoader(folder, "onnx"))


def test_doctor_counts_genuine_people_and_names_the_companion(folder: Path) -> None:
    (nobody,) = DETECTOR.check(folder)
    assert (nobody.state, nobody.remedy) == ("optional", "sidewitness train people")
    write_people(folder)
    (there,) = DETECTOR.check(folder)
    assert (there.state, "beside motion, 40 genuine people" in there.detail) == ("ok", True)
    packs.take(folder / MOTION / "population.npz")
    (alone,) = DETECTOR.check(folder)
    assert (alone.state, "alone, without motion" in alone.detail) == ("ok", True)
    write_people(folder, key="older-packs")
    (older,) = DETECTOR.check(folder)
    assert older.state == "optional"
    remove(folder / FIT)
    (broken,) = DETECTOR.check(folder)
    assert (broken.state, "no model pack in" in broken.detail) == ("failed", True)


def test_nothing_is_told_of_how_somebody_moves() -> None:
    assert DETECTOR.describe(reference().to_bytes()) == {}


def test_a_part_is_outdated_by_other_packs_and_by_damage(folder: Path) -> None:
    part = reference().to_bytes()
    loaded = DETECTOR.load(PackLoader(folder, "onnx"))
    assert loaded.engines is not None
    assert loaded.is_outdated(part)
    assert loaded.is_outdated(b"nothing")
    assert LoadedPersona(None, None).is_outdated(part)
    fresh = replace(PersonaReference.from_bytes(part), key=loaded.engines.key)
    assert not loaded.is_outdated(fresh.to_bytes())
