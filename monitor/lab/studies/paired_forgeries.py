"""Matched pairs: a person's forged clips beside that person's own genuine ones, each against the same enrolment.

The only fair question to ask of a score that is relative to a person. Everything stands beside what the confounds
alone would have said: bitrate, sharpness, detail and face size, compared with the same gallery in the same way.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.detectors.pairwise.detector import components, counted_of, nearest_rung, within_call
from monitor.detectors.pairwise.measures import LOGIT, measure
from monitor.detectors.pairwise.pair_features import pair_features
from monitor.detectors.pairwise.population import Population
from monitor.detectors.pairwise.reference import PairwiseReference
from monitor.face.condition import CONDITIONS
from monitor.face.vectors import FaceVectors
from monitor.lab.corpus.manifest import group_by_subject
from monitor.lab.metrics.intervals import wilson
from monitor.lab.metrics.summary import Result, summarise
from monitor.lab.studies.face_population import (
    FaceClip,
    FaceTrial,
    FittedPopulation,
    Indices,
    enrolled,
    trials,
    windows,
)

# What DiffFake takes of one clip.
PUBLISHED_PAIRS = 30
DETECTOR = ("pairwise", "identity", "artefact", "within_call")
# The last: how the face changes when a forgery takes the place of the genuine one in the middle of a call.
PARTS = ("logit", "taken over")
ABSOLUTE = ("logit, absolute", "difffake")
CONFOUNDS = ("bitrate", *CONDITIONS)
SCORES = (*DETECTOR, *PARTS, *ABSOLUTE, *CONFOUNDS)

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Probe:
    """One clip, or half of one, against one enrolment of the person it shows: its mean scores by name.

    `trial` numbers the person's enrolments; `rung` is the one that it was shown on.
    """

    clip: str
    label: str
    method: str
    person: str
    trial: int
    rung: str
    scores: Mapping[str, float]
    p_value: float | None


def difffake_score(vectors: FaceVectors, population: Population, seed: int = 0) -> float:
    """Score a clip by itself as DiffFake does: minus the mean log-likelihood of 30 random pairs of its looks."""
    first, second = np.triu_indices(len(vectors), 1)
    picked = np.random.default_rng(seed).permutation(len(first))[:PUBLISHED_PAIRS]
    a, b = vectors.artefacts[first[picked]], vectors.artefacts[second[picked]]
    return -float(population.published.log_likelihood(pair_features(a, b, population.kind)).mean())


def compare_people(clips: Sequence[FaceClip], fitted: FittedPopulation, ladder: bool = True) -> list[Probe]:
    """Probe every person of whom there are forged clips: forged and genuine against each enrolment.

    A person with one genuine clip is enrolled from half of it: of a forged clip then the other half is probed, as of
    the genuine one. With `ladder` the gallery is known on every rung.
    """
    forged = group_by_subject(clips, "fake")
    probes = []
    for person, genuine_clips in group_by_subject(clips, "real").items():
        if person not in forged:
            continue
        population = fitted.measured_by(person)
        for number, trial in enumerate(trials(genuine_clips)):
            reference = enrolled(trial, population, ladder)
            pieces = _pieces(trial, forged[person])
            probes += [_probe(piece, trial, number, reference, population) for piece in pieces]
    return probes


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """Rows of a clip on one rung, and other rows of it as the start of the call."""

    clip: FaceClip
    rung: str
    rows: Indices
    start: FaceVectors | None
    before: FaceVectors | None


def _pieces(trial: FaceTrial, forged: Sequence[FaceClip]) -> Iterable[_Piece]:
    clip, rows = trial.probe
    before = None if trial.start is None else clip.recorded.take(trial.start)
    for rung, vectors in clip.rungs.items():
        start = None if trial.start is None else vectors.take(trial.start)
        yield _Piece(clip, rung, rows, start, start)
    for fake in forged:
        rung, every_row = next(iter(fake.rungs)), np.arange(len(fake))
        if trial.start is None:
            yield _Piece(fake, rung, every_row, None, None)
            continue
        # The same half as of the genuine clip, so that what is said and how the head moves is the same where it can be.
        second_half = rows[0] > 0
        halves = np.array_split(every_row, 2)
        start = fake.recorded.take(halves[0 if second_half else 1])
        yield _Piece(fake, rung, halves[1 if second_half else 0], start, before)


def _probe(piece: _Piece, trial: FaceTrial, number: int, reference: PairwiseReference, population: Population) -> Probe:
    clip, rows = piece.clip, piece.rows
    vectors = clip.rungs[piece.rung]
    window_scores = []
    for window in windows(rows) or [rows]:
        live = vectors.take(window)
        takeover = within_call(live, piece.before, population)
        scores_of_window = _scores(live, piece.start, reference, population)
        window_scores.append(scores_of_window | {"taken over": np.nan if takeover is None else takeover})
    scores = {name: float(np.mean([row[name] for row in window_scores])) for name in window_scores[0]}
    scores["difffake"] = difffake_score(vectors.take(rows), population)
    scores["bitrate"] = clip.bitrate - float(np.mean([c.bitrate for c, _ in trial.enrolled]))
    parts = np.array([scores[name] for name in DETECTOR[1:]])
    counted = counted_of(parts)
    row = clip.row
    p_value = population.p_value(parts, counted, once=True)
    return Probe(row.name, row.label, method_of(row.method), row.subject, number, piece.rung, scores, p_value)


def method_of(name: str) -> str:
    """Return the method's own name: manifests put where a clip is from before a colon."""
    return name.rsplit(": ", 1)[-1]


def _scores(
    live: FaceVectors, start: FaceVectors | None, reference: PairwiseReference, population: Population
) -> dict[str, float]:
    rung, _ = nearest_rung(live, reference, population)
    gallery, norm = reference.rungs[rung].vectors, reference.norms[rung]
    raw = measure(live, gallery, reference.mixture)
    z = norm.standardise(raw)
    change = within_call(live, start, population)
    parts = np.array([*components(raw, norm), np.nan if change is None else change])
    counted = counted_of(parts)
    recorded = reference.rungs[0].vectors
    gaps = np.median(live.condition, axis=0) - np.median(recorded.condition, axis=0)
    return {
        "pairwise": population.value(parts, counted),
        "identity": float(parts[0]),
        "artefact": float(parts[1]),
        "within_call": float(parts[2]),
        "logit": float(z[LOGIT]),
        "logit, absolute": float(live.logit.mean()),
        **{name: float(gap) for name, gap in zip(CONDITIONS, gaps, strict=True)},
    }


def paired(probes: Sequence[Probe], score: str) -> list[float]:
    """Say of each forged clip in how many of its enrolments it scored above the genuine probe; a tie is half."""
    genuine: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    for probe in probes:
        if probe.label == "real":
            genuine[probe.person, probe.trial].append(probe.scores[score])
    wins: defaultdict[str, list[float]] = defaultdict(list)
    for probe in probes:
        for genuine_score in genuine[probe.person, probe.trial] if probe.label == "fake" else ():
            if np.isfinite([genuine_score, probe.scores[score]]).all():
                wins[probe.clip].append(float(np.sign(probe.scores[score] - genuine_score)) / 2 + 0.5)
    return [float(np.mean(shares)) for shares in wins.values()]


def summary(probes: Sequence[Probe], score: str) -> dict[str, Any]:
    """Compute paired wins and AUC of one score with intervals; genuine probes are those of the same people."""
    wins = paired(probes, score)
    low, high = wilson(sum(wins), len(wins))
    results = [
        Result(p.clip, p.label, p.method, p.person, p.scores[score], None)
        for p in probes
        if np.isfinite(p.scores[score])
    ]
    areas = summarise(results)
    return {
        "wins": round(float(np.mean(wins)), 4) if wins else None,
        "wins_low": round(low, 4),
        "wins_high": round(high, 4),
        "forged_clips": len(wins),
        "people": len({p.person for p in probes if p.label == "fake"}),
        **{name: areas[name] for name in ("auc", "auc_low", "auc_high")},
    }


def report(probes: Sequence[Probe]) -> dict[str, Any]:
    """Summarise each method, and all together, by every score; and how often p-values are at most 0.05, by label.

    `re-encoded` is the same against the person's genuine probes on a poor line: a score that only reads what coding
    does to a picture falls to chance or below there.
    """
    forged = [p for p in probes if p.label == "fake"]
    recorded_rung = next((p.rung for p in probes if p.label == "real"), "")
    report_by_method = {}
    for method in ("all", *sorted({p.method for p in forged})):
        forged_probes = [p for p in forged if method in ("all", p.method)]
        people = {p.person for p in forged_probes}
        genuine_probes = [p for p in probes if p.label == "real" and p.person in people]
        as_recorded, re_encoded = (
            [p for p in genuine_probes if (p.rung == recorded_rung) is same] for same in (True, False)
        )
        report_by_method[method] = {score: summary([*forged_probes, *as_recorded], score) for score in SCORES} | {
            "re-encoded": {score: summary([*forged_probes, *re_encoded], score) for score in SCORES},
            "p_at_most_0.05": _small([*forged_probes, *as_recorded]) | {"re-encoded": _small(re_encoded)["real"]},
        }
    return report_by_method


def _small(probes: Sequence[Probe], level: float = 0.05) -> dict[str, Any]:
    shares = {}
    for label in ("real", "fake"):
        flags_by_person: defaultdict[str, list[bool]] = defaultdict(list)
        for probe in probes:
            if probe.label == label and probe.p_value is not None:
                flags_by_person[probe.person].append(probe.p_value <= level)
        # Each person weighs the same.
        shares[label] = (
            round(float(np.mean([np.mean(flags) for flags in flags_by_person.values()])), 4)
            if flags_by_person
            else None
        )
    return shares


def write(probes: Sequence[Probe], folder: Path) -> dict[str, Any]:
    """Write matched.csv (a row for each probe), matched.json and matched.md; give what the second holds."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "matched.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["clip", "label", "method", "person", "trial", "rung", "p_value", *SCORES])
        for p in probes:
            scores = [f"{p.scores[name]:.4f}" for name in SCORES]
            table.writerow([p.clip, p.label, p.method, p.person, p.trial, p.rung, p.p_value, *scores])
    summary = report(probes)
    (folder / "matched.json").write_text(json.dumps(summary, indent=2) + "\n")
    (folder / "matched.md").write_text(markdown(summary))
    return summary


COLUMNS = ("pairwise", "identity", "artefact", "taken over", "difffake", "bitrate", "sharpness", "fine", "size")


def markdown(report: Mapping[str, Any]) -> str:
    """Lay a report out as a table: paired wins / AUC, the detector's with intervals and once more re-encoded."""
    lines = [
        f"| method | forged clips / people | {' | '.join(COLUMNS)} | pairwise, identity, artefact: re-encoded |",
        "|---" * (len(COLUMNS) + 3) + "|",
    ]
    for method, scores in report.items():
        cells = [_cell(scores[name], intervals=name == "pairwise") for name in COLUMNS]
        re_encoded = ", ".join(_cell(scores["re-encoded"][name]) for name in COLUMNS[:3])
        count = f"{scores['pairwise']['forged_clips']} / {scores['pairwise']['people']}"
        lines.append(f"| {method} | {count} | {' | '.join(cells)} | {re_encoded} |")
    return "\n".join(lines) + "\n"


def _cell(row: Mapping[str, Any], intervals: bool = False) -> str:
    parts = []
    for name in ("wins", "auc"):
        value = "-" if row[name] is None else f"{row[name]:.2f}"
        ends = [row[f"{name}_{end}"] for end in ("low", "high")]
        parts.append(value + (f" [{ends[0]:.2f}-{ends[1]:.2f}]" if intervals and None not in ends else ""))
    return " / ".join(parts)
