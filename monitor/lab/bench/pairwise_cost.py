"""What it costs to compare one participant's face with an enrolled person: of one core, all of a hop's work on faces.

The stream's own face is enrolled first, so that the whole comparison runs; taking shots is part of following faces and
is counted there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from engines.errors import SidewitnessError
from monitor.detectors.pairwise.live import LivePairwise, LoadedPairwise
from monitor.detectors.pairwise.reference import Rung, build_reference
from monitor.detectors.reference import Reference
from monitor.face.track import FaceView
from monitor.identity.enrolment.condition_ladder import Moment, make_rungs, moment_of
from monitor.lab.bench.clip import Stream
from monitor.lab.bench.stage_times import NAMES, Timer, decoded, watch
from monitor.session.models import Models
from monitor.session.session import Session
from monitor.types import AudioBlock, ParticipantKey, VideoFrame

MIN_MOMENTS = 10


class CannotCompare(SidewitnessError):  # noqa: N818 - a measurement left out, not a failure
    """Nothing can be measured; the message says why."""


def measure(stream: Stream, models: Models) -> float:
    """Return the share of one core that comparing takes, over the stream; raises `CannotCompare`."""
    # Encoders run in the thread that asks: its own clock is right on a busy machine, too.
    reference, timer = enrolled(stream, models), Timer(clock=time.thread_time)
    session = Session(ParticipantKey("bench", "1", "bench"), models, reference=reference)
    watch(_live(session), "score", timer)
    judged = 0
    for item in items(stream, 2):
        report = session.tick(item.stamp.arrival)
        judged += report is not None and report.decision.scores[1].value is not None
        session.push(item)
    if not judged:
        raise CannotCompare("no face of the stream could be compared")
    return timer.total / (2 * stream.seconds)


def enrolled(stream: Stream, models: Models) -> Reference:
    """Make a reference of whoever is in the stream; raises `CannotCompare`."""
    pairwise = models.of(LoadedPairwise)
    encoders, population = pairwise.encoders, pairwise.population
    if encoders is None or population is None:
        raise CannotCompare("the packs that compare faces are not installed")
    found: list[Moment | None] = []

    def see(frame: VideoFrame, view: FaceView | None, _crowded: bool) -> None:
        found.append(moment_of(frame, view) if view is not None else None)

    session = Session(ParticipantKey("bench", "1"), models, observer=see)
    for item in items(stream, 1):
        session.push(item)
    moments = [moment for moment in found if moment is not None]
    if len(moments) < MIN_MOMENTS:
        raise CannotCompare("the stream shows no face for long enough: give --clip, or set SIDEWITNESS_DATA")
    rungs = [Rung(name, encoders(shots)) for name, shots in make_rungs(moments)]
    clip = np.zeros(len(moments), np.int64)
    part = build_reference("", encoders.key, clip, rungs, population)
    return Reference("", (), {pairwise.info.name: part.to_bytes()})


def items(stream: Stream, rounds: int) -> Iterator[VideoFrame | AudioBlock]:
    """Decode the stream, so many times over."""
    return decoded(stream, rounds, {name: Timer(on=False) for name in NAMES})


def _live(session: Session) -> LivePairwise:
    return next(live for _, live in session._detectors if isinstance(live, LivePairwise))
