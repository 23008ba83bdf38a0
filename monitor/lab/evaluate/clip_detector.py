"""The seam of evaluation: a clip in, one score for the whole clip out, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from monitor.lab.corpus.manifest import Row
from monitor.lab.corpus.speech_features import Change, ClipFeatures
from monitor.lab.evaluate.outcomes import Outcome
from monitor.session.input_spec import InputSpec

# Raised whenever the same clip and the same packs would score differently: part of the key of every kept outcome.
SCORING = 4
# A clip is judged in windows of this length, as calls are by default.
WINDOW_SECONDS = 5.0
# References in memory: evaluation goes through people in turn.
CACHED_REFERENCES = 8


@dataclass(frozen=True, slots=True)
class Job:
    """One clip to score, perhaps changed before it is analysed."""

    row: Row
    change: Change | None = None


class Scorer(Protocol):
    """A detector with its engines loaded."""

    def __call__(self, job: Job, features: ClipFeatures) -> Outcome:
        """Score one clip, of which the leading silence was dropped; features are those of the changed clip."""
        ...


class ClipDetector(Protocol):
    """Settings of a detector: picklable, hashable and light. Engines are loaded by `load`, in the worker."""

    @property
    def name(self) -> str:
        """The detector's name in results, and on the command line."""
        ...

    @property
    def key(self) -> str:
        """A digest of all that determines a score besides the clip: packs, calibration, settings."""
        ...

    @property
    def input_spec(self) -> InputSpec:
        """The kind of features that it scores; raises `EngineError`."""
        ...

    def __hash__(self) -> int:
        """Equal settings are loaded once in a process."""
        ...

    def load(self) -> Scorer:
        """Load the engines, one thread each; raises `EngineError`."""
        ...
