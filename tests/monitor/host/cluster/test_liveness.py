"""Whether a host lives."""

from __future__ import annotations

from monitor.host.cluster.liveness import BEAT_SECONDS, SILENT_SECONDS, Liveness


def test_two_seconds_of_silence_are_death() -> None:
    lives, died = Liveness(10.0), []
    for look in range(1, 20):
        now = 10.0 + look * BEAT_SECONDS
        lives = lives.look(now, heard=False)
        died += [now] if lives.dead else []
    assert died[0] - 10.0 == SILENT_SECONDS


def test_a_word_ends_the_silence() -> None:
    lives = Liveness(0.0)
    for look in range(100):
        lives = lives.look((look + 1) * BEAT_SECONDS, heard=look % 4 == 3)
        assert not lives.dead


def test_a_gateway_that_slept_blames_nobody() -> None:
    lives = Liveness(0.0).look(3600.0, heard=False)
    assert not lives.dead
    assert Liveness(5.0).look(0.0, heard=False).silent == 0.0


def test_whoever_begins_has_longer() -> None:
    lives = Liveness(0.0, limit=4.0)
    for look in range(15):
        lives = lives.look((look + 1) * BEAT_SECONDS, heard=False)
    assert not lives.dead
    assert lives.look(4.0, heard=False).dead
