"""A whole detector in one folder, for the tests of the seam: is the room as bright as the enrolled person's?"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engines.base import Engine
from monitor.decision.calibration import Calibration
from monitor.decision.words import Phrase
from monitor.detectors.base import Compilation, DetectorInfo, FrameObserver, Hop, Material, Part, Progress
from monitor.detectors.check import Check
from monitor.detectors.packs import PackLoader
from monitor.face.track import FaceView
from monitor.types import Reason, Score, VideoFrame
from monitor.window.window import WindowBuffer

ROOM_IS_DIFFERENT = Reason("room_is_different")
WINDOW_SECONDS, GENUINE_PEOPLE = 5.0, 300
INFO = DetectorInfo(
    name="room",
    label="room",
    question="Is the room as bright as the enrolled person's?",
    cause=ROOM_IS_DIFFERENT,
    phrases={
        ROOM_IS_DIFFERENT: Phrase("Another room", "The room is not as bright as usual.", "Typical of another room.")
    },
    needs_identity=True,
)


def genuine() -> Calibration:
    """Differences of genuine people lie evenly between 0 and 1."""
    scores = np.linspace(0.0, 1.0, GENUINE_PEOPLE)
    return Calibration.build({WINDOW_SECONDS: (scores, [str(n) for n in range(GENUINE_PEOPLE)])})


class Brightness:
    """Sees frames, and forgets those that have left the window."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()

    def observe(self, frame: VideoFrame, view: FaceView | None, crowded: bool) -> None:
        """Take the mean of the picture."""
        self._seen.append((frame.stamp.media, float(frame.y.mean())))
        while frame.stamp.media - self._seen[0][0] > WINDOW_SECONDS:
            self._seen.popleft()

    @property
    def end(self) -> float:
        """When the newest frame was captured."""
        return self._seen[-1][0] if self._seen else float("-inf")

    def median(self) -> float:
        """The brightness of the window."""
        return float(np.median([value for _, value in self._seen]))

    def restart(self, buffer: WindowBuffer) -> None:
        """Forget everything."""
        self._seen.clear()

    def hop(self) -> None:
        """Nothing is taken from the window."""

    def finish(self) -> list[float]:
        """Every brightness that is left in the window."""
        return [value for _, value in self._seen]


class LiveRoom:
    """One participant's room."""

    def __init__(self, calibration: Calibration) -> None:
        self._calibration, self._brightness, self._scored_until = calibration, Brightness(), float("-inf")

    @property
    def observe(self) -> FrameObserver:
        """What sees the frames."""
        return self._brightness.observe

    def restart(self, buffer: WindowBuffer) -> None:
        """Begin with an empty window."""
        self._brightness.restart(buffer)

    def score(self, hop: Hop) -> Score:
        """Say how far the room is from the enrolled one, in tens of grey levels."""
        if hop.part is None:
            return INFO.abstain(Reason.REFERENCE_OUTDATED if hop.enrolled else Reason.NOT_ENROLLED)
        if self._brightness.end <= self._scored_until:
            return INFO.abstain(Reason.WARMING_UP)
        self._scored_until = self._brightness.end
        value = abs(self._brightness.median() - float(hop.part)) / 10
        p_value = self._calibration.p_value(value, WINDOW_SECONDS)
        return Score(INFO.name, value, p_value=p_value, evidence={"brightness": round(self._brightness.median(), 1)})


@dataclass(frozen=True, slots=True)
class LoadedRoom:
    """What genuine people's rooms score."""

    calibration: Calibration
    info = INFO

    def live(self, window_seconds: float, compilation: Compilation) -> LiveRoom:
        """One participant's detector."""
        return LiveRoom(self.calibration)

    def of_clip(self, scores: Sequence[Score], hop_share: float) -> Score:
        """The median of the hops."""
        values = [score.value for score in scores if score.value is not None]
        if not values:
            return INFO.abstain(scores[-1].reason or Reason.WARMING_UP if scores else Reason.WARMING_UP)
        value = float(np.median(values))
        p_value = self.calibration.p_value(value, WINDOW_SECONDS, once=True)
        return Score(INFO.name, value, p_value=p_value, evidence={"hops": len(values)})

    def through(self, wrap: Callable[[Engine], Engine]) -> LoadedRoom:
        """There is no engine."""
        return self

    def is_outdated(self, part: bytes) -> bool:
        """Brightness is brightness."""
        return False

    def enrolling(self, one_person: bool) -> EnrollingRoom:
        """Learns a brightness."""
        return EnrollingRoom()


class EnrollingRoom:
    """One enrolment."""

    effort = 0.01
    task = "looking at the room"

    def collect(self, seconds: float) -> Brightness:
        """The newest frames of a clip."""
        return Brightness()

    def refuse(self, material: Material) -> Sequence[str]:
        """Any room will do."""
        return ()

    def learn(self, material: Material, made: str, progress: Progress) -> Part:
        """Write the brightness as text."""
        progress(1.0)
        median = float(np.median(np.concatenate(list(material.taken))))
        return Part(f"{median:.3f}".encode(), {"room_brightness": round(median, 1)}, ())


class Room:
    """The entry of the registry."""

    info = INFO

    def load(self, packs: PackLoader) -> LoadedRoom:
        """Nothing is read: genuine rooms are made up."""
        return LoadedRoom(genuine())

    def check(self, packs: Path) -> Iterator[Check]:
        """It is always there."""
        yield Check("room", "ok", f"{GENUINE_PEOPLE} genuine rooms")

    def describe(self, part: bytes) -> Mapping[str, Any]:
        """What the API says of an identity."""
        return {"room_brightness": float(part)}


DETECTOR = Room()
