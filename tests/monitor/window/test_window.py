from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.types import ClockState, FloatArray, Stamp
from monitor.window.spoken import AROUND_FRAMES, LEAST_HEARD
from monitor.window.window import Window, WindowBuffer


def frames(first: int, count: int, width: int = 2) -> FloatArray:
    """Vectors that hold their own index, plus one so that none is zero."""
    return np.repeat(np.arange(first, first + count, dtype=np.float32)[:, None] + 1, width, axis=1)


def yes(count: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.ones(count, np.bool_)


def stamp(offset: float, state: ClockState = ClockState.MAPPED, uncertainty: float = 0.01) -> Stamp:
    return Stamp(7.0, 7.0 + offset, uncertainty, state, 0.0)


def filled(lips: int = 250, voice: int = 250, seconds: float = 5.0) -> WindowBuffer:
    buffer = WindowBuffer(seconds)
    buffer.push_lips(0, frames(0, lips), yes(lips))
    buffer.push_voice(0, frames(0, voice, 3), yes(voice))
    return buffer


def indices(window: Window) -> tuple[list[int], list[int]]:
    """The pushed indices of each frame of the window, -1 where nothing is."""
    return [int(x) - 1 for x in window.lips[:, 0]], [int(x) - 1 for x in window.voice[:, 0]]


def test_an_empty_buffer_gives_an_empty_window() -> None:
    window = WindowBuffer().window()
    assert window.lips.shape == (125, 0)
    assert not window.lips_mask.any()
    assert not window.voice_mask.any()
    assert (window.end, window.age, window.seconds) == (0.0, 0.0, 5.0)
    assert (window.clock, window.uncertainty) == (ClockState.UNKNOWN, 5.0)
    assert (window.coverage, window.face_fraction, window.speech_seconds) == (0.0, 0.0, 0.0)


def test_a_full_window_holds_the_newest_frames() -> None:
    window = filled().window()
    assert indices(window) == (list(range(125, 250)), list(range(125, 250)))
    assert window.lips.dtype == window.voice.dtype == np.float32
    assert window.voice.shape == (125, 3)
    assert (window.coverage, window.face_fraction, window.speech_seconds, window.age) == (1.0, 1.0, 5.0, 10.0)


def test_another_length_may_be_read() -> None:
    buffer = filled()
    assert indices(buffer.window(2.0))[0] == list(range(200, 250))
    assert len(buffer.window(20.0).lips) == 500
    for seconds in (0.0, 29.1, -1.0):
        with pytest.raises(ValueError, match="does not fit"):
            buffer.window(seconds)


@pytest.mark.parametrize("seconds", [0.0, 29.5, -2.0])
def test_a_window_must_fit_in_the_ring(seconds: float) -> None:
    with pytest.raises(ValueError, match="at most 29 s"):
        WindowBuffer(seconds)


def test_unusable_lips_are_pictures_without_a_face() -> None:
    buffer = WindowBuffer(1.0)
    usable = np.arange(25) % 5 > 0
    buffer.push_lips(0, frames(0, 25), usable)
    window = buffer.window()
    assert window.pictures.all()
    assert (window.lips_mask == usable).all()
    assert (window.lips[~usable] == 0).all()


def test_silent_voice_is_valid_but_no_speech() -> None:
    buffer = filled(25, 0, seconds=1.0)
    buffer.push_voice(0, frames(0, 25), np.arange(25) < 10)
    window = buffer.window()
    assert window.voice_mask.all()
    assert window.speech_seconds == pytest.approx(0.4)
    assert window.coverage == 1.0


def test_a_pause_is_silence_that_was_heard() -> None:
    buffer = filled(125, 125)
    buffer.push_lips(125, frames(125, 125), yes(125))
    buffer.push_silence(5.0, 9.0)
    buffer.push_voice(225, frames(225, 25, 3), yes(25))
    window = buffer.window()
    assert window.voice_mask.all()
    assert (window.speech == (np.arange(125) >= 100)).all()
    assert not window.voice[:100].any()


def test_silence_takes_the_place_of_nothing() -> None:
    """Not of what was stored, not before there is a voice, and not more of it than is kept."""
    buffer = WindowBuffer(1.0)
    buffer.push_silence(0.0, 4.0)
    assert not buffer.window().voice_mask.any()
    buffer.push_voice(0, frames(0, 100, 3), yes(100))
    buffer.push_silence(2.0, 3.5)
    assert buffer.window().speech.all()
    buffer.push_silence(4.0, 400.0)
    assert buffer.window(29.0).voice_mask.all()
    assert not buffer.window(29.0).speech.any()


def test_sound_is_told_from_speech() -> None:
    buffer = filled(100, 0, seconds=4.0)
    heard = np.isin(np.arange(100), np.arange(0, 10))
    buffer.push_voice(0, frames(0, 100), heard, np.arange(100) < 60)
    window = buffer.window()
    assert window.sound is not None
    assert np.flatnonzero(window.sound).tolist() == list(range(60))
    # All sound within a second of speech that was heard is speech, and none beyond.
    assert np.flatnonzero(window.speech).tolist() == list(range(10 - LEAST_HEARD + AROUND_FRAMES + 1))
    part = window.last(50)
    assert part.sound is not None
    assert part.sound.tolist() == [True] * 10 + [False] * 40


def test_what_lies_beside_a_window_tells_speech_in_it() -> None:
    buffer = filled(200, 0, seconds=1.0)
    heard = np.isin(np.arange(200), np.arange(160, 170))
    buffer.push_voice(0, frames(0, 200), heard, yes(200))
    assert buffer.window(1.0).speech[:12].all()
    assert buffer.window(2.0).speech[:37].all()


@settings(deadline=None)
@given(st.integers(-200, 200), st.integers(-40, 40))
def test_frames_captured_together_meet(video_frames: int, apart: int) -> None:
    buffer = filled(700, 700)
    buffer.mark("video", stamp(video_frames / 25))
    buffer.mark("audio", stamp((video_frames - apart) / 25))
    assert buffer.shift == apart
    window = buffer.window()
    lips, voice = indices(window)
    for i, j in zip(lips, voice, strict=True):
        assert -1 in (i, j) or j == i + apart
    assert window.clock is ClockState.MAPPED
    assert window.uncertainty == pytest.approx(0.02)


def test_a_late_sender_report_realigns_the_past() -> None:
    buffer = filled()
    for kind in ("video", "audio"):
        buffer.mark(kind, stamp(0.0))
    before = buffer.window()
    buffer.mark("audio", stamp(-0.4))
    after = buffer.window()
    assert indices(before)[1] == indices(before)[0]
    assert [j for j in indices(after)[1] if j >= 0] == [i + 10 for i in indices(after)[0] if i + 10 < 250]


@settings(deadline=None)
@given(st.integers(-50, 50), st.integers(-50, 50))
def test_where_arrival_disagrees_both_pairings_are_read(apart: int, disagreement: int) -> None:
    """Each as if it alone were there, with its own past."""
    buffer, other = filled(700, 700), filled(700, 700)
    buffer.mark("video", replace(stamp(apart / 25), delay=disagreement / 25))
    buffer.mark("audio", stamp(0.0))
    other.mark("video", stamp((apart + disagreement) / 25))
    other.mark("audio", stamp(0.0))
    for window, alone in ((buffer.window(), other.window()), (buffer.recall(3.0), other.recall(3.0))):
        assert len(window.pairings) == (2 if abs(disagreement) > 5 else 1)
        if window.by_arrival is not None:
            assert indices(window.by_arrival) == indices(alone)
            assert (window.by_arrival.memory is None) == (alone.memory is None)
        assert window.last(25).pairings[1:] == ()


def test_one_track_alone_has_one_pairing() -> None:
    buffer = filled()
    buffer.mark("video", replace(stamp(0.0), delay=1.0))
    assert buffer.window().by_arrival is None


def test_end_is_the_capture_time_of_the_last_frame() -> None:
    buffer = filled()
    assert buffer.window().end == 10.0
    buffer.mark("audio", stamp(100.0))
    assert buffer.window().end == 110.0
    buffer.mark("video", stamp(100.2))
    assert buffer.window().end == pytest.approx(110.0)


@pytest.mark.parametrize(
    ("video", "audio"),
    [(ClockState.UNKNOWN, ClockState.MAPPED), (ClockState.MAPPED, ClockState.UNKNOWN), (ClockState.MAPPED, None)],
)
def test_the_clock_is_mapped_only_when_both_tracks_are(video: ClockState, audio: ClockState | None) -> None:
    buffer = filled()
    buffer.mark("video", stamp(0.0, video))
    if audio:
        buffer.mark("audio", stamp(0.0, audio))
    assert buffer.window().clock is ClockState.UNKNOWN


def test_a_slower_track_is_waited_for_a_second_and_then_masked() -> None:
    assert indices(filled(250, 240).window())[0][-1] == 239
    window = filled(250, 200).window()
    assert indices(window)[0][-1] == 224
    assert window.voice_mask.sum() == 100
    assert filled(250, 0).window().lips_mask.all()
    assert filled(0, 250).window().voice_mask.all()


def test_a_slower_track_in_a_full_ring_shows_nothing_of_its_past() -> None:
    window = filled(2000, 1960).window()
    assert indices(window)[1] == [*range(1850, 1960), *[-1] * 15]


def test_age_is_counted_in_capture_time() -> None:
    buffer = filled(50, 0)
    buffer.push_voice(1000, frames(1000, 60), yes(60))
    buffer.mark("video", stamp(100.0))
    buffer.mark("audio", stamp(60.0))
    assert buffer.window().age == 2.0


def test_what_ends_where_the_window_begins_is_a_jump_and_what_reaches_into_it_is_late() -> None:
    late, jump = filled(250, 0), filled(250, 0)
    late.push_lips(116, frames(116, 10), yes(10))
    jump.push_lips(115, frames(115, 10), yes(10))
    assert late.window().lips_mask.all()
    assert jump.window().lips_mask.sum() == 10


def test_gaps_are_masked() -> None:
    buffer = filled(100, 200)
    buffer.push_lips(110, frames(110, 90), yes(90))
    window = buffer.window()
    assert [i for i, ok in zip(range(75, 200), window.lips_mask, strict=True) if not ok] == list(range(100, 110))
    assert not window.lips[25:35].any()


def test_a_late_push_fills_a_gap_and_overwrites() -> None:
    buffer = filled(100, 200)
    buffer.push_lips(150, frames(150, 50), yes(50))
    buffer.push_lips(90, -frames(90, 60), yes(60))
    window = buffer.window()
    assert window.lips_mask.all()
    assert (window.lips[20:70, 0] == -np.arange(96, 146)).all()


def test_a_backward_jump_starts_the_track_anew() -> None:
    buffer = filled(2000, 2000)
    buffer.push_lips(10, frames(10, 5), yes(5))
    buffer.push_voice(0, frames(0, 15), yes(15))
    window = buffer.window()
    assert indices(window)[0] == [-1] * 120 + [10, 11, 12, 13, 14]
    assert window.age == pytest.approx(15 / 25)


def test_a_forward_jump_forgets_the_past() -> None:
    buffer = filled(250, 250)
    buffer.push_lips(10**9, frames(0, 3), yes(3))
    buffer.push_voice(10**9, frames(0, 3), yes(3))
    window = buffer.window(20.0)
    assert window.lips_mask.sum() == window.voice_mask.sum() == 3


def test_a_push_longer_than_the_ring_keeps_its_end() -> None:
    window = filled(5000, 5000).window(29.0)
    assert indices(window)[0] == list(range(5000 - 725, 5000))


def test_an_empty_push_changes_nothing() -> None:
    buffer = filled()
    buffer.push_lips(9999, np.zeros((0, 2), np.float32), yes(0))
    assert indices(buffer.window())[0][-1] == 249


def test_vectors_that_are_no_numbers_count_as_never_pushed() -> None:
    buffer = filled(0, 25, seconds=1.0)
    vectors = frames(0, 25)
    vectors[3, 1] = np.nan
    vectors[4, 0] = np.inf
    buffer.push_lips(0, vectors, yes(25))
    window = buffer.window()
    assert np.flatnonzero(~window.lips_mask).tolist() == np.flatnonzero(~window.pictures).tolist() == [3, 4]
    assert np.isfinite(window.lips).all()


def test_another_width_starts_the_track_anew() -> None:
    buffer = filled()
    buffer.push_lips(245, frames(245, 5, width=4), yes(5))
    window = buffer.window()
    assert window.lips.shape == (125, 4)
    assert window.lips_mask.sum() == 5


@pytest.mark.parametrize(("shape", "flags"), [((3,), 3), ((3, 2), 2)])
def test_shapes_must_fit(shape: tuple[int, ...], flags: int) -> None:
    with pytest.raises(ValueError, match=r"must be \(N, D\)"):
        WindowBuffer().push_lips(0, np.zeros(shape, np.float32), yes(flags))


def test_a_window_does_not_change_when_the_ring_does() -> None:
    buffer = filled()
    window = buffer.window()
    copy = window.lips.copy()
    buffer.push_lips(250, frames(250, 700), yes(700))
    assert (window.lips == copy).all()


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-30, 60), st.integers(1, 40)), min_size=1, max_size=30))
def test_the_ring_agrees_with_a_dictionary(moves: list[tuple[int, int]]) -> None:
    buffer = WindowBuffer(2.0, 25, 4.0)
    kept: dict[int, int] = {}
    end = None
    for serial, (jump, count) in enumerate(moves):
        first = (end or 0) + jump
        if end is not None and first + count <= end - 50:
            kept, end = {}, first
        kept |= dict.fromkeys(range(first, first + count), serial + 1)
        end = max(first + count, first if end is None else end)
        buffer.push_lips(first, np.full((count, 1), serial + 1, np.float32), yes(count))
    window = buffer.window(3.0)
    assert end is not None
    assert window.lips[:, 0].astype(int).tolist() == [kept.get(i, 0) for i in range(end - 75, end)]


def test_a_memory_reaches_back_until_it_holds_enough_speech() -> None:
    buffer = filled(500, 0)
    buffer.push_voice(0, frames(0, 500), np.arange(500) % 2 == 0)
    window = buffer.recall(8.0)
    assert indices(window) == indices(buffer.window())
    assert window.memory is not None
    assert window.memory.speech_seconds == pytest.approx(8.0)
    assert indices(window.memory)[0] == list(range(500 - len(window.memory.lips), 500))
    assert 399 <= len(window.memory.lips) <= 401
    assert window.memory.memory is None


def test_a_memory_is_all_there_is_when_there_is_little_speech() -> None:
    window = filled(250, 250).recall(16.0)
    assert window.memory is not None
    assert len(window.memory.lips) == 29 * 25
    assert window.memory.speech_seconds == 10.0


def test_a_memory_is_never_shorter_than_its_window() -> None:
    window = filled().recall(1.0)
    assert window.memory is not None
    assert len(window.memory.lips) == 125
    assert (window.seconds, window.end, window.age) == (5.0, window.memory.end, window.memory.age)


def test_movement_lies_beside_the_voice_that_was_captured_with_it() -> None:
    buffer = filled(lips=100, voice=110)
    buffer.mark("video", stamp(0.0))
    buffer.mark("audio", stamp(-0.2))
    buffer.push_motion(0, frames(0, 100, 4), np.arange(100) >= 10)
    stretch = buffer.moving()
    assert (stretch.end, len(stretch.valid)) == (100, 29 * 25)
    kept = stretch.after(5)
    assert (kept.first, kept.end) == (5, 100)
    assert kept.motion.base is None
    assert kept.motion[:, 0].tolist() == [n + 1 for n in range(5, 100)]
    assert kept.voice[:, 0].tolist() == [n + 1 for n in range(10, 105)]
    assert kept.valid.tolist() == [n >= 10 for n in range(5, 100)]
    assert kept.speech.all()


def test_movement_without_a_face_or_a_voice_is_nowhere_valid() -> None:
    buffer = WindowBuffer()
    assert not buffer.moving().valid.any()
    buffer.push_motion(0, frames(0, 50), yes(50))
    buffer.push_lips(0, frames(0, 50), yes(50))
    assert not buffer.moving().valid.any()
    assert buffer.moving().motion[-1, 0] == 50


def test_the_call_begins_with_its_first_picture() -> None:
    buffer = WindowBuffer()
    buffer.mark("audio", stamp(0.0))
    assert buffer.began == 0.0
    buffer.mark("video", stamp(0.0))
    buffer.mark("video", Stamp(9.0, 9.0, 0.0, ClockState.MAPPED, 9.0))
    assert buffer.began == 7.0
