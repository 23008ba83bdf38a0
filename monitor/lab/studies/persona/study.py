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
from monitor.detectors.persona.detector import PersonaPeople
from monitor.identity.enrolment.personalise import PersonaliseConfig
from monitor.lab.corpus.manifest import RESEARCH_SPLIT, CorpusError, Row, apply_split, read_folder, read_manifest
from monitor.lab.corpus.speech_features import Change
from monitor.lab.distortions.low_bitrate import SmallCall
from monitor.lab.progress import clip_progress
from monitor.lab.studies.paired_forgeries import Probe
from monitor.lab.studies.persona.forgeries import ALL, markdown, probes_of, report
from monitor.lab.studies.persona.measures import Measurer
from monitor.lab.studies.persona.plots import SHOWN, draw_forged, draw_lengths, draw_people
from monitor.lab.studies.persona.recordings import OF_INTEREST, Footage, by_person, chosen_rows, load_footage, speech_of
from monitor.lab.studies.persona.report import described, difference
from monitor.lab.studies.persona.scores import BOTH, DISTANCE, PLAIN, SCORES, gather, rows_of
from monitor.lab.studies.persona.scores import Row as Scored
from monitor.lab.studies.persona.verification_trials import (
    CONFOUNDS,
    Confounds,
    Faced,
    confounds_of,
    face_again,
    face_everybody,
)
from monitor.session.models import VOICE, home, load_persona

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
        known = shipped.get(str(split), split)
        genuine = [row for row in apply_split(rows, known) if row.label == "real"]
        if forged and known.parent == RESEARCH_SPLIT.parent:
            forged = [row for row in apply_split(rows, shipped["matched"]) if row.label == "fake"]
    else:
        genuine = [replace(row, fold=folds[0] if folds else "") for row in rows if row.label == "real"]
    wanted = list(folds) or [""]
    if split is not None and not folds:
        genuine = [replace(row, fold="") for row in genuine]
    found = []
    for folder, fold in zip(packs, wanted, strict=True):
        own = chosen_rows([row for row in genuine if row.fold == fold])
        people = {row.subject for row in own}
        if not own:
            raise CorpusError(f"no genuine clip is in fold {fold!r}: name a fold of the split")
        found.append((folder, (*own, *(row for row in forged if row.subject in people))))
    return tuple(found)


def run(study: Study) -> tuple[dict[str, Any], PersonaPeople]:
    """Measure everybody, write the files, and give what people.json holds and the population for the first packs."""
    study.out.mkdir(parents=True, exist_ok=True)
    found = [_footage(study, rows) for _, rows in study.parts]
    measurers = [_measurer(study, packs) for packs, _ in study.parts]
    faced = _face(found, measurers)
    confounds = _confounds(study, [each for own in found for each in own])
    crowd = gather(faced, measurers[0].engines.key, weights=study.weights)
    rows = list(rows_of(crowd, confounds))
    groups = _groups(found)
    told: dict[str, Any] = {
        "people": {name: len(own) for name, own in groups.items()},
        "speech_seconds": {n: round(s, 1) for own in found for n, s in _speech(own).items()},
        "genuine": described(rows, groups, (*SCORES, *CONFOUNDS), GAINS),
    }
    write_rows(rows, study.out / "pieces.csv")
    people = crowd.people
    if study.compressed:
        again = _again(study, faced, measurers)
        small = list(rows_of(crowd, confounds, again))
        write_rows(small, study.out / "pieces-small.csv")
        told["small call"] = _cost(rows, small, groups)
        people = gather(faced, crowd.people.key, again, study.weights).people
    probes = list(probes_of(crowd, confounds))
    if probes:
        told["forged"] = report(probes)
        _write_probes(probes, study.out / "forged.csv")
        (study.out / "forged.md").write_text(markdown(told["forged"]))
        draw_forged(told["forged"], (*SHOWN, *CONFOUNDS), study.out)
    (study.out / "people.json").write_text(json.dumps(told, indent=2) + "\n")
    (study.out / "people.md").write_text(table(told["genuine"]))
    draw_lengths(told["genuine"], study.out)
    everybody = told["genuine"]["everybody"]
    if everybody:
        draw_people(next(iter(everybody.values()))["by_person"], study.out)
    return told, people


def _footage(study: Study, rows: Sequence[Row], change: Change | None = None) -> list[Footage]:
    with clip_progress("watching clips" if change is None else "watching small calls", len(rows)) as tick:
        return load_footage(rows, study.cache / "motion", study.workers, tick, change)


def _measurer(study: Study, packs: Path) -> Measurer:
    voice = load_engine(VOICE, models=home(VOICE, packs))
    engines = load_persona(packs, voice=voice)
    if engines is None:
        raise EngineError(f"{packs} has no persona pack for its voice encoder: run `sidewitness train persona`")
    return Measurer(engines, study.cache / "persons", study.config)


def _face(found: Sequence[Sequence[Footage]], measurers: Sequence[Measurer]) -> list[tuple[Faced, Measurer]]:
    with clip_progress("enrolling and measuring people", sum(len(by_person(own)) for own in found)) as tick:
        return [
            (faced, measurer)
            for own, measurer in zip(found, measurers, strict=True)
            for faced in face_everybody(own, measurer, tick)
        ]


def _confounds(study: Study, footage: Sequence[Footage]) -> Confounds:
    with clip_progress("looking at faces", len(footage)) as tick:
        return confounds_of(footage, study.cache / "looks", study.workers, tick)


def _speech(own: Sequence[Footage]) -> dict[str, float]:
    return {name: speech_of(parts) for name, parts in by_person(own).items()}


def _groups(found: Sequence[Sequence[Footage]]) -> dict[str, list[str]]:
    """People of interest, by their seconds of speech; those of whom there is more than one recording; everybody."""
    speech = {name: seconds for own in found for name, seconds in _speech(own).items()}
    several = [name for own in found for name, parts in by_person(own).items() if len(parts) > 1]
    return {
        f"{OF_INTEREST:g} s of speech or more": [name for name, seconds in speech.items() if seconds >= OF_INTEREST],
        "other recordings": several,
        "everybody": list(speech),
    }


def _again(
    study: Study, faced: Sequence[tuple[Faced, Measurer]], measurers: Sequence[Measurer]
) -> list[tuple[Faced, Measurer]]:
    """Measure the same probes as a small call would bring them, against the same enrolments."""
    change, found = SmallCall(), list[tuple[Faced, Measurer]]()
    for measurer, (_, rows) in zip(measurers, study.parts, strict=True):
        genuine = [row for row in rows if row.label == "real"]
        small = {each.row.name: each for each in _footage(study, genuine, change)}
        own = [each for each, by in faced if by is measurer]
        with clip_progress("measuring small calls", len(own)) as tick:
            for each in own:
                found.append((face_again(each, small, measurer), measurer))
                tick(None)
    return found


def _cost(clean: Sequence[Scored], small: Sequence[Scored], groups: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Tell areas of small calls, and by how much they lie above those of the clips as they are (below zero: a loss)."""
    told: dict[str, Any] = {"genuine": described(small, groups, SCORES, GAINS), "change": {}}
    for group, names in groups.items():
        told["change"][group] = {
            f"{length:g} s": {
                score: difference(_of(small, names, length), score, score, _of(clean, names, length))
                for score in SCORES
            }
            for length in sorted({row.seconds for row in small})
        }
    return told


def _of(rows: Sequence[Scored], names: Sequence[str], length: float) -> list[Scored]:
    return [row for row in rows if row.person in names and row.seconds == length]


def table(told: Mapping[str, Any]) -> str:
    """Lay areas out as a table: a line for each group and length, mean over people with its interval, gains below."""
    lines = [f"| people | speech | n people (pieces) | {' | '.join((*SCORES, *CONFOUNDS))} |"]
    lines.append("|---" * (3 + len(SCORES) + len(CONFOUNDS)) + "|")
    for group, lengths in told.items():
        for length, own in lengths.items():
            some = own[DISTANCE]
            count = f"{some['people']} ({some['genuine']} + {some['impostor']})"
            cells = [
                _cell(own[name]["auc"], own[name]["auc_low"], own[name]["auc_high"]) for name in (*SCORES, *CONFOUNDS)
            ]
            lines.append(f"| {group} | {length} | {count} | {' | '.join(cells)} |")
    lines += ["", "| people | speech | gain | mean, 95 % | people better / worse |", "|---|---|---|---|---|"]
    for group, lengths in told.items():
        for length, own in lengths.items():
            for name, gain in own["gains"].items():
                cell = _cell(gain["gain"], gain["gain_low"], gain["gain_high"])
                lines.append(f"| {group} | {length} | {name} | {cell} | {gain['better']} / {gain['worse']} |")
    return "\n".join(lines) + "\n"


def _cell(value: float | None, low: float | None, high: float | None) -> str:
    ends = f" [{low:.2f}, {high:.2f}]" if low is not None and high is not None else ""
    return "-" if value is None else f"{value:.3f}{ends}"


def write_rows(rows: Sequence[Scored], path: Path) -> None:
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
