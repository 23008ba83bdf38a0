"""A recording whose pictures and sound are kept apart, as some data sets publish them, read as if it were one clip.

Both are taken to begin at the same moment. Pictures may also be a folder of JPEG files, one for each 1/25 s.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from pathlib import Path

import av

from monitor.tap.clip_time import item_time
from monitor.tap.media.formats import to_video_frame
from monitor.tap.media.source import SourceError
from monitor.tap.replay import read_clip
from monitor.types import AudioBlock, ClockState, MediaItem, Stamp, TrackFault, TrackKind, VideoFrame

PICTURE_RATE_HZ = 25


def read_media(clip: Path, sound: Path | None) -> Iterator[MediaItem]:
    """Yield a clip's items, also of one whose pictures and sound are kept apart; raises `SourceError`."""
    return read_pair(clip, sound) if sound is not None or clip.is_dir() else read_clip(clip)


def read_pair(clip: Path, sound: Path | None) -> Iterator[MediaItem]:
    """Yield the pictures of one file or folder and the sound of another, ordered by capture time.

    Raises `SourceError` as `read_clip` does.
    """
    pictures = read_pictures(clip) if clip.is_dir() else _only(clip, "video")
    sound_blocks = _only(sound, "audio") if sound is not None else iter(())
    yield from heapq.merge(pictures, sound_blocks, key=item_time)


def read_pictures(folder: Path) -> Iterator[VideoFrame]:
    """Yield the pictures of a folder in the order of their names; raises `SourceError` when one is no JPEG."""
    decoder = av.CodecContext.create("mjpeg", "r")
    files = sorted(p for p in folder.iterdir() if p.is_file())
    if not files:
        raise SourceError(f"{folder.name} holds no pictures: give a folder of JPEG files")
    for count, file in enumerate(files):
        at = count / PICTURE_RATE_HZ
        try:
            frames = decoder.decode(av.Packet(file.read_bytes()))
        except (av.FFmpegError, ValueError):
            raise SourceError(f"{folder.name}/{file.name} is not a JPEG picture: download the folder again") from None
        for frame in frames:
            if isinstance(frame, av.VideoFrame):
                yield to_video_frame(frame, Stamp(at, at, 1 / PICTURE_RATE_HZ, ClockState.MAPPED, at))


def _only(path: Path, kind: TrackKind) -> Iterator[MediaItem]:
    wanted = VideoFrame if kind == "video" else AudioBlock
    for item in read_clip(path):
        if isinstance(item, wanted) or (isinstance(item, TrackFault) and item.track == kind):
            yield item
