"""How one participant moves against how the person they claim to be does, hop by hop.

The rows of motion lie beside the voice in the session's own window, so that both are paired by capture time like lips
and voice. Once a hop the newest 3 s are measured, if enough of them is speech; what is judged is measured within one
window of the decision, so that two that do not overlap share no evidence but the neutral face, a median of 29 s.
Where nobody is claimed, or nobody is enrolled so, none of this is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engines.base import Engine
from monitor.detectors.base import Compilation, FrameObserver, Hop
from monitor.detectors.parts import PartCache
from monitor.detectors.persona.clip import score_clip
from monitor.detectors.persona.detector import SHOWN_SECONDS, Measured, PersonaDetector, PersonaPeople, PersonaReference
from monitor.detectors.persona.engines import PersonaEngines
from monitor.detectors.persona.enrolling import EnrollingPersona
from monitor.detectors.persona.info import INFO
from monitor.detectors.persona.rows import MotionRows
from monitor.detectors.persona.windows import WINDOW_STEPS, MotionWindow, windows_of
from monitor.detectors.reference import TemplateError
from monitor.face.expression import neutral_of
from monitor.types import Reason, Score
from monitor.window.grid import GRID_HZ
from monitor.window.window import Stretch, WindowBuffer

# A neutral face of fewer usable seconds would be what was just done with it.
NEUTRAL_SECONDS = 5.0


class LivePersona:
    """See `monitor.detectors.base.LiveDetector`."""

    def __init__(
        self,
        engines: PersonaEngines | None,
        people: PersonaPeople | None,
        window_seconds: float,
        compilation: Compilation,
    ) -> None:
        self._engines, self._compilation = engines, compilation
        self._compilation.prepare()
        self._detector = PersonaDetector(people, window_seconds)
        self._parts = PartCache(PersonaReference.from_bytes)
        self._window = WindowBuffer(window_seconds)
        self._begin()

    def _begin(self) -> None:
        self._rows = MotionRows(self._engines.basis, self._window) if self._engines else None
        self._reference: PersonaReference | None = None
        self._measured = Measured.join([])
        self._scored_until = float("-inf")

    @property
    def observe(self) -> FrameObserver | None:
        """What puts rows of motion into the window; nothing without the models."""
        return self._rows.observe if self._rows else None

    def restart(self, buffer: WindowBuffer) -> None:
        """Begin anew with an empty window."""
        self._window = buffer
        self._begin()

    def score(self, hop: Hop) -> Score:
        """Score this hop."""
        reference = self._parts.read(hop.part)
        unable = self._detector.unable(reference, self._engines.key if self._engines else None)
        if unable is not None or reference is None or self._engines is None or self._rows is None:
            unreadable = reference is None and hop.part is not None
            return INFO.abstain(Reason.REFERENCE_OUTDATED if unreadable else unable or Reason.NOT_ENROLLED)
        self._rows.settle()
        if hop.obstacle is not None:
            return INFO.abstain(hop.obstacle)
        if not self._compilation.ready:
            return INFO.abstain(Reason.WARMING_UP)
        if reference is not self._reference:
            # Enrolled anew meanwhile: what was measured is against another reference.
            self._reference, self._measured = reference, Measured.join([])
        stretch = self._window.moving()
        end = stretch.end / GRID_HZ - self._window.began
        if np.count_nonzero(stretch.valid) < NEUTRAL_SECONDS * GRID_HZ or end <= self._scored_until:
            return INFO.abstain(Reason.WARMING_UP)
        self._scored_until = end
        windows = newest_window(stretch, end)
        fresh = [self._engines.measure(windows, reference)] if windows else []
        self._measured = Measured.join([self._measured, *fresh]).since(end - SHOWN_SECONDS)
        return self._detector.score(self._measured, end, self._spoken(stretch), reference, self._engines.key)

    def _spoken(self, stretch: Stretch) -> float:
        newest = slice(-round(self._window.seconds * GRID_HZ), None)
        return float(np.count_nonzero(stretch.speech[newest] & stretch.valid[newest])) / GRID_HZ


def newest_window(stretch: Stretch, end: float) -> list[MotionWindow]:
    """Cut the last 3 s off a stretch that ends at `end` seconds; none where they hold too little of a face or speech.

    The neutral face is that of the whole stretch.
    """
    neutral, newest = neutral_of(stretch.motion, stretch.valid), slice(-WINDOW_STEPS, None)
    parts = (stretch.motion[newest], stretch.valid[newest], stretch.voice[newest], stretch.speech[newest])
    return windows_of(*parts, hop=WINDOW_STEPS, neutral=neutral, start=end - WINDOW_STEPS / GRID_HZ)


@dataclass(frozen=True, slots=True, eq=False)
class LoadedPersona:
    """The models of how a person moves and what they say of genuine people; None where not installed."""

    engines: PersonaEngines | None
    people: PersonaPeople | None
    info = INFO

    def live(self, window_seconds: float, compilation: Compilation) -> LivePersona:
        """Give what judges one participant."""
        return LivePersona(self.engines, self.people, window_seconds, compilation)

    def of_clip(self, scores: Sequence[Score], hop_share: float) -> Score:
        """Make one score of a whole recording from those of its hops."""
        return score_clip(scores, self.people, hop_share)

    def through(self, wrap: Callable[[Engine], Engine]) -> LoadedPersona:
        """Give the same with both engines wrapped."""
        return replace(self, engines=self.engines.through(wrap)) if self.engines else self

    def is_outdated(self, part: bytes) -> bool:
        """Whether a reference was made by other models, or cannot be read."""
        try:
            return PersonaReference.from_bytes(part).key != (self.engines.key if self.engines else None)
        except TemplateError:
            return True

    def enrolling(self, one_person: bool) -> EnrollingPersona:
        """Give this detector's side of one enrolment; it learns nothing where the models are missing."""
        return EnrollingPersona(self.engines, self.people)
