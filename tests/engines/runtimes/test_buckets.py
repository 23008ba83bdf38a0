"""A batch of any size is made of buckets: every row once, in order, in a bucket that is just large enough."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engines.runtimes.buckets import BUCKETS, pieces


def test_a_batch_is_filled_up_or_split() -> None:
    assert list(pieces(1)) == [(slice(0, 1), 1)]
    assert list(pieces(5)) == [(slice(0, 5), 8)]
    assert list(pieces(70)) == [(slice(0, 32), 32), (slice(32, 64), 32), (slice(64, 70), 8)]
    assert list(pieces(3, (2,))) == [(slice(0, 2), 2), (slice(2, 3), 2)]


@given(st.integers(1, 200))
def test_every_row_runs_once_in_the_smallest_bucket_that_holds_it(rows: int) -> None:
    found = list(pieces(rows))
    assert [row for part, _ in found for row in range(rows)[part]] == list(range(rows))
    for part, bucket in found:
        size = part.stop - part.start
        assert size <= bucket
        assert not any(size <= other < bucket for other in BUCKETS)
