from __future__ import annotations

from monitor.host.supervision import STEADY_SECONDS, SourcePhase, Supervision


def test_the_way_of_a_source() -> None:
    state = Supervision(since=1.0).begin(2.0)
    assert (state.phase, state.since, state.failures, state.why) == (SourcePhase.CONNECTING, 2.0, 0, None)
    state = state.failed(3.0, "no answer")
    assert (state.phase, state.since, state.failures, state.why) == (SourcePhase.RETRYING, 3.0, 1, "no answer")
    state = state.begin(4.0).failed(5.0, "no answer")
    assert state.failures == 2
    state = state.begin(6.0).waiting(7.0, "nobody is there")
    assert (state.phase, state.since, state.failures, state.why) == (SourcePhase.WAITING, 7.0, 2, "nobody is there")
    assert state.waiting(8.0, "nobody is there") is state
    assert state.waiting(8.0, "nobody speaks").since == 8.0
    state = state.connected(9.0)
    assert (state.phase, state.since, state.why) == (SourcePhase.CONNECTED, 9.0, None)
    assert state.connected(10.0) is state
    assert state.ended(11.0) == Supervision(SourcePhase.ENDED, 11.0)


def test_only_a_steady_connection_forgets_what_failed_before() -> None:
    joined = Supervision(failures=5).connected(100.0)
    assert joined.failed(100.0 + STEADY_SECONDS - 0.1, "gone").failures == 6
    assert joined.failed(100.0 + STEADY_SECONDS, "gone").failures == 1
    waiting = joined.waiting(101.0, "nobody is there")
    assert waiting.failed(100.0 + 10 * STEADY_SECONDS, "gone").failures == 6
