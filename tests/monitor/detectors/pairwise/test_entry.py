"""Pairwise in the registry: what is installed of it, and what may be told of a person's part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.base import EngineError
from monitor.detectors import packs as looked_for
from monitor.detectors.base import Hop
from monitor.detectors.packs import PackLoader
from monitor.detectors.pairwise.entry import ARTEFACTS, DETECTOR, IDENTITY
from monitor.detectors.pairwise.live import LoadedPairwise
from monitor.detectors.reference import TemplateError
from monitor.face.shot import FaceShot
from monitor.session.warm_later import Later
from monitor.types import FloatArray, Reason
from tests.engines import packs
from tests.monitor import people


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The packs of an installation that has none yet."""
    monkeypatch.setattr(looked_for, "MODELS", tmp_path)
    return tmp_path


def test_without_its_pack_nothing_is_loaded(folder: Path) -> None:
    loaded = DETECTOR.load(PackLoader(folder))
    assert (loaded.encoders, loaded.population) == (None, None)
    assert loaded.through(lambda engine: engine) is loaded


def test_identity_vectors_come_with_their_pack(folder: Path) -> None:
    packs.write(folder, name=ARTEFACTS)
    loaded = DETECTOR.load(PackLoader(folder, "onnx"))
    assert loaded.encoders is not None
    assert not loaded.encoders.identifies
    assert loaded.population is None
    packs.write(folder, name=IDENTITY)
    packs.put(folder / ARTEFACTS / "population.npz", people.population().to_bytes())
    loaded = DETECTOR.load(PackLoader(folder, "onnx"))
    assert loaded.encoders is not None
    assert loaded.encoders.identifies
    assert loaded.population is not None
    wrapped = loaded.through(lambda engine: engine)
    assert wrapped.encoders is not loaded.encoders
    assert wrapped.encoders is not None
    assert wrapped.encoders.key == loaded.encoders.key


def test_doctor_looks_for_the_identity_encoder(folder: Path) -> None:
    (absent,) = DETECTOR.check(folder)
    assert (absent.state, "import dlib-face" in absent.remedy) == ("optional", True)
    packs.write(folder, name=IDENTITY)
    (there,) = DETECTOR.check(folder)
    assert (there.state, "as in its manifest" in there.detail) == ("ok", True)
    (folder / IDENTITY / "model.onnx").write_bytes(b"altered")
    (altered,) = DETECTOR.check(folder)
    assert (altered.state, "do not run it" in altered.remedy) == ("failed", True)


def test_what_may_be_told_is_how_much_is_compared() -> None:
    part = people.face(shots=12).to_bytes()
    assert DETECTOR.describe(part) == {"moments": 12, "conditions": ["as recorded", "poor line"]}
    with pytest.raises(TemplateError):
        DETECTOR.describe(b"nothing")


def test_a_part_is_outdated_by_other_encoders_and_by_damage(folder: Path) -> None:
    part = people.face(shots=12).to_bytes()
    nobody = LoadedPairwise(None, None)
    assert nobody.is_outdated(part)
    assert nobody.is_outdated(b"nothing")
    packs.write(folder, name=ARTEFACTS)
    assert DETECTOR.load(PackLoader(folder, "onnx")).is_outdated(part)


def test_a_damaged_population_is_an_error(folder: Path) -> None:
    packs.write(folder, name=ARTEFACTS)
    packs.put(folder / ARTEFACTS / "population.npz", np.zeros(3).tobytes())
    with pytest.raises(EngineError, match="reinstall the model pack"):
        DETECTOR.load(PackLoader(folder, "onnx"))


def test_whoever_claims_an_identity_that_nobody_enrolled_hears_so(folder: Path) -> None:
    live = LoadedPairwise(None, people.population()).live(5.0, Later())
    window: Any = None
    assert live.score(Hop(window)).reason is Reason.NOT_ENROLLED


def test_nobody_is_enrolled_without_encoders_and_people() -> None:
    with pytest.raises(EngineError, match="face_artefacts is not installed"):
        LoadedPairwise(None, None).enrolling(one_person=False)


def test_identities_are_told_by_who_has_an_encoder_of_them() -> None:
    class Encoders:
        identifies = True

        def identify(self, shots: object) -> FloatArray:
            return vectors

    shots, vectors = list[FaceShot](), np.zeros((0, 512), np.float32)
    loaded = LoadedPairwise(Encoders(), None)  # type: ignore[arg-type]
    assert loaded.identifies
    assert loaded.identify(shots) is vectors
    assert not LoadedPairwise(None, None).identifies
    with pytest.raises(LookupError, match="no identity encoder"):
        LoadedPairwise(None, None).identify(shots)
