"""Personalising: the persona model stays as it is, only the adapter tokens are fitted to a person's own recordings.

No torch is needed: the pack `persona_tokens` gives the loss of a window and its gradient with respect to the tokens,
and Adam is a few lines. The recordings are cut in two halves and tokens fitted to each, so that every window also has
a distance to tokens that have not seen it; how many steps are enough is seen on the part that each half keeps back,
and the tokens that are kept are then fitted to everything for as long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from engines.base import Engine
from engines.errors import SidewitnessError
from monitor.detectors.persona.reconstruction import Moving, Plan, Tokens, batch, distances
from monitor.types import FloatArray
from monitor.window.grid import GRID_HZ

Progress = Callable[[float], None]
Ints = NDArray[np.int64]
HALVES = 2
# Rows of one engine call when windows are measured: memory, not speed.
_BATCH_ROWS = 64


class PersonaliseError(SidewitnessError):
    """A person's recordings are not enough to be personalised on; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class PersonaliseConfig:
    """How tokens are fitted: at most `steps` of Adam at `rate` on `batch` windows, each at a timestep of the plan.

    Every `check` steps the share `kept_back` of the windows, at most `checked` of them, is measured; after `patience`
    checks at which it is explained worse than before personalising it stops and goes back, but not before `least`
    steps: so few windows tell nothing of the first. `workers` threads fit the halves side by side.
    """

    steps: int = 200
    least: int = 20
    batch: int = 8
    rate: float = 0.03
    check: int = 20
    checked: int = 16
    patience: int = 2
    kept_back: float = 0.25
    least_windows: int = 8
    workers: int = 2
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Personalised:
    """A person's tokens (P, d), and what became of them.

    `steps` of Adam on everything; `losses` and `held_out_losses` of the first half at each check, of the windows fitted
    to and of those kept back; `halves` (2, P, d) are the tokens fitted to one half each, and `half` (W,) says which of
    them has NOT seen window w: its distance to this person is taken with `halves[half[w]]`.
    """

    tokens: FloatArray
    steps: int
    losses: tuple[float, ...]
    held_out_losses: tuple[float, ...]
    halves: FloatArray
    half: Ints


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    tokens: FloatArray
    steps: int
    losses: tuple[float, ...]
    held_out: tuple[float, ...]


def personalise(
    fit: Engine, windows: Sequence[Moving], start: FloatArray, plan: Plan, config: PersonaliseConfig, progress: Progress
) -> Personalised:
    """Fit tokens to windows in the order in which they were recorded, from `start` (P, d), on the engine `fit`.

    `progress` is told the share that is done. Raises `PersonaliseError` for too few windows, `EngineError` for an
    engine of another pack.
    """
    if len(windows) < config.least_windows:
        raise PersonaliseError(
            f"{len(windows)} windows of speech are too few to learn how somebody moves, {config.least_windows} are "
            "needed: add recordings in which they speak"
        )
    fitter = _Fitter(fit, _Rows.stack(windows), start, plan, config, progress)
    half = np.arange(len(windows)) * HALVES // len(windows)
    first, second = (np.flatnonzero(half == n) for n in range(HALVES))
    parts = [fitter.rows.without_overlap(first, second), fitter.rows.without_overlap(second, first)]
    with ThreadPoolExecutor(min(config.workers, HALVES)) as pool:
        fitted = list(pool.map(fitter.with_check, parts, range(HALVES)))
    # Twice as many windows want no more steps of the same size: what each half needed is what all need.
    steps = max(1, round(float(np.mean([half_fit.steps for half_fit in fitted]))))
    tokens = fitter.for_steps(np.arange(len(windows)), steps, HALVES)
    progress(1.0)
    first_half = fitted[0]
    return Personalised(
        tokens,
        steps,
        first_half.losses,
        first_half.held_out,
        np.stack([half_fit.tokens for half_fit in fitted]),
        1 - half.astype(np.int64),
    )


def own_distances(
    persona: Engine, windows: Sequence[Moving], person: Personalised, tokens: Tokens, plan: Plan
) -> FloatArray:
    """Distances (W,) of the person's own windows, each to the tokens fitted without its half; raises `EngineError`."""
    at_once = max(1, _BATCH_ROWS // (2 * len(plan)))
    gaps = []
    for first in range(0, len(windows), at_once):
        part = windows[first : first + at_once]
        part_tokens = person.halves[person.half[first : first + at_once]]
        error = persona.run(batch(part, part_tokens, tokens.null, plan))["error"]
        gaps.append(distances(error, part, plan).gap)
    return np.concatenate(gaps)


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Windows as arrays, in the order of the recordings.

    motion (W, 75, M), voice (W, 75, 128), mask (W, 75), start (W,) in seconds.
    """

    motion: FloatArray
    voice: FloatArray
    mask: FloatArray
    start: NDArray[np.float64]

    @classmethod
    def stack(cls, windows: Sequence[Moving]) -> _Rows:
        parts = ([getattr(window, name) for window in windows] for name in ("motion", "voice", "mask"))
        start = np.array([window.start for window in windows], np.float64)
        motion, voice, mask = (np.stack(part).astype(np.float32) for part in parts)
        return cls(motion, voice, mask, start)

    def without_overlap(self, numbers: Ints, others: Ints) -> Ints:
        """Leave out, of windows beside others in one recording, those that overlap the nearest of them.

        At most a third: of very few windows, some that share a second are better than none.
        """
        edge = others[0] if others[0] > numbers[-1] else others[-1]
        free = np.abs(self.start[numbers] - self.start[edge]) >= self.motion.shape[1] / GRID_HZ
        nearest = np.argsort(np.abs(numbers - edge))[: len(numbers) // 3]
        near = np.zeros(len(numbers), np.bool_)
        near[nearest] = True
        disjoint: Ints = numbers[free | ~near]
        return disjoint

    def inputs(
        self, numbers: Ints, tokens: FloatArray, timestep: FloatArray, noise: FloatArray
    ) -> dict[str, FloatArray]:
        return {
            "motion": self.motion[numbers],
            "voice": self.voice[numbers],
            "mask": self.mask[numbers],
            "tokens": np.broadcast_to(tokens, (len(numbers), *tokens.shape)).astype(np.float32),
            "timestep": timestep,
            "noise": noise,
        }


@dataclass(slots=True)
class _Adam:
    """Adam (Kingma & Ba 2015) on one array."""

    rate: float
    mean: FloatArray | float = 0.0
    square: FloatArray | float = 0.0
    step: int = 0

    def __call__(self, gradient: FloatArray) -> FloatArray:
        """Give the step down this gradient."""
        self.step += 1
        self.mean = 0.9 * self.mean + 0.1 * gradient
        self.square = 0.999 * self.square + 0.001 * gradient**2
        right = np.asarray(self.mean) / (1 - 0.9**self.step)
        spread = np.sqrt(np.asarray(self.square) / (1 - 0.999**self.step))
        return np.asarray(-self.rate * right / (spread + 1e-8), np.float32)


class _Fitter:
    """Fits tokens to some of the windows; several threads may fit at once."""

    def __init__(
        self, fit: Engine, rows: _Rows, start: FloatArray, plan: Plan, config: PersonaliseConfig, progress: Progress
    ) -> None:
        self._fit, self.rows, self._start, self._config = fit, rows, start.astype(np.float32), config
        self._times, self._progress = np.unique(plan.timesteps), progress
        self._done, self._lock = 0.0, Lock()

    def with_check(self, numbers: Ints, seed: int) -> _Fitted:
        """Fit to the first of these windows, and stop when the last of them, kept back, are explained no better."""
        config = self._config
        cut = len(numbers) - max(1, round(config.kept_back * len(numbers)))
        fitted, checked = self.rows.without_overlap(numbers[:cut], numbers[cut:]), numbers[cut:]
        checked = checked[np.unique(np.linspace(0, len(checked) - 1, config.checked).astype(np.int64))]
        random = np.random.default_rng([config.seed, seed])
        tokens, adam = self._start, _Adam(config.rate)
        best, best_step = tokens, 0
        before = self._measured(checked, tokens)
        losses, held_out, recent_losses, worse = list[float](), [before], list[float](), 0
        for step in range(1, config.steps + 1):
            loss, gradient = self._gradient(fitted, tokens, random)
            recent_losses.append(loss)
            tokens = tokens + adam(gradient)
            if step % config.check:
                continue
            losses.append(float(np.mean(recent_losses[-config.check :])))
            held_out.append(self._measured(checked, tokens))
            # Other people go on being explained worse long after the person is explained best.
            worse = 0 if step <= config.least or held_out[-1] < before else worse + 1
            if not worse:
                best, best_step = tokens, step
            self._report(config.check)
            if worse >= config.patience:
                self._report(config.steps - step)
                break
        return _Fitted(best, best_step, tuple(losses), tuple(held_out))

    def for_steps(self, numbers: Ints, steps: int, seed: int) -> FloatArray:
        """Fit to all of these windows in so many steps."""
        random = np.random.default_rng([self._config.seed, seed])
        tokens, adam = self._start, _Adam(self._config.rate)
        for _ in range(steps):
            tokens = tokens + adam(self._gradient(numbers, tokens, random)[1])
            self._report(self._config.steps / steps)
        return tokens

    def _gradient(self, numbers: Ints, tokens: FloatArray, random: np.random.Generator) -> tuple[float, FloatArray]:
        count = self._config.batch
        rows = random.choice(numbers, count)
        timestep = random.choice(self._times, (count, 1)).astype(np.float32)
        noise = random.standard_normal((count, *self.rows.motion.shape[1:]), np.float32)
        outputs = self._fit.run(self.rows.inputs(rows, tokens, timestep, noise))
        return float(outputs["loss"].mean()), outputs["gradient"].mean(0)

    def _measured(self, numbers: Ints, tokens: FloatArray) -> float:
        """Mean logarithm of the loss at every timestep of the plan, with the same noise at each check."""
        random, losses = np.random.default_rng(self._config.seed), list[float]()
        for time in self._times:
            noise = random.standard_normal((len(numbers), *self.rows.motion.shape[1:]), np.float32)
            timestep = np.full((len(numbers), 1), time, np.float32)
            outputs = self._fit.run(self.rows.inputs(numbers, tokens, timestep, noise))
            losses.append(float(np.log(max(float(outputs["loss"].mean()), 1e-9))))
        return float(np.mean(losses))

    def _report(self, steps: float) -> None:
        with self._lock:
            self._done += steps
            self._progress(min(1.0, self._done / ((HALVES + 1) * self._config.steps)))
