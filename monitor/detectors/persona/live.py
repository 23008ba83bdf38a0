"""How one participant moves against how the person they claim to be does: frames in, the word of `persona` out.

The rows of motion lie beside the voice in the session's own window, so that both are paired by capture time like lips
and voice. Once a hop the newest 3 s are measured, if enough of them is speech; what is judged is measured within one
window of the decision, so that two that do not overlap share no evidence but the neutral face, a median of 29 s.
Where nobody is claimed, or nobody is enrolled so, none of this is computed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from monitor.detectors.persona.detector import NAME, SHOWN_SECONDS, Measured, PersonaDetector
from monitor.detectors.persona.windows import STEPS, MotionWindow, windows_of
from monitor.face.expression import RATE, motion_row, neutral_of
from monitor.face.track import FaceView
from monitor.types import Reason, Score, VideoFrame
from monitor.window.grid import Resampler, Sample
from monitor.window.window import Stretch, WindowBuffer

if TYPE_CHECKING:
    from monitor.detectors.persona.detector import PersonaReference
    from monitor.face.expression import ExpressionBasis
    from monitor.session.models import Models

Lookup = Callable[[], "PersonaReference | None"]

# A neutral face of fewer usable seconds would be what was just done with it.
NEUTRAL_SECONDS = 5.0
_NO_PICTURE = np.zeros((0, 0), np.uint8)


def abstain(reason: Reason) -> Score:
    """Say why nothing is compared."""
    return Score(NAME, None, reason, one_sided=True)


class Mover:
    """Sees the frames of a participant and puts rows of motion into the window."""

    def __init__(self, basis: ExpressionBasis, window: WindowBuffer) -> None:
        self._basis, self._window = basis, window
        self._resample = Resampler()

    def see(self, frame: VideoFrame, view: FaceView | None, crowded: bool) -> None:
        """Take the face off a frame; nobody's while it is unclear whose."""
        if view is None:
            return
        row = motion_row(view.landmarks, self._basis, (frame.width, frame.height))
        usable = view.quality.problem is None and not crowded
        for step in self._resample.push(frame.stamp.media, Sample(row, _NO_PICTURE, usable)):
            self._window.push_motion(step.index, step.sample.shape[None], np.array([step.sample.usable]))


class MotionSide:
    """Compares how one participant moves; `lookup` says once a hop how the claimed person does, None where unknown."""

    def __init__(self, models: Models, lookup: Lookup, window: WindowBuffer) -> None:
        self._engines, self._lookup, self._window = models.persona, lookup, window
        self._later = models.later
        self._later.prepare()
        self._detector = PersonaDetector(models.people, window.seconds)
        self._reference: PersonaReference | None = None
        self._measured = Measured.join([])
        self._judged_until = float("-inf")

    def score(self, obstacle: Reason | None = None) -> Score:
        """Score this hop; `obstacle` says what keeps face and voice from being judged now."""
        reference = self._lookup()
        unable = self._detector.unable(reference, self._engines.key if self._engines else None)
        if unable is not None or reference is None or self._engines is None:
            return abstain(unable or Reason.NOT_ENROLLED)
        if obstacle is not None:
            return abstain(obstacle)
        if not self._later.ready:
            return abstain(Reason.WARMING_UP)
        if reference is not self._reference:
            # Enrolled anew meanwhile: what was measured is against another reference.
            self._reference, self._measured = reference, Measured.join([])
        stretch = self._window.moving()
        end = stretch.end / RATE - self._window.began
        if np.count_nonzero(stretch.valid) < NEUTRAL_SECONDS * RATE or end <= self._judged_until:
            return abstain(Reason.WARMING_UP)
        self._judged_until = end
        windows = newest_window(stretch, end)
        fresh = [self._engines.measure(windows, reference)] if windows else []
        self._measured = Measured.join([self._measured, *fresh]).since(end - SHOWN_SECONDS)
        return self._detector.score(self._measured, end, self._spoken(stretch), reference, self._engines.key)

    def _spoken(self, stretch: Stretch) -> float:
        newest = slice(-round(self._window.seconds * RATE), None)
        return float(np.count_nonzero(stretch.speech[newest] & stretch.valid[newest])) / RATE


def newest_window(stretch: Stretch, end: float) -> list[MotionWindow]:
    """Cut the last 3 s off a stretch that ends at `end` seconds; none where they hold too little of a face or speech.

    The neutral face is that of the whole stretch.
    """
    neutral, newest = neutral_of(stretch.motion, stretch.valid), slice(-STEPS, None)
    parts = (stretch.motion[newest], stretch.valid[newest], stretch.voice[newest], stretch.speech[newest])
    return windows_of(*parts, hop=STEPS, neutral=neutral, start=end - STEPS / RATE)
