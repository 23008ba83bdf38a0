"""Whether mouths that stand, and mouths that speak, are taken for still by landmarks of a cadence as by those of all.

The first seconds of genuine clips are followed as they are and as stills of every kind, each with landmarks in every
picture and by the cadence, and measured as often as a session measures (`monitor.session.doubt`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from engines.base import Engine
from engines.load import load_engine
from monitor.face.cadence import CALM, EVERY, Cadence
from monitor.face.stillness import MEASURED_STEPS, MOUTH_SECONDS, MouthMovement
from monitor.face.track import FaceTracker
from monitor.lab.corpus.manifest import Row
from monitor.lab.distortions.stills import KINDS, Still
from monitor.session.models import DETECTOR, LANDMARKS
from monitor.tap.media.source import SourceError
from monitor.tap.replay import read_clip
from monitor.types import VideoFrame

SECONDS = 6.0
# So many clips of those that are given, spread over them: each is followed fourteen times.
CLIPS = 12
AS_RECORDED = "as recorded"


@dataclass(frozen=True, slots=True)
class Stillness:
    """What was taken for still of clips of one kind: shares of the moments that were measured, by clip on average.

    `form_every` and `form_calm` are medians of how much the lips' form varied, in eye distances.
    """

    kind: str
    clips: int
    people: int
    still_every: float
    still_calm: float
    form_every: float
    form_calm: float


def movements(tracker: FaceTracker, frames: Iterable[VideoFrame]) -> list[tuple[float, bool]]:
    """How much the form of the largest face's lips varied at each moment that is measured, and whether it is still."""
    mouth, found, count = MouthMovement(), list[tuple[float, bool]](), 0
    for frame in frames:
        for followed in tracker.push(frame):
            for view in followed.views[:1]:
                mouth.push(view.stamp.media, view.shape, view.mouth)
                count += 1
                now = mouth.over(MOUTH_SECONDS) if count % MEASURED_STEPS == 0 else None
                if now is not None:
                    found.append((now.form, now.is_below(view.quality.size)))
    return found


def chosen(rows: Sequence[Row]) -> Sequence[Row]:
    """Pick the clips that are followed."""
    return rows[:: max(-(-len(rows) // CLIPS), 1)]


def compare_stills(
    rows: Sequence[Row], cadence: Cadence = CALM, tick: Callable[[str | None], None] = lambda _: None
) -> list[Stillness]:
    """Follow clips as recorded and as each kind of still, by both cadences; raises `EngineError`."""
    detector, landmarks = load_engine(DETECTOR), load_engine(LANDMARKS)
    found: dict[str, list[tuple[str, list[tuple[float, float]]]]] = {}
    for row in chosen(rows):
        for kind, frames in _kinds(row):
            both = [_clip(detector, landmarks, each, frames) for each in (EVERY, cadence)]
            if None not in both:
                found.setdefault(kind, []).append((row.subject, [one for one in both if one is not None]))
        tick(None)
    return [_summary(kind, clips) for kind, clips in found.items()]


def _kinds(row: Row) -> Iterable[tuple[str, list[VideoFrame]]]:
    try:
        items = [item for item in read_clip(row.path) if isinstance(item, VideoFrame) and item.stamp.media < SECONDS]
    except SourceError:
        return
    yield AS_RECORDED, items
    for kind in KINDS:
        yield kind, [item for item in Still(kind)(items) if isinstance(item, VideoFrame)]


def _clip(
    detector: Engine, landmarks: Engine, cadence: Cadence, frames: list[VideoFrame]
) -> tuple[float, float] | None:
    """Share of the moments that are still, and the median variation of the form; None where nothing was measured."""
    found = movements(FaceTracker(detector, landmarks, False, cadence), frames)
    if not found:
        return None
    return float(np.mean([still for _, still in found])), float(np.median([form for form, _ in found]))


def _summary(kind: str, clips: Sequence[tuple[str, list[tuple[float, float]]]]) -> Stillness:
    every, calm = (np.array([both[side] for _, both in clips]) for side in (0, 1))
    shares = (float(every[:, 0].mean()), float(calm[:, 0].mean()))
    forms = (float(np.median(every[:, 1])), float(np.median(calm[:, 1])))
    return Stillness(kind, len(clips), len({who for who, _ in clips}), *shares, *forms)
