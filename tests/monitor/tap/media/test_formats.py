"""Planes and blocks out of decoded frames."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from monitor.tap.media.decode import EncodedFrame, make_decoder
from monitor.tap.media.formats import AudioCutter, to_video_frame
from monitor.tap.media.resampler import Resampler
from monitor.types import ClockState, Stamp
from tests.monitor.tap.clips import picture_frame

STAMP = Stamp(0.0, 0.0, 0.0, ClockState.MAPPED, 0.0)


def tone(first: float, samples: int, rate: int = 48_000, layout: str = "stereo", pts: bool = True) -> av.AudioFrame:
    channels = 2 if layout == "stereo" else 1
    wave = np.sin(2 * np.pi * 440 * (first + np.arange(samples) / rate)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(np.tile(wave, (channels, 1)), format="fltp", layout=layout)
    frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
    frame.pts = round(first * rate) if pts else None
    return frame


def test_planes_are_views_of_the_decoders_buffers() -> None:
    frame = picture_frame(0.0, 320, 240)
    shot = to_video_frame(frame, STAMP)
    assert (shot.width, shot.height, shot.full_range) == (320, 240, False)
    assert np.shares_memory(shot.y, np.frombuffer(memoryview(frame.planes[0]), np.uint8))
    with pytest.raises(ValueError, match="read-only"):
        shot.y[0, 0] = 0
    del frame
    assert shot.y[200, 200] == 235


def test_odd_sizes_round_the_chroma_up() -> None:
    shot = to_video_frame(av.VideoFrame(321, 241, "yuv420p"), STAMP)
    assert (shot.y.shape, shot.u.shape, shot.v.shape) == ((241, 321), (121, 161), (121, 161))


def test_full_range_of_another_format_becomes_limited() -> None:
    frame = av.VideoFrame.from_ndarray(np.full((240, 320, 3), 255, np.uint8), format="rgb24")
    shot = to_video_frame(frame, STAMP)
    assert not shot.full_range
    assert abs(int(shot.y[100, 100]) - 235) <= 1


def test_blocks_follow_the_clock_of_the_frames() -> None:
    cutter = AudioCutter()
    found = [b for n in range(25) for b in cutter.push(tone(2.0 + n * 0.02, 960))] + list(cutter.flush())
    assert {samples.size for _, samples in found[:-1]} == {480}
    assert [at for at, _ in found] == pytest.approx([2.0 + n * 0.03 for n in range(len(found))], abs=1e-3)
    sound = np.concatenate([samples for _, samples in found])
    wanted = np.sin(2 * np.pi * 440 * (2.0 + np.arange(sound.size) / 16_000))
    assert np.abs(sound[200:-200] - wanted[200:-200]).max() < 0.05


def threads() -> int:
    """Threads of this process, those of libraries too."""
    return len(list(Path("/proc/self/task").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux says how many threads there are")
def test_nobodys_sound_takes_a_thread() -> None:
    """FFmpeg's own choice is one for each core and participant, and they stayed until the collector came by."""
    before = threads()
    cutters = [AudioCutter() for _ in range(3)]
    for cutter in cutters:
        assert list(cutter.push(tone(0.0, 4800)))
    assert threads() == before


@pytest.mark.parametrize(("rate", "layout"), [(48_000, "stereo"), (16_000, "mono"), (44_100, "mono")])
def test_sound_is_what_ffmpegs_resampler_makes_of_it(rate: int, layout: str) -> None:
    theirs = av.AudioResampler(format="flt", layout="mono", rate=16_000, options={"rematrix_maxval": "1.0"})
    ours = Resampler()
    frames = [tone(n * 0.1, rate // 10, rate, layout) for n in range(5)]
    expected, made = (
        [f for frame in [*frames, None] for f in resampler.resample(frame)] for resampler in (theirs, ours)
    )
    assert len(made) == len(expected) > 0
    for one, other in zip(made, expected, strict=True):
        assert (one.pts, one.time_base, one.sample_rate) == (other.pts, other.time_base, 16_000)
        assert np.array_equal(one.to_ndarray(), other.to_ndarray())
    assert Resampler().resample(None) == []


def test_a_gap_cuts_a_block_short_and_keeps_the_time() -> None:
    cutter = AudioCutter()
    found = [b for at in (0.0, 0.02, 1.0, 1.02) for b in cutter.push(tone(at, 960))]
    assert any(samples.size < 480 for _, samples in found)
    assert any(at == pytest.approx(1.0, abs=0.002) for at, _ in found)


def test_a_change_of_format_starts_a_new_block() -> None:
    cutter = AudioCutter()
    found = [*cutter.push(tone(0.0, 960)), *cutter.push(tone(0.02, 320, 16_000, "mono")), *cutter.flush()]
    assert sum(samples.size for _, samples in found) == pytest.approx(640, abs=20)
    assert found[1][0] == pytest.approx(0.02, abs=0.001)


def test_frames_without_a_time_follow_on() -> None:
    cutter = AudioCutter()
    first = list(cutter.push(tone(0.5, 960, 16_000, "mono")))
    then = list(cutter.push(tone(0.5, 960, 16_000, "mono", pts=False)))
    assert [at for at, _ in first + then] == pytest.approx([0.5, 0.53, 0.56, 0.59])


def test_sound_that_cannot_be_converted_is_an_error_and_what_follows_is_heard() -> None:
    cutter, wrong = AudioCutter(), tone(0.02, 960, layout="mono")
    list(cutter.push(tone(0.0, 960)))
    wrong.sample_rate = 0
    with pytest.raises((av.FFmpegError, ValueError, ArithmeticError)):
        list(cutter.push(wrong))
    found = [b for n in range(2, 25) for b in cutter.push(tone(n * 0.02, 960))] + list(cutter.flush())
    assert found[0][0] == pytest.approx(0.04, abs=1e-3)
    assert sum(samples.size for _, samples in found) == pytest.approx(23 * 320, abs=40)


@pytest.mark.parametrize("right", [1.0, -1.0, 0.0])
def test_a_voice_in_live_stereo_survives_the_sum(right: float) -> None:
    """Publishers with a balanced microphone send the right channel as minus the left."""
    encoder, decoder, cutter = av.CodecContext.create("libopus", "w"), make_decoder("opus", 0), AudioCutter()
    encoder.format, encoder.layout, encoder.sample_rate = av.AudioFormat("flt"), "stereo", 48_000
    encoder.bit_rate, encoder.time_base = 192_000, Fraction(1, 48_000)
    sound = []
    for n in range(50):
        one = tone(n * 0.02, 960, layout="mono").to_ndarray()[0]
        both = np.stack([one, np.float32(right) * one], axis=1).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(both, format="flt", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, n * 960, Fraction(1, 48_000)
        for packet in encoder.encode(frame):
            encoded = EncodedFrame("audio", "opus", bytes(packet), n * 0.02, n * 0.02)
            for decoded in decoder.decode(encoded):
                assert isinstance(decoded, av.AudioFrame)
                sound += [samples for _, samples in cutter.push(decoded)]
    late = np.concatenate(sound)[8000:]
    assert float(np.sqrt(np.mean(late**2))) == pytest.approx(0.5**0.5, rel=0.1)
