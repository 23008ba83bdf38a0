"""The front-end of the voice: the same frames however the audio is cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.types import SAMPLE_RATE_HZ
from monitor.voice.logmel import HOP_SAMPLES, MEL_BANDS, POWER_FLOOR, WINDOW_SAMPLES, LogMel, frames, mel_filters
from tests.monitor.frames import vowel


def tone(hz: float, seconds: float = 0.2) -> np.typing.NDArray[np.float32]:
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ).astype(np.float32)


def test_filters_cover_the_voice_and_nothing_else() -> None:
    filters = mel_filters()
    assert filters.shape == (257, MEL_BANDS)
    assert (filters >= 0).all()
    assert (filters.sum(0) > 0).all()
    assert filters[0].sum() == 0
    assert filters[np.arange(257) * SAMPLE_RATE_HZ / 512 > 7600].sum() == 0
    # Slaney's normalisation: every triangle has an area of 1 over Hz.
    assert filters[:, 40:].sum(0) * (SAMPLE_RATE_HZ / 512) == pytest.approx(np.ones(40), abs=0.05)


@pytest.mark.parametrize(("hz", "mel"), [(300, 300 / (200 / 3)), (1000, 15), (6400, 42)])
def test_a_tone_sounds_in_its_band(hz: float, mel: float) -> None:
    low, high = 20 / (200 / 3), 15 + np.log(7.6) / (np.log(6.4) / 27)
    band = (mel - low) / (high - low) * (MEL_BANDS + 1) - 1
    assert frames(tone(hz)).mean(0).argmax() == pytest.approx(band, abs=1)


def test_silence_is_the_floor() -> None:
    assert frames(np.zeros(WINDOW_SAMPLES, np.float32)) == pytest.approx(
        np.full((1, MEL_BANDS), np.log(POWER_FLOOR)), abs=1e-4
    )


@pytest.mark.parametrize(("samples", "count"), [(0, 0), (399, 0), (400, 1), (559, 1), (560, 2)])
def test_only_whole_windows_count(samples: int, count: int) -> None:
    assert frames(np.zeros(samples, np.float32)).shape == (count, MEL_BANDS)


def test_frame_j_is_centred_on_sample_160_j() -> None:
    click = np.zeros(3200, np.float32)
    click[10 * HOP_SAMPLES] = 1
    assert LogMel()(click).sum(1).argmax() == 10


@given(st.lists(st.integers(0, 700), min_size=1, max_size=20))
def test_pieces_give_what_the_whole_gives(sizes: list[int]) -> None:
    sound = vowel(1.0)[: sum(sizes)]
    whole, stream = LogMel()(sound), LogMel()
    pieces = [stream(piece) for piece in np.split(sound, np.cumsum(sizes)[:-1])]
    assert np.abs(np.concatenate(pieces) - whole).max(initial=0) < 1e-3
    assert sum(map(len, pieces)) == len(whole)
