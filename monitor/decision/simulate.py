"""Simulated false-alert rates and detection delays: many streams at once, by the rules of `decide`.

The rate `false_alerts_per_hour` is verified here, not assumed. The invariant: `run` opens and closes findings
at exactly the hops at which `decide.advance` would, for one detector that scores at every hop; and whatever is
measured is averaged over people, with intervals from resampling people, because the windows of one person are not
independent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from monitor.decision.calibration import Calibration, Doubles
from monitor.decision.decide import HEADROOM, DecisionConfig
from monitor.decision.edetector import SECONDS_PER_HOUR
from monitor.decision.evalues import powers, shaped_many

RESAMPLES = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """What happened in S streams: findings opened (S,), and seconds to the first alert and suspect state (S,).

    NaN stands for never.
    """

    opened: NDArray[np.int64]
    first_alert: Doubles
    first_suspect: Doubles


@dataclass(frozen=True, slots=True)
class Rates:
    """Measured on genuine streams; `people_alerted` is the share of people with any false alert.

    `interval` holds 95 % by resampling people.
    """

    hours: float
    people: int
    false_alerts_per_hour: float
    interval: tuple[float, float]
    people_alerted: float


@dataclass(frozen=True, slots=True)
class Delays:
    """Measured from a change on: seconds to the alert, median and 95th percentile, and the share missed.

    A percentile is infinite where more are missed.
    """

    p50: float
    p95: float
    missed: float


def run(config: DecisionConfig, p_values: Doubles, brief: bool = False) -> Runs:
    """Decide on S streams of T hops at once; `p_values` is (S, T), one per hop, of whole windows or of brief ones."""
    streams, hops = p_values.shape
    seconds = config.brief_seconds if brief else config.window_seconds
    count, scale = max(1, round(seconds / config.hop_seconds)), seconds / config.window_seconds
    e_values = shaped_many(p_values) if brief else powers(p_values, config.kappa)
    # Levels at the length of these windows (`monitor.decision.evidence`).
    threshold, level = config.threshold / scale, config.suspect_level / scale
    recovery_cap = (config.threshold * config.suspect_level) ** 0.5 / scale
    running, recovery = np.zeros((streams, count)), np.zeros((streams, count))
    is_open, calm = np.zeros(streams, np.bool_), np.zeros(streams)
    opened = np.zeros(streams, np.int64)
    first_alert, first_suspect = np.full(streams, np.nan), np.full(streams, np.nan)
    for hop in range(hops):
        turn, time = hop % count, hop * config.hop_seconds
        calm += config.hop_seconds * (recovery.mean(axis=1) < level)
        running[:, turn] = np.minimum(threshold * HEADROOM, e_values[:, hop] * (running[:, turn] + 1.0))
        recovery[:, turn] = np.minimum(recovery_cap, e_values[:, hop] * (recovery[:, turn] + 1.0))
        calm[recovery.mean(axis=1) >= level] = 0.0
        statistic = running.mean(axis=1)
        first_suspect[np.isnan(first_suspect) & (statistic >= level)] = time
        closes = is_open & (calm >= config.calm_seconds)
        agreed = np.minimum(running, np.roll(running, count // 2, axis=1)).max(axis=1)
        early = time < config.first_seconds
        opens = ~is_open & ((np.minimum(statistic, agreed) if early else statistic) >= threshold)
        first_alert[np.isnan(first_alert) & opens] = time
        recovery[opens] = np.minimum(recovery_cap, running[opens])
        calm[opens] = 0.0
        running[closes] = 0.0
        is_open = (is_open | opens) & ~closes
        opened += opens
    return Runs(opened, first_alert, first_suspect)


def rates(
    config: DecisionConfig, p_values: Doubles, people: NDArray[np.int64], rng: Generator, brief: bool = False
) -> Rates:
    """Measure false alerts on genuine streams (S, T) of `people` (S,), indices of persons of equal weight."""
    opened = run(config, p_values, brief).opened
    hours = p_values.shape[1] * config.hop_seconds / SECONDS_PER_HOUR
    persons = np.unique(people)
    person_rates = np.array([opened[people == person].mean() / hours for person in persons])
    alerted = np.array([(opened[people == person] > 0).mean() for person in persons])
    resampled_means = person_rates[rng.integers(0, len(person_rates), (RESAMPLES, len(person_rates)))].mean(axis=1)
    low, high = np.quantile(resampled_means, (0.025, 0.975))
    return Rates(
        hours * len(people), len(persons), float(person_rates.mean()), (float(low), float(high)), float(alerted.mean())
    )


def delays(config: DecisionConfig, p_values: Doubles, change: float = 0.0, brief: bool = False) -> Delays:
    """Measure the seconds from a change, `change` seconds into each stream, to the first alert.

    Streams that alerted before the change are left out.
    """
    first = run(config, p_values, brief).first_alert - change
    first = np.where(np.isnan(first), np.inf, first)[~(first < 0)]
    p50, p95 = np.quantile(first, (0.5, 0.95), method="higher") if len(first) else (np.inf, np.inf)
    return Delays(float(p50), float(p95), float(np.isinf(first).mean()) if len(first) else 1.0)


def replay_calibration(
    calibration: Calibration, config: DecisionConfig, seconds: float, hops: int, rng: Generator
) -> Doubles:
    """Make one genuine stream of p-values (people, hops) of each subject's own windows of `seconds` of speech.

    Blocks of one window's length are drawn at random from the subject's windows, in their order; p-values come from
    the other subjects (leave one out), so this estimates the rate for a person outside the calibration set.
    """
    p_values, subjects = calibration.leave_one_out(seconds)
    block = max(1, round(config.window_seconds / config.hop_seconds))
    streams = []
    for subject in range(int(subjects.max()) + 1):
        subject_p_values = p_values[subjects == subject]
        starts = rng.integers(0, len(subject_p_values), -(-hops // block))
        columns = (starts[:, None] + np.arange(block)).reshape(-1)[:hops] % len(subject_p_values)
        streams.append(subject_p_values[columns])
    return np.stack(streams)


def simulate(config: DecisionConfig, calibration: Calibration, hours: float = 1.0, seed: int = 0) -> Rates:
    """Measure false alerts on the calibration's own subjects, each judged by the others; by brief windows, if any.

    `hours` is the length of each subject's stream.
    """
    rng = np.random.default_rng(seed)
    tables = calibration.brief or calibration
    seconds = min(config.window_seconds, tables.lengths[-1])
    hops = max(1, round(hours * SECONDS_PER_HOUR / config.hop_seconds))
    p_values = replay_calibration(tables, config, seconds, hops, rng)
    return rates(config, p_values, np.arange(len(p_values)), rng, calibration.brief is not None)


def mean_e_by_subject(config: DecisionConfig, calibration: Calibration, seconds: float, brief: bool = False) -> Doubles:
    """Mean e-value (people,) of each subject's windows, calibrated on the others.

    Its average over subjects is the check of the calibration: about 1 at most.
    """
    p_values, subjects = calibration.leave_one_out(seconds)
    e_values = shaped_many(p_values) if brief else powers(p_values, config.kappa)
    return np.array([e_values[subjects == subject].mean() for subject in range(int(subjects.max()) + 1)])


@dataclass(frozen=True, slots=True)
class Population:
    """Synthetic people of unit variance: a share `between` of it is the person, the rest moves from window to window.

    Neighbouring windows overlap, so their scores are moving averages over one window of independent hops.
    """

    between: float = 0.6
    overlap: int = 10

    def people(self, count: int, rng: Generator) -> Doubles:
        """Draw the persons' own levels, (count,)."""
        return rng.normal(0.0, self.between**0.5, count)

    def streams(self, levels: Doubles, hops: int, rng: Generator) -> Doubles:
        """Draw one stream of scores for each level, (people, hops)."""
        sums = np.cumsum(rng.standard_normal((len(levels), hops + self.overlap)), axis=1)
        noise = (sums[:, self.overlap :] - sums[:, : -self.overlap]) / self.overlap**0.5
        return np.asarray(levels[:, None] + (1.0 - self.between) ** 0.5 * noise, np.float64)

    def calibration(
        self, count: int, rng: Generator, seconds: float = 5.0, hops: tuple[int, int] = (3, 50)
    ) -> Calibration:
        """Build a calibration from clips of `count` new people, each of `hops` windows (from, below)."""
        clips = [self.streams(level, int(rng.integers(*hops)), rng)[0] for level in self.people(count, rng)[:, None]]
        labels = [str(person) for person, clip in enumerate(clips) for _ in clip]
        return Calibration.build({seconds: (np.concatenate(clips), labels)})
