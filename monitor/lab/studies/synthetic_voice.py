"""Whether speech of a synthesiser that nobody learnt from is told from speech of people whom nobody learnt from.

Every maker of speech is left out in turn, with half of the people: what learns hears neither. What a genuine voice may
pass on its way and stay genuine is measured beside, by what learnt from all makers and the other half of the people.
So is whether people are taken for machines where they were recorded in a way that nobody learnt from: the voices of
synthesisers were recorded in studios, and what tells studios from telephones tells nothing of machines. Intervals of
95 % draw people, and the utterances of a synthesiser, which has few voices or one.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.metrics import auc
from monitor.lab.corpus.synthesisers import KIN
from monitor.lab.corpus.voice_windows import GENUINE, SpeechWindow
from monitor.lab.distortions.voice_lines import PLAIN
from monitor.lab.metrics.intervals import bootstrap_interval, wilson

FOLDS = 2
ROUNDS = 500
# Genuine windows that may be called synthetic, by which a threshold is set.
ALLOWED = 0.05
# Cepstral coefficients of linear bands that the simple model knows windows by.
CEPSTRUM = 20

Doubles = NDArray[np.float64]
# Learns from windows (N, T, B) and whether a machine made them (N,), numbered by maker; gives what scores windows.
Fit = Callable[[NDArray[Any], NDArray[np.int64]], Callable[[NDArray[Any]], Doubles]]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How well a maker that was left out is told: mean AUC over halves of the people, its interval, and of how many.

    Of a kind of recording, `maker` is its name, and genuine people of it stand where a maker's utterances do.
    """

    maker: str
    auc: float
    low: float
    high: float
    windows: int
    people: int
    genuine: int


@dataclass(frozen=True, slots=True)
class Confound:
    """What a line does to genuine speech: AUC against genuine speech on the plain line, and the share found suspicious.

    A share of `ALLOWED` is what drawn lines give.
    """

    line: str
    auc: float
    suspicious: float
    low: float
    high: float
    windows: int


def fold_of(person: str) -> int:
    """Say which half of the people somebody is in."""
    return zlib.crc32(person.encode()) % FOLDS


def makers_of(windows: Sequence[SpeechWindow]) -> list[str]:
    """Name the makers that are no people."""
    return sorted({window.maker for window in windows} - {GENUINE})


def left_out(windows: Sequence[SpeechWindow], maker: str, fit: Fit, rounds: int = ROUNDS) -> LeftOut:
    """Leave one maker out, and half of the people in turn."""
    drawn = [window for window in windows if window.line.startswith("drawn")]
    vocoded = {window.person for window in drawn if window.maker == maker} & {w.person for w in drawn if w.genuine}
    kin = KIN.get(maker, frozenset()) | {maker}
    halves = []
    for fold in range(FOLDS):
        known = [w for w in drawn if w.maker not in kin and (_synthesised(w) or fold_of(w.person) != fold)]
        score = _learnt(known, fit)
        genuine = [w for w in drawn if w.genuine and fold_of(w.person) == fold]
        made = [w for w in drawn if w.maker == maker and (not vocoded or fold_of(w.person) == fold)]
        if genuine and made:
            halves.append(_Half(genuine, made, score(_bands(genuine)), score(_bands(made))))
    return _summary(maker, halves, rounds)


def kind_left_out(
    windows: Sequence[SpeechWindow], kind: str, people: Collection[str], fit: Fit, rounds: int = ROUNDS
) -> LeftOut:
    """Leave the people of a kind of recording out, and half of the others in turn, and ask who is like a machine.

    The AUC is that of their genuine speech against the genuine speech of the others who were left out.
    """
    drawn = [window for window in windows if window.line.startswith("drawn")]
    theirs = [w for w in drawn if w.genuine and w.person in people]
    halves = []
    for fold in range(FOLDS):
        known = [w for w in drawn if _synthesised(w) or (w.person not in people and fold_of(w.person) != fold)]
        genuine = [w for w in drawn if w.genuine and w.person not in people and fold_of(w.person) == fold]
        if theirs and genuine and any(w.genuine for w in known):
            score = _learnt(known, fit)
            halves.append(_Half(genuine, theirs, score(_bands(genuine)), score(_bands(theirs))))
    return _summary(kind, halves, rounds)


def confounds(windows: Sequence[SpeechWindow], fit: Fit) -> list[Confound]:
    """Measure every line that genuine voices were sent down, by what learnt from all makers and other people."""
    above: dict[str, list[float]] = {}
    drawn = [w for w in windows if w.line.startswith("drawn")]
    for fold in range(FOLDS):
        score = _learnt([w for w in drawn if _synthesised(w) or fold_of(w.person) != fold], fit)
        usual = score(_bands([w for w in drawn if w.genuine and fold_of(w.person) == fold]))
        # Two models have two scales: what is compared is how far a score lies above its own limit.
        limit = float(np.quantile(usual, 1 - ALLOWED))
        others = [w for w in windows if w.genuine and fold_of(w.person) == fold and not w.line.startswith("drawn")]
        for window, value in zip(others, score(_bands(others)) if others else (), strict=True):
            above.setdefault(window.line, []).append(float(value) - limit)
    plain = np.array(above.get(PLAIN.name, []))
    return [_confound(line, np.array(values), plain) for line, values in above.items()]


def is_evidence(rows: Sequence[LeftOut], lines: Sequence[Confound], kinds: Sequence[LeftOut] = ()) -> bool:
    """Whether anything may be said by it: every maker left out above chance by its interval, no person mistaken.

    A line is mistaken where more genuine windows than twice what is allowed are found suspicious, by its interval; a
    kind of recording where it lies above chance by its own.
    """
    are_told = all(row.low > 0.5 for row in rows)
    return are_told and all(line.low <= 2 * ALLOWED for line in lines) and all(kind.low <= 0.5 for kind in kinds)


def cepstral_statistics(bands: NDArray[Any]) -> Doubles:
    """Know windows (N, T, B) by means of cepstral coefficients' absolute changes, and their spreads: (N, 3 * CEPSTRUM).

    No mean of a coefficient is among them: that is the microphone's and the speaker's.
    """
    x = bands.astype(np.float64)
    x = x - x.mean(1, keepdims=True)
    order = np.arange(x.shape[2])
    basis = np.cos(np.pi * (order[:, None] + 0.5) * np.arange(1, CEPSTRUM + 1) / x.shape[2])
    cepstrum = x @ basis / x.shape[2]
    first, second = np.diff(cepstrum, axis=1), np.diff(cepstrum, 2, axis=1)
    parts = [cepstrum.std(1), np.abs(first).mean(1), np.abs(second).mean(1)]
    return np.asarray(np.log(np.concatenate(parts, axis=1) + 1e-6))


@dataclass(frozen=True, slots=True, eq=False)
class _Half:
    """Scores of half of the people, and of a maker left out."""

    genuine: Sequence[SpeechWindow]
    made: Sequence[SpeechWindow]
    real: Doubles
    fake: Doubles

    def redrawn(self, random: np.random.Generator) -> float:
        """Give the AUC of people and utterances drawn with replacement."""
        return auc(_redrawn(self.fake, self.made, random), _redrawn(self.real, self.genuine, random))


def _summary(name: str, halves: Sequence[_Half], rounds: int) -> LeftOut:
    if not halves:
        return LeftOut(name, float("nan"), float("nan"), float("nan"), 0, 0, 0)
    values = [np.mean([half.redrawn(random) for half in halves]) for random in _rounds(rounds)]
    low, high = bootstrap_interval(np.array(values))
    middle = float(np.mean([auc(half.fake, half.real) for half in halves]))
    clips, people = ({getattr(w, of) for half in halves for w in half.made} for of in ("clip", "person"))
    return LeftOut(name, middle, low, high, len(clips), len(people), len({w.person for h in halves for w in h.genuine}))


def _redrawn(values: Doubles, windows: Sequence[SpeechWindow], random: np.random.Generator) -> Doubles:
    # A vocoding has as many people as there are clips, a synthesiser as many utterances.
    units = np.unique([window.clip for window in windows], return_inverse=True)[1]
    order = np.argsort(units, kind="stable")
    groups = np.split(values[order], np.cumsum(np.bincount(units))[:-1])
    return np.concatenate([groups[n] for n in random.integers(0, len(groups), len(groups))])


def _learnt(windows: Sequence[SpeechWindow], fit: Fit) -> Callable[[NDArray[Any]], Doubles]:
    numbers: Mapping[str, int] = {GENUINE: 0} | {name: n + 1 for n, name in enumerate(makers_of(windows))}
    return fit(_bands(windows), np.array([numbers[window.maker] for window in windows], np.int64))


def _bands(windows: Sequence[SpeechWindow]) -> NDArray[Any]:
    return np.stack([window.bands for window in windows])


def _synthesised(window: SpeechWindow) -> bool:
    """Whether nobody's speech is in it; whoever is vocoded is in one half of the people."""
    return window.clip.startswith(f"{window.maker} ")


def _confound(line: str, above: Doubles, plain: Doubles) -> Confound:
    share = float((above > 0).mean())
    low, high = wilson(float((above > 0).sum()), len(above))
    return Confound(line, auc(above, plain), share, low, high, len(above))


def _rounds(rounds: int) -> Iterator[np.random.Generator]:
    return (np.random.default_rng((17, n)) for n in range(rounds))
