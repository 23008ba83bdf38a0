"""The newest looks of a participant's face, a second apart, for telling whether two are one; never written down."""

from __future__ import annotations

from collections import deque

from monitor.face.shot import FaceShot, shot_of
from monitor.face.track import FaceView
from monitor.types import VideoFrame

# So many are compared: one alone may be caught in a blink.
LOOKS = 3
LOOK_INTERVAL_SECONDS = 1.0


class Looks:
    """Takes a look off a frame now and then, where it is good enough and it is clear whose it is."""

    def __init__(self) -> None:
        self.shots: deque[FaceShot] = deque(maxlen=LOOKS)

    def observe(self, frame: VideoFrame, view: FaceView | None, crowded: bool) -> None:
        """See a frame, as `monitor.detectors.base.FrameObserver` does."""
        if view is None or view.face is None or crowded:
            return
        if self.shots and 0.0 <= frame.stamp.media - self.shots[-1].time < LOOK_INTERVAL_SECONDS:
            return
        shot = shot_of(view)
        if shot is not None:
            self.shots.append(shot)
