"""People as recorded clips show them: encoded, divided into what is enrolled and what is probed, and measured.

Building the population and measuring against it are the same work, so that its p-values mean what live ones do. The
invariant: what is probed is never enrolled, and no person is scored by a pair model that was fitted to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.base import Engine
from engines.load import load_engine
from monitor.detectors.packs import home
from monitor.detectors.pairwise.detector import components, nearest_rung, within_call
from monitor.detectors.pairwise.entry import ARTEFACTS, IDENTITY
from monitor.detectors.pairwise.measures import (
    GUARD_LOOKS,
    MEASURES,
    MIN_LOOKS,
    PAIRS,
    WINDOW_LOOKS,
    difference,
    leave_one_out,
    measure,
)
from monitor.detectors.pairwise.mixture import Mixture
from monitor.detectors.pairwise.pair_features import FEATURES, Feature, far_pairs, pair_features
from monitor.detectors.pairwise.population import COMPONENTS, Population, PopulationError
from monitor.detectors.pairwise.reference import PairwiseReference, Rung, build_reference
from monitor.face.encoders import FaceEncoders, identities
from monitor.face.shot import FaceShot
from monitor.face.vectors import FaceVectors
from monitor.identity.enrolment.condition_ladder import RUNGS, Step
from monitor.lab.corpus.face_shots import ClipLooks, ladder_key, load_looks
from monitor.lab.corpus.manifest import (
    RESEARCH_SPLIT,
    Row,
    apply_split,
    group_by_subject,
    read_folder,
    read_manifest,
    workers_here,
)
from monitor.lab.progress import clip_progress
from monitor.tap.media.digest import digest
from monitor.types import FloatArray

# People are measured as recorded and on a poor line: the rungs between add nothing and cost as much.
LADDER = (RUNGS[0], RUNGS[3])
# Rows of a gallery, as an enrolment keeps them.
GALLERY_ROWS = 64
PAIRS_PER_CLIP = 60
# Windows drawn of each clip on each rung: against the rest of the clip, and against the person's other clips.
WINDOWS_WITHIN_CLIP, WINDOWS_ACROSS_CLIPS = 6, 2
_REFERENCE_TIME = "1970-01-01T00:00:00Z"

Doubles = NDArray[np.float64]
Indices = NDArray[np.int64]
# Half of them must say what is natural.
MIN_PEOPLE = 2
# From features (N, D), and what to divide them by, (D,) or None, to the arrays of a mixture.
Fit = Callable[[FloatArray, FloatArray | None], Mapping[str, Doubles]]


@dataclass(frozen=True, slots=True, eq=False)
class FaceClip:
    """One encoded clip: its looks on each rung, by name, the first as recorded; `bitrate` in kbit/s."""

    row: Row
    rungs: dict[str, FaceVectors]
    bitrate: float

    def __len__(self) -> int:
        return len(self.recorded)

    @property
    def recorded(self) -> FaceVectors:
        """The looks as recorded."""
        return next(iter(self.rungs.values()))


@dataclass(frozen=True, slots=True, eq=False)
class FaceTrial:
    """One division of a person's genuine clips: pieces (clip, rows) that are enrolled, and the piece that is probed.

    `start` is another piece of the probed clip, where there is enough of it; `same_recording` says that there is one
    clip only.
    """

    enrolled: tuple[tuple[FaceClip, Indices], ...]
    probe: tuple[FaceClip, Indices]
    start: Indices | None
    same_recording: bool


def read_rows(data: Path, split: Path | None, forged: bool) -> list[Row]:
    """Read the clips of a manifest or a folder; forged ones too where asked for. Raises `CorpusError`."""
    rows = read_folder(data) if data.is_dir() else read_manifest(data)
    if split is not None:
        rows = apply_split(rows, RESEARCH_SPLIT.with_name("matched.csv") if str(split) == "matched" else split)
    return [row for row in rows if forged or row.label == "real"]


def encode_clips(
    rows: Sequence[Row],
    artefacts: Engine,
    identity: Engine | None,
    cache: Path,
    ladder: bool,
    tick: Callable[[str | None], None],
    workers: int | None = None,
) -> list[FaceClip]:
    """Encode what is seen in each clip; clips with too little of a face are left out, with a line to `tick`.

    Identity vectors are kept beside the looks: their encoder changes seldom and costs the most.
    """
    encode, clips = FaceEncoders(artefacts, None), []
    for row, looks in load_looks(
        rows, cache, workers or workers_here(), LADDER[: 2 if ladder else 1], lambda _count: None
    ):
        if isinstance(looks, str) or len(looks) < MIN_LOOKS:
            tick(looks if isinstance(looks, str) else f"{row.name}: too little of a face")
            continue
        clips.append(FaceClip(row, _rungs(row, looks, encode, identity, cache), looks.bitrate))
        tick(None)
    return clips


def _rungs(
    row: Row, looks: ClipLooks, encode: FaceEncoders, identity: Engine | None, cache: Path
) -> dict[str, FaceVectors]:
    """Encode the looks on each rung."""
    digest_of_clip, vectors_by_rung = digest(row.path), {}
    for step, shots in zip(LADDER, looks.rungs.values(), strict=False):
        vectors = encode(shots)
        if identity is not None:
            vectors = replace(vectors, identity=cached_identities(digest_of_clip, step, shots, identity, cache))
        vectors_by_rung[step.name] = vectors
    return vectors_by_rung


def cached_identities(content: str, step: Step, shots: Sequence[FaceShot], identity: Engine, cache: Path) -> FloatArray:
    """Return the identity vectors of a clip's looks on a rung, kept beside them."""
    path = cache / f"{content}-{ladder_key([step])}.{identity.manifest.sha256[:16]}.npy"
    if not path.exists():
        vectors = [identities(shots[at : at + WINDOW_LOOKS], identity) for at in range(0, len(shots), WINDOW_LOOKS)]
        np.save(path, np.concatenate(vectors))
    stored: FloatArray = np.load(path, allow_pickle=False)
    return stored


def trials(clips: Sequence[FaceClip]) -> list[FaceTrial]:
    """Divide one person's clips: each against the others; the only one, half against half."""
    if len(clips) == 1:
        clip = clips[0]
        halves = np.array_split(np.arange(len(clip)), 2)
        if min(map(len, halves)) < MIN_LOOKS:
            return []
        return [FaceTrial(((clip, a),), (clip, b), a, True) for a, b in (halves, halves[::-1])]
    divisions = []
    for clip in clips:
        other_clips = tuple((other, np.arange(len(other))) for other in clips if other is not clip)
        if sum(len(rows) for _, rows in other_clips) < MIN_LOOKS:
            continue
        halves = np.array_split(np.arange(len(clip)), 2)
        if min(map(len, halves)) < MIN_LOOKS:
            divisions.append(FaceTrial(other_clips, (clip, np.arange(len(clip))), None, False))
        else:
            divisions += [FaceTrial(other_clips, (clip, b), a, False) for a, b in (halves, halves[::-1])]
    return divisions


def enrolled(trial: FaceTrial, population: Population, ladder: bool = True) -> PairwiseReference:
    """Make the reference of a trial; without `ladder` it knows the gallery as recorded only."""
    clip = np.concatenate([np.full(len(rows), n) for n, (_, rows) in enumerate(trial.enrolled)])
    gallery = np.unique(np.linspace(0, len(clip) - 1, min(GALLERY_ROWS, len(clip))).astype(int))
    names = list(trial.enrolled[0][0].rungs)[: None if ladder else 1]
    rungs = [
        Rung(name, FaceVectors.join([c.rungs[name].take(rows) for c, rows in trial.enrolled]).take(gallery))
        for name in names
    ]
    return build_reference(_REFERENCE_TIME, population.key, clip[gallery], rungs, population, trial.same_recording)


def windows(rows: Indices) -> list[Indices]:
    """Divide rows into windows of about the length that is scored live."""
    return [part for part in np.array_split(rows, max(round(len(rows) / WINDOW_LOOKS), 1)) if len(part) >= MIN_LOOKS]


def judge(
    live: FaceVectors, start: FaceVectors | None, reference: PairwiseReference, population: Population
) -> Doubles:
    """Return the components (3,) of live looks, as the detector does."""
    rung, _ = nearest_rung(live, reference, population)
    raw = measure(live, reference.rungs[rung].vectors, reference.mixture)
    change = within_call(live, start, population)
    return np.array([*components(raw, reference.norms[rung]), np.nan if change is None else change])


def difffake_pairs(clips: Sequence[FaceClip], kind: Feature) -> FloatArray:
    """Pair features of each clip with itself on every rung, looks far apart in pose and expression: (N, D)."""
    features = []
    for clip in clips:
        for vectors in clip.rungs.values():
            first, second = far_pairs(vectors, PAIRS_PER_CLIP // len(clip.rungs) + 1)
            features.append(pair_features(vectors.artefacts[first], vectors.artefacts[second], kind))
    return np.concatenate(features)


def genuine_differences(people: Iterable[Sequence[FaceClip]], seed: int = 0) -> FloatArray:
    """Differences of windows of genuine clips from the rest of the clip and from the person's others: (N, D)."""
    random, differences = np.random.default_rng(seed), []
    for clips_of_person in people:
        for clip in clips_of_person:
            for name, vectors in clip.rungs.items():
                differences += [
                    difference(vectors.take(a), vectors.take(b)) for a, b in _windows_and_rest(len(clip), random)
                ]
                others = [other.rungs[name] for other in clips_of_person if other is not clip]
                if others:
                    other_vectors = FaceVectors.join(others)
                    rows = [np.sort(random.permutation(len(clip))[:WINDOW_LOOKS]) for _ in range(WINDOWS_ACROSS_CLIPS)]
                    differences += [difference(vectors.take(window), other_vectors) for window in rows]
    return np.concatenate(differences)


def _windows_and_rest(count: int, random: np.random.Generator) -> Iterator[tuple[Indices, Indices]]:
    for first in random.integers(0, max(count - MIN_LOOKS, 0) + 1, WINDOWS_WITHIN_CLIP):
        window_rows = np.arange(first, min(first + WINDOW_LOOKS, count))
        other_rows = np.setdiff1d(np.arange(count), np.arange(first - GUARD_LOOKS, first + WINDOW_LOOKS + GUARD_LOOKS))
        if min(len(window_rows), len(other_rows)) >= MIN_LOOKS:
            yield window_rows, other_rows


@dataclass(frozen=True, slots=True, eq=False)
class FittedPopulation:
    """A population, the names of its people in order, and the two that each half of them is measured by.

    `sides[n % 2]` measures person n: it was fitted to the other half.
    """

    population: Population
    people: tuple[str, ...]
    sides: tuple[Population, Population]

    def measured_by(self, person: str) -> Population:
        """Return what a person of the population is measured by: fitted to others, with the others' genuine scores."""
        index = self.people.index(person)
        others = self.population.person != index
        scores, people = self.population.scores[others], self.population.person[others]
        return replace(self.sides[index % 2], scores=scores, person=people)


def build_population(clips: Sequence[FaceClip], key: str, kind: Feature, fit: Fit) -> FittedPopulation:
    """Make the population of genuine clips; half of the people are scored by what was fitted to the other half.

    Raises `PopulationError` where the clips show too little.
    """
    people = group_by_subject(clips, "real")
    if len(people) < MIN_PEOPLE:
        raise PopulationError(f"{len(people)} people are too few: give genuine clips of at least {MIN_PEOPLE}")
    halves = [
        {name: clips_of_person for n, (name, clips_of_person) in enumerate(people.items()) if n % 2 == side}
        for side in (0, 1)
    ]
    fitted = [
        _without_scores([c for clips_of_person in halves[1 - side].values() for c in clips_of_person], key, kind, fit)
        for side in (0, 1)
    ]
    scores_of_probes: list[Doubles] = []
    person: list[int] = []
    for number, clips_of_person in enumerate(people.values()):
        probe_scores = list(genuine(clips_of_person, fitted[number % 2]))
        scores_of_probes += probe_scores
        person += [number] * len(probe_scores)
    whole = _without_scores([c for clips_of_person in people.values() for c in clips_of_person], key, kind, fit)
    scores = np.array(scores_of_probes, np.float64).reshape(-1, len(COMPONENTS))
    whole = replace(whole, scores=scores, person=np.array(person, np.int64))
    return FittedPopulation(whole, tuple(people), (fitted[0], fitted[1]))


def build_from_packs(
    rows: Sequence[Row], packs: Path, feature: str, cache: Path, workers: int | None
) -> tuple[FittedPopulation, Sequence[FaceClip]]:
    """Encode the clips and build the population of the genuine ones; raises `EngineError`."""
    from engines.training.pairs import fit_mixture

    artefacts = load_engine(ARTEFACTS, models=home(ARTEFACTS, packs))
    identity_folder = home(IDENTITY, packs)
    identity = (
        load_engine(IDENTITY, models=identity_folder)
        if (identity_folder / IDENTITY / "manifest.json").exists()
        else None
    )
    with clip_progress("looking at clips", len(rows)) as tick:
        parts = [[r for r in rows if r.label == label] for label in ("real", "fake")]
        real, fake = (
            encode_clips(part, artefacts, identity, cache, label == "real", tick, workers) if part else []
            for part, label in zip(parts, ("real", "fake"), strict=True)
        )
    pair_feature = next(one for one in FEATURES if one == feature)
    built = build_population(real, FaceEncoders(artefacts, identity).key, pair_feature, fit_mixture)
    return built, [*real, *fake]


def genuine(clips: Sequence[FaceClip], population: Population) -> Iterator[Doubles]:
    """Components of one person's genuine probes, on every rung."""
    for trial in trials(clips):
        reference = enrolled(trial, population)
        clip, probe_rows = trial.probe
        for vectors in clip.rungs.values():
            start = vectors.take(trial.start) if trial.start is not None else None
            for window_rows in windows(probe_rows):
                yield judge(vectors.take(window_rows), start, reference, population)


def _without_scores(clips: Sequence[FaceClip], key: str, kind: Feature, fit: Fit) -> Population:
    people = group_by_subject(clips, "real")
    artefact_vectors = np.concatenate([v.artefacts for clip in clips for v in clip.rungs.values()])
    spread_of_vectors = np.asarray(artefact_vectors.std(0) + np.float32(1e-6), np.float32)
    mixture = Mixture.from_arrays(fit(genuine_differences(people.values()), spread_of_vectors))
    within = [_left_out([[clip] for clip in clips_of_person], mixture) for clips_of_person in people.values()]
    across = [
        _left_out([clips_of_person] if len(clips_of_person) > 1 else [], mixture) for clips_of_person in people.values()
    ]
    location, scale = _usual(within)
    location_across, scale_across = _usual(across)
    # Where every clip is too short to be divided, other recordings stand in for one.
    location, scale = (np.where(np.isfinite(a), a, b) for a, b in ((location, location_across), (scale, scale_across)))
    if not np.isfinite(location[PAIRS]):
        raise PopulationError("the genuine clips show too little of each person: give longer or more clips of people")
    measured_across = np.isfinite(location_across) & np.isfinite(scale_across)
    conditions = np.concatenate([v.condition for clip in clips for v in clip.rungs.values()])
    return Population(
        key=key,
        kind=kind,
        mixture=mixture,
        published=Mixture.from_arrays(fit(difffake_pairs(clips, kind), None)),
        location=location,
        scale=scale,
        shift=np.where(measured_across, np.maximum(location_across - location, 0), 0),
        session=np.where(measured_across, np.sqrt(np.maximum(scale_across**2 - scale**2, 0)), 0),
        condition=np.maximum(conditions.std(0).astype(np.float64), 1e-3),
        scores=np.zeros((0, 3)),
        person=np.zeros(0, np.int64),
    )


def _left_out(groups: Sequence[Sequence[FaceClip]], mixture: Mixture) -> Doubles:
    """Measure windows of each group of clips against the rest of the group, on every rung: (B, M)."""
    measures = [np.zeros((0, len(MEASURES)))]
    for group in groups:
        clip = np.concatenate([np.full(len(c), n) for n, c in enumerate(group)])
        for name in group[0].rungs:
            gallery = FaceVectors.join([c.rungs[name] for c in group])
            measures.append(leave_one_out(gallery, clip, mixture)[0])
    return np.concatenate(measures)


def _usual(people: Sequence[Doubles]) -> tuple[Doubles, Doubles]:
    """Mean over people of their mean, and how far a window of anybody lies from it; NaN where nobody gave two."""
    finite = [[column[np.isfinite(column)] for column in windows_of_person.T] for windows_of_person in people]
    centres = [[c.mean() if len(c) > 1 else np.nan for c in windows_of_person] for windows_of_person in finite]
    spreads = [[c.var() if len(c) > 1 else np.nan for c in windows_of_person] for windows_of_person in finite]
    location = _mean(centres)
    between = _mean(
        [[(c - m) ** 2 for c, m in zip(windows_of_person, location, strict=True)] for windows_of_person in centres]
    )
    return location, np.maximum(np.sqrt(_mean(spreads) + between), 1e-6)


def _mean(rows: Sequence[Sequence[float]]) -> Doubles:
    columns = np.array(rows, np.float64).reshape(-1, len(MEASURES)).T
    return np.array([float(c[np.isfinite(c)].mean()) if np.isfinite(c).any() else np.nan for c in columns])
