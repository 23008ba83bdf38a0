"""How an enrolled person moves when they speak: kept while their clips are read, and learnt once all of them were.

Nothing of it tells what was said: what is stored are tokens, vectors of 3 s windows and numbers
(`monitor.detectors.persona.detector.PersonaReference`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engines.base import EngineError
from monitor.detectors.persona.companion import enrol as enrol_motion
from monitor.detectors.persona.detector import PersonaPeople, PersonaReference, usual_distance
from monitor.detectors.persona.engines import PersonaEngines
from monitor.detectors.persona.personalise import (
    PersonaliseConfig,
    PersonaliseError,
    Progress,
    own_distances,
    personalise,
)
from monitor.detectors.persona.windows import WINDOW_STEPS, MotionWindow, windows_of
from monitor.window.grid import GRID_HZ
from monitor.window.window import Stretch

# Over all clips, in memory while they are read: more teaches little.
MAX_SECONDS = 1200.0
# Windows begin so many steps apart, about as live ones do, and at most so many are learnt from.
HOP_STEPS = 12
MAX_WINDOWS = 400
# The share of the time that personalising takes; embedding and measuring take the rest.
PERSONALISE_SHARE = 0.9

Ints = NDArray[np.int64]


@dataclass(slots=True)
class Movement:
    """Collects how somebody moved and spoke through a clip, hop by hop, at most `seconds` of it."""

    seconds: float = MAX_SECONDS
    _parts: list[Stretch] = field(default_factory=list)
    _until: int = 0
    _steps: int = 0

    def see(self, stretch: Stretch) -> None:
        """Take what is new of a session's past."""
        fresh = max(self._until, stretch.first)
        if fresh >= stretch.end or self._steps >= self.seconds * GRID_HZ:
            return
        if not self._parts and not stretch.valid.any():
            # Before the first face with sound nothing is known of either, not even how many numbers they are.
            return
        self._until = stretch.end
        self._steps += stretch.end - fresh
        self._parts.append(stretch.after(fresh))

    def windows(self) -> list[MotionWindow]:
        """Cut the windows that count out of all that was seen, less the clip's own neutral face."""
        if not self._parts:
            return []
        motion, valid, voice, speech = (
            np.concatenate([getattr(part, name) for part in self._parts])
            for name in ("motion", "valid", "voice", "speech")
        )
        return windows_of(motion, valid, voice, speech, HOP_STEPS, start=self._parts[0].first / GRID_HZ)


def thin(clips: Sequence[Sequence[MotionWindow]], max_windows: int = MAX_WINDOWS) -> tuple[list[MotionWindow], Ints]:
    """Put the windows of all clips after each other, evenly thinned to `max_windows`, with the clip (W,) of each."""
    windows = [window for part in clips for window in part]
    clip = np.repeat(np.arange(len(clips)), [len(part) for part in clips])
    rows = np.unique(np.linspace(0, len(windows) - 1, min(max_windows, len(windows))).astype(np.int64))
    return [windows[n] for n in rows], clip[rows].astype(np.int64)


def learn(
    clips: Sequence[Sequence[MotionWindow]],
    engines: PersonaEngines,
    people: PersonaPeople,
    progress: Progress = lambda _share: None,
    config: PersonaliseConfig | None = None,
) -> PersonaReference | None:
    """Learn how the person of these windows, clip by clip, moves; None where they speak too little.

    `progress` is told the share that is done. Raises `EngineError`.
    """
    windows, clip = thin(clips)
    if engines.fit is None:
        raise EngineError(
            "the pack persona_tokens is not installed, so movement cannot be learnt: reinstall sidewitness"
        )
    config = config or PersonaliseConfig()
    try:
        personalised = personalise(
            engines.fit(),
            windows,
            engines.tokens.start,
            engines.plan,
            config,
            lambda done: progress(PERSONALISE_SHARE * done),
        )
    except PersonaliseError:
        return None
    distances = np.asarray(
        own_distances(engines.persona, windows, personalised, engines.tokens, engines.plan), np.float64
    )
    progress((1 + PERSONALISE_SHARE) / 2)
    location, scale = usual_distance(distances, clip, people)
    motion = None
    if engines.population is not None and engines.has_companion:
        start = np.array([window.start for window in windows], np.float64)
        motion = enrol_motion(engines.embed(windows), clip, start, engines.population)
    progress(1.0)
    return PersonaReference(
        engines.key, np.asarray(personalised.tokens, np.float32), distances, clip, location, scale, motion
    )


def seconds_of(windows: Sequence[MotionWindow]) -> float:
    """Give the seconds of speech that windows cover together, told from how far apart they begin."""
    return sum(window.seconds for window in windows) * HOP_STEPS / WINDOW_STEPS
