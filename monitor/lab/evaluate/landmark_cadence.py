"""Landmarks as a session takes them against landmarks in every picture: what that does to scores, on the same clips.

Every genuine clip is followed twice, and its lips meet their own voice and those of others (`voice_mismatch`). What is
told apart worse, or better, is the difference of two areas under one ROC curve each; its interval draws people with
replacement, the same ones for both. Windows with their own voice are compared one by one, by score and p-value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.base import Arrays, Engine, FloatArray, Manifest
from engines.load import load_engine
from engines.metrics import auc
from monitor.decision.calibration import Calibration
from monitor.detectors.synchrony.entry import load_calibration
from monitor.face.cadence import CALM, EVERY, Cadence
from monitor.lab.corpus.manifest import Row
from monitor.lab.corpus.speech_features import extract
from monitor.lab.evaluate.voice_mismatch import KINDS, EncodedClip, mismatches, own_scores
from monitor.lab.metrics.intervals import bootstrap_interval, resample
from monitor.lab.metrics.summary import Result
from monitor.lab.training.synchrony_background import encode_features
from monitor.session.models import DETECTOR, LANDMARKS, load_presence, load_speech
from monitor.tap.media.source import SourceError
from monitor.window.grid import GRID_HZ

WINDOWS_SECONDS = (2.0, 5.0)
ROUNDS = 1000
# By how much an area may move (docs/benchmarks.md).
TOLERANCE = 0.005
# Genuine windows up to this p-value are counted.
UNUSUAL = 0.05

Doubles = NDArray[np.float64]


class Counted:
    """An engine that counts the rows that it was asked for."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self.rows = engine, 0

    @property
    def manifest(self) -> Manifest:
        """That of the engine."""
        return self._engine.manifest

    def run(self, inputs: Arrays) -> dict[str, FloatArray]:
        """Run and count."""
        self.rows += len(next(iter(inputs.values())))
        return self._engine.run(inputs)

    def warm_up(self) -> None:
        """Warm the engine up; that counts for nothing."""
        self._engine.warm_up()


@dataclass(frozen=True, slots=True)
class Separation:
    """Own voices against one kind of wrong ones, in windows of `seconds`: areas with both cadences, and what moved."""

    seconds: float
    kind: str
    every: float
    calm: float
    change: float
    change_low: float
    change_high: float
    windows: int
    people: int


@dataclass(frozen=True, slots=True)
class OwnWindows:
    """Windows of `seconds` with their own voice, scored with both cadences.

    `only_one` counts those that were scored with one alone. Scores moved by `moved` on average, in standard deviations
    of the scores; p-values by `p_moved` on average and `p_moved_p95`; `unusual` are the shares with p up to 0.05.
    """

    seconds: float
    windows: int
    only_one: int
    moved: float
    p_moved: float
    p_moved_p95: float
    unusual_every: float
    unusual_calm: float


@dataclass(frozen=True, slots=True)
class CadenceReport:
    """What two cadences of landmarks come to on the same clips; `share` of the landmarks were computed."""

    clips: int
    people: int
    seconds: float
    share: float
    separations: tuple[Separation, ...]
    own: tuple[OwnWindows, ...]

    def as_json(self) -> dict[str, Any]:
        """Give JSON values."""
        return asdict(self)


class _Follower:
    """Analyses a clip by one cadence and another, and counts the landmarks that each took."""

    def __init__(self, packs: Path, cadences: Sequence[Cadence]) -> None:
        self._detector, self._landmarks = load_engine(DETECTOR), Counted(load_engine(LANDMARKS))
        self._presence, self._speech = load_presence(), load_speech(packs)
        self.rows = dict.fromkeys(cadences, 0)

    def __call__(self, row: Row) -> dict[Cadence, EncodedClip]:
        """Encode a clip by each cadence; empty where it cannot be read or shows no face. Raises `EngineError`."""
        found, rows = {}, {}
        for cadence in self.rows:
            before = self._landmarks.rows
            try:
                features = extract(
                    row.path,
                    self._detector,
                    self._landmarks,
                    None,
                    self._speech.input_spec,
                    row.sound,
                    self._presence,
                    cadence,
                )
            except SourceError:
                return {}
            if not len(features) or not features.face.any():
                return {}
            encoded = encode_features(features, self._speech.lips, self._speech.voice)
            found[cadence] = EncodedClip(row.name, row.subject, *encoded, features.sound)
            rows[cadence] = self._landmarks.rows - before
        for cadence, count in rows.items():
            self.rows[cadence] += count
        return found


def compare(
    rows: Sequence[Row], packs: Path, cadence: Cadence = CALM, tick: Callable[[str | None], None] = lambda _: None
) -> CadenceReport:
    """Follow genuine clips with landmarks in every picture and by a cadence; raises `EngineError`.

    Clips that cannot be read, or show no face, are left out of both.
    """
    follow, calibration = _Follower(packs, (EVERY, cadence)), load_calibration(packs)
    found = []
    for row in rows:
        if both := follow(row):
            found.append(both)
        tick(None)
    every, calm = ([both[how] for both in found] for how in (EVERY, cadence))
    own = [
        compare_own(own_scores(every, length), own_scores(calm, length), length, calibration)
        for length in WINDOWS_SECONDS
    ]
    return CadenceReport(
        len(every),
        len({clip.subject for clip in every}),
        round(sum(len(clip.face) for clip in every) / GRID_HZ, 1),
        round(follow.rows[cadence] / max(follow.rows[EVERY], 1), 4),
        tuple(
            compare_separation(before, after, length, kind)
            for length in WINDOWS_SECONDS
            for kind, before, after in _by_kind(mismatches(every, length), mismatches(calm, length))
        ),
        tuple(own),
    )


def _by_kind(
    every: Mapping[str, Sequence[Result]], calm: Mapping[str, Sequence[Result]]
) -> list[tuple[str, Sequence[Result], Sequence[Result]]]:
    return [(kind, every[kind], calm[kind]) for kind in KINDS if every[kind] and calm[kind]]


def compare_separation(every: Sequence[Result], calm: Sequence[Result], seconds: float, kind: str) -> Separation:
    """Compare how well own voices are told from wrong ones by two sets of results of the same clips."""
    before, after = _of_people(every), _of_people(calm)
    people = sorted(before.keys() & after.keys())
    areas = [_area([found[who] for who in people]) for found in (before, after)]
    changes = [
        _area([after[people[n]] for n in drawn]) - _area([before[people[n]] for n in drawn])
        for drawn in resample(len(people), ROUNDS)
    ]
    low, high = bootstrap_interval([change for change in changes if np.isfinite(change)])
    windows = sum(len(own) for own, _ in before.values())
    return Separation(seconds, kind, areas[0], areas[1], areas[1] - areas[0], low, high, windows, len(people))


def _of_people(results: Sequence[Result]) -> dict[str, tuple[Doubles, Doubles]]:
    """Scores of each person's windows with their own voice, and with wrong ones."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    for result in results:
        found.setdefault(result.subject, ([], []))[result.label == "fake"].append(result.score or 0.0)
    return {who: (np.array(own), np.array(wrong)) for who, (own, wrong) in found.items()}


def _area(people: Sequence[tuple[Doubles, Doubles]]) -> float:
    own, wrong = (np.concatenate([np.zeros(0), *(person[side] for person in people)]) for side in (0, 1))
    return auc(wrong, own)


def compare_own(
    every: Mapping[tuple[str, int], tuple[float, float]],
    calm: Mapping[tuple[str, int], tuple[float, float]],
    seconds: float,
    calibration: Calibration,
) -> OwnWindows:
    """Compare windows with their own voice, by clip and start: score and seconds of speech of each."""
    both = sorted(every.keys() & calm.keys())
    before, after = (np.array([found[key][0] for key in both]) for found in (every, calm))
    least = calibration.lengths[0]
    pairs = [
        (calibration.p_value(*every[key]), calibration.p_value(*calm[key]))
        for key in both
        if min(every[key][1], calm[key][1]) + 1e-6 >= least
    ]
    p_before, p_after = (np.array([pair[side] for pair in pairs]) for side in (0, 1))
    moved = np.abs(p_after - p_before)
    return OwnWindows(
        seconds,
        len(both),
        len(every.keys() ^ calm.keys()),
        float(np.abs(after - before).mean() / max(float(before.std()), 1e-6)) if both else 0.0,
        float(moved.mean()) if pairs else 0.0,
        float(np.quantile(moved, 0.95)) if pairs else 0.0,
        float((p_before <= UNUSUAL).mean()) if pairs else 0.0,
        float((p_after <= UNUSUAL).mean()) if pairs else 0.0,
    )
