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


def test_movement_lies_beside_another_encoders_vectors_of_the_same_voice() -> None:
    buffer = filled(lips=100, voice=100)
    buffer.push_motion(0, frames(0, 100, 4), yes(100))
    assert buffer.moving().voice.shape[1] == 3
    buffer.push_beside_motion(20, frames(1020, 80, 5))
    stretch = buffer.moving().after(0)
    assert stretch.voice[:, 0].tolist() == [0] * 20 + [n + 1 for n in range(1020, 1100)]
    assert stretch.valid.tolist() == [n >= 20 for n in range(100)]
    assert buffer.window().voice.shape[1] == 3


def test_a_pause_is_silence_beside_movement_too() -> None:
    buffer = filled(lips=100, voice=100)
    buffer.push_motion(0, frames(0, 100, 4), yes(100))
    buffer.push_beside_motion(0, frames(0, 100, 5))
    buffer.push_silence(4.0, 5.0)
    buffer.push_voice(125, frames(125, 25, 3), yes(25))
    buffer.push_beside_motion(125, frames(125, 25, 5))
    buffer.push_lips(100, frames(100, 50), yes(50))
    buffer.push_motion(100, frames(100, 50, 4), yes(50))
    stretch = buffer.moving().after(0)
    assert not stretch.voice[100:125].any()
    assert stretch.voice[125:150, 0].tolist() == [n + 1 for n in range(125, 150)]
    assert stretch.valid.all()
