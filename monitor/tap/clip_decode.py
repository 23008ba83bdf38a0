"""What a clip holds, decoded in the process that calls: the header, then the items of both tracks in one order.

Nothing but `clip_worker` calls it for a file that somebody else made.
"""

from __future__ import annotations

import heapq
from collections.abc import Generator, Iterator, Sequence

import av
from av.container import InputContainer

from monitor.tap.clip_file import (
    AvStream,
    ClipInfo,
    OpenFile,
    TrackChoice,
    TrackInfo,
    open_clip,
    select_track,
    stream_of,
)
from monitor.tap.clip_time import Scattered, Splices, close_gaps, item_time
from monitor.tap.clip_track import ClipTrack
from monitor.tap.media.config import ClipLimits
from monitor.tap.media.source import SourceError
from monitor.types import MediaItem, Reason, TrackFault, TrackKind, VideoFrame

KINDS: tuple[TrackKind, ...] = ("video", "audio")


def read_header(file: OpenFile, limits: ClipLimits, choice: TrackChoice) -> ClipInfo:
    """Read the header of a clip; raises `SourceError` when it is not one, or has no track of the chosen number."""
    with open_clip(file, limits) as container:
        found = [select_track(container, file.name, kind, choice.of(kind)) for kind in KINDS]
        tracks = tuple(track for track in found if track is not None)
        streams = {track.kind: stream_of(container, track) for track in tracks}
        video = streams.get("video")
        readable = isinstance(video, av.VideoStream) and any(t.kind == "video" and t.codec for t in tracks)
        rate = video.average_rate if isinstance(video, av.VideoStream) else None
        return ClipInfo(
            seconds=_seconds(container, *streams.values()),
            fps=float(rate) if rate else 0.0,
            width=video.codec_context.width if isinstance(video, av.VideoStream) and readable else 0,
            height=video.codec_context.height if isinstance(video, av.VideoStream) and readable else 0,
            has_audio="audio" in streams,
            has_video="video" in streams,
            tracks=tracks,
        )


def decode_clip(
    files: Sequence[OpenFile], tracks: Sequence[TrackInfo], limits: ClipLimits, file_bytes: int
) -> Generator[MediaItem, None, None]:
    """Yield the items of these tracks ordered by capture time, each track read through a file of its own.

    Raises `SourceError` when nothing can be decoded, or when there is more of it than `limits` allow a clip of this
    size.
    """
    name, splices = files[0].name, Splices()
    chosen = {track.kind: track for track in tracks}
    readers = [
        ClipTrack(file, chosen[kind], limits, splices).read() if kind in chosen else _missing_track(kind)
        for kind, file in zip(KINDS, files, strict=True)
    ]
    most_seconds, pictures, has_media = limits.media_seconds(file_bytes), 0, False
    for item in _in_time(close_gaps(heapq.merge(*readers, key=item_time)), name):
        has_media = has_media or not isinstance(item, TrackFault) or item.reason is Reason.FRAME_TOO_LARGE
        pictures += isinstance(item, VideoFrame)
        if pictures > limits.max_frames:
            raise SourceError(f"{name} has more than {limits.max_frames} pictures: cut it into shorter clips")
        if item_time(item) > most_seconds:
            raise SourceError(_too_long(name, limits, most_seconds))
        yield item
    if not has_media:
        raise SourceError(f"{name} holds nothing that can be decoded: check the file, or record it again")


def _in_time(items: Iterator[MediaItem], name: str) -> Iterator[MediaItem]:
    try:
        yield from items
    except Scattered:
        raise SourceError(f"{name} jumps ahead in time again and again: export it again") from None


def _too_long(name: str, limits: ClipLimits, most_seconds: float) -> str:
    if most_seconds < limits.max_seconds:
        return f"{name} lasts longer than a file of its size can: export it again"
    return f"{name} lasts more than {limits.max_seconds / 3600:.3g} hours: cut it into shorter clips"


def _seconds(container: InputContainer, *streams: AvStream) -> float:
    if container.duration:
        return container.duration / av.time_base
    lengths = [float(s.duration * s.time_base) for s in streams if s.duration and s.time_base]
    return max(lengths, default=0.0)


def _missing_track(kind: TrackKind) -> Iterator[MediaItem]:
    reason = Reason.NO_AUDIO if kind == "audio" else Reason.NO_VIDEO
    yield TrackFault(kind, reason, f"the clip has no {kind}", 0.0)
