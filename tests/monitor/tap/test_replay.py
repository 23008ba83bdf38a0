"""Recorded clips, whole and broken, as media items."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
import pytest

from monitor.tap.clip_time import Timeline
from monitor.tap.media.config import ClipLimits
from monitor.tap.media.source import SourceError
from monitor.tap.replay import ReplaySource, probe_clip, read_clip
from monitor.types import AudioBlock, ClockState, MediaItem, Reason, TrackFault, VideoFrame
from tests.monitor.tap.clips import write_clip


def split(items: Iterable[MediaItem]) -> tuple[list[VideoFrame], list[AudioBlock], list[TrackFault]]:
    frames: list[VideoFrame] = []
    blocks: list[AudioBlock] = []
    faults: list[TrackFault] = []
    for item in items:
        if isinstance(item, VideoFrame):
            frames.append(item)
        elif isinstance(item, AudioBlock):
            blocks.append(item)
        else:
            faults.append(item)
    return frames, blocks, faults


def flash_times(frames: list[VideoFrame]) -> list[float]:
    lit = [(f.stamp.capture, float(np.mean(f.y[f.height // 2 :])) > 150) for f in frames]
    return [at for (_, before), (at, now) in zip([(0.0, False), *lit], lit, strict=False) if now and not before]


def beep_times(blocks: list[AudioBlock]) -> list[float]:
    loud: list[float] = []
    for block in blocks:
        at = block.stamp.capture + np.flatnonzero(np.abs(block.samples) > 0.1) / 16_000
        loud += [float(t) for t in at]
    return [t for before, t in zip([-9.0, *loud], loud, strict=False) if t - before > 0.3]


def test_items_come_in_capture_order_with_arrival_equal_to_capture(tmp_path: Path) -> None:
    items = list(read_clip(write_clip(tmp_path / "a.mp4")))
    stamps = [i.stamp for i in items if not isinstance(i, TrackFault)]
    assert [s.capture for s in stamps] == sorted(s.capture for s in stamps)
    assert all(s.arrival == s.capture == s.media and s.state is ClockState.MAPPED for s in stamps)
    frames, blocks, faults = split(items)
    assert (len(frames), faults) == (50, [])
    assert frames[0].y.shape == (240, 320)
    assert frames[0].u.shape == frames[0].v.shape == (120, 160)
    assert not frames[0].y.flags.writeable
    assert {b.samples.size for b in blocks[:-1]} == {480}
    assert blocks[0].samples.dtype == np.float32
    assert sum(b.samples.size for b in blocks) / 16_000 == pytest.approx(2.0, abs=0.07)


@pytest.mark.parametrize(
    ("name", "video", "audio"),
    [
        ("a.mp4", "libx264", "aac"),
        ("a.mkv", "mpeg4", "libopus"),
        ("a.webm", "libvpx", "libopus"),
        ("a.ts", "libx264", "aac"),
    ],
)
def test_a_flash_and_its_beep_are_captured_together(tmp_path: Path, name: str, video: str, audio: str) -> None:
    frames, blocks, faults = split(read_clip(write_clip(tmp_path / name, seconds=3.0, video=video, audio=audio)))
    assert not faults
    seen, heard = flash_times(frames), beep_times(blocks)
    assert len(seen) == len(heard) == 3
    assert np.allclose(seen, heard, atol=0.045)


def test_tracks_that_start_apart_stay_apart(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", seconds=3.0, video_from=1.5, audio_from=0.25, audio="libopus")
    frames, blocks, _ = split(read_clip(clip))
    assert frames[0].stamp.capture - blocks[0].stamp.capture == pytest.approx(1.25, abs=0.03)
    later = [t for t in beep_times(blocks) if t > 1.6]
    assert np.allclose(flash_times(frames)[: len(later)], later, atol=0.045)


def test_variable_frame_rate_keeps_each_time(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.15, 0.4, 0.9, 0.95]
    frames, _, _ = split(read_clip(write_clip(tmp_path / "a.mkv", times=times, audio=None)))
    assert [f.stamp.capture for f in frames] == pytest.approx(times, abs=0.002)


def test_five_pictures_a_second_pass_through(tmp_path: Path) -> None:
    frames, _, faults = split(read_clip(write_clip(tmp_path / "a.mp4", fps=5.0)))
    assert (len(frames), faults) == (10, [])


def test_other_pixel_formats_become_limited_range_420(tmp_path: Path) -> None:
    full = write_clip(tmp_path / "a.avi", video="mjpeg", pixels="yuvj420p", audio=None, fps=5.0)
    frames, _, _ = split(read_clip(full))
    assert frames[0].full_range
    wide = write_clip(tmp_path / "b.mkv", video="ffv1", pixels="yuv444p", audio=None, fps=5.0)
    frames, _, _ = split(read_clip(wide))
    assert not frames[0].full_range
    assert frames[0].u.shape == (120, 160)
    assert frames[0].y[200, 200] == 235


def test_probe_reads_the_header(tmp_path: Path) -> None:
    info = probe_clip(write_clip(tmp_path / "a.mp4"))
    assert (info.width, info.height, info.has_audio, info.has_video) == (320, 240, True, True)
    assert info.seconds == pytest.approx(2.0, abs=0.1)
    assert info.fps == pytest.approx(25.0, abs=0.5)
    sound = probe_clip(write_clip(tmp_path / "a.wav", video=None, audio="pcm_s16le"))
    assert (sound.width, sound.fps, sound.has_video, sound.has_audio) == (0, 0.0, False, True)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "not a file"),
        (b"", "is empty"),
        (b"#EXTM3U\nhttp://127.0.0.1/x.ts\n", "not a video"),
        (b"\x00\xff" * 999, "not a video"),
    ],
)
def test_what_is_not_a_clip_is_refused_in_one_line(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    for read in (probe_clip, lambda p: list(read_clip(p))):
        with pytest.raises(SourceError, match=says) as caught:
            read(path)
        assert "\n" not in str(caught.value)


def test_a_clip_whose_media_is_gone_is_refused(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", seconds=1.0, video="libx264", audio=None)
    data = path.read_bytes()
    start = data.index(b"mdat") + 4
    size = int.from_bytes(data[start - 8 : start - 4], "big") - 8
    path.write_bytes(data[:start] + bytes(size) + data[start + size :])
    with pytest.raises(SourceError, match="nothing that can be decoded"):
        list(read_clip(path))


def test_a_missing_track_is_told_and_the_other_is_read(tmp_path: Path) -> None:
    frames, blocks, faults = split(read_clip(write_clip(tmp_path / "a.mp4", audio=None)))
    assert (len(frames), len(blocks)) == (50, 0)
    assert [(f.track, f.reason) for f in faults] == [("audio", Reason.NO_AUDIO)]
    frames, blocks, faults = split(read_clip(write_clip(tmp_path / "b.mp4", video=None)))
    assert not frames
    assert blocks
    assert [(f.track, f.reason) for f in faults] == [("video", Reason.NO_VIDEO)]


def test_an_oversized_picture_is_told_and_the_voice_is_read(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", seconds=0.2, fps=5.0, size=(7680, 4320), video="mpeg4")
    frames, blocks, faults = split(read_clip(path))
    assert not frames
    assert blocks
    assert [(f.track, f.reason) for f in faults] == [("video", Reason.FRAME_TOO_LARGE)]
    assert "7680x4320" in faults[0].detail


def test_a_picture_that_grows_in_the_middle_ends_the_video(tmp_path: Path) -> None:
    path = tmp_path / "a.h264"
    parts = [
        write_clip(tmp_path / f"{w}.h264", seconds=0.4, size=(w, 240), video="libx264", audio=None) for w in (320, 640)
    ]
    path.write_bytes(b"".join(p.read_bytes() for p in parts))
    frames, _, faults = split(read_clip(path, ClipLimits(max_pixels=320 * 240)))
    assert {f.width for f in frames} == {320}
    assert any(f.track == "video" and f.reason in (Reason.DECODER_FAILED, Reason.FRAME_TOO_LARGE) for f in faults)


def test_a_damaged_middle_is_skipped_and_told_once(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", seconds=6.0, video="libx264")
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    size = int.from_bytes(data[start - 8 : start - 4], "big") - 8
    noise = random.Random(1).randbytes(size // 5)
    data[start + size // 3 : start + size // 3 + len(noise)] = noise
    path.write_bytes(bytes(data))
    frames, blocks, faults = split(read_clip(path))
    assert len(frames) > 60
    assert frames[-1].stamp.capture > 5.8
    assert blocks[-1].stamp.capture > 5.8
    tracks = [f.track for f in faults]
    assert {f.reason for f in faults} == {Reason.DECODER_FAILED}
    assert "video" in tracks
    assert len(tracks) == len(set(tracks))


def test_a_truncated_file_is_read_to_its_end(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", seconds=4.0, audio="libopus")
    path.write_bytes(path.read_bytes()[:-4000])
    frames, blocks, _ = split(read_clip(path))
    assert frames[-1].stamp.capture > 2.0
    assert blocks


def test_closing_the_iterator_lets_go_of_the_file(tmp_path: Path) -> None:
    items = read_clip(write_clip(tmp_path / "a.mp4"))
    next(items)
    items.close()
    assert next(items, None) is None


async def test_a_source_in_virtual_time_gives_the_same_items(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4")
    source = ReplaySource(path, realtime=False)
    frames, blocks, faults = split([item async for item in source])
    assert (len(frames), len(faults), source.dropped) == (50, 0, 0)
    assert len(blocks) == len(split(read_clip(path))[1])


async def test_a_source_in_real_time_keeps_the_clips_pace(tmp_path: Path) -> None:
    source = ReplaySource(write_clip(tmp_path / "a.mp4", seconds=0.6), realtime=True)
    frames, _, _ = split([item async for item in source])
    first, last = frames[0].stamp, frames[-1].stamp
    assert len(frames) == 15
    assert last.arrival - first.arrival == pytest.approx(last.capture - first.capture, abs=0.2)
    assert last.arrival - first.arrival > 0.5


async def test_a_closed_source_ends(tmp_path: Path) -> None:
    source = ReplaySource(write_clip(tmp_path / "a.mp4", seconds=30.0, fps=2.0, size=(64, 48)), realtime=True)
    seen = 0
    async for _ in source:
        seen += 1
        if seen == 3:
            await source.close()
            await source.close()
    assert seen == 3


async def test_a_paused_source_passes_over_what_lies_in_the_pause(tmp_path: Path) -> None:
    source = ReplaySource(write_clip(tmp_path / "a.mp4", seconds=0.6))
    source.pause(True)
    assert [item async for item in source] == []
    source.pause(False)
    assert len(split([item async for item in source])[0]) == 15
    assert source.dropped == 0


async def test_a_source_raises_what_the_reader_raises(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(b"text")
    with pytest.raises(SourceError, match="not a video"):
        [item async for item in ReplaySource(tmp_path / "x.mp4")]


def test_times_that_are_missing_or_step_back_keep_the_timeline() -> None:
    line = Timeline()
    asked: list[float | None] = [None, 5.0, None, 4.9, 5.2, 0.96, 1.0, 1.04]
    placed = [line.place(at, 0.04) for at in asked]
    assert [p.media if p else None for p in placed] == pytest.approx([0.0, 5.0, 5.04, None, 5.2, None, 5.24, 5.28])


async def test_a_picture_too_late_is_dropped_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.tap.replay._MAX_LAG_SECONDS", -10.0)
    source = ReplaySource(write_clip(tmp_path / "a.mp4", seconds=0.4), realtime=True)
    frames, blocks, _ = split([item async for item in source])
    assert (frames, source.dropped) == ([], 10)
    assert blocks


async def test_a_fault_in_real_time_bears_its_arrival(tmp_path: Path) -> None:
    before = time.monotonic()
    source = ReplaySource(write_clip(tmp_path / "a.mp4", seconds=0.2, audio=None), realtime=True)
    _, _, faults = split([item async for item in source])
    assert faults[0].arrival >= before


def test_a_hopeless_track_is_left_after_so_many_bad_packets(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", seconds=2.0, video="libx264")
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    size = int.from_bytes(data[start - 8 : start - 4], "big") - 8
    data[start : start + size] = random.Random(2).randbytes(size)
    path.write_bytes(bytes(data))
    items = read_clip(path, ClipLimits(max_bad_packets=5))
    seen: list[MediaItem] = []
    with pytest.raises(SourceError, match="nothing that can be decoded"):
        seen.extend(items)
    assert not any(isinstance(item, VideoFrame) for item in seen)


def test_a_cover_picture_is_not_a_video(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", video=None, seconds=0.5)
    cover = tmp_path / "cover.png"
    with av.open(str(cover), "w", format="image2") as out:
        still = out.add_stream("png", rate=1)
        assert isinstance(still, av.VideoStream)
        still.width, still.height, still.pix_fmt = 64, 64, "rgb24"
        out.mux(still.encode(av.VideoFrame(64, 64, "rgb24")))
        out.mux(still.encode(None))
    tagged = tmp_path / "b.mkv"
    with av.open(str(path)) as sound, av.open(str(tagged), "w") as out:
        track = out.add_stream_from_template(sound.streams.audio[0])
        out.add_attachment("cover.png", "image/png", cover.read_bytes())
        for packet in sound.demux(sound.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = track
                out.mux(packet)
    assert not probe_clip(tagged).has_video
