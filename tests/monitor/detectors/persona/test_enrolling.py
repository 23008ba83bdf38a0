"""How a person moves, learnt from made-up movement: taken hop by hop, personalised, and lived without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from monitor.detectors.base import Material
from monitor.detectors.persona.detector import PersonaPeople, PersonaReference
from monitor.detectors.persona.engines import PersonaEngines
from monitor.detectors.persona.enrolling import TOO_LITTLE, EnrollingPersona, MovementCollector
from monitor.detectors.persona.live import LoadedPersona
from monitor.detectors.persona.windows import MotionWindow
from monitor.window.window import WindowBuffer
from tests.monitor import movers, people

HOP = 12


def material(*clips: Sequence[MotionWindow]) -> Material:
    return Material([], [], [], [], np.zeros(0, np.int64), (), lambda: iter(()), clips)


def side(engines: PersonaEngines | None, genuine: PersonaPeople | None) -> EnrollingPersona:
    return LoadedPersona(engines, genuine).enrolling(one_person=True)


def test_what_is_seen_hop_by_hop_becomes_windows_of_speech() -> None:
    engines, window = movers.engines(), WindowBuffer()
    collector = side(engines, movers.people(engines)).collect(60.0)
    assert isinstance(collector, MovementCollector)
    collector.restart(window)
    assert collector.observe is not None
    motion, voice = movers.recording(1, 12.0)
    flags = np.ones(HOP, np.bool_)
    for start in range(0, len(motion) - HOP + 1, HOP):
        window.push_lips(start, np.zeros((HOP, 2), np.float32), flags)
        window.push_motion(start, motion[start : start + HOP], flags)
        window.push_voice(start, voice[start : start + HOP], flags)
        collector.hop()
    taken = collector.finish()
    assert len(taken) > 10
    assert all(isinstance(item, MotionWindow) for item in taken)


def test_a_person_is_personalised_and_progress_is_told() -> None:
    engines, shares = movers.engines(), list[float]()
    enrolling = side(engines, movers.people(engines))
    assert enrolling.effort > 0
    assert enrolling.refuse(material()) == ()
    part = enrolling.learn(material(movers.windows(1, 30.0), movers.windows(1, 30.0, 2)), people.MADE, shares.append)
    reference = PersonaReference.from_bytes(part.data or b"")
    assert reference.key == engines.key
    # The made-up tokens are the proportions in which speaking moves this person's face.
    learnt, true = reference.tokens.mean(0), movers.proportions(1)
    assert np.corrcoef(learnt, true)[0, 1] > 0.9
    assert part.quality["movement_seconds"] > 40
    assert part.advice == ()
    assert shares == sorted(shares)


def test_whoever_speaks_too_little_is_enrolled_without() -> None:
    engines = movers.engines()
    part = side(engines, movers.people(engines)).learn(material(()), people.MADE, lambda _share: None)
    assert (part.data, part.quality, part.advice) == (None, {"movement_seconds": 0.0}, (TOO_LITTLE,))


def test_where_nothing_can_be_learnt_nothing_is_and_it_costs_nothing() -> None:
    engines = movers.engines()
    genuine = movers.people(engines)
    unable: list[tuple[Any, Any]] = [
        (None, None),
        (engines, None),
        (PersonaEngines(movers.Persona(), movers.basis(), engines.tokens, None, None, None), genuine),
        (engines, replace(genuine, key="older")),
    ]
    for having, known in unable:
        enrolling = side(having, known)
        assert enrolling.effort == 0.0
        part = enrolling.learn(material(movers.windows(1, 30.0)), people.MADE, lambda _share: None)
        assert (part.data, part.quality, part.advice) == (None, {"movement_seconds": 0.0}, ())
    assert side(None, None).collect(60.0) is None
