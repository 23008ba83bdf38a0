"""Calls put together of tables: genuine people who are not told, and another's voice that is."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from monitor.decision.decide import DecisionConfig
from monitor.lab.evaluate import simulated_claims
from monitor.lab.evaluate.simulated_claims import (
    VOICE_BEGINS,
    Tables,
    arguments,
    by_person,
    call_of,
    measure,
    of_strangers,
)
from monitor.lab.studies.voices import known_voices, of_themselves
from tests.monitor.lab.studies.test_voices import people

PLAIN = [np.array([0.3, 0.6, 0.9])] * 3


def test_windows_of_a_person_are_drawn_a_block_at_a_time() -> None:
    random = np.random.default_rng(0)
    made = call_of("genuine", "0", np.array([0.2, 0.4]), PLAIN[0], PLAIN[1], 30.0, random)
    assert len(made.hops) == 61
    voices = [(at, score.p_value) for at, scores in made.hops for score in scores if score.detector == "voiceprint"]
    assert [p for at, p in voices if at < VOICE_BEGINS] == [None] * 9
    drawn = [p for at, p in voices if at >= VOICE_BEGINS]
    # Windows of five seconds: ten hops say the same.
    assert sum(a != b for a, b in pairwise(drawn)) <= 5
    brief = [score.brief.p_value for _, scores in made.hops[-4:] for score in scores if score.brief is not None]
    assert set(brief) <= {0.3, 0.6, 0.9}


def test_who_is_genuine_is_not_told_and_a_strange_voice_is(monkeypatch: pytest.MonkeyPatch) -> None:
    # Calls of two minutes, not of ten: a strange voice is told within half of one.
    monkeypatch.setattr(simulated_claims, "GENUINE_SECONDS", 120.0)
    found = measure(
        Tables(PLAIN, PLAIN, PLAIN, [np.array([0.005]), np.array([0.005, 0.9]), np.zeros(0)]), DecisionConfig()
    )
    assert found["people"] == {"voices": 3, "faces": 3, "lips": 3}
    for told in found["genuine"].values():
        assert told["alerted"]["share"] == [0.0, 0.0, 0.0]
        assert told["voice_mismatch"]["people_ever"] == 0
        assert told["alerted"]["ever"][2] > 0.5
    cloned = found["another's voice"]
    assert (cloned["all"]["calls"], cloned["all"]["people"]) == (3, 2)
    assert 0.6 < cloned["voice alone"]["alerted"][0] < 0.7
    assert cloned["voice alone"]["p50"] < 30.0


def test_p_values_are_by_person_and_without_them() -> None:
    known, trials = known_voices(people(), "key")
    own = by_person(*known.calibration.leave_one_out(3.0))
    assert len(own) == known.people == len(np.unique(of_themselves(trials).claimed))
    strange = of_strangers(trials, known.calibration)
    assert len(strange) == 12
    # Of everybody else's clips, against each of one's own: nobody is as unlike as a stranger.
    assert {float(p) for values in strange for p in values} == {1 / 12}


def test_the_command_line() -> None:
    given = ["a.csv,b.csv", "cache", "--exclude", "many", "--exclude", "few"]
    assert list(arguments(given)) == [[Path("a.csv"), Path("b.csv")], Path("cache"), ["many", "few"]]
