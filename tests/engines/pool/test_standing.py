"""Whether a pool is asked, or left alone."""

from __future__ import annotations

from engines.pool.standing import FIRST_SECONDS, LONGEST_SECONDS, MAX_LATE, Standing


def test_a_pool_that_is_gone_is_left_alone_for_longer_and_longer() -> None:
    standing, now, waits = Standing(), 10.0, []
    assert standing.asks(now)
    for _ in range(8):
        standing = standing.gone(now)
        assert not standing.asks(now)
        # Of several who find it gone at once the first one counts.
        assert standing.gone(now + 0.01) == standing
        waits.append(standing.until - now)
        now = standing.until
        assert standing.asks(now)
    assert waits[:3] == [FIRST_SECONDS, 2 * FIRST_SECONDS, 4 * FIRST_SECONDS]
    assert waits[-1] == LONGEST_SECONDS
    assert standing.answered() == Standing()


def test_a_pool_that_is_late_again_and_again_is_as_good_as_gone() -> None:
    standing = Standing()
    for _ in range(MAX_LATE - 1):
        standing = standing.too_late(10.0)
        assert standing.asks(10.0)
    assert standing.answered().too_late(10.0).asks(10.0)
    assert not standing.too_late(10.0).asks(10.0)
