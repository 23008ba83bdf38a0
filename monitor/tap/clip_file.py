"""A recorded clip as a file: whether it may be read, which tracks it has, and which of them is judged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition

from monitor.tap.media.source import SourceError
from monitor.types import TrackKind

# No playlists and no network: a clip must not make the reader open anything but itself.
_FORMATS = "mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,ogg,asf,wav,mp3,flac,aac,yuv4mpegpipe,ivf,mxf,nut,h264,m4v"
_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
_PICTURES_OF_A_FILE = Disposition.attached_pic | Disposition.timed_thumbnails
_BESIDE = (
    Disposition.comment
    | Disposition.hearing_impaired
    | Disposition.visual_impaired
    | Disposition.descriptions
    | Disposition.dependent
    | Disposition.still_image
)

AvStream = av.VideoStream | av.AudioStream

# What FFmpeg raises for a damaged file, wherever it does: errors of its own, and values that make no sense.
MEDIA_ERRORS = (av.FFmpegError, ValueError, ArithmeticError, MemoryError)


@dataclass(frozen=True, slots=True)
class TrackChoice:
    """Which track of each kind is asked for, counted from 1; None leaves it to `select_track`."""

    audio: int | None = None
    video: int | None = None

    def of(self, kind: TrackKind) -> int | None:
        """Return the number that is asked for."""
        return self.audio if kind == "audio" else self.video


@dataclass(frozen=True, slots=True)
class TrackInfo:
    """The track of a kind that is judged: its `number` from 1 among `count`, and its codec; None cannot be decoded."""

    kind: TrackKind
    number: int
    count: int
    codec: str | None


def describe_choice(track: TrackInfo) -> str | None:
    """Say in one line which of several tracks is judged; None where there is no other."""
    if track.count == 1:
        return None
    codec = track.codec or "which cannot be decoded"
    return f"{track.kind} track {track.number} of {track.count} is judged ({codec}): --{track.kind} takes another"


def open_clip(path: Path) -> InputContainer:
    """Open a clip; raises `SourceError` where it is not one."""
    if not path.is_file():
        raise SourceError(f"{path.name} is not a file: give the path of a recorded clip")
    try:
        if path.stat().st_size == 0:
            raise SourceError(f"{path.name} is empty: record it again")
        return av.open(f"file:{path}", options=_OPTIONS)
    except PermissionError:
        raise SourceError(f"{path.name} may not be read: change its permissions") from None
    except (*MEDIA_ERRORS, OSError):
        raise SourceError(f"{path.name} is not a video that can be read: give an MP4, WebM, MKV, MOV or AVI") from None


def select_track(container: InputContainer, kind: TrackKind, number: int | None = None) -> TrackInfo | None:
    """Say which track of a kind is judged, None where there is none; a cover picture is not a video.

    Without a `number` it is the best that can be decoded: of these the one marked as default, then one that is no
    commentary or description, then the first. Raises `SourceError` where there is no track of that number.
    """
    streams = _streams(container, kind)
    if number is not None and not 1 <= number <= len(streams):
        has = f"{len(streams)} {kind} track{'' if len(streams) == 1 else 's'}"
        raise SourceError(f"{Path(container.name).name} has {has}: there is no --{kind} {number}")
    if not streams:
        return None
    at = number - 1 if number is not None else max(range(len(streams)), key=lambda n: (*_rank(streams[n]), -n))
    return TrackInfo(kind, at + 1, len(streams), _codec(streams[at]))


def stream_of(container: InputContainer, track: TrackInfo) -> AvStream:
    """Return the stream of a track that `select_track` chose."""
    return _streams(container, track.kind)[track.number - 1]


def _streams(container: InputContainer, kind: TrackKind) -> list[AvStream]:
    wanted = av.VideoStream if kind == "video" else av.AudioStream
    return [s for s in container.streams if isinstance(s, wanted) and not s.disposition & _PICTURES_OF_A_FILE]


def _rank(stream: AvStream) -> tuple[bool, bool, bool]:
    disposition = stream.disposition
    return _codec(stream) is not None, bool(disposition & Disposition.default), not disposition & _BESIDE


def _codec(stream: AvStream) -> str | None:
    # Its type has no None, which is what it is where FFmpeg has no decoder.
    context: object = stream.codec_context
    return stream.codec_context.name if context is not None else None
