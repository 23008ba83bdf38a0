"""Speech without its pauses in pieces, the same however the sound is cut."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.detectors.voiceprint.pieces import HOP_STEPS, MAX_PAUSE_STEPS, PIECE_STEPS, Piece, SpeechCutter
from monitor.types import FloatArray
from monitor.voice.mel40 import PIECE_SAMPLES
from monitor.window.spoken import AROUND_FRAMES
from tests.monitor.detectors.voiceprint.voices import STEP, chunk


def ramp(steps: int, first: int = 0) -> FloatArray:
    """Sound whose samples are their own number."""
    return np.arange(first * STEP, (first + steps) * STEP, dtype=np.float32)


def all_of(cutter: SpeechCutter, *parts: tuple[int, int, bool]) -> list[Piece]:
    """Push stretches (first step, steps, whether somebody speaks); the first begins the stream."""
    found = []
    for n, (first, steps, speaks) in enumerate(parts):
        found += cutter.push(chunk(first, ramp(steps, first), speaks, restarted=n == 0))
    return found + cutter.finish()


@pytest.mark.parametrize("at_once", [1, 3, 50, 200])
def test_speech_is_cut_into_pieces_however_it_comes(at_once: int) -> None:
    parts = [(first, min(at_once, 200 - first), True) for first in range(0, 200, at_once)]
    found = all_of(SpeechCutter(), *parts)
    assert [piece.first for piece in found] == list(range(0, 200 - PIECE_STEPS + 1, HOP_STEPS))
    assert {piece.last - piece.first for piece in found} == {PIECE_STEPS - 1}
    for piece in found:
        np.testing.assert_array_equal(piece.samples, ramp(PIECE_STEPS, piece.first)[:PIECE_SAMPLES])


def test_what_is_speech_is_known_a_second_later() -> None:
    cutter = SpeechCutter()
    assert cutter.push(chunk(0, ramp(PIECE_STEPS + AROUND_FRAMES - 1), restarted=True)) == []
    assert cutter.judged == PIECE_STEPS - 1
    (piece,) = cutter.push(chunk(PIECE_STEPS + AROUND_FRAMES - 1, ramp(1, PIECE_STEPS + AROUND_FRAMES - 1)))
    assert (piece.first, piece.last) == (0, PIECE_STEPS - 1)
    assert [late.first for late in cutter.finish()] == [HOP_STEPS]
    assert cutter.finish() == []


def test_pauses_are_left_out_and_long_ones_end_a_piece() -> None:
    short = all_of(SpeechCutter(), (0, 30, True), (30, 20, False), (50, 30, True))
    assert (short[0].first, short[0].last) == (0, 50 + PIECE_STEPS - 30 - 1)
    away = 30 + MAX_PAUSE_STEPS + 10
    long = all_of(SpeechCutter(), (0, 30, True), (30, away - 30, False), (away, 60, True))
    assert long[0].first == away


def test_music_and_silence_are_no_speech() -> None:
    assert all_of(SpeechCutter(), (0, 300, False)) == []


@pytest.mark.parametrize("restarted", [True, False])
def test_another_stream_begins_anew(restarted: bool) -> None:
    cutter = SpeechCutter()
    cutter.push(chunk(0, ramp(PIECE_STEPS - 1), restarted=True))
    found = cutter.push(chunk(500, ramp(100, 500), restarted=restarted))
    assert found[0].first == 500
