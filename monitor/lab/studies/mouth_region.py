"""Whether a mouth that was pasted into a face is told from the rest of that face, and from the person's own mouth.

Features of one moment compare the lower face with the skin of the rest of it, in the same picture: how sharp, how
noisy, how coloured, how much it flickers from one picture to the next. What learns is shown mouths that were pasted
here and genuine faces, both received alike, and never a published method but in `known`: by leaving it out. People are
in halves: nobody is scored by what learnt from them. Beside each method stand genuine clips that were only coded again.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from engines.metrics import auc
from engines.training.pasted_mouths import Paste, paste
from engines.training.pseudo import SCHEMES, hull
from engines.training.received import Degradation, receive
from monitor.lab.corpus.manifest import Row
from monitor.lab.corpus.mouth_moments import MouthMoments
from monitor.lab.metrics.intervals import bootstrap_interval
from monitor.types import ByteArray, FloatArray

FOLDS, ROUNDS = 2, 500
FEATURES = (
    "detail", "middle detail", "noise", "chroma noise", "flicker", "movement", "flicker of chroma", "seam",
    "lightness", "colour b", "colour r", "detail of borders",
)  # fmt: skip
# Genuine clips that were coded again: what a poor line does, and no forgery.
POOR = Degradation(scale=0.6, codec="h264", level=32)
# Of each genuine clip: mouths pasted, and ways that all of it is received.
PASTES = 2
_BORDER_PIXELS, _GROWN_PIXELS = 9, 15

Doubles = NDArray[np.float64]
# Learns from features (N, F) and whether a mouth was pasted (N,); gives what scores features.
Fit = Callable[[Doubles, NDArray[np.bool_]], Callable[[Doubles], Doubles]]


@dataclass(frozen=True, slots=True, eq=False)
class SeenClip:
    """Features (M, F) of one clip: as recorded, `poor` coded again, and of the `pasted` and `received` training kind.

    The latter two are (K, F), `received` being genuine on the lines that the pasted ones took; empty for a forgery.
    """

    row: Row
    plain: Doubles
    poor: Doubles
    pasted: Doubles
    received: Doubles

    @property
    def genuine(self) -> bool:
        """Whether the manifest calls it so."""
        return self.row.label == "real"


@dataclass(frozen=True, slots=True)
class MethodRow:
    """How forgeries of one method are told: by the mean score of a clip, against genuine clips of people in general.

    `own` is the AUC where each clip is compared with the same person's genuine mouths, NaN where nobody has any;
    `coded_again` that of genuine clips that were coded again in place of forged ones, the confound.
    """

    method: str
    clips: int
    people: int
    auc: float
    low: float
    high: float
    known: float
    known_low: float
    known_high: float
    own: float
    own_low: float
    own_high: float
    own_clips: int


def see(row: Row, moments: MouthMoments) -> SeenClip:
    """Measure a clip, and paste mouths into it where it is genuine."""
    random = np.random.default_rng(zlib.crc32(row.name.encode()))
    size = moments.pictures.shape[2]
    every = [Regions.of(landmarks[0], size) for landmarks in moments.landmarks]
    plain = np.stack([features(pictures, at) for pictures, at in zip(moments.pictures, every, strict=True)])
    nothing = np.zeros((0, len(FEATURES)))
    if row.label != "real":
        return SeenClip(row, plain, nothing, nothing, nothing)
    poor = [features(_received(pictures, POOR), at) for pictures, at in zip(moments.pictures, every, strict=True)]
    pasted, received = [], []
    for n, at in enumerate(every):
        for _ in range(PASTES):
            line = Degradation.draw(random, 0.35).at(size)
            forged = _pasted(moments, n, int(random.choice([k for k in range(len(every)) if k != n])), random)
            pasted.append(features(_received(forged, line), at))
            received.append(features(_received(moments.pictures[n], line), at))
    return SeenClip(row, plain, np.stack(poor), np.stack(pasted), np.stack(received))


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Of one picture, (S, S) each: the `lower` face, the skin of the `rest` without the eyes, the `border` between."""

    lower: NDArray[np.bool_]
    rest: NDArray[np.bool_]
    border: NDArray[np.bool_]

    @classmethod
    def of(cls, landmarks: FloatArray, size: int) -> Regions:
        """Find them by landmarks (468, 2) in pixels."""
        lower, whole, eyes = (hull(landmarks[list(SCHEMES[name])], size) for name in ("lower", "whole", "eyes"))
        inner = _filtered(whole, ImageFilter.MinFilter(_BORDER_PIXELS))
        near = [_filtered(lower, how(_BORDER_PIXELS)) for how in (ImageFilter.MaxFilter, ImageFilter.MinFilter)]
        apart = ~_filtered(lower, ImageFilter.MaxFilter(_GROWN_PIXELS)) & ~_filtered(eyes, ImageFilter.MaxFilter(5))
        return cls((lower > 0.5) & inner, inner & apart, near[0] & ~near[1] & inner)


def features(pictures: ByteArray, at: Regions) -> Doubles:
    """Compare the lower face with the rest: (F,), of two pictures (2, S, S, 3)."""
    lower, rest = at.lower, at.rest
    planes = [np.asarray(Image.fromarray(picture).convert("YCbCr"), np.float32) for picture in pictures]
    soft = [_blurred(plane, 1.0) for plane in planes]
    coarse = [_blurred(plane[..., :1], 3.0)[..., 0] for plane in planes]
    fine = [plane - blurred for plane, blurred in zip(planes, soft, strict=True)]
    detail, middle = fine[0][..., 0] ** 2, (soft[0][..., 0] - coarse[0]) ** 2
    flicker = fine[1] - fine[0]

    def ratio(values: FloatArray, where: NDArray[np.bool_] = lower) -> float:
        return float(np.log((values[where].mean() + 0.02) / (values[rest].mean() + 0.02)))

    def spread(values: FloatArray) -> float:
        """Compare what half of the pixels stay under: noise, and no edges."""
        return float(np.log((np.median(np.abs(values[lower])) + 0.02) / (np.median(np.abs(values[rest])) + 0.02)))

    light = [float(np.median(planes[0][lower, n]) - np.median(planes[0][rest, n])) for n in range(3)]
    return np.array(
        [
            ratio(detail),
            ratio(middle),
            spread(fine[0][..., 0]),
            spread(fine[0][..., 1] + fine[0][..., 2]),
            ratio(flicker[..., 0] ** 2) - ratio(detail),
            ratio(np.abs(coarse[1] - coarse[0])),
            spread(flicker[..., 1] + flicker[..., 2]),
            ratio(middle, at.border) - ratio(middle),
            light[0] / 20,
            light[1] / 5,
            light[2] / 5,
            ratio(detail, at.border) - ratio(detail),
        ]
    )


def by_method(clips: Sequence[SeenClip], fit: Fit, rounds: int = ROUNDS) -> list[MethodRow]:
    """Measure every method of the forged clips, the confound last."""
    methods = sorted({clip.row.method for clip in clips if not clip.genuine})
    blind, blind_own = _scores(clips, fit, None), _own_scores(clips, fit)
    rows = []
    for method in methods:
        chosen = [clip for clip in clips if clip.row.method == method and not clip.genuine]
        knowing = _scores(clips, fit, method)
        rows.append(_row(method, chosen, clips, (blind, knowing, blind_own), rounds))
    genuine = [clip for clip in clips if clip.genuine]
    poor = (_scores(clips, fit, None, poor=True), _scores(clips, fit, "", poor=True), _own_scores(clips, fit, True))
    rows.append(_row("genuine, coded again", genuine, clips, (blind, _scores(clips, fit, ""), blind_own), rounds, poor))
    return rows


def fold_of(person: str) -> int:
    """Say which half of the people somebody is in."""
    return zlib.crc32(person.encode()) % FOLDS


Scores = dict[str, float]


def _scores(clips: Sequence[SeenClip], fit: Fit, known_but: str | None, poor: bool = False) -> Scores:
    """Score every clip by what learnt from the other half of the people.

    With `known_but` it learnt from forgeries of all methods but that one as well.
    """
    found: Scores = {}
    for fold in range(FOLDS):
        others = [clip for clip in clips if fold_of(clip.row.subject) != fold]
        real = [part for clip in others if clip.genuine for part in (clip.received, clip.plain)]
        fake = [clip.pasted for clip in others if clip.genuine]
        if known_but is not None:
            fake += [clip.plain for clip in others if not clip.genuine and clip.row.method != known_but]
        score = _fitted(real, fake, fit)
        for clip in clips:
            if fold_of(clip.row.subject) == fold:
                found[clip.row.name] = float(score(clip.poor if poor and clip.genuine else clip.plain).mean())
    return found


def _own_scores(clips: Sequence[SeenClip], fit: Fit, poor: bool = False) -> Scores:
    """Score the differences from the same person's genuine mouths: other clips of theirs, or the first half of one."""
    found: Scores = {}
    for fold in range(FOLDS):
        others = [clip for clip in clips if clip.genuine and fold_of(clip.row.subject) != fold]
        pairs = [(clip, _enrolled(clip, clips)) for clip in others]
        real = [part - own for clip, own in pairs if own is not None for part in (clip.received, _later(clip.plain))]
        fake = [clip.pasted - own for clip, own in pairs if own is not None]
        score = _fitted(real, fake, fit)
        for clip in clips:
            own = _enrolled(clip, clips) if fold_of(clip.row.subject) == fold else None
            if own is not None:
                shown = clip.poor if poor and clip.genuine else clip.plain
                found[clip.row.name] = float(score((_later(shown) if clip.genuine else shown) - own).mean())
    return found


def _enrolled(clip: SeenClip, clips: Sequence[SeenClip]) -> Doubles | None:
    theirs = [other for other in clips if other.genuine and other.row.subject == clip.row.subject]
    apart = [other.plain for other in theirs if other.row.name != clip.row.name]
    if not apart and clip.genuine:
        apart = [clip.plain[: -(-len(clip.plain) // 2)]]
    return np.concatenate(apart).mean(0) if apart else None


def _later(moments: Doubles) -> Doubles:
    """Give the second half of the moments of a genuine clip: its first may be what it is compared with."""
    return moments[-(-len(moments) // 2) :] if len(moments) > 1 else moments


def _fitted(real: Sequence[Doubles], fake: Sequence[Doubles], fit: Fit) -> Callable[[Doubles], Doubles]:
    rows = np.concatenate([*real, *fake])
    return fit(rows, np.arange(len(rows)) >= sum(map(len, real)))


def _row(
    method: str,
    chosen: Sequence[SeenClip],
    clips: Sequence[SeenClip],
    scores: tuple[Scores, Scores, Scores],
    rounds: int,
    instead: tuple[Scores, Scores, Scores] | None = None,
) -> MethodRow:
    genuine = [clip for clip in clips if clip.genuine]
    found = []
    for n, of_all in enumerate(scores):
        fake = _by_person(chosen, of_all if instead is None else instead[n])
        found.append(_interval(fake, _by_person(genuine, of_all), rounds))
    people = {clip.row.subject for clip in chosen}
    plain, known, own = found
    with_own = sum(clip.row.name in scores[2] for clip in chosen)
    return MethodRow(method, len(chosen), len(people), *plain, *known, *own, with_own)


def _by_person(clips: Sequence[SeenClip], scores: Scores) -> list[Doubles]:
    people: dict[str, list[float]] = {}
    for clip in clips:
        if clip.row.name in scores:
            people.setdefault(clip.row.subject, []).append(scores[clip.row.name])
    return [np.array(values) for values in people.values()]


def _interval(fake: Sequence[Doubles], real: Sequence[Doubles], rounds: int) -> tuple[float, float, float]:
    """Give the AUC and its interval, people drawn on both sides; NaN where a side has nobody."""
    if not fake or not real:
        return float("nan"), float("nan"), float("nan")
    random, values = np.random.default_rng(5), []
    for _ in range(rounds):
        drawn = [[side[n] for n in random.integers(0, len(side), len(side))] for side in (fake, real)]
        values.append(auc(np.concatenate(drawn[0]), np.concatenate(drawn[1])))
    return auc(np.concatenate(fake), np.concatenate(real)), *bootstrap_interval(np.array(values))


def _pasted(moments: MouthMoments, at: int, source: int, random: np.random.Generator) -> ByteArray:
    """Lay the mouth of another moment over both pictures of one, each with its own jitter."""
    how = Paste.draw(random)
    both = [
        paste(
            moments.pictures[at, n],
            moments.landmarks[at, n],
            moments.pictures[source, n],
            moments.landmarks[source, n],
            how,
            random,
        )
        for n in range(2)
    ]
    return np.stack(both)


def _received(pictures: ByteArray, line: Degradation) -> ByteArray:
    return np.stack([receive(picture, line) for picture in pictures])


def _filtered(mask: FloatArray, how: Any) -> NDArray[np.bool_]:
    image = Image.fromarray((mask * 255).astype(np.uint8)).filter(how)
    return np.asarray(np.asarray(image) > 127, np.bool_)


def _blurred(values: FloatArray, pixels: float) -> FloatArray:
    """Blur a picture (S, S, 3) by a Gaussian, one row of a separable kernel at a time."""
    reach = int(3 * pixels)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / pixels) ** 2)
    kernel /= kernel.sum()
    for axis in (0, 1):
        padded = np.pad(values, [(reach, reach) if n == axis else (0, 0) for n in range(values.ndim)], "edge")
        length, out = values.shape[axis], np.zeros_like(values)
        for first, share in enumerate(kernel):
            out += np.float32(share) * (
                padded[first : first + length] if axis == 0 else padded[:, first : first + length]
            )
        values = out
    return values
