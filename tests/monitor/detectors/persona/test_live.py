"""The live side of movement: frames in, a word each hop; nothing is computed for nobody, nor counted twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from monitor.detectors.base import Hop
from monitor.detectors.persona.companion import enrol
from monitor.detectors.persona.detector import PersonaReference, usual_distance
from monitor.detectors.persona.engines import PersonaEngines
from monitor.detectors.persona.info import INFO
from monitor.detectors.persona.live import LivePersona
from monitor.detectors.persona.rows import MotionRows
from monitor.face.geometry import SPEECH_SHAPE_SIZE, Pose, canonical
from monitor.face.quality import FaceQuality
from monitor.face.track import FaceView
from monitor.session.warm_later import Later
from monitor.types import Aspect, FloatArray, Reason, Score
from monitor.window.window import WindowBuffer
from tests.monitor import movers
from tests.monitor.frames import frame, moved
from tests.monitor.waiting import Waiting

PICTURE = frame(np.zeros((480, 640), np.uint8))


def made(person: int, engines: PersonaEngines, companion: bool = True) -> PersonaReference:
    """A reference of somebody whose proportions are known."""
    windows = movers.windows(person, 40.0)
    tokens = np.tile(movers.proportions(person), (movers.TOKENS, 1))
    own = engines.distances(windows, tokens).gap.astype(np.float64)
    clip, start = np.zeros(len(own), np.int64), np.array([w.start for w in windows])
    known = movers.people(engines)
    assert engines.population is not None
    motion = enrol(engines.embed(windows), clip, start, engines.population) if companion else None
    return PersonaReference(engines.key, tokens, own, clip, *usual_distance(own, clip, known), motion)


class Desk:
    """A side with the window that it reads; somebody moves and speaks into it."""

    def __init__(
        self,
        person: int,
        engines: PersonaEngines | None,
        reference: PersonaReference | None,
        later: Later | None = None,
    ) -> None:
        people = movers.people(engines) if engines else None
        self.window = WindowBuffer()
        self.reference = reference
        self.live = LivePersona(engines, people, self.window.seconds, later or Later())
        self.live.restart(self.window)
        self.motion, self.voice = movers.recording(person, 120.0, seed=9)
        self.at = 0
        self._written: PersonaReference | None = None
        self._part: bytes | None = None

    def hop(self, face: bool = True, speech: bool = True) -> Score:
        steps = np.arange(self.at, self.at + 12)
        self.at += 12
        flags = np.ones(12, np.bool_)
        self.window.push_lips(int(steps[0]), np.zeros((12, 2), np.float32), flags)
        self.window.push_motion(int(steps[0]), self.motion[steps], flags & face)
        self.window.push_voice(int(steps[0]), self.voice[steps], flags & speech)
        return self.score()

    def score(self, obstacle: Reason | None = None) -> Score:
        window: Any = None
        if self.reference is not self._written:
            self._written, self._part = self.reference, self.reference.to_bytes() if self.reference else None
        hop = Hop(window, obstacle, part=self._part, enrolled=self._part is not None)
        return INFO.stamp(self.live.score(hop))

    def hops(self, count: int, face: bool = True, speech: bool = True) -> list[Score]:
        return [self.hop(face, speech) for _ in range(count)]


@pytest.fixture
def engines() -> PersonaEngines:
    return movers.engines()


@pytest.fixture
def jane(engines: PersonaEngines) -> PersonaReference:
    return made(0, engines)


def test_the_enrolled_person_is_usual_and_another_stands_out(engines: PersonaEngines, jane: PersonaReference) -> None:
    same, other = (Desk(person, engines, jane).hops(40)[-1] for person in (0, 1))
    assert same.detector == other.detector == "persona"
    assert (other.p_value or 1) < 0.05 < (same.p_value or 0)
    assert other.evidence["distance"]["value"] > same.evidence["distance"]["value"] + 1.5
    assert other.evidence["companion"]["value"] > same.evidence["companion"]["value"]
    assert other.cause is Reason.MOVES_UNLIKE_ENROLLED
    assert same.evidence["windows"] == 30
    assert same.evidence["timeline"][-1]["at"] == pytest.approx(40 * 0.48 - 1.5, abs=0.02)


def test_it_warms_up_until_the_models_are_compiled(engines: PersonaEngines, jane: PersonaReference) -> None:
    later = Waiting()
    desk = Desk(0, engines, jane, later)
    assert later.asked
    assert {score.reason for score in desk.hops(20)} == {Reason.WARMING_UP}
    later.there = True
    assert desk.hops(20)[-1].value is not None


def test_other_words_change_nothing(engines: PersonaEngines, jane: PersonaReference) -> None:
    spoken = []
    for seed in (1, 2, 3):
        desk = Desk(0, engines, jane)
        desk.motion, desk.voice = movers.recording(0, 30.0, seed)
        spoken.append(desk.hops(30)[-1].evidence["distance"]["recent"])
    assert np.ptp(spoken) < 0.7
    assert max(spoken) < Desk(1, engines, jane).hops(30)[-1].evidence["distance"]["recent"] - 1.5


def test_it_begins_with_warming_up_and_measures_one_window_a_hop(
    engines: PersonaEngines, jane: PersonaReference
) -> None:
    desk = Desk(0, engines, jane)
    engine = engines.persona
    assert isinstance(engine, movers.Persona)
    engine.batches.clear()
    said = desk.hops(20)
    assert [score.reason for score in said[:10]] == [Reason.WARMING_UP] * 10
    assert said[10].reason is None
    assert engine.batches == [2 * len(engines.plan)] * 10


def test_what_was_judged_is_not_judged_again(engines: PersonaEngines, jane: PersonaReference) -> None:
    desk = Desk(0, engines, jane)
    assert desk.hops(20)[-1].value is not None
    assert desk.score().reason is Reason.WARMING_UP
    assert desk.score(Reason.OVERLOADED).reason is Reason.OVERLOADED


def test_silence_and_no_face_are_told_apart(engines: PersonaEngines, jane: PersonaReference) -> None:
    desk = Desk(0, engines, jane)
    desk.hops(20)
    assert desk.hops(10, speech=False)[-1].reason is Reason.TOO_LITTLE_SPEECH
    desk.hops(12)
    half = [desk.hop(face=n % 2 == 0) for n in range(14)][-1]
    assert half.reason is Reason.LOW_QUALITY


def test_nobody_enrolled_costs_nothing(engines: PersonaEngines, jane: PersonaReference) -> None:
    engine = engines.persona
    assert isinstance(engine, movers.Persona)
    engine.batches.clear()
    assert {score.reason for score in Desk(0, engines, None).hops(20)} == {Reason.NOT_ENROLLED}
    assert Desk(0, None, jane).hops(20)[-1].reason is Reason.NOT_CALIBRATED
    old = replace(jane, key="old")
    assert Desk(0, engines, old).hops(20)[-1].reason is Reason.REFERENCE_OUTDATED
    assert engine.batches == []


def test_enrolled_anew_meanwhile(engines: PersonaEngines, jane: PersonaReference) -> None:
    desk = Desk(1, engines, jane)
    unlike = desk.hops(30)[-1]
    desk.reference = made(1, engines)
    alike = desk.hop()
    assert (unlike.p_value or 1) < 0.05 < (alike.p_value or 0)
    assert alike.evidence["windows"] == 1


def test_without_the_companion_the_distance_alone_is_told(jane: PersonaReference) -> None:
    alone = movers.engines(companion=False)
    enrolled = made(0, alone, companion=False)
    assert not alone.has_companion
    assert alone.key.endswith("-")
    score = Desk(0, alone, enrolled).hops(20)[-1]
    assert score.evidence["companion"]["value"] is None
    assert score.p_value is not None


def view(at: float, landmarks: FloatArray, good: bool = True) -> FaceView:
    pose = Pose(80.0, np.eye(3, dtype=np.float32), np.array([320, 240, 0], np.float32))
    quality = FaceQuality(200.0 if good else 20.0, 0.5, 0.0, 0.0, 0.0, 1.0)
    return FaceView(
        1, moved(PICTURE, at).stamp, pose.project(landmarks), pose, np.zeros(SPEECH_SHAPE_SIZE, np.float32),
        np.zeros((36, 36), np.uint8), quality, None,
    )  # fmt: skip


def test_frames_become_rows_of_motion_on_the_grid_of_the_pictures() -> None:
    window = WindowBuffer()
    rows = MotionRows(movers.basis(), window)
    changed = canonical().copy()
    changed[0, 0] += 0.1
    for n in range(60):
        face = view(n / 30, changed if n >= 30 else canonical(), good=n < 45)
        rows.observe(moved(PICTURE, n / 30), face if n != 50 else None, crowded=n < 10)
    rows.settle()
    window.push_voice(0, np.ones((60, 3), np.float32), np.ones(60, np.bool_))
    window.push_lips(0, np.ones((60, 3), np.float32), np.ones(60, np.bool_))
    stretch = window.moving()
    found = stretch.after(0)
    assert stretch.end == 60
    assert found.motion.shape == (60, movers.WIDTH)
    assert not found.valid[:8].any()
    assert found.valid[9:37].all()
    assert not found.valid[38:].any()
    assert found.motion[10:25, 0] == pytest.approx(np.zeros(15), abs=1e-3)
    assert found.motion[26:37, 0] == pytest.approx(np.full(11, 0.1), abs=1e-2)
    assert found.motion[10, -6:] == pytest.approx([0, 0, 0, 0, 0, np.log(160 / 480)], abs=1e-2)


@pytest.mark.parametrize("settled_every", [1, 7, 1000])
def test_motion_is_the_same_however_many_frames_wait_for_each_other(settled_every: int) -> None:
    # The face is away for 3 s: the grid begins anew after that, in the midst of what waits.
    times = [n / 30 for n in range(40)] + [4.0 + n / 30 for n in range(40)]
    found = []
    for every in (1, settled_every):
        window = WindowBuffer()
        rows = MotionRows(movers.basis(), window)
        for number, at in enumerate(times):
            rows.observe(moved(PICTURE, at), view(at, canonical() * np.float32(1 + number / 400)), crowded=False)
            if number % every == every - 1:
                rows.settle()
        rows.settle()
        rows.settle()
        window.push_voice(0, np.ones((133, 3), np.float32), np.ones(133, np.bool_))
        window.push_lips(0, np.ones((133, 3), np.float32), np.ones(133, np.bool_))
        found.append(window.moving().after(0))
    alone, together = found
    assert np.count_nonzero(alone.valid) > 50
    assert np.array_equal(alone.valid, together.valid)
    assert together.motion == pytest.approx(alone.motion, abs=1e-5)


def test_abstaining_is_one_sided() -> None:
    said = Score("persona", None, Reason.NO_VIDEO, one_sided=True, needs_identity=True, aspect=Aspect.MOVEMENT)
    assert INFO.abstain(Reason.NO_VIDEO) == said
