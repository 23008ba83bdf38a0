"""Where genuine people end: everybody weighs the same, and what nobody has counts as it is."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.detectors.usual import MIN_USUAL, USUAL_QUANTILE, usual_sizes


def test_everybody_weighs_the_same_however_many_scores_they_gave() -> None:
    scores = np.concatenate([np.full((90, 1), 1.0), np.full((1, 1), 3.0)])
    person = np.repeat([0, 1], [90, 1])
    assert usual_sizes(scores, person) == pytest.approx([1.0 + USUAL_QUANTILE * 2.0])


def test_a_missing_score_is_left_out_a_small_one_lifted_and_a_missing_measure_is_one() -> None:
    scores = np.array([[2.0, 0.1, np.nan], [np.nan, 0.1, np.nan], [2.0, 0.1, np.nan]])
    assert usual_sizes(scores, np.array([0, 0, 1])) == pytest.approx([2.0, MIN_USUAL, 1.0])
    assert usual_sizes(np.zeros((0, 3)), np.zeros(0, np.int64)).tolist() == [1.0, 1.0, 1.0]
