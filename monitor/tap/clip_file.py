"""A recorded clip as a file: whether it may be read, which tracks it has, and which of them is judged.

What opens and decodes here runs in the process of `clip_worker`: FFmpeg sees no file but the one that is open.
"""

from __future__ import annotations

import os
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.stream import Disposition

from monitor.tap.media.config import ClipLimits
from monitor.tap.media.source import SourceError
from monitor.types import TrackKind

# No playlists, no lists of other files: a clip must not make the reader open anything but itself.
FORMATS = "mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,ogg,asf,wav,mp3,flac,aac,yuv4mpegpipe,ivf,mxf,nut,h264,m4v"
# FFmpeg's names of the decoders that may run: of what cameras, phones and recorders write, and of what is exchanged.
DECODERS = (
    "h264,hevc,vp8,vp9,av1,libdav1d,mpeg4,mpeg2video,mpeg1video,h263,flv,mjpeg,theora,wmv1,wmv2,wmv3,vc1,msmpeg4v2,"
    "msmpeg4,prores,dnxhd,dvvideo,ffv1,huffyuv,utvideo,rawvideo,"
    "aac,aac_latm,mp3,mp3float,mp2,mp2float,mp1,mp1float,opus,libopus,vorbis,flac,alac,ac3,eac3,amrnb,amrwb,speex,"
    "wmav1,wmav2,wmapro,adpcm_ima_wav,adpcm_ima_qt,adpcm_ms,pcm_u8,pcm_s8,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,"
    "pcm_s32le,pcm_s32be,pcm_f32le,pcm_f32be,pcm_f64le,pcm_f64be,pcm_alaw,pcm_mulaw"
)
# By how much a picture may be larger than is read, and still be decoded at opening: so that its size can be told.
_TELLING_FACTOR = 4
# How far FFmpeg looks into a file to learn what it holds.
_PROBE_BYTES, _PROBE_MICROSECONDS, _PROBE_PACKETS = 5_000_000, 5_000_000, 2500
_PICTURES_OF_A_FILE = Disposition.attached_pic | Disposition.timed_thumbnails
_BESIDE = (
    Disposition.comment
    | Disposition.hearing_impaired
    | Disposition.visual_impaired
    | Disposition.descriptions
    | Disposition.dependent
    | Disposition.still_image
)

_ALLOWED_DECODERS = frozenset(DECODERS.split(","))

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


@dataclass(frozen=True, slots=True)
class ClipInfo:
    """What a clip's header says; `seconds` and `fps` are 0.0 where it says nothing, sizes are those before turning.

    `tracks` are those that are read, of each kind at most one.
    """

    seconds: float
    fps: float
    width: int
    height: int
    has_audio: bool
    has_video: bool
    tracks: tuple[TrackInfo, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        return asdict(self)

    @classmethod
    def of_json(cls, told: dict[str, Any]) -> ClipInfo:
        """Read what `as_json` gave; raises `KeyError`, `TypeError` or `ValueError` for anything else."""
        tracks = tuple(_track_of_json(track) for track in told["tracks"])
        sizes = int(told["width"]), int(told["height"])
        return cls(
            float(told["seconds"]), float(told["fps"]), *sizes, bool(told["has_audio"]), bool(told["has_video"]), tracks
        )


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A clip's file that is open for one reader; `name` is what it is called where something is wrong with it."""

    name: str
    descriptor: int


def open_files(path: Path, count: int) -> list[OpenFile]:
    """Open a clip `count` times, each with a position of its own; raises `SourceError` where it is no file to read."""
    if not path.is_file():
        raise SourceError(f"{path.name} is not a file: give the path of a recorded clip")
    opened: list[OpenFile] = []
    problem = None
    try:
        while len(opened) < count:
            opened += [OpenFile(path.name, os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))]
            found = os.fstat(opened[-1].descriptor)
            if not stat.S_ISREG(found.st_mode):
                problem = "is not a file: give the path of a recorded clip"
            elif found.st_size == 0:
                problem = "is empty: record it again"
    except PermissionError:
        problem = "may not be read: change its permissions"
    except OSError as error:
        problem = f"cannot be opened ({error.strerror}): give the path of a recorded clip"
    if problem is not None:
        close_files(opened)
        raise SourceError(f"{path.name} {problem}")
    return opened


def close_files(files: list[OpenFile]) -> None:
    """Close what `open_files` opened."""
    for file in files:
        os.close(file.descriptor)


def open_clip(file: OpenFile, limits: ClipLimits) -> InputContainer:
    """Open a clip, from its beginning; raises `SourceError` where it is not one, or has too many streams."""
    options = {
        "fd": str(file.descriptor),
        "format_whitelist": FORMATS,
        "protocol_whitelist": "fd",
        "codec_whitelist": DECODERS,
        "probesize": str(_PROBE_BYTES),
        "analyzeduration": str(_PROBE_MICROSECONDS),
        "max_probe_packets": str(_PROBE_PACKETS),
        "max_streams": str(limits.max_streams),
        "max_pixels": str(_TELLING_FACTOR * limits.max_pixels),
    }
    os.lseek(file.descriptor, 0, os.SEEK_SET)
    try:
        return av.open("fd:", options=options)
    except MemoryError:
        # What FFmpeg says of too many streams, too.
        much = f"{file.name} has more than {limits.max_streams} streams, or takes more memory than a clip may"
        raise SourceError(f"{much}: export it with one of pictures and one of sound") from None
    except (*MEDIA_ERRORS, OSError):
        raise SourceError(f"{file.name} is not a video that can be read: give an MP4, WebM, MKV, MOV or AVI") from None


def select_track(container: InputContainer, name: str, kind: TrackKind, number: int | None = None) -> TrackInfo | None:
    """Say which track of a kind is judged, None where the clip `name` has none; a cover picture is not a video.

    Without a `number` it is the best that can be decoded: of these the one marked as default, then one that is no
    commentary or description, then the first. Raises `SourceError` where there is no track of that number.
    """
    streams = _streams(container, kind)
    if number is not None and not 1 <= number <= len(streams):
        has = f"{len(streams)} {kind} track{'' if len(streams) == 1 else 's'}"
        raise SourceError(f"{name} has {has}: there is no --{kind} {number}")
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
    if context is None or stream.codec_context.name not in _ALLOWED_DECODERS:
        return None
    return stream.codec_context.name


def _track_of_json(told: dict[str, Any]) -> TrackInfo:
    kind: TrackKind = "video" if told["kind"] == "video" else "audio"
    codec = told["codec"]
    return TrackInfo(kind, int(told["number"]), int(told["count"]), None if codec is None else str(codec))
