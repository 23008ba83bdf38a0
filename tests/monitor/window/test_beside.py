"""One voice beside two pictures of one mouth, as enrolment sees it."""

from __future__ import annotations

from monitor.types import ClockState
from tests.monitor.window.test_window import filled, frames, indices, stamp, yes


def test_other_lips_beside_the_same_voice() -> None:
    buffer = filled()
    other = buffer.beside()
    assert not other.window().lips_mask.any()
    other.push_lips(0, frames(1000, 250), yes(250))
    buffer.push_voice(250, frames(250, 10, 3), yes(10))
    buffer.push_lips(250, frames(250, 10), yes(10))
    for kind in ("video", "audio"):
        buffer.mark(kind, stamp(0.0))
    assert indices(other.window()) == (list(range(1125, 1250)), list(range(125, 250)))
    assert indices(buffer.window()) == (list(range(135, 260)), list(range(135, 260)))
    assert other.window().clock is ClockState.MAPPED
