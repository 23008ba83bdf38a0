"""Audio blocks of any size, late, twice or missing, come out on the grid where they belong."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.types import SAMPLE_RATE_HZ, FloatArray
from monitor.voice.logmel import MEL_BANDS, LogMel
from monitor.voice.stream import FRAMES_PER_STEP, STEP_SAMPLES, VoiceChunk, VoiceStream
from tests.monitor.frames import block, vowel

BLOCK = 320


def feed(stream: VoiceStream, sound: FloatArray, start: float = 0.0, size: int = BLOCK) -> list[VoiceChunk]:
    """A sound in blocks of `size` samples, the first at second `start`."""
    pieces = [
        stream.push(block(sound[at : at + size], start + at / SAMPLE_RATE_HZ)) for at in range(0, len(sound), size)
    ]
    return [chunk for chunk in pieces if chunk is not None]


def indices(chunks: Sequence[VoiceChunk]) -> list[int]:
    return [chunk.first + n for chunk in chunks for n in range(len(chunk.sound))]


def flags(chunks: Sequence[VoiceChunk], name: str) -> list[bool]:
    return [bool(flag) for chunk in chunks for flag in getattr(chunk, name)]


def test_steps_are_the_log_mel_of_their_time() -> None:
    sound = vowel(1.0)
    chunks = feed(VoiceStream(), sound)
    mel = np.concatenate([chunk.mel for chunk in chunks])
    assert mel.shape[1:] == (FRAMES_PER_STEP, MEL_BANDS)
    whole = LogMel()(sound)[: len(mel) * FRAMES_PER_STEP].reshape(-1, FRAMES_PER_STEP, MEL_BANDS)
    assert np.abs(mel - whole).max() < 1e-3
    assert indices(chunks) == list(range(24))
    assert all(flags(chunks, "usable"))
    assert [chunk.restarted for chunk in chunks] == [True] + [False] * (len(chunks) - 1)


def test_sound_is_flagged_by_the_step() -> None:
    chunks = feed(VoiceStream(), np.concatenate([np.zeros(SAMPLE_RATE_HZ, np.float32), vowel(1.0)]))
    speech = flags(chunks, "sound")
    assert not any(speech[:24])
    assert all(speech[27:])


@given(st.lists(st.integers(1, 2000), min_size=1, max_size=15), st.floats(0, 3))
def test_the_size_of_blocks_changes_nothing(sizes: list[int], start: float) -> None:
    sound = vowel(2.0)[: sum(sizes)]
    whole, cut = VoiceStream(), VoiceStream()
    once = whole.push(block(sound, start))
    bounds = np.cumsum([0, *sizes])
    pieces = [cut.push(block(sound[a:b], start + a / SAMPLE_RATE_HZ)) for a, b in pairwise(bounds)]
    many = [chunk for chunk in pieces if chunk is not None]
    assert indices(many) == ([] if once is None else indices([once]))
    if once is not None:
        assert flags(many, "sound") == flags([once], "sound")
        assert np.abs(np.concatenate([chunk.mel for chunk in many]) - once.mel).max() < 1e-3


@pytest.mark.parametrize(("start", "first"), [(0.0, 0), (0.01, 1), (0.04, 1), (7.101, 178)])
def test_the_first_step_is_the_first_whole_one(start: float, first: int) -> None:
    chunks = feed(VoiceStream(), vowel(0.5), start)
    assert indices(chunks)[0] == first


def test_stamps_that_jitter_are_taken_as_continuous() -> None:
    sound, stream = vowel(1.0), VoiceStream()
    jitter = np.random.default_rng(0).uniform(-0.012, 0.012, 50)
    pieces = [stream.push(block(sound[n * BLOCK : (n + 1) * BLOCK], n * 0.02 + jitter[n])) for n in range(50)]
    chunks = [chunk for chunk in pieces if chunk is not None]
    assert indices(chunks) == list(range(indices(chunks)[0], indices(chunks)[0] + len(indices(chunks))))
    assert all(flags(chunks, "usable"))


def test_a_hole_is_silence_that_cannot_be_used() -> None:
    sound, stream = vowel(2.0), VoiceStream()
    chunks = feed(stream, sound[: SAMPLE_RATE_HZ // 2]) + feed(stream, sound[: SAMPLE_RATE_HZ // 2], 0.7)
    assert indices(chunks) == list(range(29))
    usable = flags(chunks, "usable")
    assert all(usable[:12])
    assert not any(usable[12:17])
    assert all(usable[18:])
    assert not any(np.array(flags(chunks, "sound")) & ~np.array(usable))
    assert not any(np.array(flags(chunks, "heard")) & ~np.array(usable))


@pytest.mark.parametrize("again", [0.46, 0.1, -1.4])
def test_the_same_moments_once_more_are_nothing_new(again: float) -> None:
    stream = VoiceStream()
    chunks = feed(stream, vowel(0.5))
    assert stream.push(block(vowel(0.02), again)) is None
    chunks += feed(stream, vowel(0.5), 0.5)
    assert indices(chunks) == list(range(24))
    assert all(flags(chunks, "usable"))


@pytest.mark.parametrize(("start", "first"), [(10.0, 250), (-30.0, -750)])
def test_after_a_long_hole_or_a_step_back_the_stream_starts_anew(start: float, first: int) -> None:
    stream = VoiceStream()
    feed(stream, vowel(0.5))
    chunks = feed(stream, vowel(0.5), start)
    assert indices(chunks)[0] == first
    assert chunks[0].restarted
    assert all(flags(chunks, "usable"))


@pytest.mark.parametrize("start", [0.005, 0.021, 0.0399])
def test_sound_that_begins_off_the_grid_is_not_moved_onto_it(start: float) -> None:
    sound, begin = vowel(1.0), round(start * SAMPLE_RATE_HZ)
    mel = np.concatenate([chunk.mel for chunk in feed(VoiceStream(), sound, start, 160)])
    want = LogMel()(sound[STEP_SAMPLES - begin :])[: len(mel) * FRAMES_PER_STEP].reshape(-1, FRAMES_PER_STEP, MEL_BANDS)
    assert np.abs(mel - want).max() < 1e-3


@given(st.lists(st.sampled_from([0.0, 0.012, -0.012, -0.035, 0.05, 3.0, -5.0]), min_size=1, max_size=40))
def test_what_is_collected_comes_out_as_what_is_not(jumps: list[float]) -> None:
    """Steps, flags and features are the same over jitter, repeated blocks, gaps and restarts."""
    sound, at, blocks = vowel(0.8), 0.0, []
    for n, jump in enumerate(jumps):
        at += jump
        blocks.append(block(sound[n * BLOCK : (n + 1) * BLOCK], at))
        at += 0.02
    plain, collecting = VoiceStream(), VoiceStream(join_seconds=0.12)
    want = [chunk for each in blocks for chunk in plain.take(each)]
    have = [chunk for each in blocks for chunk in collecting.take(each)] + collecting.settle()
    assert indices(have) == indices(want)
    for name in ("sound", "heard", "usable"):
        assert flags(have, name) == flags(want, name)
    if want:
        mel, other = (np.concatenate([chunk.mel for chunk in chunks]) for chunks in (want, have))
        assert np.abs(mel - other).max() < 1e-3
    assert collecting.settle() == []


def test_sound_is_collected_until_there_is_enough() -> None:
    stream, sound = VoiceStream(join_seconds=0.2), vowel(0.4)
    counts = [
        len(stream.take(block(sound[at : at + BLOCK], at / SAMPLE_RATE_HZ))) for at in range(0, len(sound), BLOCK)
    ]
    assert counts == ([0] * 9 + [1]) * 2
