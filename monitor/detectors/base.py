"""The seam of a detector: what is known of it, what it loads once a process, and how it judges one participant.

A detector is a folder: a `Detector` in its `__init__` (what is known without loading anything), `load`, which gives a
`LoadedDetector` that all sessions of a process share, and `live`, which gives a `LiveDetector` for each participant.
Session, scan, decision, enrolment, evaluation, dashboard and doctor know detectors by these protocols and by
`monitor.detectors.registry`, never by name. Everything here is pure: no asyncio, no media library, no files but those
that `PackLoader` reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from engines.base import Engine
from monitor.decision.decide import most_useful
from monitor.decision.words import Phrase
from monitor.detectors.check import Check
from monitor.detectors.packs import PackLoader
from monitor.face.shot import FaceShot
from monitor.face.track import FaceView
from monitor.types import Aspect, FloatArray, Reason, Score, VideoFrame
from monitor.window.window import Window, WindowBuffer

if TYPE_CHECKING:
    from monitor.voice.stream import VoiceChunk

# Speech that the memory of a window reaches back over: agreement of lips and voice tells more up to 16 s
# (SpeechForensics, section 4.4).
MEMORY_SECONDS = 16.0

# Sees every frame, with the participant's face where one was found, and whether another face is nearly as large.
FrameObserver = Callable[[VideoFrame, FaceView | None, bool], None]
# The share of the work that is done, 0 to 1.
Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class DetectorInfo:
    """What is known of a detector before anything is loaded.

    `label` is one word for a column or a card, `question` what it asks, `sign` is -1 where people are shown minus the
    score (an agreement). `cause` is what a suspicion rests on unless a score says otherwise; `phrases` are words for it
    and for every reason that only this detector gives. A `one_sided` detector never clears anybody; while one that
    `withholds` finds somebody unusual, no other clears them either. One that `needs_identity` compares with the
    reference of the claimed identity, and is not run where nobody is claimed. `aspect` is what of a person it looks at,
    None for something else, and `fits` what is said beside it where nothing is unusual: never that it proves anything.
    It is asked at every `every_hops`th hop (`monitor.session.rotation`).
    """

    name: str
    label: str
    question: str
    cause: Reason
    phrases: Mapping[Reason, Phrase]
    one_sided: bool = False
    withholds: bool = False
    needs_identity: bool = False
    sign: Literal[1, -1] = 1
    aspect: Aspect | None = None
    fits: str = "nothing unusual"
    every_hops: int = 1

    def abstain(self, reason: Reason, evidence: Mapping[str, Any] | None = None) -> Score:
        """Say why there is no score."""
        return Score(
            self.name,
            None,
            reason,
            one_sided=self.one_sided,
            evidence=dict(evidence or {}),
            needs_identity=self.needs_identity,
            aspect=self.aspect,
        )

    def stamp(self, score: Score) -> Score:
        """Give a score what the decision reads of its detector."""
        if score.value is None:
            return replace(score, needs_identity=self.needs_identity, aspect=self.aspect)
        return replace(
            score,
            one_sided=self.one_sided,
            withholds=self.withholds or score.withholds,
            cause=score.cause or self.cause,
            needs_identity=self.needs_identity,
            aspect=self.aspect,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Hop:
    """What a detector is given at one hop.

    `window` ends now and has a memory. `obstacle` says what keeps lips and voice from being compared, `face_obstacle`
    what keeps the face from being judged. `settled` says that nothing more will come, as at the end of a recording;
    `suspect` that the participant was suspected at the hop before. `part` is this detector's part of the claimed
    identity's reference, None where nobody is enrolled or enrolment gave none; `enrolled` says that somebody is.
    `elapsed` is the seconds that were decided on since this publication began; `live` says that this is a call, where
    nothing that was recorded before should be shown.
    """

    window: Window
    obstacle: Reason | None = None
    face_obstacle: Reason | None = None
    settled: bool = False
    suspect: bool = False
    part: bytes | None = None
    enrolled: bool = False
    elapsed: float = 0.0
    live: bool = False


class LiveDetector(Protocol):
    """One detector on one participant; called from one thread at a time."""

    @property
    def observe(self) -> FrameObserver | None:
        """What sees the frames, None where the window is enough. Asked once, after `restart`."""
        ...

    def restart(self, buffer: WindowBuffer) -> None:
        """Begin, or begin anew after a pause, with an empty window; what a call's start showed may be kept."""
        ...

    def score(self, hop: Hop) -> Score:
        """Score this hop, higher being more suspicious, or abstain with a reason. Raises `engines.batching.Dropped`."""
        ...


@runtime_checkable
class Listening(Protocol):
    """A live detector, or what takes a clip for an enrolment, that hears the sound itself; for others the window does.

    Sound comes in order, in whole steps of the grid, before the hop that it belongs to.
    """

    def listen(self, chunk: VoiceChunk) -> None:
        """Take sound, with what is known of the speech in it."""
        ...


@runtime_checkable
class Remembering(Protocol):
    """A live detector that goes on when its participant leaves and joins again; others begin anew.

    What is remembered stays in memory, for minutes, and must hold no media and nothing that tells who somebody is.
    """

    def remember(self) -> Any | None:
        """Give what the next publication goes on with, None where there is nothing; called once, at the end."""
        ...

    def recall(self, memory: Any) -> None:
        """Take what `remember` gave at the end of the publication before; called before anything is scored."""
        ...


@runtime_checkable
class Identifying(Protocol):
    """A loaded detector that can tell whether two looks are of one person."""

    @property
    def identifies(self) -> bool:
        """Whether what it needs for that is installed."""
        ...

    def identify(self, shots: Sequence[FaceShot]) -> FloatArray:
        """Give a vector of unit length (N, I) for each look, near each other for one person. Raises `EngineError`."""
        ...


class Compilation(Protocol):
    """Engines that are compiled in the background when somebody first needs them."""

    @property
    def ready(self) -> bool:
        """Whether nobody would wait."""
        ...

    def prepare(self) -> None:
        """Begin, unless all is there; never waits."""
        ...


class LoadedDetector(Protocol):
    """A detector with its engines and tables, shared by all sessions of a process."""

    @property
    def info(self) -> DetectorInfo:
        """What is known of the detector."""
        ...

    def live(self, window_seconds: float, compilation: Compilation) -> LiveDetector:
        """Give what judges one participant in windows of this length."""
        ...

    def of_clip(self, scores: Sequence[Score], hop_share: float) -> Score:
        """Make one score of a whole recording from those of its hops.

        `hop_share` is the share of a window that each hop brings anew.
        """
        ...

    def through(self, wrap: Callable[[Engine], Engine]) -> LoadedDetector:
        """Give the same with every engine wrapped, for a participant whose calls are batched with others'."""
        ...

    def is_outdated(self, part: bytes) -> bool:
        """Whether a part of a reference was made by other encoders than these."""
        ...

    def enrolling(self, one_person: bool) -> Enrolling | None:
        """Give this detector's side of one enrolment; None where it learns nothing of a person.

        `one_person` asks whoever can compare people to refuse where that cannot be done. Raises `EngineError` where an
        enrolment would be worth nothing without this detector.
        """
        ...


class Detector(Protocol):
    """The entry of a detector in the registry; importing it must load nothing heavy."""

    @property
    def info(self) -> DetectorInfo:
        """What is known of the detector."""
        ...

    def load(self, packs: PackLoader) -> LoadedDetector:
        """Load packs and tables; what is not installed is lived without. Raises `EngineError` for what is damaged."""
        ...

    def check(self, packs: Path) -> Iterator[Check]:
        """Say what of this detector is installed, for `sidewitness doctor`; raises nothing."""
        ...

    def describe(self, part: bytes) -> Mapping[str, Any]:
        """Say what may be told of a part of a reference: JSON values. Raises `TemplateError`."""
        ...


def scored(scores: Sequence[Score]) -> tuple[list[Score], Reason]:
    """Give the scores of a detector's hops that have a value, and the most useful reason of the others."""
    return [score for score in scores if score.value is not None], most_useful(score.reason for score in scores)


class ClipCollector(Protocol):
    """What a detector takes of one clip while enrolment reads it."""

    @property
    def observe(self) -> FrameObserver | None:
        """What sees the frames, None where the window is enough. Asked once, after `restart`."""
        ...

    def restart(self, buffer: WindowBuffer) -> None:
        """Begin with an empty window."""
        ...

    def hop(self) -> None:
        """Look at the window once a hop."""
        ...

    def finish(self) -> Any:
        """Give what was taken."""
        ...


@runtime_checkable
class Climbing(Protocol):
    """A clip collector that also looks at the clip as each rung of the ladder of call conditions would show it."""

    @property
    def climbing(self) -> bool:
        """Whether more is to be seen of the rungs; asked at every picture, for they cost much."""
        ...

    def climb(self, rungs: Mapping[str, WindowBuffer]) -> None:
        """Begin with empty windows, by the name of the rung: its lips beside the same voice. Follows `restart`."""
        ...


def as_recorded(sound: FloatArray) -> Iterator[tuple[str, FloatArray]]:
    """Give sound as it is, for a ladder of one rung."""
    yield "as recorded", sound


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What enrolment took of a person's clips, for every detector to learn from.

    `names` and `seconds` are those of the clips and of clear face in each, `shots` every moment of a clip at which the
    face was good. `gallery` are the chosen moments of all clips and `clip` (G,) the clip of each. `ladder` shows the
    gallery once for each rung of call conditions but the first, which is the gallery as recorded (`rungs` names all),
    and is worked out as it is read. `sounds` sends 16 kHz mono (N,) down each of `lines` lines, the first of which
    changes nothing; what comes back is as long. `taken` is what this detector's collectors took, clip by clip.
    """

    names: Sequence[str]
    seconds: Sequence[float]
    shots: Sequence[Sequence[FaceShot]]
    gallery: Sequence[FaceShot]
    clip: NDArray[np.int64]
    rungs: Sequence[str]
    ladder: Callable[[], Iterator[tuple[str, Sequence[FaceShot]]]]
    taken: Sequence[Any] = ()
    sounds: Callable[[FloatArray], Iterator[tuple[str, FloatArray]]] = as_recorded
    lines: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A detector's part of a reference: sealed bytes, and what may be told of it.

    `quality` holds JSON values for people who enrol, `advice` lines of what would make it better.
    """

    data: bytes | None
    quality: Mapping[str, Any] = field(default_factory=dict)
    advice: Sequence[str] = ()


class Enrolling(Protocol):
    """One detector's side of one enrolment, called in this order: collect, refuse, learn."""

    @property
    def effort(self) -> float:
        """How long `refuse` and `learn` take together; reading the clips takes 0.42."""
        ...

    @property
    def task(self) -> str:
        """What `learn` does, in words for people."""
        ...

    def collect(self, seconds: float) -> ClipCollector | None:
        """Give what takes at most `seconds` of one clip; None where the gallery is enough."""
        ...

    def refuse(self, material: Material) -> Sequence[str]:
        """Say why the clips make no reference, one line each that says what to do. Raises `EngineError`."""
        ...

    def learn(self, material: Material, made: str, progress: Progress) -> Part:
        """Make the part; without data where too little was shown. Raises `EngineError`."""
        ...
