"""What a session runs is loaded whole, or refused in one line."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from engines import trust
from engines.base import MODELS, EngineError
from engines.load import load_engine
from engines.packs import load_pack
from monitor.detectors.packs import PackLoader, home
from monitor.detectors.pairwise.entry import ARTEFACTS, load_face_encoders, load_population
from monitor.detectors.pairwise.population import FILE
from monitor.detectors.persona.entry import load_people, load_persona
from monitor.detectors.persona.windows import WINDOW_STEPS
from monitor.detectors.synchrony.entry import CALIBRATION, LIPS, VOICE, load_calibration
from monitor.session.models import MOVEMENT_VOICE, load_models, movement_voice_home
from tests.engines import packs
from tests.monitor import movers, people
from tests.monitor.loaded import persona


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{", "JSONDecodeError"),
        ("[]", "CalibrationError"),
        ('{"schema": 1}', "Calibration"),
    ],
)
def test_a_calibration_that_cannot_be_read_is_one_line(tmp_path: Path, text: str, error: str) -> None:
    packs.write(tmp_path, name=LIPS)
    packs.put(tmp_path / LIPS / CALIBRATION, text.encode())
    with pytest.raises(
        EngineError, match=rf"calibration.json cannot be read \({error}.*reinstall the model pack"
    ) as caught:
        load_calibration(tmp_path)
    assert "\n" not in str(caught.value)


def test_missing_packs_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"no model pack in .*speech_lips"):
        load_models(folder=tmp_path)


def test_without_packs_nobody_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.detectors.packs.MODELS", tmp_path)
    assert load_face_encoders(PackLoader(tmp_path)) is None
    assert load_population(PackLoader(tmp_path)) is None


def test_own_packs_go_before_those_of_the_installation(tmp_path: Path) -> None:
    assert home(ARTEFACTS, tmp_path) == MODELS
    (tmp_path / ARTEFACTS).mkdir()
    assert home(ARTEFACTS, tmp_path) == tmp_path


def test_a_population_is_read_or_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / ARTEFACTS / FILE
    packs.write(tmp_path, name=ARTEFACTS)
    assert load_population(PackLoader(tmp_path)) is None
    packs.put(path, people.population().to_bytes())
    found = load_population(PackLoader(tmp_path))
    assert found is not None
    assert found.key == people.KEY
    packs.put(path, b"nothing")
    with pytest.raises(EngineError, match=r"population.npz cannot be read \(PopulationError\): reinstall") as caught:
        load_population(PackLoader(tmp_path))
    assert "\n" not in str(caught.value)


def test_the_models_of_movement_are_loaded_with_what_lies_beside_them(tmp_path: Path) -> None:
    movers.write_packs(tmp_path, "a voice")
    found = load_persona(PackLoader(tmp_path, "onnx"))
    assert found is not None
    assert found.has_companion
    assert found.fit is not None
    assert found.fit() is found.fit()
    (window,) = movers.windows(0, 3.1)
    assert found.distances([window], found.tokens.start).gap.tolist() == [0.0]
    assert found.embed([window]).shape == (1, WINDOW_STEPS)
    packs.take(tmp_path / "motion/population.npz")
    (tmp_path / "persona_tokens").rename(tmp_path / "gone")
    alone = load_persona(PackLoader(tmp_path, "onnx"))
    assert alone is not None
    assert not alone.has_companion
    assert alone.fit is None
    assert alone.key.split("-")[0] == found.key.split("-")[0]


def test_movement_is_not_compared_beside_another_voice_encoder(tmp_path: Path) -> None:
    movers.write_packs(tmp_path, "a voice")
    assert load_persona(PackLoader(tmp_path, "onnx", voice=load_engine(VOICE, "onnx").manifest.sha256)) is None


def test_packs_of_an_operator_without_models_of_movement_use_those_installed(tmp_path: Path) -> None:
    own, installed = (load_persona(PackLoader(folder, "onnx")) for folder in (tmp_path / "nothing here", MODELS))
    assert own is not None
    assert installed is not None
    assert own.key == installed.key


def test_models_of_what_other_trackers_tell_are_not_for_calls(tmp_path: Path) -> None:
    movers.write_packs(tmp_path, load_engine(VOICE, "onnx").manifest.sha256)
    for name in (LIPS, VOICE):
        (tmp_path / name).symlink_to(MODELS / name)
    assert persona(load_models("onnx", tmp_path)).engines is not None
    packs.put(tmp_path / "persona/basis.npz", replace(movers.basis(), name="flame").to_bytes())
    assert persona(load_models("onnx", tmp_path)).engines is None
    assert load_persona(PackLoader(tmp_path, "onnx")) is not None


def test_what_lies_beside_the_models_of_movement_is_refused_in_one_line(tmp_path: Path) -> None:
    movers.write_packs(tmp_path, "a voice")
    assert load_people(PackLoader(tmp_path)) is None
    packs.put(tmp_path / "persona/people.npz", movers.people(movers.engines()).to_bytes())
    assert load_people(PackLoader(tmp_path)) is not None
    for name, error in (("people.npz", "PersonaError"), ("tokens.npz", "TokensError"), ("basis.npz", "BasisError")):
        packs.put(tmp_path / "persona" / name, b"nothing")
        with pytest.raises(EngineError, match=rf"{name} cannot be read \({error}\): reinstall"):
            load_people(PackLoader(tmp_path)) if name == "people.npz" else load_persona(PackLoader(tmp_path, "onnx"))
        packs.take(tmp_path / "persona" / name)
    with pytest.raises(EngineError, match=r"lacks basis.npz or tokens.npz: reinstall"):
        load_persona(PackLoader(tmp_path, "onnx"))


def test_movement_is_heard_by_the_encoder_that_it_learnt_by() -> None:
    at = movement_voice_home()
    persona, own = (load_pack(MODELS / name).manifest for name in ("persona", VOICE))
    assert (at is None) == (persona.preprocessing["voice"] == own.sha256)
    if at is not None:
        assert load_pack(at / MOVEMENT_VOICE).manifest.sha256 == persona.preprocessing["voice"]


def test_packs_of_speech_that_movement_knows_need_no_other(tmp_path: Path) -> None:
    """A folder whose voice encoder is the one that movement learnt by, and one whose sound it cannot take."""
    assert movement_voice_home() == MODELS
    for name in (LIPS, VOICE):
        shutil.copytree(MODELS / (MOVEMENT_VOICE if name == VOICE else name), tmp_path / name)
        # Under another name a signature vouches for nothing.
        trust.trust(name, (tmp_path / name / trust.MANIFEST).read_bytes())
    assert movement_voice_home(tmp_path) is None
