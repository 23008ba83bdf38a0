"""Agreement of lips and voice in the clips of an enrolment: windows of whole speech that share none of it. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

from monitor.detectors.base import MEMORY_SECONDS
from monitor.detectors.synchrony.detector import SynchronyDetector
from monitor.detectors.synchrony.familiar import FamiliarSpeech
from monitor.detectors.synchrony.own import FULL_SPEECH_SECONDS, RECORDED
from monitor.window.window import Window, WindowBuffer

# Of one clip; a rung is shown half a minute, since it moves all windows much alike.
MAX_WINDOWS = 60
MAX_RUNG_WINDOWS = 6
# A window is scored at the offset that the speech round it shows, as in a call that has lasted: by the memory of the
# window after the next.
LATER_WINDOWS = 2


@dataclass(frozen=True, slots=True, eq=False)
class _Taken:
    window: Window
    rungs: Mapping[str, Window]


class AgreementCollector:
    """Takes one clip's agreement as recorded, and on each rung that it is shown."""

    observe = None

    def __init__(self, familiar: FamiliarSpeech) -> None:
        self._detector = SynchronyDetector(familiar=familiar)
        self._windows: list[Mapping[str, float]] = []
        self._waiting: deque[_Taken] = deque()
        self._rungs: Mapping[str, WindowBuffer] = {}

    def restart(self, buffer: WindowBuffer) -> None:
        """Begin with an empty window."""
        self._settle(keep=0)
        self._window, self._until, self._rungs = buffer, float("-inf"), {}

    def climb(self, rungs: Mapping[str, WindowBuffer]) -> None:
        """Take the windows that show the same lips on each rung, from now on."""
        self._rungs = rungs

    @property
    def climbing(self) -> bool:
        """Whether more is to be seen of the rungs."""
        return len(self._windows) + len(self._waiting) < MAX_RUNG_WINDOWS

    def hop(self) -> None:
        """Take a window that shares no frame with the one before and is full of speech."""
        if len(self._windows) >= MAX_WINDOWS:
            return
        window = self._window.window()
        fresh = window.end - self._until >= window.seconds - 0.5 / window.rate
        if not fresh or window.speech_seconds < FULL_SPEECH_SECONDS:
            return
        rungs = {name: buffer.window() for name, buffer in self._rungs.items()} if self.climbing else {}
        self._until = window.end
        self._waiting.append(_Taken(self._window.recall(MEMORY_SECONDS), rungs))
        self._settle(keep=LATER_WINDOWS)

    def finish(self) -> list[Mapping[str, float]]:
        """Give the agreement of each window by rung."""
        self._settle(keep=0)
        return self._windows

    def _settle(self, keep: int) -> None:
        """Score the oldest windows, all but `keep`, at the offset that the newest memory shows."""
        memory = self._waiting[-1].window.memory if self._waiting else None
        while len(self._waiting) > keep:
            taken = self._waiting.popleft()
            found = {RECORDED: taken.window, **taken.rungs}
            values = {name: self._agreement(replace(window, memory=memory)) for name, window in found.items()}
            kept = {name: value for name, value in values.items() if value is not None}
            if RECORDED in kept:
                self._windows.append(kept)

    def _agreement(self, window: Window) -> float | None:
        value = self._detector.score(window).value
        return None if value is None else -value
