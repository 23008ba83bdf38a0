"""One participant, top to bottom: media in, decisions out.

    tap -> decode -> clock -> face | voice -> window -> encode -> detect -> decide

`push` takes each item as the tap gives it and `tick` says, once a hop, what holds now; writing it down and telling
others is the host's. Both are synchronous and depend on nothing but their arguments, so a live call, a scan, a
benchmark and a test run the same code.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from engines.batching.queue import Dropped
from monitor.decision.decide import Decision, DecisionConfig, advance, initial
from monitor.decision.report import HopReport
from monitor.detectors.pairwise.live import FaceSide, Lookup, Watch, abstain
from monitor.detectors.persona import live as moving
from monitor.detectors.persona.live import MotionSide, Mover
from monitor.detectors.synchrony.detector import MEMORY_SECONDS, SynchronyDetector
from monitor.face.encoder_crops import PICTURES
from monitor.face.geometry import SHAPE_SIZE
from monitor.face.lip_input import sample_of, unit
from monitor.face.track import FaceTracker, FaceView
from monitor.session.models import Models
from monitor.types import (
    AudioBlock,
    ClockState,
    FloatArray,
    MediaItem,
    ParticipantKey,
    Reason,
    Score,
    Stamp,
    TrackFault,
    TrackKind,
    Verdict,
    VideoFrame,
)
from monitor.voice.stream import VoiceStream
from monitor.window.grid import Resampler, Sample
from monitor.window.stream_encoder import StreamEncoder
from monitor.window.window import Stretch, Window, WindowBuffer

if TYPE_CHECKING:
    from monitor.detectors.persona.detector import PersonaReference
    from monitor.detectors.reference import Reference

STALE = 1.5
MIN_FPS = 8.0
RIVAL = 0.6
FPS_SPAN = 2.0
FACE_AWAY = 1.0
# Media that was dropped stays missing for as long as it takes to leave the encoders' view.
OVERLOAD_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """Window and decision settings of a session."""

    decision: DecisionConfig = field(default_factory=DecisionConfig)

    @property
    def window_seconds(self) -> float:
        """Length of the window."""
        return self.decision.window_seconds

    @property
    def hop_seconds(self) -> float:
        """Time between two decisions."""
        return self.decision.hop_seconds


class Session:
    """Judges one participant.

    `reference` is what the claimed identity is compared with, or what to ask for it at every hop; `watch` sees every
    frame with the participant's face in it, `movement` at every hop how they moved and spoke.
    """

    def __init__(
        self,
        key: ParticipantKey,
        models: Models,
        config: SessionConfig | None = None,
        reference: Reference | Lookup | None = None,
        watch: Watch | None = None,
        movement: Callable[[Stretch], None] | None = None,
    ) -> None:
        self.key = key
        self._config = config or SessionConfig()
        self._models = models
        self._lookup: Lookup = reference if callable(reference) else lambda: reference
        self._enrolled: Reference | None = None
        self._watch, self._movement = watch, movement
        self._detector = SynchronyDetector()
        self._state = initial(self._config.decision)
        self._began: float | None = None
        self._due: float | None = None
        self._verdict = Verdict.INCONCLUSIVE
        self._since: float | None = None
        self._resting = False

        def faces() -> Reference | None:
            return self._enrolled

        claimed = key.identity is not None
        self._faces = FaceSide(models, faces, self._config.window_seconds) if claimed else None
        self._listen()

    def _listen(self) -> None:
        """Begin with an empty window, or begin anew with one."""
        models, claimed = self._models, self._faces is not None

        def movement_of() -> PersonaReference | None:
            return self._enrolled.persona if self._enrolled else None

        self._window = WindowBuffer(self._config.window_seconds)
        self._moves = MotionSide(models, movement_of, self._window) if claimed else None
        mover = Mover(models.persona.basis, self._window) if models.persona and (claimed or self._movement) else None
        watching = (self._faces.see if self._faces else None, mover.see if mover else None, self._watch)
        self._picture = PictureSide(models, [each for each in watching if each is not None])
        self._sound = SoundSide(models)
        self._faults: dict[TrackKind, TrackFault] = {}
        self._judged_until: float | None = None
        self._overloaded = float("-inf")

    def push(self, item: MediaItem) -> None:
        """Take one item in the order of the tap."""
        self._resting = False
        if isinstance(item, TrackFault):
            if item.reason is Reason.OVERLOADED:
                self._overloaded = item.arrival
            else:
                self._faults[item.track] = item
            return
        kind: TrackKind = "video" if isinstance(item, VideoFrame) else "audio"
        self._faults.pop(kind, None)
        self._window.mark(kind, item.stamp)
        try:
            if isinstance(item, VideoFrame):
                self._picture.push(item, self._window)
            else:
                self._sound.push(item, self._window)
        except Dropped:
            # Engines that had no time for this leave the gap that dropped media leave.
            self._overloaded = item.stamp.arrival

    def tick(self, now: float) -> HopReport | None:
        """Give the report of this hop, or None before it is due; `now` is on the clock of `Stamp.arrival`."""
        return self._report(now) if self._is_due(now) else None

    def rest(self, now: float) -> HopReport | None:
        """Give the report of a hop at which there was no time to look: every detector abstains. None before it is due.

        The window is let go of, and filled anew once `push` is called again; the evidence of the decision and the looks
        of the call's start stay. Time passes in the decision as it does in any other abstention.
        """
        if not self._is_due(now):
            return None
        if not self._resting:
            self._listen()
        self._since, self._resting = now, True
        claimed = Reason.OVERLOADED if self._faces else Reason.NOT_ENROLLED
        scores = [self._abstain(Reason.OVERLOADED), abstain(claimed), moving.abstain(claimed)]
        return HopReport(self.key, now, None, self._advance(now, scores))

    def _is_due(self, now: float) -> bool:
        if self._due is None:
            self._began = self._since = now
            self._due = now + self._config.hop_seconds
            return False
        if now < self._due:
            return False
        # A host that was late skips hops; it does not make up for them in a burst.
        late = (now - self._due) // self._config.hop_seconds
        self._due += (late + 1) * self._config.hop_seconds
        return True

    def finish(self, now: float) -> HopReport | None:
        """Judge what the last hop left over of a recording that has ended; None when nothing new came since."""
        if self._due is None or now <= self._due - self._config.hop_seconds:
            return None
        self._due = now + self._config.hop_seconds
        return self._report(now, settled=True)

    def _report(self, now: float, settled: bool = False) -> HopReport:
        window = self._window.recall(MEMORY_SECONDS)
        if self._movement is not None:
            self._movement(self._window.moving())
        decision = self._decide(window, now, settled)
        return HopReport(self.key, now, window.end, decision, quality=self._quality(window))

    def _decide(self, window: Window, now: float, settled: bool) -> Decision:
        obstacle = self._obstacle(now)
        if self.key.identity is not None:
            self._enrolled = self._lookup()
        synchrony = self._judge(window, settled) if obstacle is None else self._abstain(obstacle)
        moves = self._moves
        moved = _served(lambda: moves.score(obstacle), moving.abstain) if moves else moving.abstain(Reason.NOT_ENROLLED)
        return self._advance(now, [synchrony, self._compare(now), moved])

    def _advance(self, now: float, scores: Sequence[Score]) -> Decision:
        began = now if self._began is None else self._began
        self._state, decision = advance(self._state, now - began, scores)
        self._verdict = decision.verdict
        return decision

    def _compare(self, now: float) -> Score:
        """Score the face against the claimed identity; that needs neither a voice nor every picture."""
        faces, suspect = self._faces, self._verdict in (Verdict.SUSPECT, Verdict.ALERT)
        if faces is None:
            return abstain(Reason.NOT_ENROLLED)
        obstacle = self._missing(now, ("video",)) or (Reason.SEVERAL_FACES if self._picture.crowded else None)
        return abstain(obstacle) if obstacle else _served(lambda: faces.score(suspect), abstain)

    def _judge(self, window: Window, settled: bool) -> Score:
        """Score a window; one that has not moved since it was last judged would count twice: it is not judged again."""
        moved = self._judged_until is None or window.end > self._judged_until
        self._judged_until = window.end
        score = self._detector.score(window, settled)
        if score.value is not None and not moved:
            return self._abstain(Reason.WARMING_UP)
        return self._models.calibration.apply(score, window.speech_seconds)

    def _abstain(self, reason: Reason) -> Score:
        return Score(self._detector.name, None, reason, one_sided=self._detector.one_sided)

    def _obstacle(self, now: float) -> Reason | None:
        """Say what keeps lips and voice from being compared now."""
        missing = self._missing(now, ("video", "audio"))
        if missing:
            return missing
        if now - self._overloaded < OVERLOAD_SECONDS:
            return Reason.OVERLOADED
        if self._picture.fps < MIN_FPS and self._picture.counted > 1.0:
            return Reason.LOW_FRAME_RATE
        return Reason.SEVERAL_FACES if self._picture.crowded else None

    def _missing(self, now: float, kinds: Sequence[TrackKind]) -> Reason | None:
        fresh = {kind: self._is_fresh(kind, now) for kind in kinds}
        for kind, fault in self._faults.items():
            if not fresh.get(kind, True):
                return fault.reason
        return next((self._absence(kind, now) for kind in kinds if not fresh[kind]), None)

    def _is_fresh(self, kind: TrackKind, now: float) -> bool:
        last = self._last(kind)
        return last is not None and now - last.arrival <= STALE

    def _absence(self, kind: TrackKind, now: float) -> Reason:
        last, missing = self._last(kind), Reason.NO_VIDEO if kind == "video" else Reason.NO_AUDIO
        if last is None:
            waiting = self._since is None or now - self._since < 2 * STALE
            return Reason.WARMING_UP if waiting else missing
        return Reason.MEDIA_STALLED if now - last.arrival < 5 else missing

    def _last(self, kind: TrackKind) -> Stamp | None:
        return self._picture.last if kind == "video" else self._sound.last

    def _quality(self, window: Window) -> Mapping[str, float]:
        return {
            "face_px": round(self._picture.face_px, 1),
            "fps": round(self._picture.fps, 1),
            "speech_seconds": round(window.speech_seconds, 2),
            "face_fraction": round(window.face_fraction, 3),
            "clock_uncertainty": round(window.uncertainty, 4),
            "clock_mapped": float(window.clock is ClockState.MAPPED),
        }


def _served(score: Callable[[], Score], abstain: Callable[[Reason], Score]) -> Score:
    """Score, or say that the engines had no time for it."""
    try:
        return score()
    except Dropped:
        return abstain(Reason.OVERLOADED)


class PictureSide:
    """Frames to lip vectors in the window: the face that is the participant's, resampled and encoded."""

    def __init__(self, models: Models, watches: Sequence[Watch] = ()) -> None:
        self._track = FaceTracker(models.detector, models.landmarks, faces=bool(watches))
        self._watches = watches
        self._cut = PICTURES[models.wants.pictures]()
        self._nothing = Sample(
            np.zeros(SHAPE_SIZE, np.float32), np.zeros((self._cut.size, self._cut.size), np.uint8), False
        )
        self._resample = Resampler()
        self._encode = StreamEncoder(models.lips)
        self._main: int | None = None
        self._seen = float("-inf")
        self._held: Sample | None = None
        self._recent: deque[tuple[float, bool]] = deque(maxlen=256)
        self.last: Stamp | None = None
        self.face_px = 0.0

    @property
    def counted(self) -> float:
        """Seconds of the recent frames."""
        return self._recent[-1][0] - self._recent[0][0] if len(self._recent) > 1 else 0.0

    @property
    def fps(self) -> float:
        """Frames a second over the last two seconds."""
        return (len(self._recent) - 1) / self.counted if self.counted > 0 else 0.0

    @property
    def crowded(self) -> bool:
        """Whether a second face, nearly as large, was there most of the last two seconds."""
        return sum(rival for _, rival in self._recent) > 0.5 * len(self._recent) > 0

    def push(self, frame: VideoFrame, window: WindowBuffer) -> None:
        """Follow the faces of one frame and encode the participant's."""
        self.last = frame.stamp
        views = self._track(frame)
        view = self._choose(views, frame.stamp.media)
        rival = view is not None and any(v is not view and v.quality.size > RIVAL * view.quality.size for v in views)
        for watch in self._watches:
            watch(frame, view, rival)
        self._recent.append((frame.stamp.media, rival))
        while self._recent[-1][0] - self._recent[0][0] > FPS_SPAN:
            self._recent.popleft()
        if view is not None:
            self._held = sample_of(view, self._cut(frame, view))
        elif self._held is not None:
            self._held = replace(self._held, usable=False)
        self.face_px = view.quality.size if view else 0.0
        sample = self._held or self._nothing
        for step in self._resample.push(frame.stamp.media, sample):
            inputs: dict[str, FloatArray] = {
                name: step.sample.shape[None] if name == "shape" else unit(step.sample.mouth[None])
                for name in self._encode.names
            }
            for done in self._encode.push(step.index, inputs, np.array([step.sample.usable])):
                window.push_lips(done.first, done.vectors, done.flags)

    def _choose(self, views: list[FaceView], now: float) -> FaceView | None:
        """Keep to the face followed so far; take another one only after it has been away for a second."""
        for view in views:
            if view.track == self._main:
                self._seen = now
                return view
        if not views or (self._main is not None and now - self._seen < FACE_AWAY):
            return None
        self._main, self._seen = views[0].track, now
        return views[0]


class SoundSide:
    """Audio blocks to voice vectors in the window."""

    def __init__(self, models: Models) -> None:
        self._stream = VoiceStream(models.wants.sound)
        self._encode = StreamEncoder(models.voice)
        self.last: Stamp | None = None

    def push(self, block: AudioBlock, window: WindowBuffer) -> None:
        """Encode one block."""
        self.last = block.stamp
        chunk = self._stream.push(block)
        if chunk is None:
            return
        for done in self._encode.push(chunk.first, dict.fromkeys(self._encode.names, chunk.mel), chunk.speech):
            window.push_voice(done.first, done.vectors, done.flags)
