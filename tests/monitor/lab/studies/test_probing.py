"""The search of an attacker over the sound of their dub: it stays within its questions and limits, and helps them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from monitor.lab.studies.probing import LEAST_GAIN, MAX_SHIFT_SECONDS, Edit, Target, climb, sound_of
from monitor.session.models import load_models

DUB = ("clips/real/EDTalk__pose_source2.mp4", "clips/real/DFRF__cnn2_25fps.mp4")
SECONDS, QUERIES = 8.0, 4


def test_an_edit_that_changes_nothing_gives_the_same_sound() -> None:
    samples = np.random.default_rng(0).normal(size=32_000).astype(np.float32)
    assert np.allclose(Edit.none(2.0).apply(samples), samples, atol=1e-6)


def test_edits_stay_within_what_is_plausible_and_do_what_they_say() -> None:
    random, edit = np.random.default_rng(1), Edit.none(10.0)
    for _ in range(200):
        edit = edit.changed(random)
    assert np.abs(edit.shifts).max() <= MAX_SHIFT_SECONDS
    assert LEAST_GAIN <= edit.gains.min() < edit.gains.max() <= 1.0
    click = np.zeros(16_000, np.float32)
    click[8_000] = 1.0
    later = Edit(np.full(3, -0.1, np.float32), np.full(3, 0.5, np.float32)).apply(click)
    assert int(np.argmax(later)) == pytest.approx(8_000 + 1_600, abs=1)
    assert later.max() == pytest.approx(0.5, abs=0.05)


def test_what_helps_is_kept_in_as_many_questions_as_are_allowed() -> None:
    asked: list[float] = []

    def cost(edit: Edit) -> float:
        asked.append(float(np.mean((edit.shifts - 0.2) ** 2)))
        return asked[-1]

    found = climb(Edit.none(10.0), cost, 60, np.random.default_rng(2))
    assert len(asked) == 60
    assert cost(found) == min(asked)
    assert cost(found) < 0.5 * asked[0]


@pytest.mark.data
def test_an_attacker_lowers_the_score_of_a_real_dub_and_stays_far_from_genuine(data_dir: Path) -> None:
    models = load_models()
    target, voice = Target(models, data_dir / DUB[0], SECONDS), sound_of(data_dir / DUB[1], SECONDS)
    own = target.judge(sound_of(data_dir / DUB[0], SECONDS))
    plain = target.judge(voice)
    found = climb(Edit.none(SECONDS), lambda edit: target.cost(edit.apply(voice)), QUERIES, np.random.default_rng(0))
    attacked = target.judge(found.apply(voice))
    assert plain.agreement <= attacked.agreement < own.agreement - 0.15
    assert own.suspicious == 0.0
    assert attacked.statistic <= plain.statistic
