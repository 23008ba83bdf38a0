"""The face of one participant against the person they claim to be: shots in, the word of the `pairwise` detector out.

Shots are taken twice a second and encoded once a hop, in one batch. What is compared is a window's worth of them, so
that two windows that do not overlap share no evidence; the call's own start is kept, as long as nothing was suspect.
Where nobody is claimed none of this exists, and it costs nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from monitor.detectors.pairwise.detector import PairwiseDetector
from monitor.face.shot import FaceShot, shot_of
from monitor.face.track import FaceView
from monitor.face.vectors import FaceVectors
from monitor.types import Reason, Score, VideoFrame

if TYPE_CHECKING:
    from monitor.detectors.reference import Reference
    from monitor.face.encoders import FaceEncoders
    from monitor.session.models import Models

# What a session asks at every hop: the reference of the claimed identity as it is now, or None.
Lookup = Callable[[], "Reference | None"]
# Sees every frame with the face that is the participant's, and whether another is nearly as large.
Watch = Callable[[VideoFrame, FaceView | None, bool], None]

NAME = "pairwise"
START_SECONDS = 10.0
# More than a hop brings: whoever is late looks at the newest.
PENDING = 8


def abstain(reason: Reason) -> Score:
    """Say why nothing is compared."""
    return Score(NAME, None, reason)


class FaceSide:
    """Compares one participant's face; `lookup` is asked once a hop."""

    def __init__(self, models: Models, lookup: Lookup, window_seconds: float = 5.0) -> None:
        self._encode, self._lookup, self._length = models.faces, lookup, window_seconds
        self._later = models.later
        self._later.prepare()
        self._detector = PairwiseDetector(models.population)
        self._pending: deque[FaceShot] = deque(maxlen=PENDING)
        self._now = 0.0
        self._live: FaceVectors | None = None
        self._start: FaceVectors | None = None
        self._judged_until = float("-inf")

    def see(self, frame: VideoFrame, view: FaceView | None, crowded: bool) -> None:
        """Take a shot off a frame, where it gives one; nobody's while it is unclear whose."""
        self._now = frame.stamp.media
        shot = shot_of(view) if view is not None and not crowded else None
        if shot is not None:
            self._pending.append(shot)

    def score(self, suspect: bool) -> Score:
        """Score this hop; `suspect` says what held at the last one: what is suspect is no start to compare with."""
        reference = self._lookup()
        if self._encode is None:
            return abstain(Reason.NOT_ENROLLED if reference is None else Reason.REFERENCE_OUTDATED)
        if not self._later.ready:
            return abstain(Reason.WARMING_UP)
        live = self._recall(self._encode)
        if not suspect:
            self._begin(live)
        if live is None:
            return abstain(Reason.NO_FACE if self._start is not None else Reason.WARMING_UP)
        moved = float(live.time[-1]) > self._judged_until
        self._judged_until = float(live.time[-1])
        score = self._detector.score(live, self._before(live), reference, self._encode.key)
        # Faces that were judged already are no new evidence.
        return score if moved or score.value is None else abstain(Reason.WARMING_UP)

    def _recall(self, encode: FaceEncoders) -> FaceVectors | None:
        """Encode what is new; give the looks of the window, or None."""
        parts = [] if self._live is None else [self._live]
        if self._pending:
            parts.append(encode(list(self._pending)))
            self._pending.clear()
        known = FaceVectors.join(parts) if parts else None
        kept = known.take(np.asarray(known.time > self._now - self._length)) if known is not None else None
        self._live = kept if kept is not None and len(kept) else None
        return self._live

    def _begin(self, live: FaceVectors | None) -> None:
        """Keep the looks of the call's first seconds."""
        if live is None:
            return
        if self._start is None:
            self._start = live
            return
        last, end = float(self._start.time[-1]), float(self._start.time[0]) + START_SECONDS
        fresh = live.take(np.asarray((live.time > last) & (live.time < end)))
        if len(fresh):
            self._start = FaceVectors.join([self._start, fresh])

    def _before(self, live: FaceVectors) -> FaceVectors | None:
        if self._start is None:
            return None
        start = self._start.take(np.asarray(self._start.time < live.time[0]))
        return start if len(start) else None
