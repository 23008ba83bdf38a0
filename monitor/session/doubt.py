"""Whose mouth speaks: what is seen of the faces in a picture that leaves it in doubt.

Three things do: the picture stands, the participant's mouth does not move by itself, another face's mouth does. Size
says who the participant is and not who speaks: a small face far behind is heard as well as a large one. A moving mouth
is enough of a doubt: whether its lips fit the voice would take an encoder's stream for every face, and somebody who
chews in the background costs a few frames, not a false word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from monitor.face.stillness import MEASURED_STEPS, MOUTH_SECONDS, PICTURE_SECONDS, MouthMovement, StandingPicture
from monitor.face.track import FaceView
from monitor.types import FloatArray, VideoFrame
from monitor.window.doubts import REASONS, Doubt
from monitor.window.grid import GRID_HZ

# Speech pauses; whoever spoke a moment ago may be heard now.
OTHERS_SECONDS = 1.0
# How much more than a still mouth another one must move, in what time.
SPEAKING, SPEAKING_SECONDS = 1.3, 1.2
# By less the form of lips varies in a picture that is shown again.
SAME_FORM = 0.004


@dataclass(slots=True)
class _Mouth:
    """One mouth; `is_still` and `moved`, when it moved last, are as of the last measurement."""

    movement: MouthMovement = field(default_factory=MouthMovement)
    seen: float = 0.0
    measured: float = float("-inf")
    moved: float = float("-inf")
    is_still: bool = False

    def push(self, view: FaceView, is_main: bool) -> None:
        """Take the next view, of the participant's face or of another."""
        self.seen = view.stamp.media
        self.movement.push(self.seen, view.shape, view.mouth)
        if self.seen - self.measured < MEASURED_STEPS / GRID_HZ:
            return
        self.measured = self.seen
        now, size = self.movement.over(MOUTH_SECONDS if is_main else SPEAKING_SECONDS), view.quality.size
        self.is_still = is_main and now is not None and now.is_below(size)
        if not is_main and now is not None and not now.is_below(size, SPEAKING):
            self.moved = self.seen

    def is_as_before(self) -> bool:
        """Whether it has not moved while a picture stood."""
        now = self.movement.over(PICTURE_SECONDS)
        return now is not None and now.form < SAME_FORM


class DoubtWatch:
    """Follows the mouths of one participant's pictures; `frozen` says whether the last one stands."""

    def __init__(self) -> None:
        self._mouths: dict[int, _Mouth] = {}
        self._picture = StandingPicture()
        self.frozen = False

    def __call__(self, frame: VideoFrame, view: FaceView | None, views: Sequence[FaceView]) -> FloatArray:
        """Give how many grid steps up to this frame are in doubt, (1, 3), as `monitor.window.doubts` takes them.

        `view` is the participant's face, one of `views`, or None.
        """
        now = frame.stamp.media
        for seen in views:
            self._mouths.setdefault(seen.track, _Mouth()).push(seen, seen is view)
        self._picture.push(now, frame.y)
        main = self._mouths[view.track] if view is not None else None
        reaches = np.zeros((1, len(REASONS)), np.float32)
        self.frozen = False
        if main is not None:
            self.frozen = (self._picture.is_same and main.is_as_before()) or (self._picture.is_noise and main.is_still)
            if main.is_still:
                reaches[0, Doubt.STILL_MOUTH - 1] = round(MOUTH_SECONDS * GRID_HZ)
            if self.frozen:
                span = MOUTH_SECONDS if main.is_still else PICTURE_SECONDS
                reaches[0, Doubt.PICTURE_FROZEN - 1] = round(span * GRID_HZ)
        if any(now - mouth.moved < OTHERS_SECONDS / 2 for mouth in self._mouths.values() if mouth is not main):
            reaches[0, Doubt.SEVERAL_FACES - 1] = round(OTHERS_SECONDS * GRID_HZ)
        self._mouths = {track: mouth for track, mouth in self._mouths.items() if now - mouth.seen < OTHERS_SECONDS}
        return reaches
