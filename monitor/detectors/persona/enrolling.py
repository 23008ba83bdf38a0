"""How a person moves, learnt from their clips: taken hop by hop while they are read, personalised after the last."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.detectors.base import FrameObserver, Material, Part, Progress
from monitor.detectors.persona.detector import PersonaPeople
from monitor.detectors.persona.engines import PersonaEngines
from monitor.detectors.persona.movement import Movement, learn, seconds_of
from monitor.detectors.persona.rows import MotionRows
from monitor.detectors.persona.windows import MotionWindow
from monitor.window.window import WindowBuffer

TOO_LITTLE = "speak more and facing the camera: how the person moves when they speak was not learnt"


class MovementCollector:
    """Takes how somebody moves and speaks in one clip; see `monitor.detectors.base.ClipCollector`."""

    def __init__(self, engines: PersonaEngines, seconds: float) -> None:
        self._engines, self._movement = engines, Movement(seconds)

    def restart(self, buffer: WindowBuffer) -> None:
        """Begin with an empty window."""
        self._window, self._rows = buffer, MotionRows(self._engines.basis, buffer)

    @property
    def observe(self) -> FrameObserver:
        """What puts rows of motion into the window."""
        return self._rows.observe

    def hop(self) -> None:
        """Take what is new in the window."""
        self._rows.settle()
        self._movement.see(self._window.moving())

    def finish(self) -> tuple[MotionWindow, ...]:
        """Give the windows of speech."""
        return tuple(self._movement.windows())


class EnrollingPersona:
    """See `monitor.detectors.base.Enrolling`."""

    task = "learning how the person moves when they speak"

    def __init__(self, engines: PersonaEngines | None, people: PersonaPeople | None) -> None:
        self._engines, self._people = engines, people

    @property
    def effort(self) -> float:
        """What personalising takes, nothing where it cannot be done."""
        return 0.3 if self._can_learn() else 0.0

    def _can_learn(self) -> bool:
        """Whether there is what learns how people move, and what to compare it with."""
        if self._engines is None or self._people is None or self._engines.fit is None:
            return False
        return self._people.key == self._engines.key

    def collect(self, seconds: float) -> MovementCollector | None:
        """Give what takes at most `seconds` of one clip."""
        return MovementCollector(self._engines, seconds) if self._engines else None

    def refuse(self, material: Material) -> Sequence[str]:
        """Nothing is refused: everything else of an enrolment holds without how the person moves."""
        return ()

    def learn(self, material: Material, made: str, progress: Progress) -> Part:
        """Personalise; without data where they speak too little."""
        if self._engines is None or self._people is None or not self._can_learn():
            return Part(None, {"movement_seconds": 0.0})
        clips: list[Sequence[MotionWindow]] = list(material.taken)
        reference = learn(clips, self._engines, self._people, progress)
        if reference is None:
            return Part(None, {"movement_seconds": 0.0}, (TOO_LITTLE,))
        seconds = sum(seconds_of(windows) for windows in clips)
        return Part(reference.to_bytes(), {"movement_seconds": round(seconds, 1)}, () if seconds else (TOO_LITTLE,))
