"""What it costs to compare how one participant moves with how an enrolled person does: of one core, over the stream.

The stream's own movement is enrolled first, by the tokens that personalising begins with: others cost the same. Rows
of motion, both models and the word of each hop are counted; following the face and encoding the voice are not, they are
done for nobody in particular.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from monitor.decision.report import HopReport
from monitor.detectors.base import LoadedDetector
from monitor.detectors.persona.companion import enrol
from monitor.detectors.persona.detector import PersonaPeople, PersonaReference
from monitor.detectors.persona.engines import PersonaEngines
from monitor.detectors.persona.live import LivePersona, LoadedPersona
from monitor.detectors.persona.rows import MotionRows
from monitor.detectors.persona.windows import MotionWindow
from monitor.detectors.reference import Reference
from monitor.identity.enrolment.clip_reader import MAX_COLLECTED_SECONDS
from monitor.lab.bench.clip import Stream
from monitor.lab.bench.pairwise_cost import CannotCompare, items
from monitor.lab.bench.stage_times import Timer, watch
from monitor.session.models import Models
from monitor.session.session import Session
from monitor.types import ParticipantKey, Score

ROUNDS = 2


def measure(stream: Stream, models: Models) -> float:
    """Return the share of one core that comparing movement takes; raises `CannotCompare`."""
    part, compared = enrolled_movement(stream, models)
    loaded = models.of(LoadedPersona)
    reference = Reference("", (), {loaded.info.name: part})
    session = Session(ParticipantKey("bench", "1", "bench"), compared, reference=reference)
    # The engines run in the thread that asks: its own clock is right on a busy machine, too.
    timer, internals = Timer(clock=time.thread_time), _internals(session)
    watch(next(live for _, live in internals._detectors if isinstance(live, LivePersona)), "score", timer)
    observers = internals._picture._observers
    observers[:] = [timer(see) if isinstance(see.__self__, MotionRows) else see for see in observers]
    judged = 0
    for item in items(stream, ROUNDS):
        report = session.tick(item.stamp.arrival)
        judged += report is not None and any(s.value is not None for s in _of(report, loaded))
        session.push(item)
    if not judged:
        raise CannotCompare("nobody in the stream could be compared")
    return timer.total / (ROUNDS * stream.seconds)


def enrolled_movement(stream: Stream, models: Models) -> tuple[bytes, Models]:
    """Make the part of whoever moves in the stream, and models that compare with it; raises `CannotCompare`."""
    loaded = models.of(LoadedPersona)
    if loaded.engines is None:
        raise CannotCompare("the packs that compare movement are not installed")
    part = enrolled(_windows(stream, models, loaded), loaded.engines)
    # What is known of people decides nothing about the cost.
    nobody = PersonaPeople(loaded.engines.key, 0.0, 1.0, 0.0, np.zeros((0, 2)), np.zeros(0), np.zeros(0, np.int64))
    return part.to_bytes(), replace(models, detectors=_with(models, replace(loaded, people=nobody)))


def _with(models: Models, changed: LoadedPersona) -> tuple[LoadedDetector, ...]:
    return tuple(changed if isinstance(loaded, LoadedPersona) else loaded for loaded in models.detectors)


def _of(report: HopReport, loaded: LoadedPersona) -> list[Score]:
    return [score for score in report.decision.scores if score.detector == loaded.info.name]


def enrolled(windows: Sequence[MotionWindow], engines: PersonaEngines) -> PersonaReference:
    """Make a reference of windows without personalising."""
    tokens, clip = engines.tokens.start, np.zeros(len(windows), np.int64)
    distances = engines.distances(windows, tokens).gap.astype(np.float64)
    motion = None
    if engines.population is not None and engines.has_companion:
        start = np.array([window.start for window in windows], np.float64)
        motion = enrol(engines.embed(windows), clip, start, engines.population)
    return PersonaReference(
        engines.key, tokens, distances, clip, float(distances.mean()), float(distances.std()) + 1e-6, motion
    )


def _windows(stream: Stream, models: Models, loaded: LoadedPersona) -> list[MotionWindow]:
    collector = loaded.enrolling(one_person=False).collect(MAX_COLLECTED_SECONDS)
    if collector is None:
        raise CannotCompare("the packs that compare movement are not installed")
    session = Session(ParticipantKey("bench", "1"), models, collectors=[collector])
    for item in items(stream, 1):
        session.tick(item.stamp.arrival)
        session.push(item)
    if not (windows := list(collector.finish())):
        raise CannotCompare("the stream shows nobody who speaks for long enough: give --clip, or set SIDEWITNESS_DATA")
    return windows


def _internals(session: Session) -> Any:
    return session
