"""Recordings that were made to harm: each ends in one line, in time and in memory, and nobody else notices."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import pytest

from monitor.tap import clip_file
from monitor.tap.clip_file import OpenFile, close_files, open_clip, open_files
from monitor.tap.clip_process import ClipProcess
from monitor.tap.media.config import ClipLimits
from monitor.tap.media.source import SourceError
from monitor.tap.replay import read_clip
from monitor.tap.sandbox.workers import Ending
from monitor.types import Reason, TrackFault
from tests.monitor.tap import bombs
from tests.monitor.tap.clips import write_clip
from tests.monitor.tap.odd_clips import Picture, Sound, write_tracks

LIMITS = ClipLimits()
MB = 1 << 20
# What a decoder of small pictures holds, with the interpreter around it.
SMALL = 150 * MB
NOT_A_VIDEO, NOTHING, TOO_MUCH = "is not a video", "holds nothing that can be decoded", "has more than 32 streams"

# How it is made, what is said, and the most memory that it may take.
BOMBS: dict[str, tuple[str, Callable[[Path], Path], str, int]] = {
    "jump": ("mkv", bombs.jump, "jumps ahead in time again and again", SMALL),
    "huge picture": ("mkv", bombs.huge_pictures, NOTHING, SMALL),
    "four streams": ("mkv", lambda path: bombs.huge_pictures(path, 4), NOTHING, SMALL),
    "huge JPEG": ("mkv", bombs.huge_jpegs, NOTHING, SMALL),
    "four streams of JPEG": ("mkv", lambda path: bombs.huge_jpegs(path, 4), NOTHING, SMALL),
    "many streams": ("avi", bombs.many_streams, TOO_MUCH, SMALL),
    "endless sound": ("ogg", bombs.endless_sound, "lasts longer than a file of its size can", SMALL),
    "slow sound": ("wav", bombs.slow_sound, NOTHING, SMALL),
    "compressed header": ("mov", bombs.compressed_header, TOO_MUCH, LIMITS.memory_bytes),
    "nested headers": ("mov", bombs.nested_headers, NOT_A_VIDEO, SMALL),
    "nested files": ("mkv", bombs.nested_files, "", SMALL),
    "subtitles": ("srt", bombs.subtitles, NOT_A_VIDEO, SMALL),
}


def read(path: Path, limits: ClipLimits = LIMITS) -> tuple[str, Ending, float]:
    """What is said of a clip, empty where it was read; how its process ended; seconds of its last item."""
    last, said = 0.0, ""
    with ClipProcess(path, limits) as clip:
        try:
            clip.header()
            for item in clip.items():
                last = item.arrival if isinstance(item, TrackFault) else item.stamp.capture
        except SourceError as error:
            said = str(error)
        return said, clip.end(), last


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_ends_in_one_line(tmp_path: Path, name: str) -> None:
    suffix, make, says, most_bytes = BOMBS[name]
    said, ending, last = read(make(tmp_path / f"bomb.{suffix}"))
    assert says in said
    assert bool(said) == bool(says)
    assert "\n" not in said
    assert ending.signal == 0
    assert ending.cpu_seconds < 10.0
    assert 0 < ending.resident_bytes < most_bytes
    assert last < 600.0


@pytest.mark.parametrize("kind", bombs.PLAYLISTS)
def test_a_playlist_is_no_clip(tmp_path: Path, kind: str) -> None:
    victim = write_clip(tmp_path / "victim.mp4", seconds=0.2)
    path = bombs.playlist(tmp_path / ("list.m3u8" if kind == "hls" else "list.mp4"), kind, victim)
    assert NOT_A_VIDEO in read(path)[0]


def options_of(path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The options with which a clip is opened."""
    seen: dict[str, str] = {}
    whole = av.open

    def spied(url: str, options: dict[str, str]) -> av.container.InputContainer:
        seen.update(options)
        return whole(url, options=options)

    monkeypatch.setattr(av, "open", spied)
    files = open_files(path, 1)
    open_clip(files[0], LIMITS).close()
    close_files(files)
    monkeypatch.undo()
    return seen


def test_a_clip_opens_nothing_but_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = write_clip(tmp_path / "a.mp4", seconds=0.2)
    options = options_of(clip, monkeypatch)
    for url in (f"file:{clip}", f"concat:{clip}", f"subfile,,start,0,end,0,,:{clip}"):
        with pytest.raises(av.FFmpegError):
            av.open(url, options=options)
        unbound = {name: value for name, value in options.items() if name not in ("protocol_whitelist", "fd")}
        av.open(url, options=unbound).close()


def test_other_containers_are_not_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bombs.subtitles(tmp_path / "a.srt", 100)
    assert NOT_A_VIDEO in read(path)[0]
    monkeypatch.setattr(clip_file, "FORMATS", f"{clip_file.FORMATS},srt")
    assert open_clip(open_files(path, 1)[0], LIMITS).format.name == "srt"


def test_other_decoders_do_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = write_tracks(tmp_path / "a.avi", [Picture(90, codec="ffvhuff"), Sound(500)], 0.2)
    faults = [item for item in read_clip(clip) if isinstance(item, TrackFault)]
    assert [(fault.track, fault.reason) for fault in faults] == [("video", Reason.UNSUPPORTED_CODEC)]
    # Nor while FFmpeg looks what the file holds: only the decoder knows the format of the pixels.
    assert pixels_of(open_files(clip, 1)[0]) is None
    monkeypatch.setattr(clip_file, "DECODERS", f"{clip_file.DECODERS},ffvhuff")
    assert pixels_of(open_files(clip, 1)[0]) is not None


def pixels_of(file: OpenFile) -> str | None:
    with open_clip(file, LIMITS) as container:
        return container.streams.video[0].codec_context.pix_fmt


def test_pictures_are_not_decoded_before_they_are_measured(tmp_path: Path) -> None:
    path = bombs.huge_pictures(tmp_path / "a.mkv", side=10_000)
    said, ending, _ = read(path)
    assert NOTHING in said
    assert ending.resident_bytes < SMALL
    boundless = replace(LIMITS, max_pixels=(1 << 31) - 1, memory_bytes=4 << 30)
    assert read(path, boundless)[1].resident_bytes > SMALL


def test_pictures_are_limited_while_a_file_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = options_of(write_clip(tmp_path / "a.mp4", seconds=0.2), monkeypatch)
    # Four times what is read: so that the size of one that is too large can be told.
    assert options["max_pixels"] == str(4 * LIMITS.max_pixels)
    assert int(options["probesize"]) <= 5_000_000
    assert int(options["analyzeduration"]) <= 5_000_000


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (replace(LIMITS, max_frames=24), "more than 24 pictures"),
        (replace(LIMITS, max_seconds=0.5), "lasts more than 0.000139 hours"),
        (replace(LIMITS, free_seconds=0.5, min_bytes_per_second=1e6), "lasts longer than a file of its size can"),
        (replace(LIMITS, max_streams=1), "has more than 1 streams"),
    ],
)
def test_each_limit_is_told(tmp_path: Path, limits: ClipLimits, says: str) -> None:
    assert says in read(write_clip(tmp_path / "a.mp4", seconds=1.0), limits)[0]


def test_a_process_that_computes_too_long_is_ended(tmp_path: Path) -> None:
    path = bombs.compressed_header(tmp_path / "a.mov")
    said, ending, _ = read(path, replace(LIMITS, memory_bytes=4 << 30, free_cpu_seconds=1.0, cpu_seconds_per_mb=0.0))
    assert "takes more time to decode" in said
    assert ending.signal == signal.SIGXCPU


async def test_the_event_loop_does_not_notice(tmp_path: Path) -> None:
    made = [make(tmp_path / f"{n}.{suffix}") for n, (suffix, make, _, _) in enumerate(BOMBS.values())]
    reading = asyncio.gather(*(asyncio.to_thread(read, path) for path in made))
    lags = []
    while not reading.done():
        before = time.monotonic()
        await asyncio.wait([reading], timeout=0.01)
        lags.append(time.monotonic() - before - 0.01)
    await reading
    assert sorted(lags)[len(lags) * 9 // 10] < 0.05
