"""What enrolment collects from one clip: moments of the face, durations, and two curves over time.

The clip is read once, by the same session that judges calls; the collectors observe it. Memory is bounded whatever the
length: beyond `max_moments` every other moment is dropped, and from then on half as many are collected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from monitor.detectors.base import ClipCollector
from monitor.face.track import FaceView
from monitor.identity.enrolment.condition_ladder import Moment, moment_of
from monitor.identity.enrolment.duplicate_clips import Curves
from monitor.session.clip import ClipJudge, ClipVerdict
from monitor.session.models import Models
from monitor.tap.clip_file import TrackChoice
from monitor.tap.media.digest import digest
from monitor.tap.replay import probe_clip, read_clip
from monitor.types import AudioBlock, BoolArray, FloatArray, VideoFrame
from monitor.voice.stream import VoiceChunk, VoiceStream
from monitor.window.grid import GRID_HZ
from monitor.window.spoken import spoken

# In memory over all clips, per detector: more hardly improves a reference.
MAX_COLLECTED_SECONDS = 1200.0
# A frame counts for this long at most: a gap in the video is not face time.
MAX_FRAME_SECONDS = 0.2
BANDS = 8
# Corners, middle of the lips: how wide and how open the mouth is.
_LEFT, _RIGHT, _UPPER, _LOWER = 61, 291, 13, 14


@dataclass(frozen=True, slots=True)
class Demands:
    """From which height (pixels) and sharpness on a face is good enough to be enrolled; calls may show less."""

    face_px: float = 80.0
    sharpness: float = 0.22


@dataclass(slots=True)
class Spans:
    """Seconds in which a face was seen, was good, and was too small, blurred, turned away or not alone."""

    seen: float = 0.0
    good: float = 0.0
    small: float = 0.0
    blurred: float = 0.0
    turned: float = 0.0
    crowded: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One clip; `verdict` is of the detectors that need no reference, `taken` what each collector gathered."""

    path: Path
    sha256: str
    width: int
    height: int
    seconds: float
    speech_seconds: float
    spans: Spans
    moments: tuple[Moment, ...]
    curves: Curves
    verdict: ClipVerdict
    taken: Mapping[str, Any] = field(default_factory=dict)


def read_recording(
    path: Path,
    models: Models,
    demands: Demands,
    max_moments: int,
    progress: Callable[[float], None] = lambda _: None,
    collectors: Mapping[str, ClipCollector | None] | None = None,
    choice: TrackChoice | None = None,
) -> Recording:
    """Read a clip; raises `SourceError`. `progress` is called with the seconds read so far.

    At most `max_moments` moments are collected; `collectors` are those of the detectors, by the detector's name;
    `choice` says which tracks are read.
    """
    tracks = probe_clip(path, choice).tracks
    width = height = 0
    face, voice = Face(demands, max_moments), Voice(VoiceStream(presence=models.presence))
    active = {name: collector for name, collector in (collectors or {}).items() if collector is not None}
    judge = ClipJudge(models, observer=face.see, progress=progress, collectors=list(active.values()))
    for item in read_clip(path, choice=choice):
        judge.push(item)
        if isinstance(item, VideoFrame) and not width:
            width, height = item.width, item.height
        if isinstance(item, AudioBlock):
            voice.hear(item)
    verdict = judge.judge(path, tracks)
    return Recording(
        path,
        digest(path),
        width,
        height,
        verdict.seconds,
        voice.seconds,
        face.spans,
        tuple(face.moments),
        Curves(face.movement(), voice.sound()),
        verdict,
        {name: collector.finish() for name, collector in active.items()},
    )


@dataclass(slots=True)
class Face:
    """Observes a session: measures spans and collects the moments good enough for a gallery."""

    demands: Demands
    max_moments: int
    spans: Spans = field(default_factory=Spans)
    moments: list[Moment] = field(default_factory=list)
    _last: float | None = None
    _stride: int = 1
    _offered: int = 0
    _times: list[float] = field(default_factory=list)
    _movements: list[tuple[float, ...]] = field(default_factory=list)

    def see(self, frame: VideoFrame, view: FaceView | None, crowded: bool) -> None:
        """Take one frame."""
        now = frame.stamp.media
        duration = 0.0 if self._last is None else min(now - self._last, MAX_FRAME_SECONDS)
        self._last = now
        if view is None:
            return
        self._times.append(now)
        self._movements.append(_movement(view))
        self.spans.seen += duration
        problem = self._problem(view, crowded)
        setattr(self.spans, problem, getattr(self.spans, problem) + duration)
        if problem == "good" and view.face is not None:
            self._collect(frame, view)

    def _problem(self, view: FaceView, crowded: bool) -> str:
        quality = view.quality
        if crowded:
            return "crowded"
        if quality.size < self.demands.face_px:
            return "small"
        if quality.sharpness < self.demands.sharpness:
            return "blurred"
        return "good" if quality.problem is None else "turned"

    def _collect(self, frame: VideoFrame, view: FaceView) -> None:
        self._offered += 1
        moment = moment_of(frame, view) if self._offered % self._stride == 0 else None
        if moment is None:
            return
        self.moments.append(moment)
        if len(self.moments) > self.max_moments:
            del self.moments[::2]
            self._stride *= 2

    def movement(self) -> FloatArray:
        """Pose and mouth at 25 Hz, (T, 5); where no face was seen they stand still."""
        if not self._times:
            return np.zeros((0, 5), np.float32)
        grid = np.arange(int(self._times[-1] * GRID_HZ) + 1) / GRID_HZ
        rows = np.array(self._movements, np.float32)
        return np.stack([np.interp(grid, self._times, column) for column in rows.T], axis=1).astype(np.float32)


def _movement(view: FaceView) -> tuple[float, ...]:
    lips = view.pose.normalise(view.landmarks[[_LEFT, _RIGHT, _UPPER, _LOWER]])
    wide, open_ = lips[1] - lips[0], lips[3] - lips[2]
    return (*view.pose.angles, float(np.hypot(*wide[:2])), float(np.hypot(*open_[:2])))


@dataclass(slots=True)
class Voice:
    """Accumulates the speech of a clip and a coarse spectrum."""

    _stream: VoiceStream = field(default_factory=VoiceStream)
    _chunks: list[tuple[int, FloatArray]] = field(default_factory=list)
    _flags: list[tuple[BoolArray, BoolArray]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Seconds in which somebody speaks; music and noise do not count."""
        if not self._flags:
            return 0.0
        heard, sound = (np.concatenate(steps) for steps in zip(*self._flags, strict=True))
        return float(spoken(heard, sound).sum()) / GRID_HZ

    def hear(self, block: AudioBlock) -> None:
        """Take one block."""
        chunk = self._stream.push(block)
        if chunk is not None:
            self._flags.append((chunk.heard, chunk.sound))
            self._chunks.append((chunk.first, _bands(chunk)))

    def sound(self) -> FloatArray:
        """Log energy in bands at 25 Hz, (U, 8); silence where there was no sound."""
        if not self._chunks:
            return np.zeros((0, BANDS), np.float32)
        last, rows = self._chunks[-1]
        spectrum = np.full((last + len(rows), BANDS), min(float(r.min()) for _, r in self._chunks), np.float32)
        for first, rows in self._chunks:
            spectrum[max(first, 0) : first + len(rows)] = rows[max(-first, 0) :]
        return spectrum


def _bands(chunk: VoiceChunk) -> FloatArray:
    return np.asarray(chunk.mel.mean(1).reshape(len(chunk.mel), BANDS, -1).mean(2), np.float32)
