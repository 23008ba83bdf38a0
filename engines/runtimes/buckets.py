"""The batch sizes that a GPU engine compiles, and how a batch of any size is made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

BUCKETS = (1, 2, 4, 8, 16, 32)


def pieces(rows: int, buckets: Sequence[int] = BUCKETS) -> Iterator[tuple[slice, int]]:
    """Cut `rows` into runs of at most the largest bucket; each with the smallest bucket that holds it.

    A run shorter than its bucket is filled up by the caller, whose network must treat rows independently. `buckets`
    ascend.
    """
    for first in range(0, rows, buckets[-1]):
        size = min(buckets[-1], rows - first)
        yield slice(first, first + size), next(bucket for bucket in buckets if bucket >= size)
