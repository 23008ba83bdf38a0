"""A bad call garbles pictures and sound and leaves their times alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.identity.enrolment.opus_line import opus
from monitor.lab.distortions.call_simulation import CallCondition, SimulatedCall, voice_on
from monitor.types import AudioBlock, FloatArray, MediaItem, Reason, TrackFault, VideoFrame
from tests.monitor.frames import block, frame, vowel

CLEAN = CallCondition("libx264", 500_000, 1.0, 30.0, False, 0.0, 32_000, 0.0, 1.0, 0.0, 0.0)


def clip(seconds: float = 1.0) -> list[MediaItem]:
    """A bright square that moves over a texture, and a vowel."""
    texture = np.random.default_rng(0).integers(60, 120, (96, 128)).astype(np.uint8)
    items: list[MediaItem] = []
    for n in range(int(25 * seconds)):
        plane = texture.copy()
        plane[20:50, 2 * n : 2 * n + 30] = 220
        items.append(frame(plane, n / 25))
    samples = vowel(seconds)
    items += [block(samples[at : at + 480], at / 16_000) for at in range(0, len(samples), 480)]
    return sorted(items, key=lambda item: item.stamp.capture if not isinstance(item, TrackFault) else item.arrival)


def split(items: list[MediaItem]) -> tuple[list[VideoFrame], list[AudioBlock]]:
    return [i for i in items if isinstance(i, VideoFrame)], [i for i in items if isinstance(i, AudioBlock)]


def late(heard: FloatArray, said: FloatArray) -> int:
    """By how many samples the one runs after the other."""
    size = 2 * len(said)
    match = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(said, size)), size)
    at = int(np.argmax(match))
    return at if at < len(said) else at - size


@pytest.mark.parametrize("seed", range(6))
def test_what_arrives_was_sent_at_its_own_time(seed: int) -> None:
    sent, got = clip(), list(SimulatedCall(seed)(clip()))
    pictures, sound = split(got)
    assert {p.stamp for p in pictures} <= {p.stamp for p in split(sent)[0]}
    assert [(s.stamp, s.samples.shape) for s in sound] == [(s.stamp, s.samples.shape) for s in split(sent)[1]]
    moments = [i.stamp.capture for i in got if not isinstance(i, TrackFault)]
    assert moments == sorted(moments)
    assert len(moments) == len(pictures) + len(sound) == len(got)
    assert len(pictures) >= 9
    assert all(np.abs(s.samples).max() <= 1.2 for s in sound)


def test_the_same_seed_and_clip_are_changed_alike() -> None:
    one, other = (list(SimulatedCall(3)(clip())) for _ in range(2))
    for a, b in zip(one, other, strict=True):
        if isinstance(a, VideoFrame) and isinstance(b, VideoFrame):
            assert (a.y == b.y).all()
        elif isinstance(a, AudioBlock) and isinstance(b, AudioBlock):
            assert (a.samples == b.samples).all()
    assert SimulatedCall(3).name != SimulatedCall(4).name


def test_lines_differ_and_stay_within_what_calls_are() -> None:
    random = np.random.default_rng(0)
    drawn = [CallCondition.draw(random) for _ in range(200)]
    assert {line.codec for line in drawn} == {"libx264", "libvpx"}
    assert 100_000 <= min(line.bitrate for line in drawn) <= max(line.bitrate for line in drawn) <= 500_000
    assert 16_000 <= min(line.opus for line in drawn) <= max(line.opus for line in drawn) <= 32_000
    assert min(line.fps for line in drawn) == 10


@pytest.mark.parametrize("codec", ["libx264", "libvpx"])
@pytest.mark.parametrize(("fps", "count"), [(30.0, 25), (10.0, 10)])
def test_pictures_are_dropped_to_the_frame_rate(
    codec: str, fps: float, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = replace(CLEAN, codec=codec, fps=fps, blur=True, grain=3.0, scale=0.5)
    monkeypatch.setattr(CallCondition, "draw", lambda _: line)
    pictures, _ = split(list(SimulatedCall(0)(clip())))
    assert abs(len(pictures) - count) <= 2
    assert (pictures[0].width, pictures[0].height) == (64, 64)
    # The square is where it was, blurred.
    assert pictures[0].y[20:30, 3:12].mean() > pictures[0].y[20:30, 40:].mean() + 50


def test_opus_leaves_speech_where_it_was() -> None:
    said = vowel(1.0)
    heard = opus(said, 24_000, 0.0, np.random.default_rng(0))
    assert heard.shape == said.shape
    assert abs(late(heard, said)) <= 16
    assert 0.5 < np.abs(heard).mean() / np.abs(said).mean() < 1.5
    assert np.corrcoef(heard[1600:], said[1600:])[0, 1] > 0.8


def test_lost_packets_are_concealed_and_fade() -> None:
    said = vowel(2.0)
    whole, lossy = (opus(said, 24_000, loss, np.random.default_rng(0)) for loss in (0.0, 0.3))
    assert lossy.shape == whole.shape
    levels = [np.abs(lossy[n : n + 320]).mean() for n in range(3200, 28_800, 320)]
    assert min(levels) < 0.5 * np.median(levels)
    assert not np.allclose(whole, lossy, atol=0.01)


def test_rooms_and_noise_are_heard() -> None:
    sound = split(clip())[1]
    for line in (replace(CLEAN, reverb=0.4), replace(CLEAN, noise=12.0), replace(CLEAN, gain=0.3)):
        plain, changed = (
            np.concatenate([b.samples for b in voice_on(way, sound, np.random.default_rng(0))]) for way in (CLEAN, line)
        )
        assert np.abs(plain - changed).mean() > 0.1 * np.abs(plain).mean()
        assert abs(late(changed, plain)) <= 16


def test_tracks_may_be_missing_and_faults_pass() -> None:
    fault = TrackFault("audio", Reason.NO_AUDIO, "the clip has no audio", 0.0)
    pictures, sound = split(clip(0.4))
    assert list(SimulatedCall(0)([fault])) == [fault]
    assert {type(i) for i in SimulatedCall(0)(pictures)} == {VideoFrame}
    assert {type(i) for i in SimulatedCall(0)(sound)} == {AudioBlock}
