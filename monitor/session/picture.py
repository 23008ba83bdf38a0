"""Frames of one participant: the face that is theirs, resampled and encoded into lip vectors of the window."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from monitor.detectors.base import FrameObserver
from monitor.face.cadence import EVERY, Cadence
from monitor.face.encoder_crops import PICTURES
from monitor.face.geometry import SPEECH_SHAPE_SIZE
from monitor.face.lip_input import sample_of, unit
from monitor.face.track import FaceTracker, FaceView, Followed
from monitor.session.doubt import DoubtWatch
from monitor.session.models import Models
from monitor.types import FloatArray, VideoFrame
from monitor.window.grid import GridSample, Resampler, Sample, runs_of
from monitor.window.stream_encoder import StreamEncoder
from monitor.window.window import WindowBuffer

# A second face of this share of the participant's height is a rival: it is unclear who speaks.
RIVAL_SIZE = 0.6
RECENT_SECONDS = 2.0
COUNTED_SECONDS = 1.0
FACE_AWAY_SECONDS = 1.0


class PictureTrack:
    """Makes frames lip vectors in the window; `observers` see every frame beside it.

    By the `cadence` of landmarks a frame may wait for the next one; everybody sees frames in order all the same.
    """

    def __init__(self, models: Models, observers: Sequence[FrameObserver] = (), cadence: Cadence = EVERY) -> None:
        self._track = FaceTracker(models.detector, models.landmarks, bool(observers), cadence)
        self._observers = list(observers)
        self._cut = PICTURES[models.input_spec.pictures]()
        self._nothing = Sample(
            np.zeros(SPEECH_SHAPE_SIZE, np.float32), np.zeros((self._cut.size, self._cut.size), np.uint8), False
        )
        self._resample = Resampler()
        self._encode = StreamEncoder(models.lips)
        self._steps: list[GridSample] = []
        self._reaches: list[FloatArray] = []
        self._doubt = DoubtWatch()
        self._main: int | None = None
        self._seen = float("-inf")
        self._sample: Sample | None = None
        self._recent: deque[tuple[float, bool]] = deque(maxlen=256)
        self._arrivals: deque[float] = deque(maxlen=256)
        self.face_px = 0.0

    @property
    def rate(self) -> float | None:
        """Pictures a second of the sender's time, over its last two seconds or three pictures; None in the first."""
        counted = self._recent[-1][0] - self._recent[0][0] if self._recent else 0.0
        return (len(self._recent) - 1) / counted if counted >= COUNTED_SECONDS else None

    def fps(self, now: float) -> float:
        """Pictures that were decoded in the last two seconds, a second; `now` is on the clock of their arrival."""
        while self._arrivals and self._arrivals[0] <= now - RECENT_SECONDS:
            self._arrivals.popleft()
        return len(self._arrivals) / RECENT_SECONDS

    @property
    def crowded(self) -> bool:
        """Whether a second face, nearly as large, was there most of the last two seconds."""
        return sum(rival for _, rival in self._recent) > 0.5 * len(self._recent) > 0

    @property
    def frozen(self) -> bool:
        """Whether the picture stands."""
        return self._doubt.frozen

    def lighten(self, cadence: Cadence) -> None:
        """Follow faces by another cadence from the next frame on."""
        self._track.cadence = cadence

    def push(self, frame: VideoFrame, window: WindowBuffer) -> None:
        """Follow the faces of one frame, or let it wait for the next."""
        self._arrivals.append(frame.stamp.arrival)
        for followed in self._track.push(frame):
            self._take(followed, window)

    def settle(self, window: WindowBuffer, before: float) -> None:
        """Let no frame wait any longer that arrived before a moment, and have the window know all of the others."""
        since = self._track.waits_since
        if since is not None and since <= before:
            for followed in self._track.settle():
                self._take(followed, window)
        self._encode_steps(window)

    def _take(self, followed: Followed, window: WindowBuffer) -> None:
        """Encode the participant's face in a frame; of a damaged one nothing is shown to anybody."""
        frame, views = followed.frame, followed.views
        view = self._choose(views, frame.stamp.media)
        rival = view is not None and any(
            v is not view and v.quality.size > RIVAL_SIZE * view.quality.size for v in views
        )
        self.face_px = view.quality.size if view else 0.0
        if frame.damaged:
            view, views = None, []
        reaches = self._doubt(frame, view, views)
        for observe in self._observers:
            # The same look again is no other look.
            observe(frame, None if self.frozen else view, rival)
        self._recent.append((frame.stamp.media, rival))
        while len(self._recent) > 3 and self._recent[-1][0] - self._recent[0][0] > RECENT_SECONDS:
            self._recent.popleft()
        if view is not None:
            self._sample = sample_of(view, self._cut(frame, view))
        elif self._sample is not None:
            self._sample = replace(self._sample, usable=False)
        sample = self._sample or self._nothing
        fresh = list(self._resample.push(frame.stamp.media, sample))
        self._steps += fresh
        self._reaches += [reaches] * len(fresh)
        if len(self._steps) >= self._encode.chunk:
            self._encode_steps(window)

    def _encode_steps(self, window: WindowBuffer) -> None:
        """Put what is known of the steps that wait into the window: together, since each by itself costs as much."""
        (steps, self._steps), (reaches, self._reaches) = (self._steps, []), (self._reaches, [])
        begin = 0
        for run in runs_of(steps):
            window.push_doubts(run[0].index, np.concatenate(reaches[begin : begin + len(run)]))
            begin += len(run)
            inputs = {name: self._input(name, run) for name in self._encode.names}
            for done in self._encode.push(run[0].index, inputs, np.array([step.sample.usable for step in run])):
                window.push_lips(done.first, done.vectors, done.flags)

    @staticmethod
    def _input(name: str, steps: Sequence[GridSample]) -> FloatArray:
        """Give what the encoder takes under a name, (N, ...)."""
        if name == "shape":
            return np.stack([step.sample.shape for step in steps])
        return unit(np.stack([step.sample.mouth for step in steps]))

    def _choose(self, views: list[FaceView], now: float) -> FaceView | None:
        """Keep to the face followed so far; take another one only after it has been away for a second."""
        for view in views:
            if view.track == self._main:
                self._seen = now
                return view
        if not views or (self._main is not None and now - self._seen < FACE_AWAY_SECONDS):
            return None
        self._main, self._seen = views[0].track, now
        return views[0]
