"""Clips as phones, recorders and accidents make them: shown upright, from the right track, whatever is damaged."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise, product
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from monitor.tap.clip_file import TrackChoice
from monitor.tap.media.source import SourceError
from monitor.tap.replay import ReplaySource, probe_clip, read_clip
from monitor.types import AudioBlock, ByteArray, MediaItem, Reason, TrackFault, VideoFrame
from tests.monitor.tap.clips import write_clip
from tests.monitor.tap.odd_clips import Picture, Sound, damage, without_decoder, write_tracks

DEFAULT, COMMENT = Disposition.default, Disposition.comment


def quadrants() -> ByteArray:
    return np.array([[40, 90], [150, 220]], np.uint8).repeat(24, axis=0).repeat(32, axis=1)


def heard(items: Sequence[MediaItem]) -> float:
    """Frequency in Hz of what is heard, 0 for silence."""
    samples = np.concatenate([item.samples for item in items if isinstance(item, AudioBlock)])[4000:12000]
    spectrum = np.abs(np.fft.rfft(samples))
    return float(np.argmax(spectrum) * 16_000 / samples.size) if np.abs(samples).max() > 0.1 else 0.0


def seen(items: Sequence[MediaItem]) -> VideoFrame:
    return next(item for item in items if isinstance(item, VideoFrame))


def faults(items: Sequence[MediaItem]) -> list[tuple[str, Reason]]:
    return [(item.track, item.reason) for item in items if isinstance(item, TrackFault)]


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize(("degrees", "mirrored", "flipped"), list(product((0, 90, 180, 270), (False, True), (False,))))
def test_a_turned_recording_is_shown_upright(
    tmp_path: Path, suffix: str, degrees: int, mirrored: bool, flipped: bool
) -> None:
    picture = Picture(quadrants(), "libx264", degrees, mirrored, flipped)
    frame = seen(list(read_clip(write_tracks(tmp_path / f"a.{suffix}", [picture], 0.2))))
    wanted = np.rot90(quadrants(), degrees // 90)
    wanted = wanted[:, ::-1] if mirrored else wanted
    assert frame.y.shape == wanted.shape
    assert frame.u.shape == frame.v.shape == (wanted.shape[0] // 2, wanted.shape[1] // 2)
    assert np.abs(frame.y.astype(int) - wanted).mean() < 4
    assert not frame.y.flags.writeable


async def test_a_replayed_recording_is_shown_upright_too(tmp_path: Path) -> None:
    clip = write_tracks(tmp_path / "a.mp4", [Picture(quadrants(), "libx264", 180)], 0.2)
    frame = seen([item async for item in ReplaySource(clip)])
    assert np.abs(frame.y.astype(int) - np.rot90(quadrants(), 2)).mean() < 4


@pytest.mark.parametrize(
    ("undecodable", "hz", "number"), [((), 500, 1), ((0,), 800, 2), ((1,), 500, 1), ((0, 1), None, 1)]
)
def test_the_best_track_that_can_be_decoded_is_heard(
    tmp_path: Path, undecodable: tuple[int, ...], hz: float | None, number: int
) -> None:
    sounds = Sound(500, codec="aac", disposition=DEFAULT), Sound(800, codec="aac")
    clip = write_tracks(tmp_path / "a.mp4", [Picture(90, "libx264"), *sounds])
    for done, sound in enumerate(undecodable):
        without_decoder(clip, sound - done)
    items = list(read_clip(clip))
    track = next(track for track in probe_clip(clip).tracks if track.kind == "audio")
    assert (track.number, track.count, track.codec) == (number, 2, "aac" if hz else None)
    if hz is None:
        assert faults(items) == [("audio", Reason.UNSUPPORTED_CODEC)]
    else:
        assert faults(items) == []
        assert heard(items) == pytest.approx(hz, abs=5)


def test_pictures_that_nobody_decodes_are_told_and_the_voice_is_read(tmp_path: Path) -> None:
    clip = write_tracks(tmp_path / "a.mp4", [Picture(90, "libx264"), Sound(500, codec="aac")])
    items = list(read_clip(without_decoder(clip, picture=True)))
    assert faults(items) == [("video", Reason.UNSUPPORTED_CODEC)]
    assert heard(items) == pytest.approx(500, abs=5)
    info = probe_clip(clip)
    assert (info.has_video, info.has_audio, info.width) == (True, True, 0)
    with pytest.raises(SourceError, match="nothing that can be decoded"):
        list(read_clip(without_decoder(clip, sound=0)))


@pytest.mark.parametrize(
    ("dispositions", "hz"),
    [
        ((DEFAULT, Disposition(0)), 500),
        ((Disposition(0), DEFAULT), 800),
        ((COMMENT, Disposition(0)), 800),
        ((Disposition(0), Disposition(0)), 500),
    ],
)
def test_the_default_track_is_judged(tmp_path: Path, dispositions: tuple[Disposition, Disposition], hz: float) -> None:
    tracks = [Sound(n, disposition=disposition) for n, disposition in zip((500, 800), dispositions, strict=True)]
    assert heard(list(read_clip(write_tracks(tmp_path / "a.mkv", [Picture(90), *tracks])))) == pytest.approx(hz, abs=5)


def test_another_track_may_be_asked_for(tmp_path: Path) -> None:
    tracks: list[Sound | Picture] = [
        Picture(60, disposition=DEFAULT),
        Picture(180),
        Sound(500, disposition=DEFAULT),
        Sound(800),
    ]
    clip = write_tracks(tmp_path / "a.mkv", tracks)
    assert heard(list(read_clip(clip))) == pytest.approx(500, abs=5)
    items = list(read_clip(clip, choice=TrackChoice(audio=2, video=2)))
    assert heard(items) == pytest.approx(800, abs=5)
    assert seen(items).y.mean() == pytest.approx(180, abs=2)
    assert [track.number for track in probe_clip(clip, TrackChoice(audio=2)).tracks] == [1, 2]
    for number in (0, 3):
        with pytest.raises(SourceError, match=f"a.mkv has 2 audio tracks: there is no --audio {number}"):
            list(read_clip(clip, choice=TrackChoice(audio=number)))


@pytest.mark.parametrize(
    ("layout", "gains"),
    [
        ("stereo", (1.0, 1.0)),
        ("stereo", (1.0, -1.0)),
        ("stereo", (0.0, 1.0)),
        ("5.1", (0.0, 0.0, 1.0, 0.0, 0.0, 0.0)),
        ("5.1", (0.0, 0.0, 0.0, 0.0, 0.0, 1.0)),
        ("34 channels", (0.0,) * 30 + (1.0,) + (0.0,) * 3),
    ],
)
@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_f32le", "pcm_u8"])
def test_a_voice_is_heard_on_whichever_channels_it_is(
    tmp_path: Path, layout: str, gains: tuple[float, ...], codec: str
) -> None:
    items = list(read_clip(write_tracks(tmp_path / "a.wav", [Sound(500, gains, layout, codec)])))
    assert heard(items) == pytest.approx(500, abs=5)
    loudness = np.concatenate([item.samples for item in items if isinstance(item, AudioBlock)])[4000:]
    assert float(np.sqrt(np.mean(loudness**2))) == pytest.approx(12_000 / 32_768 / 2**0.5, rel=0.03)


def test_sound_that_changes_its_layout_goes_on(tmp_path: Path) -> None:
    sounds = (Sound(500, codec="aac"), Sound(500, (1.0,) * 6, "5.1", "aac"), Sound(500, codec="aac"))
    parts = [write_tracks(tmp_path / f"{n}.aac", [sound]) for n, sound in enumerate(sounds)]
    clip = tmp_path / "whole.aac"
    clip.write_bytes(b"".join(part.read_bytes() for part in parts))
    items = list(read_clip(clip))
    assert sum(item.samples.size for item in items if isinstance(item, AudioBlock)) > 2.5 * 16_000


def joined(path: Path, parts: Sequence[bytes]) -> Path:
    path.write_bytes(b"".join(parts))
    return path


def ts(path: Path, offset: float = 0.0) -> bytes:
    """Three seconds of a transport stream whose times begin at `offset`."""
    source = write_clip(path.with_suffix(".mkv"), seconds=3.0, video="libx264", audio="aac", size=(64, 48))
    with av.open(str(source)) as clip, av.open(str(path), "w", options={"output_ts_offset": str(offset)}) as out:
        copies = {stream.index: out.add_stream_from_template(stream) for stream in clip.streams}
        for packet in clip.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                out.mux(packet)
    return path.read_bytes()


@pytest.mark.parametrize("offsets", [(0.0, 5000.0), (5000.0, 0.0), (0.0, 0.0), (95_440.0, 0.0), (95_442.0,)])
def test_a_jump_of_the_time_costs_no_time(tmp_path: Path, offsets: tuple[float, ...]) -> None:
    parts = [ts(tmp_path / f"{n}.ts", offset) for n, offset in enumerate(offsets)]
    items = list(read_clip(joined(tmp_path / "whole.ts", parts)))
    stamps = [item.stamp for item in items if not isinstance(item, TrackFault)]
    times = [stamp.capture for stamp in stamps]
    assert times == sorted(times)
    assert times[0] == pytest.approx(0.0, abs=2.0)
    pictures = [item for item in items if isinstance(item, VideoFrame)]
    assert len(pictures) >= 75 * len(offsets) - 30
    covered = sum(after - before for before, after in pairwise(times) if after - before < 1.5)
    assert covered == pytest.approx(3.0 * len(offsets), abs=1.0)
    assert times[-1] < 3.5 * len(offsets) + 10 * (len(offsets) - 1) + 1.5
    # A flash and its beep stay together on both sides of the jump.
    flash = next(f.stamp.capture for f in reversed(pictures) if f.y[f.height // 2 :].mean() > 150)
    loud = [b.stamp.capture for b in items if isinstance(b, AudioBlock) and np.abs(b.samples).max() > 0.1]
    assert loud[-1] == pytest.approx(flash, abs=0.09)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    ("name", "video", "audio"),
    [
        ("a.mp4", "libx264", "aac"),
        ("a.mkv", "mpeg4", "libopus"),
        ("a.webm", "libvpx", "libopus"),
        ("a.wav", None, "pcm_s16le"),
        ("a.ts", "libx264", "aac"),
    ],
)
def test_damage_is_a_fault_or_a_refusal(tmp_path: Path, name: str, video: str | None, audio: str, seed: int) -> None:
    path = write_clip(tmp_path / name, seconds=1.0, size=(64, 48), video=video, audio=audio)
    path.write_bytes(damage(path.read_bytes(), seed))
    items: list[MediaItem] = []
    with suppress(SourceError):
        items.extend(read_clip(path))
    times = [item.stamp.capture for item in items if not isinstance(item, TrackFault)]
    assert times == sorted(times)
    assert max(times, default=0.0) < 60.0
