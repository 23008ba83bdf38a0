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

from monitor.detectors.persona.companion import enrol
from monitor.detectors.persona.detector import PersonaPeople, PersonaReference
from monitor.detectors.persona.engines import PersonaEngines
from monitor.detectors.persona.live import MotionSide, Mover
from monitor.detectors.persona.windows import MotionWindow
from monitor.identity.enrolment.movement import Movement
from monitor.lab.bench.clip import Stream
from monitor.lab.bench.pairwise_cost import CannotCompare, items
from monitor.lab.bench.stage_times import Timer, watch
from monitor.session.models import Models
from monitor.session.session import Session
from monitor.types import ParticipantKey

ROUNDS = 2


def measure(stream: Stream, models: Models) -> float:
    """Give the share of one core that comparing movement takes; raises `CannotCompare`."""
    if models.persona is None:
        raise CannotCompare("the packs that compare movement are not installed")
    reference = enrolled(_windows(stream, models), models.persona)
    # What is known of people decides nothing about the cost.
    nobody = PersonaPeople(models.persona.key, 0.0, 1.0, 0.0, np.zeros((0, 2)), np.zeros(0), np.zeros(0, np.int64))
    session = Session(ParticipantKey("bench", "1", "bench"), models)
    # The engines run in the thread that asks: its own clock is right on a busy machine, too.
    timer, parts = Timer(clock=time.thread_time), _parts(session)
    parts._moves = MotionSide(replace(models, people=nobody), lambda: reference, parts._window)
    watch(parts._moves, "score", timer)
    watching = parts._picture._watches
    watching[:] = [timer(see) if isinstance(see.__self__, Mover) else see for see in watching]
    judged = 0
    for item in items(stream, ROUNDS):
        report = session.tick(item.stamp.arrival)
        judged += report is not None and report.decision.scores[2].value is not None
        session.push(item)
    if not judged:
        raise CannotCompare("nobody in the stream could be compared")
    return timer.total / (ROUNDS * stream.seconds)


def enrolled(windows: Sequence[MotionWindow], engines: PersonaEngines) -> PersonaReference:
    """Make a reference of windows without personalising."""
    tokens, clip = engines.tokens.start, np.zeros(len(windows), np.int64)
    own = engines.distances(windows, tokens).gap.astype(np.float64)
    motion = None
    if engines.population is not None and engines.has_companion:
        start = np.array([window.start for window in windows], np.float64)
        motion = enrol(engines.embed(windows), clip, start, engines.population)
    return PersonaReference(engines.key, tokens, own, clip, float(own.mean()), float(own.std()) + 1e-6, motion)


def _windows(stream: Stream, models: Models) -> list[MotionWindow]:
    movement = Movement()
    session = Session(ParticipantKey("bench", "1"), models, movement=movement.see)
    for item in items(stream, 1):
        session.tick(item.stamp.arrival)
        session.push(item)
    if not (windows := movement.windows()):
        raise CannotCompare("the stream shows nobody who speaks for long enough: give --clip, or set SIDEWITNESS_DATA")
    return windows


def _parts(session: Session) -> Any:
    return session
