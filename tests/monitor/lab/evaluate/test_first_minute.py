"""The study that says what the rule of the first minute costs, on made-up people."""

from __future__ import annotations

import numpy as np

from monitor.decision.calibration import Calibration
from monitor.decision.decide import DecisionConfig
from monitor.lab.evaluate.first_minute import looped, measure
from monitor.lab.evaluate.voice_mismatch import EncodedClip

STEPS = 200


def clip(number: int, agrees: bool = True) -> EncodedClip:
    """Eight seconds in which lips and voice are the same noise, or each their own."""
    random = np.random.default_rng(number)
    lips, other = (random.standard_normal((STEPS, 8)).astype(np.float32) for _ in range(2))
    lips, other = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (lips, other))
    every = np.ones(STEPS, np.bool_)
    return EncodedClip(f"{number}.mp4", f"person {number}", lips, every, lips if agrees else other, every)


def calibration() -> Calibration:
    """Forty genuine people whose agreement lies near one."""
    scores = np.linspace(-1.0, -0.8, 40)
    return Calibration.build({2.0: (scores, [str(n) for n in range(40)])})


def test_genuine_people_are_not_alerted_and_voices_of_others_are() -> None:
    measured = measure([clip(n) for n in range(4)], calibration(), DecisionConfig())
    assert measured["genuine"] | {"interval": None} == {
        "clips": 4,
        "people": 4,
        "alerted_in_a_minute": 0,
        "interval": None,
        "alerted_in_two": 0,
        "people_alerted_in_a_minute": 0,
        "seconds_to_alert": {"p25": None, "p50": None, "p75": None},
    }
    assert measured["other_voice"]["clips"] == measured["other_voice"]["alerted_in_two"] == 4


def test_the_rule_never_alerts_sooner() -> None:
    clips = [clip(n) for n in range(3)]
    without, with_rule = (
        measure(clips, calibration(), DecisionConfig(first_seconds=seconds))["other_voice"]["seconds_to_alert"]["p50"]
        for seconds in (0.0, 60.0)
    )
    assert without <= with_rule


def test_a_clip_of_which_nothing_can_be_judged_is_left_out() -> None:
    genuine = clip(0)
    silent = EncodedClip("s", "s", genuine.lips, genuine.face, genuine.voice, np.zeros(STEPS, np.bool_))
    assert looped(genuine, silent, calibration(), 10) is None
