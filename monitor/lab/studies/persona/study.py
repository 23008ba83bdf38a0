"""A person-of-interest study of recorded clips from end to end: clips and packs in, reports and a population out."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engines.base import EngineError
from engines.load import load_engine
from monitor.detectors.packs import PackLoader, home
from monitor.detectors.persona.detector import PersonaPeople
from monitor.detectors.persona.entry import load_persona
from monitor.detectors.persona.personalise import PersonaliseConfig
from monitor.detectors.synchrony.entry import VOICE
from monitor.lab.corpus.manifest import (
    RESEARCH_SPLIT,
    CorpusError,
    Row,
    apply_split,
    group_by_subject,
    read_folder,
    read_manifest,
)
from monitor.lab.corpus.speech_features import Change
from monitor.lab.distortions.low_bitrate import LowBitrateCall
from monitor.lab.progress import clip_progress
from monitor.lab.studies.paired_forgeries import Probe
from monitor.lab.studies.persona.forgeries import ALL, markdown, probes_of, report
from monitor.lab.studies.persona.measures import Measurer
from monitor.lab.studies.persona.plots import PLOTTED_SCORES, draw_forged, draw_lengths, draw_people
from monitor.lab.studies.persona.recordings import (
    OF_INTEREST_SECONDS,
    Footage,
    chosen_rows,
    load_footage,
    speech_of,
)
from monitor.lab.studies.persona.report import described, difference
from monitor.lab.studies.persona.scores import BOTH, DISTANCE, PLAIN, SCORES, ScoredPiece, build_cohort, rows_of
from monitor.lab.studies.persona.verification_trials import (
    CONFOUNDS,
    Confounds,
    TrialResult,
    confounds_of,
    measure_again,
    measure_trials,
)

SPLITS = ("persona", "matched")
GAINS = ((DISTANCE, PLAIN), (DISTANCE, "without tokens, either way"), ("companion", PLAIN), (BOTH, PLAIN))


@dataclass(frozen=True, slots=True)
class Study:
    """What is studied: the rows that each folder of packs measures; where things are kept and written.

    `weights` are those of the distance and of its companion in the detector's score.
    """

    parts: tuple[tuple[Path, tuple[Row, ...]], ...]
    out: Path
    cache: Path
    workers: int
    compressed: bool = False
    weights: tuple[float, float] = (1.0, 1.0)
    config: PersonaliseConfig = field(default_factory=PersonaliseConfig)


def parts_of(
    data: Path, split: Path | None, folds: Sequence[str], packs: Sequence[Path]
) -> tuple[tuple[Path, tuple[Row, ...]], ...]:
    """Say which clips each folder of packs measures: its fold's people, and what was forged of them.

    Forged clips take their person from `matched` where the split is a shipped one, else from the manifest. Raises
    `CorpusError`.
    """
    rows = read_folder(data) if data.is_dir() else read_manifest(data)
    forged = [row for row in rows if row.label == "fake"]
    if split is not None:
        shipped = {name: RESEARCH_SPLIT.with_name(f"{name}.csv") for name in SPLITS}
        split_file = shipped.get(str(split), split)
        genuine = [row for row in apply_split(rows, split_file) if row.label == "real"]
        if forged and split_file.parent == RESEARCH_SPLIT.parent:
            forged = [row for row in apply_split(rows, shipped["matched"]) if row.label == "fake"]
    else:
        genuine = [replace(row, fold=folds[0] if folds else "") for row in rows if row.label == "real"]
    fold_names = list(folds) or [""]
    if split is not None and not folds:
        genuine = [replace(row, fold="") for row in genuine]
    parts = []
    for folder, fold in zip(packs, fold_names, strict=True):
        chosen = chosen_rows([row for row in genuine if row.fold == fold])
        people = {row.subject for row in chosen}
        if not chosen:
            raise CorpusError(f"no genuine clip is in fold {fold!r}: name a fold of the split")
        parts.append((folder, (*chosen, *(row for row in forged if row.subject in people))))
    return tuple(parts)


def run(study: Study) -> tuple[dict[str, Any], PersonaPeople]:
    """Measure everybody, write the files, and give what people.json holds and the population for the first packs."""
    study.out.mkdir(parents=True, exist_ok=True)
    footage_of_parts = [_footage(study, rows) for _, rows in study.parts]
    measurers = [_measurer(study, packs) for packs, _ in study.parts]
    results = _face(footage_of_parts, measurers)
    confounds = _confounds(study, [recording for recordings in footage_of_parts for recording in recordings])
    cohort = build_cohort(results, measurers[0].engines.key, weights=study.weights)
    rows = list(rows_of(cohort, confounds))
    groups = _groups(footage_of_parts)
    summary: dict[str, Any] = {
        "people": {name: len(recordings) for name, recordings in groups.items()},
        "speech_seconds": {
            name: round(seconds, 1) for recordings in footage_of_parts for name, seconds in _speech(recordings).items()
        },
        "genuine": described(rows, groups, (*SCORES, *CONFOUNDS), GAINS),
    }
    write_rows(rows, study.out / "pieces.csv")
    people = cohort.people
    if study.compressed:
        results_small = _again(study, results, measurers)
        rows_small = list(rows_of(cohort, confounds, results_small))
        write_rows(rows_small, study.out / "pieces-small.csv")
        summary["small call"] = _cost(rows, rows_small, groups)
        people = build_cohort(results, cohort.people.key, results_small, study.weights).people
    probes = list(probes_of(cohort, confounds))
    if probes:
        summary["forged"] = report(probes)
        _write_probes(probes, study.out / "forged.csv")
        (study.out / "forged.md").write_text(markdown(summary["forged"]))
        draw_forged(summary["forged"], (*PLOTTED_SCORES, *CONFOUNDS), study.out)
    (study.out / "people.json").write_text(json.dumps(summary, indent=2) + "\n")
    (study.out / "people.md").write_text(table(summary["genuine"]))
    draw_lengths(summary["genuine"], study.out)
    everybody = summary["genuine"]["everybody"]
    if everybody:
        draw_people(next(iter(everybody.values()))["by_person"], study.out)
    return summary, people


def _footage(study: Study, rows: Sequence[Row], change: Change | None = None) -> list[Footage]:
    with clip_progress("watching clips" if change is None else "watching small calls", len(rows)) as tick:
        return load_footage(rows, study.cache / "motion", study.workers, tick, change)


def _measurer(study: Study, packs: Path) -> Measurer:
    voice = load_engine(VOICE, models=home(VOICE, packs))
    engines = load_persona(PackLoader(packs, voice=voice.manifest.sha256))
    if engines is None:
        raise EngineError(f"{packs} has no persona pack for its voice encoder: run `sidewitness train persona`")
    return Measurer(engines, study.cache / "persons", study.config)


def _face(
    footage_of_parts: Sequence[Sequence[Footage]], measurers: Sequence[Measurer]
) -> list[tuple[TrialResult, Measurer]]:
    with clip_progress(
        "enrolling and measuring people",
        sum(len(_speech(recordings)) for recordings in footage_of_parts),
    ) as tick:
        return [
            (result, measurer)
            for recordings, measurer in zip(footage_of_parts, measurers, strict=True)
            for result in measure_trials(recordings, measurer, tick)
        ]


def _confounds(study: Study, footage: Sequence[Footage]) -> Confounds:
    with clip_progress("looking at faces", len(footage)) as tick:
        return confounds_of(footage, study.cache / "looks", study.workers, tick)


def _speech(recordings: Sequence[Footage]) -> dict[str, float]:
    return {name: speech_of(parts) for name, parts in group_by_subject(recordings, "real").items()}


def _groups(footage_of_parts: Sequence[Sequence[Footage]]) -> dict[str, list[str]]:
    """People of interest, by their seconds of speech; those of whom there is more than one recording; everybody."""
    speech = {name: seconds for recordings in footage_of_parts for name, seconds in _speech(recordings).items()}
    several = [
        name
        for recordings in footage_of_parts
        for name, parts in group_by_subject(recordings, "real").items()
        if len(parts) > 1
    ]
    return {
        f"{OF_INTEREST_SECONDS:g} s of speech or more": [
            name for name, seconds in speech.items() if seconds >= OF_INTEREST_SECONDS
        ],
        "other recordings": several,
        "everybody": list(speech),
    }


def _again(
    study: Study, results: Sequence[tuple[TrialResult, Measurer]], measurers: Sequence[Measurer]
) -> list[tuple[TrialResult, Measurer]]:
    """Measure the same probes as a small call would bring them, against the same enrolments."""
    change, measured = LowBitrateCall(), list[tuple[TrialResult, Measurer]]()
    for measurer, (_, rows) in zip(measurers, study.parts, strict=True):
        genuine = [row for row in rows if row.label == "real"]
        small_by_name = {result.row.name: result for result in _footage(study, genuine, change)}
        own_results = [result for result, measurer_of in results if measurer_of is measurer]
        with clip_progress("measuring small calls", len(own_results)) as tick:
            for result in own_results:
                measured.append((measure_again(result, small_by_name, measurer), measurer))
                tick(None)
    return measured


def _cost(
    clean: Sequence[ScoredPiece], small: Sequence[ScoredPiece], groups: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Compute AUC of small calls, and by how much it lies above that of the clips as recorded (negative: a loss)."""
    cost: dict[str, Any] = {"genuine": described(small, groups, SCORES, GAINS), "change": {}}
    for group, names in groups.items():
        cost["change"][group] = {
            f"{length:g} s": {
                score: difference(_pieces_of(small, names, length), score, score, _pieces_of(clean, names, length))
                for score in SCORES
            }
            for length in sorted({row.seconds for row in small})
        }
    return cost


def _pieces_of(rows: Sequence[ScoredPiece], names: Sequence[str], length: float) -> list[ScoredPiece]:
    return [row for row in rows if row.person in names and row.seconds == length]


def table(groups: Mapping[str, Any]) -> str:
    """Lay areas out as a table: a line for each group and length, mean over people with its interval, gains below."""
    lines = [f"| people | speech | n people (pieces) | {' | '.join((*SCORES, *CONFOUNDS))} |"]
    lines.append("|---" * (3 + len(SCORES) + len(CONFOUNDS)) + "|")
    for group, lengths in groups.items():
        for length, scores in lengths.items():
            detector = scores[DISTANCE]
            count = f"{detector['people']} ({detector['genuine']} + {detector['impostor']})"
            cells = [
                _cell(scores[name]["auc"], scores[name]["auc_low"], scores[name]["auc_high"])
                for name in (*SCORES, *CONFOUNDS)
            ]
            lines.append(f"| {group} | {length} | {count} | {' | '.join(cells)} |")
    lines += ["", "| people | speech | gain | mean, 95 % | people better / worse |", "|---|---|---|---|---|"]
    for group, lengths in groups.items():
        for length, scores in lengths.items():
            for name, gain in scores["gains"].items():
                cell = _cell(gain["gain"], gain["gain_low"], gain["gain_high"])
                lines.append(f"| {group} | {length} | {name} | {cell} | {gain['better']} / {gain['worse']} |")
    return "\n".join(lines) + "\n"


def _cell(value: float | None, low: float | None, high: float | None) -> str:
    ends = f" [{low:.2f}, {high:.2f}]" if low is not None and high is not None else ""
    return "-" if value is None else f"{value:.3f}{ends}"


def write_rows(rows: Sequence[ScoredPiece], path: Path) -> None:
    """Write a row for each piece; people by number, for a report may be passed on."""
    number = {name: n for n, name in enumerate(sorted({row.person for row in rows} | {row.other for row in rows}))}
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["person", "trial", "seen", "seconds", *SCORES, *CONFOUNDS])
        for row in rows:
            scores = [f"{row.scores[name]:.4f}" for name in (*SCORES, *CONFOUNDS)]
            writer.writerow([number[row.person], row.trial, number[row.other], f"{row.seconds:g}", *scores])


def _write_probes(probes: Sequence[Probe], path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["clip", "label", "method", "person", "trial", *ALL])
        for p in probes:
            writer.writerow([p.clip, p.label, p.method, p.person, p.trial, *(f"{p.scores[name]:.4f}" for name in ALL)])
