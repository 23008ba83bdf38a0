"""How a person moves is kept while their clips are read, learnt at the end, and compared in calls and scans."""

from __future__ import annotations

import json
import re
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from engines.base import EngineError
from monitor import cli
from monitor.config import Settings
from monitor.detectors.persona.engines import PersonaEngines
from monitor.detectors.reference import Reference
from monitor.identity.enrolment.config import EnrolConfig
from monitor.identity.enrolment.enrol import LEARNT
from monitor.identity.enrolment.movement import Movement, learn, seconds_of, thin
from monitor.identity.enrolment.personalise import PersonaliseConfig
from monitor.identity.vault.open import open_vault
from monitor.identity.vault.registry import Identities
from monitor.session.clip import scan
from monitor.session.models import Models
from monitor.types import Reason
from monitor.window.grid import RATE
from monitor.window.window import Stretch
from tests.monitor import movers, people
from tests.monitor.identity.build import JANE

QUICK = PersonaliseConfig(steps=40, batch=8, rate=0.2)


def hops(person: int, seconds: float, past: float = 29.0, begin: int = 0) -> list[Stretch]:
    """What a session tells at its hops: the last 29 s, nothing before the first picture."""
    motion, voice = movers.recording(person, seconds)
    told, reach = [], round(past * RATE)
    for end in range(12, len(motion) + 1, 12):
        at = np.arange(end - reach, end)
        known = at >= begin
        rows = [np.where(known[:, None], of[np.maximum(at, 0)], 0).astype(np.float32) for of in (motion, voice)]
        told.append(Stretch(end - reach, rows[0], known, rows[1], known))
    return told


def test_every_moment_is_kept_once() -> None:
    movement = Movement()
    for stretch in hops(0, 60.0):
        movement.see(stretch)
        movement.see(stretch)
    windows = movement.windows()
    whole = movers.windows(0, 60.0)
    assert [window.start for window in windows] == [window.start for window in whole]
    assert windows[30].motion == pytest.approx(whole[30].motion, abs=1e-4)
    assert seconds_of(windows) == pytest.approx(60.0, rel=0.1)


def test_what_is_kept_is_bounded_and_begins_with_the_first_face() -> None:
    assert Movement().windows() == []
    movement = Movement(seconds=10.0)
    for stretch in hops(0, 30.0, begin=100):
        movement.see(stretch)
    windows = movement.windows()
    assert movement._kept <= 10.5 * RATE
    assert windows[0].start >= 3.0
    assert windows[-1].start + 3 < 16


def test_windows_are_thinned_evenly() -> None:
    clips = [movers.windows(0, 30.0), [], movers.windows(0, 20.0, seed=1)]
    windows, clip = thin(clips, 30)
    assert len(windows) == len(clip) == 30
    assert set(clip.tolist()) == {0, 2}
    assert len(thin(clips)[0]) == sum(map(len, clips))
    assert len(thin([[]])[0]) == 0


@pytest.mark.parametrize("companion", [True, False])
def test_a_person_is_learnt_and_another_is_farther(companion: bool) -> None:
    engines = movers.engines(companion)
    told: list[float] = []
    made = learn(
        [movers.windows(0, 30.0), movers.windows(0, 30.0, 1)], engines, movers.people(engines), told.append, QUICK
    )
    assert made is not None
    assert made.key == engines.key
    assert (made.motion is not None) == companion
    assert set(made.clip.tolist()) == {0, 1}
    assert len(made.own) == len(made.clip)
    assert told == sorted(told)
    assert told[-1] == 1.0
    same, other = (engines.measure(movers.windows(person, 20.0, 5), made).parts() for person in (0, 1))
    assert other[0] > same[0] + 1
    assert np.isfinite(same[1]) == companion
    assert engines.embed(movers.windows(0, 5.0)).shape[1] == (movers.WIDTH if companion else 0)


def test_too_little_speech_teaches_nothing() -> None:
    engines = movers.engines()
    assert learn([movers.windows(0, 5.0)], engines, movers.people(engines), config=QUICK) is None
    assert learn([[]], engines, movers.people(engines)) is None


def test_without_the_pack_that_personalises_nothing_is_learnt() -> None:
    whole = movers.engines()
    engines = PersonaEngines(whole.persona, whole.basis, whole.tokens)
    with pytest.raises(EngineError, match="persona_tokens is not installed"):
        learn([movers.windows(0, 20.0)], engines, movers.people(engines))


def test_a_reference_keeps_how_the_person_moves_and_those_of_before_have_none() -> None:
    engines = movers.engines()
    persona = learn([movers.windows(0, 30.0)], engines, movers.people(engines), config=QUICK)
    assert persona is not None
    whole = replace(people.reference(), persona=persona)
    again = Reference.from_bytes(whole.to_bytes())
    assert again.persona is not None
    assert again.persona.motion is not None
    assert np.array_equal(again.persona.tokens, persona.tokens)
    assert again.persona.location == persona.location
    assert Reference.from_bytes(people.reference().to_bytes()).persona is None


@pytest.fixture(scope="module")
def moving(unidentified: Models) -> Models:
    engines = movers.engines()
    return replace(unidentified, persona=engines, people=movers.people(engines))


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
    state: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own, other = (str(data_dir / f"clips/real/LivePortrait__{name}.mp4") for name in ("d10", "d12"))
    assert cli.run(["enroll", JANE, own, "--consent-by", JANE, "--without-identity", "--json"]) == 0
    said = capsys.readouterr()
    quality = json.loads(said.out)["quality"]
    assert quality["movement_seconds"] > 6
    assert not any("moves" in line for line in quality["advice"])
    shares = [int(share) for share in re.findall(r"learning how the person moves when they speak \((\d+)%\)", said.err)]
    assert shares[0] == round(100 * LEARNT)
    assert len(shares) >= 3
    with closing(open_vault(Settings(state_dir=state))) as vault:
        reference = Identities(vault).reference(JANE)
    assert reference is not None
    assert reference.persona is not None
    assert len(reference.persona.own) > 10
    assert np.isfinite(reference.persona.own).all()
    assert cli.run(["scan", other, "--identity", JANE, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    score = found["scores"]["persona"]
    assert score["reason"] is None
    assert 0 < score["p_value"] <= 1
    evidence = score["evidence"]
    assert set(evidence) == {"distance", "companion", "speech_seconds", "windows", "timeline"}
    moments = [moment["at"] for moment in evidence["timeline"]]
    assert evidence["windows"] == len(moments) > 3
    assert moments == sorted(moments)
    assert 3 < moments[-1] < found["seconds"]
    assert 2 < evidence["speech_seconds"] < found["seconds"]
    assert JANE not in json.dumps(found)


@pytest.mark.data
def test_without_a_claim_nothing_of_movement_is_computed(moving: Models, data_dir: Path) -> None:
    assert moving.persona is not None
    engine = moving.persona.persona
    assert isinstance(engine, movers.Persona)
    before = len(engine.batches)
    found = scan(data_dir / "clips/real/lipnet__bbaf3s.mp4", moving)
    assert found.scores[2].reason is Reason.NOT_ENROLLED
    assert len(engine.batches) == before
