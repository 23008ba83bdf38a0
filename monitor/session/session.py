"""One participant, top to bottom: media in, decisions out.

    tap -> decode -> clock -> face | voice -> window -> encode -> detect -> decide

`push` takes each item as the tap gives it and `tick` says, once a hop, what holds now; writing it down and telling
others is the host's. Both are synchronous and depend on nothing but their arguments, so a live call, a scan, a
benchmark and a test run the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from engines.batching.queue import Dropped
from monitor.decision.decide import Decision, DecisionConfig, DecisionState, advance, initial
from monitor.decision.rejoin import under
from monitor.decision.report import HopReport
from monitor.detectors.base import (
    MEMORY_SECONDS,
    ClipCollector,
    FrameObserver,
    Hop,
    Listening,
    LiveDetector,
    LoadedDetector,
    Remembering,
)
from monitor.detectors.reference import Reference
from monitor.face.cadence import CALM, LIGHT, Cadence
from monitor.face.looks import Looks
from monitor.session.models import Models
from monitor.session.obstacle import PATIENCE_SECONDS, TrackState, explained, faulted, obstacle, received, settled
from monitor.session.picture import PictureTrack
from monitor.session.rotation import Rotation
from monitor.session.sound import SoundTrack
from monitor.types import (
    AudioBlock,
    ClockState,
    FloatArray,
    MediaItem,
    ParticipantKey,
    Reason,
    Score,
    TrackFault,
    TrackKind,
    Verdict,
    VideoFrame,
)
from monitor.window.window import Window, WindowBuffer

# What a session asks at every hop: the reference of the claimed identity as it is now, or None.
ReferenceLookup = Callable[[], Reference | None]

# A picture that waits for the next one is looked at without it after so long: it did not come.
WAIT_SECONDS = 0.15

# Sound is taken together in pieces of this length, and at every hop.
JOIN_SECONDS = 0.24

# Media that was dropped stays missing for as long as it takes to leave the encoders' view.
OVERLOAD_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """Window and decision settings of a session.

    `links` says whether faces are kept to know who comes back, `live` that it is a call and no recording. `cadence` is
    that of the landmarks; without `by_turns` every detector is asked at every hop.
    Sound waits to be taken in pieces of `join_seconds`, and for no longer than a hop.
    """

    decision: DecisionConfig = field(default_factory=DecisionConfig)
    links: bool = False
    live: bool = False
    cadence: Cadence = CALM
    by_turns: bool = True
    join_seconds: float = JOIN_SECONDS

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

    `reference` is what the claimed identity is compared with, or what to ask for it at every hop; `observer` sees every
    frame with the participant's face in it, and `collectors` the frames and, once a hop, the window.
    """

    def __init__(
        self,
        key: ParticipantKey,
        models: Models,
        config: SessionConfig | None = None,
        reference: Reference | ReferenceLookup | None = None,
        observer: FrameObserver | None = None,
        collectors: Sequence[ClipCollector] = (),
    ) -> None:
        self.key = key
        self._config = config or SessionConfig()
        self._models = models
        self._lookup: ReferenceLookup = reference if callable(reference) else lambda: reference
        self._observer, self._collectors = observer, tuple(collectors)
        self._identifying = models.identifying if self._config.links else None
        self._looks = Looks()
        self._state = initial(self._config.decision)
        self._resumed_at = 0.0
        self._began: float | None = None
        self._due: float | None = None
        self._verdict = Verdict.INCONCLUSIVE
        self._since: float | None = None
        self._resting = False
        # Detectors that compare with an identity are not run where nobody is claimed: they cost nothing then.
        self._detectors: list[tuple[LoadedDetector, LiveDetector | None]] = [
            (loaded, self._start(loaded) if self._runs(loaded) else None) for loaded in models.detectors
        ]
        # Those that are asked by turns are asked at different hops.
        self._rotations = {
            loaded.info.name: Rotation(live, loaded.info.every_hops if self._config.by_turns else 1, place)
            for place, (loaded, live) in enumerate(self._detectors)
            if live is not None
        }
        self._light = False
        self._listen()

    def _start(self, loaded: LoadedDetector) -> LiveDetector:
        return loaded.live(self._config.window_seconds, self._models.later)

    def _runs(self, loaded: LoadedDetector) -> bool:
        return self.key.identity is not None or not loaded.info.needs_identity

    def _listen(self) -> None:
        """Begin with an empty window, or begin anew with one."""
        self._window = WindowBuffer(self._config.window_seconds)
        live = [detector for _, detector in self._detectors if detector is not None]
        watching: list[LiveDetector | ClipCollector] = [*live, *self._collectors]
        for part in watching:
            part.restart(self._window)
        for rotation in self._rotations.values():
            rotation.forget()
        looks = self._looks.observe if self._identifying is not None else None
        observers = [*(part.observe for part in watching), self._observer, looks]
        self._picture = PictureTrack(self._models, [o for o in observers if o is not None], self._cadence)
        listeners = [part.listen for part in watching if isinstance(part, Listening)]
        sound = self._models.input_spec.sound
        # Movement is compared and learnt only where somebody is claimed or enrolled.
        moves = self.key.identity is not None or self._collectors
        beside_motion = self._models.movement_voice if moves else None
        self._sound = SoundTrack(
            self._models.voice, sound, self._models.presence, listeners, beside_motion, self._config.join_seconds
        )
        self._tracks: dict[TrackKind, TrackState] = {"video": TrackState("video"), "audio": TrackState("audio")}
        self._overloaded = float("-inf")

    @property
    def evidence(self) -> DecisionState:
        """The state of the decisions, to go on from in another session of the same participant."""
        return self._state

    @property
    def memories(self) -> Mapping[str, Any]:
        """What detectors go on with in the participant's next publication, by name."""
        kept: dict[str, Any] = {}
        for loaded, live in self._detectors:
            memory = live.remember() if isinstance(live, Remembering) else None
            if memory is not None:
                kept[loaded.info.name] = memory
        return kept

    def resume(self, evidence: DecisionState, memories: Mapping[str, Any] | None = None) -> None:
        """Go on from what was decided, and remembered, in an earlier session; call before anything else."""
        self._state, self._resumed_at = under(evidence, self._config.decision), evidence.time or 0.0
        for loaded, live in self._detectors:
            memory = (memories or {}).get(loaded.info.name)
            if memory is not None and isinstance(live, Remembering):
                live.recall(memory)

    @property
    def looks(self) -> int:
        """How many looks of the face there are to compare, up to `monitor.face.looks.LOOKS`; 0 where none are kept."""
        return len(self._looks.shots)

    def face(self) -> FloatArray:
        """Compute the identity vectors (N, I) of these looks; blocks for some milliseconds. Raises `EngineError`."""
        if self._identifying is None or not self._looks.shots:
            return np.zeros((0, 0), np.float32)
        return self._identifying.identify(list(self._looks.shots))

    @property
    def _cadence(self) -> Cadence:
        return LIGHT if self._light else self._config.cadence

    def lighten(self, light: bool) -> None:
        """Look less often from the next item on, where the machine has no time for more, or as always."""
        if light != self._light:
            self._light = light
            self._picture.lighten(self._cadence)

    def link(self, evidence: DecisionState) -> None:
        """Go on from the state that is given: this is somebody who was here under another name."""
        self._state = under(evidence, self._config.decision)

    def push(self, item: MediaItem) -> None:
        """Take one item in the order of the tap."""
        self._resting = False
        if isinstance(item, TrackFault):
            if item.reason is Reason.OVERLOADED:
                self._overloaded = item.arrival
            else:
                self._tracks[item.track] = faulted(self._tracks[item.track], item)
            return
        kind: TrackKind = "video" if isinstance(item, VideoFrame) else "audio"
        damaged = isinstance(item, VideoFrame) and item.damaged
        pause = item.pause if isinstance(item, AudioBlock) else 0.0
        self._tracks[kind] = received(self._tracks[kind], item.stamp.arrival, damaged, pause)
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
        if not self._is_due(now):
            return None
        self._catch_up(now, now - WAIT_SECONDS)
        return self._report(now)

    def _catch_up(self, now: float, before: float) -> None:
        """Take all sound that waits, and the pictures that do since before a moment."""
        try:
            self._sound.settle(self._window)
            self._picture.settle(self._window, before)
        except Dropped:
            self._overloaded = now

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
        scores = [self._abstain(loaded, Reason.OVERLOADED) for loaded, _ in self._detectors]
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
        self._catch_up(now, now)
        return self._report(now, settled=True)

    def _report(self, now: float, settled: bool = False) -> HopReport:
        window = self._window.recall(MEMORY_SECONDS)
        for collector in self._collectors:
            collector.hop()
        decision = self._decide(window, now, settled)
        return HopReport(self.key, now, window.end, decision, quality=self._quality(window, now))

    def _decide(self, window: Window, now: float, settled: bool) -> Decision:
        reference = self._lookup() if self.key.identity is not None else None
        self._settle(now)
        lips_obstacle, face_obstacle = self._obstacle(now), self._face_obstacle(now)
        suspect = self._verdict in (Verdict.SUSPECT, Verdict.ALERT)
        elapsed = now - (now if self._began is None else self._began)

        def hop(name: str) -> Hop:
            part = reference.parts.get(name) if reference is not None else None
            enrolled, live = reference is not None, self._config.live
            return Hop(window, lips_obstacle, face_obstacle, settled, suspect, part, enrolled, elapsed, live)

        scores = [self._score(loaded, live, hop) for loaded, live in self._detectors]
        return self._advance(now, [self._explain(score, now) for score in scores])

    def _explain(self, score: Score, now: float) -> Score:
        """Give the cause in place of what follows from it."""
        if score.value is not None or score.reason is None:
            return score
        reason = explained(score.reason, self._tracks.values(), now, self._config.window_seconds)
        return replace(score, reason=reason)

    def _score(self, loaded: LoadedDetector, live: LiveDetector | None, hop: Callable[[str], Hop]) -> Score:
        """Let one detector judge this hop, or say that the engines had no time for it."""
        if live is None:
            return self._abstain(loaded, Reason.NOT_ENROLLED)
        try:
            return loaded.info.stamp(self._rotations[loaded.info.name].score(hop(loaded.info.name)))
        except Dropped:
            return loaded.info.abstain(Reason.OVERLOADED)

    def _abstain(self, loaded: LoadedDetector, reason: Reason) -> Score:
        return loaded.info.abstain(reason if self._runs(loaded) else Reason.NOT_ENROLLED)

    def _advance(self, now: float, scores: Sequence[Score]) -> Decision:
        began = now if self._began is None else self._began
        self._state, decision = advance(self._state, self._resumed_at + now - began, scores)
        self._verdict = decision.verdict
        return decision

    def _settle(self, now: float) -> None:
        """Let the tracks see that time has passed."""
        waiting = self._since is None or now - self._since < PATIENCE_SECONDS
        rates: dict[TrackKind, float | None] = {"video": self._picture.rate, "audio": None}
        self._tracks = {kind: settled(track, now, waiting, rates[kind]) for kind, track in self._tracks.items()}

    def _obstacle(self, now: float) -> Reason | None:
        """Say what keeps lips and voice from being compared now."""
        overloaded = [Reason.OVERLOADED] if now - self._overloaded < OVERLOAD_SECONDS else []
        return obstacle(tuple(self._tracks.values()), now, [*overloaded, *self._crowd()])

    def _face_obstacle(self, now: float) -> Reason | None:
        """Say what keeps the face from being judged now; that needs neither a voice nor every picture."""
        standing = [Reason.PICTURE_FROZEN] if self._picture.frozen else []
        return obstacle((self._tracks["video"],), now, [*standing, *self._crowd()], every_picture=False)

    def _crowd(self) -> list[Reason]:
        return [Reason.SEVERAL_FACES] if self._picture.crowded else []

    def _quality(self, window: Window, now: float) -> Mapping[str, float]:
        return {
            "face_px": round(self._picture.face_px, 1),
            "fps": round(self._picture.fps(now), 1),
            "speech_seconds": round(window.speech_seconds, 2),
            "face_fraction": round(window.face_fraction, 3),
            "clock_uncertainty": round(window.uncertainty, 4),
            "clock_mapped": float(window.clock is ClockState.MAPPED),
            "light": float(self._light),
        }
