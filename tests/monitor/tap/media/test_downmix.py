"""Several channels to one: the sum, unless it loses what one of them says."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.tap.media.downmix import Downmix
from monitor.types import FloatArray

RATE = 16_000
BLOCK = 320
SURROUND = ("FL", "FR", "FC", "LFE", "BL", "BR")


def noise(seconds: float, seed: int = 0, level: float = 0.1) -> FloatArray:
    return (level * np.random.default_rng(seed).standard_normal(int(seconds * RATE))).astype(np.float32)


def mixed(downmix: Downmix, channels: list[FloatArray]) -> FloatArray:
    """What comes of channels that are given 20 ms at a time."""
    samples = np.stack(channels)
    blocks = [downmix.mix(samples[:, n : n + BLOCK], RATE) for n in range(0, samples.shape[1], BLOCK)]
    return np.concatenate(blocks)


def level(sound: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(sound))))


def test_a_voice_on_both_channels_is_their_sum() -> None:
    voice, room = noise(2.0), 0.3 * noise(2.0, 1)
    downmix = Downmix(["FL", "FR"])
    assert np.array_equal(mixed(downmix, [voice + room, voice - room]), 0.5 * (voice + room) + 0.5 * (voice - room))
    assert downmix.channel is None


def test_two_voices_that_have_nothing_in_common_are_both_heard() -> None:
    downmix = Downmix(["FL", "FR"])
    mixed(downmix, [noise(2.0, 1), noise(2.0, 2)])
    assert downmix.channel is None


@pytest.mark.parametrize(
    ("names", "gains", "channel"),
    [
        (("FL", "FR"), (1.0, -1.0), 0),
        (("FL", "FR"), (-0.8, 1.0), 1),
        (("FL", "FR"), (1.0, 0.0), 0),
        (("FL", "FR"), (0.01, 1.0), 1),
        *((SURROUND, tuple(float(n == m) for m in range(6)), n) for n in range(6)),
        (("NONE",) * 34, tuple(float(n == 20) for n in range(34)), 20),
    ],
)
def test_a_voice_that_the_sum_loses_is_taken_from_the_loudest_channel(
    names: tuple[str, ...], gains: tuple[float, ...], channel: int
) -> None:
    voice = noise(2.0)
    downmix = Downmix(names)
    sound = mixed(downmix, [np.float32(gain) * voice for gain in gains])
    assert downmix.channel == channel
    assert level(sound[RATE // 4 :]) == pytest.approx(level(voice[RATE // 4 :]), rel=0.01)


def test_one_loud_block_decides_nothing_and_silence_is_forgotten_by_nobody() -> None:
    downmix, voice, quiet = Downmix(["FL", "FR"]), noise(1.0), np.zeros(RATE, np.float32)
    mixed(downmix, [voice[: 2 * BLOCK], -voice[: 2 * BLOCK]])
    assert downmix.channel is None
    mixed(downmix, [voice, -voice])
    assert downmix.channel == 0
    mixed(downmix, [quiet, quiet])
    mixed(downmix, [np.full(RATE, np.nan, np.float32), quiet])
    assert downmix.channel == 0


def test_the_sum_comes_back_and_another_channel_takes_over() -> None:
    downmix, voice, quiet = Downmix(["FL", "FR"]), noise(1.5), np.zeros(int(1.5 * RATE), np.float32)
    mixed(downmix, [voice, quiet])
    assert downmix.channel == 0
    # Half as loud again on the other side is not enough to change sides.
    mixed(downmix, [voice, -1.5 * voice])
    assert downmix.channel == 0
    mixed(downmix, [0.1 * voice, -voice])
    assert downmix.channel == 1
    mixed(downmix, [voice, voice])
    assert downmix.channel is None


def test_a_change_makes_no_click() -> None:
    """A slow tone has no step of its own that is larger than a change would make."""
    tone = np.sin(2 * np.pi * 100 * np.arange(4 * RATE) / RATE).astype(np.float32)
    right = tone * np.where(np.arange(4 * RATE) < 2 * RATE, 1.0, -1.0).astype(np.float32)
    left = tone
    # Where the right side turns over is a fault of the test's own: it stands at a zero of the tone.
    downmix = Downmix(["FL", "FR"])
    sound = mixed(downmix, [left, right])
    assert downmix.channel is not None
    assert np.abs(np.diff(sound)).max() < 1.2 * np.abs(np.diff(tone)).max()


def test_an_empty_block_is_nothing() -> None:
    assert Downmix(["FL", "FR"]).mix(np.zeros((2, 0), np.float32), RATE).size == 0


def test_a_few_blocks_are_enough_to_know_that_the_sum_loses_the_voice() -> None:
    voice = noise(2.0)
    for gain, loses in ((1.0, False), (-1.0, True), (0.0, True)):
        downmix = Downmix(["FL", "FR"])
        samples = np.stack([voice, np.float32(gain) * voice])
        heard = [downmix.loses_voice(samples[:, n : n + BLOCK], 0.1) for n in range(0, len(voice), 5 * BLOCK)]
        assert heard[1:] == [loses] * (len(heard) - 1)
        assert downmix.channel is None
