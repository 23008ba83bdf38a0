"""Speech is flagged, silence and faint noise are not, however the audio is cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.types import SAMPLE_RATE_HZ
from monitor.voice.activity import FRAME_SAMPLES, HANGOVER_FRAMES, VoiceActivity
from tests.monitor.frames import vowel


def test_speech_is_flagged() -> None:
    assert VoiceActivity()(vowel(2.0)).mean() > 0.9


def test_silence_and_faint_noise_are_not() -> None:
    faint = np.random.default_rng(0).normal(0, 5e-5, SAMPLE_RATE_HZ).astype(np.float32)
    assert not VoiceActivity()(np.zeros(SAMPLE_RATE_HZ, np.float32)).any()
    assert not VoiceActivity()(faint).any()


def test_the_hangover_ends() -> None:
    silent = np.zeros(SAMPLE_RATE_HZ, np.float32)
    flags = VoiceActivity()(np.concatenate([vowel(1.0), silent]))
    assert flags[100 : 100 + HANGOVER_FRAMES // 2].all()
    assert not flags[100 + HANGOVER_FRAMES :].any()


def test_loudness_beyond_full_scale_is_clipped() -> None:
    assert VoiceActivity()(100 * vowel(1.0)).mean() > 0.5


@pytest.mark.parametrize("samples", [0, 159])
def test_less_than_a_frame_gives_nothing_yet(samples: int) -> None:
    activity = VoiceActivity()
    assert activity(np.zeros(samples, np.float32)).shape == (0,)
    assert activity(np.zeros(FRAME_SAMPLES - samples, np.float32)).shape == (1,)


@given(st.lists(st.integers(0, 900), min_size=1, max_size=20))
def test_pieces_give_what_the_whole_gives(sizes: list[int]) -> None:
    sound = np.concatenate([vowel(0.4), np.zeros(3200, np.float32), vowel(0.6)])[: sum(sizes)]
    stream = VoiceActivity()
    pieces = [stream(piece) for piece in np.split(sound, np.cumsum(sizes)[:-1])]
    assert (np.concatenate(pieces) == VoiceActivity()(sound)).all()
