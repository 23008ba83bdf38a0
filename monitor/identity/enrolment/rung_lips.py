"""The lips of a clip as each rung of the ladder of call conditions would show them, beside the clip's own voice.

A live window of lips and voice depends on the line as a live face does. So while a clip is read, each picture's
surroundings of the mouth go through the real codec of every rung, in order and at the rung's size, and are cut again at
the same place; the lip encoder then reads them as it reads a call. Landmarks stay those of the picture as recorded, as
in the ladder of the gallery.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Any

import av
import numpy as np
from av.packet import Packet
from PIL import Image, ImageFilter

from engines.base import Engine
from monitor.detectors.base import Climbing, ClipCollector
from monitor.face.crops import Region, cut
from monitor.face.geometry import mouth_centre
from monitor.face.lip_input import sample_of, unit
from monitor.face.track import MOUTH_SIDE, MOUTH_SIZE, FaceView
from monitor.identity.enrolment.condition_ladder import RUNGS, Step, encoder_for, square_of, to_codec
from monitor.session.input_spec import DEFAULT_PICTURES
from monitor.session.models import Models
from monitor.tap.media.formats import to_video_frame
from monitor.types import FloatArray, VideoFrame
from monitor.window.grid import Resampler, Sample
from monitor.window.stream_encoder import StreamEncoder
from monitor.window.window import WindowBuffer

# What is coded of the face: this share of its height, the mouth in the middle.
PATCH_SHARE = 0.6
# Of a face on its rung; soft focus blurs by as much as in the ladder of the gallery.
BLUR_SHARE = 0.012


def on_rungs(collector: ClipCollector | None, models: Models) -> ClipCollector | None:
    """Give a collector that is shown the rungs, where it looks at them; else the same.

    Encoders that take other pictures than the shipped ones are shown none: theirs are not cut anew here.
    """
    if not isinstance(collector, Climbing) or models.input_spec.pictures != DEFAULT_PICTURES:
        return collector
    return RungCollector(collector, models.lips)


class RungCollector:
    """Shows another collector the rungs of a clip; see `monitor.detectors.base.Climbing`."""

    def __init__(self, collector: Any, lips: Engine) -> None:
        self._collector, self._lips = collector, lips
        self._lines: list[_Line] = []

    def restart(self, buffer: WindowBuffer) -> None:
        """Begin with empty windows."""
        self._lines = [_Line(step, step.face_px, self._lips, buffer) for step in RUNGS if step.face_px is not None]
        self._watch = self._collector.observe
        self._collector.restart(buffer)
        self._collector.climb({line.step.name: line.window for line in self._lines})

    def observe(self, frame: VideoFrame, view: FaceView | None, crowded: bool) -> None:
        """Take one picture."""
        if self._watch is not None:
            self._watch(frame, view, crowded)
        if self._collector.climbing:
            for line in self._lines:
                line.push(frame, view)

    def hop(self) -> None:
        """Let the collector look at the windows."""
        self._collector.hop()

    def finish(self) -> Any:
        """Give what the collector took."""
        return self._collector.finish()


@dataclass(frozen=True, slots=True, eq=False)
class _Sent:
    """A mouth on its way: whose, and where it lies in the patch."""

    view: FaceView
    mouth: Region


class _Line:
    """One rung: its codec both ways, and the window of the lips that come out."""

    def __init__(self, step: Step, face_px: int, lips: Engine, beside: WindowBuffer) -> None:
        self.step, self.window = step, beside.beside()
        self._face_px, self._size = face_px, 16 * round(face_px * PATCH_SHARE / 16)
        self._encoder = encoder_for(self._size, self._size, step.codec, step.quantiser)
        self._decoder = av.CodecContext.create(step.codec, "r")
        self._decoder.thread_count = 1
        self._sent: deque[_Sent] = deque()
        self._count = 0
        self._resample, self._encode = Resampler(), StreamEncoder(lips)
        self._sample: Sample | None = None

    def push(self, frame: VideoFrame, view: FaceView | None) -> None:
        """Send a picture over the line, and encode what arrived."""
        if view is not None:
            self._send(frame, view)
        elif self._sample is not None:
            # Nobody is there: what was seen last is held, and cannot be used.
            self._sample = replace(self._sample, usable=False)
            self._arrive(frame.stamp.media, self._sample)

    def _send(self, frame: VideoFrame, view: FaceView) -> None:
        # Never enlarged: a small face stays as small as it was recorded.
        scale = min(1.0, self._face_px / view.quality.size)
        x, y = (float(at) for at in mouth_centre(view.pose))
        # Whole even pixels, so that where nothing is scaled cutting changes no value.
        around = Region(2 * round(x / 2), 2 * round(y / 2), self._size / scale)
        patch = square_of(frame, around, self._size)
        if self.step.soft:
            blur = ImageFilter.GaussianBlur(BLUR_SHARE * view.quality.size * scale)
            patch = replace(patch, y=np.asarray(Image.fromarray(patch.y).filter(blur)))
        half = self._size / 2
        mouth = Region(
            half + (x - around.x) * scale,
            half + (y - around.y) * scale,
            MOUTH_SIDE * view.pose.scale * scale,
            float(np.radians(view.pose.angles[2])),
        )
        self._sent.append(_Sent(view, mouth))
        packets = [bytes(packet) for packet in self._encoder.encode(to_codec(patch, self._count))]
        self._count += 1
        for packet in packets:
            for decoded in self._decoder.decode(Packet(packet)):
                sent = self._sent.popleft()
                picture = to_video_frame(decoded, sent.view.stamp)
                self._sample = sample_of(sent.view, cut(picture.y, sent.mouth, MOUTH_SIZE))
                self._arrive(sent.view.stamp.media, self._sample)

    def _arrive(self, media: float, sample: Sample) -> None:
        for step in self._resample.push(media, sample):
            inputs: dict[str, FloatArray] = {
                name: step.sample.shape[None] if name == "shape" else unit(step.sample.mouth[None])
                for name in self._encode.names
            }
            for done in self._encode.push(step.index, inputs, np.array([step.sample.usable])):
                self.window.push_lips(done.first, done.vectors, done.flags)
