"""How a person moves is kept while their clips are read, learnt at the end, and compared in calls and scans."""

from __future__ import annotations

import numpy as np
import pytest

from engines.base import EngineError
from monitor.detectors.persona.detector import PersonaReference
from monitor.detectors.persona.engines import PersonaEngines
from monitor.detectors.persona.movement import Movement, learn, seconds_of, thin
from monitor.detectors.persona.personalise import PersonaliseConfig
from monitor.detectors.reference import TemplateError
from monitor.window.grid import GRID_HZ
from monitor.window.window import Stretch
from tests.monitor import movers

QUICK = PersonaliseConfig(steps=40, batch=8, rate=0.2)


def hops(person: int, seconds: float, past: float = 29.0, begin: int = 0) -> list[Stretch]:
    """What a session tells at its hops: the last 29 s, nothing before the first picture."""
    motion, voice = movers.recording(person, seconds)
    told, reach = [], round(past * GRID_HZ)
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
    assert movement._steps <= 10.5 * GRID_HZ
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
    assert len(made.own_distances) == len(made.clip)
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


def test_bytes_make_the_same_reference() -> None:
    engines = movers.engines()
    persona = learn([movers.windows(0, 30.0)], engines, movers.people(engines), config=QUICK)
    assert persona is not None
    again = PersonaReference.from_bytes(persona.to_bytes())
    assert again.motion is not None
    assert np.array_equal(again.tokens, persona.tokens)
    assert again.location == persona.location
    for data in (b"", b"nothing of ours", persona.to_bytes()[:-100]):
        with pytest.raises(TemplateError, match="enrol the person again"):
            PersonaReference.from_bytes(data)
