"""The face of one participant against the person they claim to be, hop by hop.

Shots are taken twice a second and encoded once a hop, in one batch. What is compared is a window's worth of them, so
that two windows that do not overlap share no evidence; the call's own start is kept, as long as nothing was suspect.
Where nobody is claimed none of this exists, and it costs nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engines.base import Engine
from monitor.detectors.base import Compilation, Hop
from monitor.detectors.pairwise.clip import score_clip
from monitor.detectors.pairwise.detector import PairwiseDetector
from monitor.detectors.pairwise.enrolling import EnrollingPairwise
from monitor.detectors.pairwise.info import INFO
from monitor.detectors.pairwise.population import Population
from monitor.detectors.pairwise.reference import PairwiseReference
from monitor.detectors.parts import PartCache
from monitor.detectors.reference import TemplateError
from monitor.face.encoders import FaceEncoders
from monitor.face.shot import FaceShot, shot_of
from monitor.face.track import FaceView
from monitor.face.vectors import FaceVectors
from monitor.types import FloatArray, Reason, Score, VideoFrame
from monitor.window.window import WindowBuffer

START_SECONDS = 10.0
# More than a hop brings: whoever is late looks at the newest.
PENDING_SHOTS = 8


class LivePairwise:
    """See `monitor.detectors.base.LiveDetector`."""

    def __init__(
        self,
        encode: FaceEncoders | None,
        population: Population | None,
        window_seconds: float,
        compilation: Compilation,
    ) -> None:
        self._encode, self._window_seconds, self._compilation = encode, window_seconds, compilation
        self._compilation.prepare()
        self._detector = PairwiseDetector(population)
        self._reference = PartCache(PairwiseReference.from_bytes)
        self._pending: deque[FaceShot] = deque(maxlen=PENDING_SHOTS)
        self._now = 0.0
        self._live: FaceVectors | None = None
        self._start: FaceVectors | None = None
        self._scored_until = float("-inf")

    def restart(self, buffer: WindowBuffer) -> None:
        """Nothing is forgotten: shots carry their time, and the call's start stays its start."""

    def observe(self, frame: VideoFrame, view: FaceView | None, crowded: bool) -> None:
        """Take a shot off a frame, where it gives one; nobody's while it is unclear whose."""
        self._now = frame.stamp.media
        shot = shot_of(view) if view is not None and not crowded else None
        if shot is not None:
            self._pending.append(shot)

    def score(self, hop: Hop) -> Score:
        """Score this hop; what was suspect at the last one is no start to compare with."""
        if hop.face_obstacle is not None:
            return INFO.abstain(hop.face_obstacle)
        if self._encode is None:
            return INFO.abstain(Reason.REFERENCE_OUTDATED if hop.enrolled else Reason.NOT_ENROLLED)
        if not self._compilation.ready:
            return INFO.abstain(Reason.WARMING_UP)
        live = self._recall(self._encode)
        if not hop.suspect:
            self._begin(live)
        if live is None:
            return INFO.abstain(Reason.NO_FACE if self._start is not None else Reason.WARMING_UP)
        moved = float(live.time[-1]) > self._scored_until
        self._scored_until = float(live.time[-1])
        reference = self._reference.read(hop.part)
        score = self._detector.score(live, self._before(live), reference, self._encode.key)
        if score.reason is Reason.NOT_ENROLLED and hop.enrolled:
            # Somebody is, but by what cannot be read here.
            return replace(score, reason=Reason.REFERENCE_OUTDATED)
        # Faces that were scored already are no new evidence.
        return score if moved or score.value is None else INFO.abstain(Reason.WARMING_UP)

    def _recall(self, encode: FaceEncoders) -> FaceVectors | None:
        """Encode what is new; give the looks of the window, or None."""
        parts = [] if self._live is None else [self._live]
        if self._pending:
            parts.append(encode(list(self._pending)))
            self._pending.clear()
        recent = FaceVectors.join(parts) if parts else None
        if recent is not None:
            recent = recent.take(np.asarray(recent.time > self._now - self._window_seconds))
        self._live = recent if recent is not None and len(recent) else None
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


@dataclass(frozen=True, slots=True, eq=False)
class LoadedPairwise:
    """The encoders that compare faces and what is known of people as they see them; None where not installed."""

    encoders: FaceEncoders | None
    population: Population | None
    info = INFO

    def live(self, window_seconds: float, compilation: Compilation) -> LivePairwise:
        """Give what judges one participant."""
        return LivePairwise(self.encoders, self.population, window_seconds, compilation)

    def of_clip(self, scores: Sequence[Score], hop_share: float) -> Score:
        """Make one score of a whole recording from those of its hops."""
        return score_clip(scores, self.population)

    @property
    def identifies(self) -> bool:
        """Whether there is an identity encoder."""
        return self.encoders is not None and self.encoders.identifies

    def identify(self, shots: Sequence[FaceShot]) -> FloatArray:
        """Give the identity vector of each look; only where `identifies`."""
        if self.encoders is None:
            raise LookupError("no identity encoder is installed")
        return self.encoders.identify(shots)

    def through(self, wrap: Callable[[Engine], Engine]) -> LoadedPairwise:
        """Give the same with both encoders wrapped."""
        return replace(self, encoders=self.encoders.through(wrap)) if self.encoders else self

    def is_outdated(self, part: bytes) -> bool:
        """Whether a reference was made by other encoders, or cannot be read."""
        try:
            return PairwiseReference.from_bytes(part).key != (self.encoders.key if self.encoders else None)
        except TemplateError:
            return True

    def enrolling(self, one_person: bool) -> EnrollingPairwise:
        """Give this detector's side of one enrolment; raises `EngineError` where nobody can be enrolled."""
        return EnrollingPairwise.begin(self.encoders, self.population, one_person)
