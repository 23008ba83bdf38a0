"""Which variable says in how many threads matrices are multiplied."""

from __future__ import annotations

import pytest

from monitor.host.matrix_threads import is_one


@pytest.mark.parametrize(
    ("environment", "cores", "expected"),
    [
        ({}, 1, True),
        ({}, 2, False),
        ({"OPENBLAS_NUM_THREADS": "1"}, 2, True),
        ({"OPENBLAS_NUM_THREADS": "2"}, 2, False),
        ({"OMP_NUM_THREADS": "1"}, 2, True),
        ({"OPENBLAS_NUM_THREADS": "4", "OMP_NUM_THREADS": "1"}, 8, False),
        ({"OPENBLAS_NUM_THREADS": "", "GOTO_NUM_THREADS": "1"}, 2, True),
    ],
)
def test_the_first_that_says_something_counts(environment: dict[str, str], cores: int, expected: bool) -> None:
    assert is_one(environment, cores) is expected
