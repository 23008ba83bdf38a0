from __future__ import annotations

from collections import Counter

import pytest

from monitor.lab.corpus.main_face import faces_at_once, main_track


def test_nobody_is_the_main_track_of_nothing() -> None:
    assert main_track([]) == 0


@pytest.mark.parametrize(
    ("counts", "faces"),
    [({}, 0), ({0: 10}, 0), ({1: 10}, 1), ({1: 9, 2: 1}, 1), ({1: 8, 2: 2}, 2), ({0: 8, 1: 1, 3: 1}, 1)],
)
def test_a_face_that_is_seen_in_passing_is_not_one_of_several(counts: dict[int, int], faces: int) -> None:
    assert faces_at_once(Counter(counts)) == faces
