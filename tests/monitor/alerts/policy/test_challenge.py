"""Words of a verification: as many as say 32 bits, each told apart from the others."""

from __future__ import annotations

import secrets

from monitor.alerts.policy.challenge import COUNT, WORDS, words


def test_words_are_chosen_of_256_that_nothing_repeats() -> None:
    assert len(WORDS) == len(set(WORDS)) == 256
    assert all(word.isascii() and word.islower() for word in WORDS)
    chosen = words(secrets.choice)
    assert len(chosen) == COUNT
    assert set(chosen) <= set(WORDS)
    assert words(lambda choices: choices[-1]) == (WORDS[-1],) * COUNT
