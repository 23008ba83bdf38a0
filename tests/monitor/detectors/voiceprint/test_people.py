"""What is known of voices in general: kept as plain arrays, normalised by a cohort that is nobody."""

from __future__ import annotations

import io

import numpy as np
import pytest

from monitor.detectors.voiceprint.people import VoicePeople, VoicePeopleError, drawn_cohort
from tests.monitor.detectors.voiceprint.voices import direction, people


def test_it_comes_back_as_it_was_written() -> None:
    again = VoicePeople.from_bytes(people().to_bytes())
    assert (again.key, again.people, again.usual, again.together) == ("toy", 20, -1.0, 0.6)
    np.testing.assert_allclose(again.cohort, people().cohort, atol=1e-3)
    np.testing.assert_array_equal(again.scores, people().scores)


def test_another_schema_and_damage_are_one_line() -> None:
    file = io.BytesIO()
    np.savez(file, schema=np.array(99))
    for bad in (b"", file.getvalue(), people().to_bytes()[:200]):
        with pytest.raises(VoicePeopleError, match="train voiceprints") as refusal:
            VoicePeople.from_bytes(bad)
        assert "\n" not in str(refusal.value)


def test_ones_own_voice_lies_lower_than_anothers_and_p_values_follow() -> None:
    enrolled = direction(7)
    own, other = people().values(np.stack([direction(7, (8, 9)), direction(8)]), enrolled)
    assert own < 0 < other + 2
    assert other - own > 2
    assert people().p_value(other) == pytest.approx(1 / 21)
    assert people().p_value(own, once=True) > people().p_value(other, once=True)


def test_the_cohort_is_nobody() -> None:
    real = np.stack([direction(person) for person in range(100, 120)])
    drawn = drawn_cohort(real, 60)
    assert drawn.shape == (60, 256)
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), 1, atol=1e-5)
    assert (drawn >= 0).all()
    # As far from every person as two people are from each other at the nearest.
    nearest = np.sort(real @ real.T, axis=1)[:, -2].max()
    assert (drawn @ real.T).max() < max(nearest, 0.999)
    np.testing.assert_array_equal(drawn, drawn_cohort(real, 60))
