"""How a person moves is enrolled by the command, sealed, and compared by a scan."""

from __future__ import annotations

import json
import re
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from monitor import cli
from monitor.config import Settings
from monitor.detectors.persona.detector import PersonaReference
from monitor.detectors.persona.live import LoadedPersona
from monitor.identity.enrolment.config import EnrolConfig
from monitor.identity.vault.open import open_vault
from monitor.identity.vault.registry import Identities
from monitor.session.clip import scan
from monitor.session.models import Models
from monitor.types import Reason
from tests.monitor import movers
from tests.monitor.identity.build import JANE
from tests.monitor.identity.clips import begun
from tests.monitor.loaded import with_movement


@pytest.fixture(scope="module")
def moving(unidentified: Models) -> Models:
    engines = movers.engines()
    return with_movement(unidentified, engines, movers.people(engines))


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moving: Models) -> Path:
    """A state directory for commands, which run on these models and ask for little."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SIDEWITNESS_{name.upper()}", raising=False)
    monkeypatch.setenv("SIDEWITNESS_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr("monitor.session.models.load_models", lambda *_: moving)
    less = partial(EnrolConfig, min_face_seconds=8.0, min_speech_seconds=4.0, gallery=12)
    monkeypatch.setattr("monitor.identity.enrolment.config.EnrolConfig", less)
    return tmp_path / "state"


@pytest.mark.data
def test_movement_is_enrolled_sealed_and_compared_by_a_scan(
    state: Path, data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = data_dir / "clips/real"
    own = str(begun(clips / "MimicTalk__German_20s.mp4", tmp_path / "own.mp4", 11.0))
    other = str(clips / "LivePortrait__d20.mp4")
    assert cli.run(["enroll", JANE, own, "--consent-by", JANE, "--without-identity", "--json"]) == 0
    said = capsys.readouterr()
    quality = json.loads(said.out)["quality"]
    assert quality["movement_seconds"] > 6
    assert not any("moves" in line for line in quality["advice"])
    shares = [int(share) for share in re.findall(r"learning how the person moves when they speak \((\d+)%\)", said.err)]
    # Less where a voice is learnt too.
    assert shares[0] in (64, 70)
    assert len(shares) >= 3
    with closing(open_vault(Settings(state_dir=state))) as vault:
        reference = Identities(vault).reference(JANE)
    assert reference is not None
    persona = PersonaReference.from_bytes(reference.parts["persona"])
    assert len(persona.own_distances) > 10
    assert np.isfinite(persona.own_distances).all()
    assert cli.run(["scan", other, "--identity", JANE, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    score = found["scores"]["persona"]
    assert score["reason"] is None
    assert 0 < score["p_value"] <= 1
    evidence = score["evidence"]
    assert set(evidence) == {"distance", "companion", "speech_seconds", "windows", "timeline"}
    moments = [moment["at"] for moment in evidence["timeline"]]
    assert evidence["windows"] == len(moments) > 2
    assert moments == sorted(moments)
    assert 3 < moments[-1] < found["seconds"]
    assert 2 < evidence["speech_seconds"] < found["seconds"]
    assert JANE not in json.dumps(found)


@pytest.mark.data
def test_without_a_claim_nothing_of_movement_is_computed(moving: Models, data_dir: Path) -> None:
    engines = moving.of(LoadedPersona).engines
    assert engines is not None
    engine = engines.persona
    assert isinstance(engine, movers.Persona)
    before = len(engine.batches)
    found = scan(data_dir / "clips/real/lipnet__bbaf3s.mp4", moving)
    assert found.scores[2].reason is Reason.NOT_ENROLLED
    assert len(engine.batches) == before
