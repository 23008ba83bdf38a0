"""What it brings to judge enrolled people's lips and voice by their own agreement, and whether the p-values hold.

    python -m monitor.lab.evaluate.own_agreement MANIFEST[,MANIFEST...] CACHE [PACKS]

Everybody with enough speech is enrolled with the first half of it and judged by the second: with their own voice, and
with that of the next person. They are judged by their own agreement and by people in general, each time calibrated on
the others only. How much of the difference between people is one of recordings is measured on those with several. One
line of JSON goes to stdout.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from engines.base import MODELS
from engines.metrics import auc
from monitor.decision.calibration import Calibration, Doubles, Table
from monitor.decision.decide import DecisionConfig
from monitor.decision.simulate import run
from monitor.detectors.synchrony.own import (
    FULL_SPEECH_SECONDS,
    MIN_PEOPLE,
    MIN_WINDOWS,
    OVERLAP,
    RECORDED,
    Standing,
    own_agreement,
    people_in,
)
from monitor.lab.corpus.manifest import read_manifest
from monitor.lab.evaluate.call_summary import percentile
from monitor.lab.evaluate.voice_mismatch import EncodedClip
from monitor.lab.evaluate.worker_pool import WorkerOptions, encode_clips
from monitor.lab.metrics.intervals import bootstrap_interval, mean_interval, resample, wilson
from monitor.lab.progress import clip_progress
from monitor.lab.training.synchrony_background import windows

WINDOW_SECONDS, CALL_SECONDS, MINUTE_SECONDS = 5.0, 120.0, 60.0
ROUNDS = 1000
# Hops of a person: those of as many windows that share no speech as enrolment asks for, a window between, and one more.
ENROLLED_HOPS = (MIN_WINDOWS - 1) * OVERLAP + 1
LEAST_HOPS = ENROLLED_HOPS + 2 * OVERLAP
# Of a recording whose mean is compared with those of others of the same person.
MEAN_HOPS = 5
SHARES = (0.02, 0.05, 0.1)


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """Scores of a recording's windows of whole speech, hop by hop: with its own voice, and with another person's."""

    subject: str
    genuine: Doubles
    wrong: Doubles


def recorded(clip: EncodedClip, other: EncodedClip) -> Recorded:
    """Score a clip with its own voice and with that of another."""
    return Recorded(clip.subject, _scores(clip, clip), _scores(clip, other))


def _scores(clip: EncodedClip, voice: EncodedClip) -> Doubles:
    count = min(len(clip.face), len(voice.speech))
    encoded = clip.lips[:count], clip.face[:count], voice.voice[:count], voice.speech[:count]
    return np.array([hop.value for hop in windows(encoded, WINDOW_SECONDS) if hop.speech >= FULL_SPEECH_SECONDS])


def measure(recordings: Sequence[Recorded], config: DecisionConfig) -> dict[str, Any]:
    """Compare both judges on everybody with enough speech; JSON values."""
    recordings = sorted(recordings, key=lambda one: one.subject)
    people = {subject: list(parts) for subject, parts in groupby(recordings, key=lambda one: one.subject)}
    values = [(value, one.subject) for one in recordings for value in one.genuine]
    scores, labels = np.array([value for value, _ in values]), np.array([subject for _, subject in values])
    found: dict[str, dict[str, list[tuple[Doubles, Doubles]]]] = {
        judge: {"genuine": [], "wrong": []} for judge in ("own", "general")
    }
    for subject, parts in people.items():
        genuine, wrong = (np.concatenate([getattr(one, kind) for one in parts]) for kind in ("genuine", "wrong"))
        others = labels != subject
        if len(genuine) < LEAST_HOPS or len(wrong) < OVERLAP or len(set(labels[others])) < MIN_PEOPLE:
            continue
        calibration = Calibration.build({FULL_SPEECH_SECONDS: (scores[others], labels[others].tolist())})
        for judge, kinds in _judged(genuine, wrong, calibration).items():
            for kind, pair in kinds.items():
                found[judge][kind].append(pair)
    result = {judge: _summary(kinds, config) for judge, kinds in found.items() if kinds["genuine"]}
    return {"people": len(people), "recordings": len(recordings), **result, "sessions": sessions(recordings)}


def _judged(
    genuine: Doubles, wrong: Doubles, calibration: Calibration
) -> Mapping[str, Mapping[str, tuple[Doubles, Doubles]]]:
    """Scores and p-values of the second half, by judge and kind; the first half enrols."""
    table = calibration.table(FULL_SPEECH_SECONDS)
    enrolled = max(len(genuine) // 2 - OVERLAP // 2, ENROLLED_HOPS)
    own = own_agreement([{RECORDED: -float(value)} for value in genuine[:enrolled:OVERLAP]], "")
    standing = own.standing(calibration) if own is not None else None
    kinds = {"genuine": genuine[enrolled + OVERLAP :], "wrong": wrong[len(wrong) // 2 :]}
    return {
        judge: {kind: _of_judge(values, table, used) for kind, values in kinds.items()}
        for judge, used in (("own", standing), ("general", None))
    }


def _of_judge(values: Doubles, table: Table, own: Standing | None) -> tuple[Doubles, Doubles]:
    """Scores, less what is expected of the person, and their p-values."""
    if own is None:
        return values, table.p_values(values)
    return values + own.deviation, np.array([own.p_value(float(value), table) for value in values])


def _summary(kinds: Mapping[str, Sequence[tuple[Doubles, Doubles]]], config: DecisionConfig) -> dict[str, Any]:
    genuine, wrong = ([scores for scores, _ in kinds[kind]] for kind in ("genuine", "wrong"))
    pairs = list(zip(genuine, wrong, strict=True))
    areas = [
        auc(np.concatenate([pairs[n][1] for n in drawn]), np.concatenate([pairs[n][0] for n in drawn]))
        for drawn in resample(len(pairs), ROUNDS // 5)
    ]
    return {
        "people": len(pairs),
        "windows": {kind: sum(len(scores) for scores, _ in kinds[kind]) for kind in kinds},
        "auc": _with(auc(np.concatenate(wrong), np.concatenate(genuine)), bootstrap_interval(areas)),
        "p_at_most": {
            kind: {str(share): _share([p_values for _, p_values in kinds[kind]], share) for share in SHARES}
            for kind in kinds
        },
        "alerts": {kind: _alerts([p_values for _, p_values in kinds[kind]], config) for kind in kinds},
    }


def _share(p_values: Sequence[Doubles], share: float) -> list[float]:
    """Share of windows whose p-value is at most this, every person weighing the same, with its interval."""
    of_people = [float((values <= share).mean()) for values in p_values]
    return _with(float(np.mean(of_people)), mean_interval(of_people, ROUNDS))


def _alerts(p_values: Sequence[Doubles], config: DecisionConfig) -> dict[str, Any]:
    """Decide on every person's p-values, over and over for two minutes."""
    hops = round(CALL_SECONDS / config.hop_seconds)
    alerts = run(config, np.stack([np.resize(values, hops) for values in p_values])).first_alert
    early = int((alerts <= MINUTE_SECONDS).sum())
    times = [None if np.isnan(at) else float(at) for at in alerts]
    return {
        "alerted_in_a_minute": early,
        "interval": [round(bound, 3) for bound in wilson(early, len(alerts))],
        "seconds_to_alert": {f"p{share}": percentile(times, share / 100) for share in (25, 50, 80)},
    }


def sessions(recordings: Sequence[Recorded]) -> dict[str, Any]:
    """Measure which share of the variance between people is one between recordings of a person."""
    used = [one for one in recordings if len(one.genuine) >= MEAN_HOPS]
    subjects = [one.subject for one in used]
    if len(set(subjects)) < MIN_PEOPLE:
        return {"people": 0}
    # A recording each: what differs between them is the person and the day.
    labels = np.repeat(np.arange(len(used)), [len(one.genuine) for one in used]).astype(np.str_).tolist()
    flat = Calibration.build({FULL_SPEECH_SECONDS: (np.concatenate([one.genuine for one in used]), labels)})
    people = people_in(flat.tables[0])
    rows = []
    for subject in {who for who in subjects if subjects.count(who) > 1}:
        own = [one.genuine for one in used if one.subject == subject]
        means, sizes = [part.mean() for part in own], [len(part) for part in own]
        noise = people.within * np.mean([1.0 / (1.0 + (size - 1.0) / OVERLAP) for size in sizes])
        rows.append((len(means) - 1, float(np.var(means, ddof=1) - noise)))
    if not rows or not people.between:
        return {"people": 0}
    weights, found = np.array(rows).T

    def share(chosen: Any) -> float:
        return float(np.average(found[chosen], weights=weights[chosen]) / people.between)

    drawn = [share(chosen) for chosen in resample(len(rows), ROUNDS)]
    level = {"level": people.level, "between": people.between**0.5, "within": people.within**0.5}
    return {
        "people": len(rows),
        "share": _with(share(slice(None)), bootstrap_interval(drawn)),
        **{name: round(value, 4) for name, value in level.items()},
    }


def _with(value: float, interval: tuple[float, float]) -> list[float]:
    return [round(number, 4) for number in (value, *interval)]


def main(manifests: str, cache: str, packs: str = "") -> None:
    """Print the measures of the genuine clips of one or more manifests."""
    rows = [row for name in manifests.split(",") for row in read_manifest(Path(name)) if row.label == "real"]
    folder = Path(cache)
    with clip_progress("encoding genuine clips", len(rows)) as tick:
        options = WorkerOptions(folder, folder / "outcomes.jsonl")
        clips = encode_clips(rows, Path(packs) if packs else MODELS, options, tick)
    others = [
        next((other for other in [*clips[n:], *clips[:n]] if other.subject != one.subject), one)
        for n, one in enumerate(clips)
    ]
    found = [recorded(clip, other) for clip, other in zip(clips, others, strict=True)]
    sys.stdout.write(json.dumps(measure(found, DecisionConfig())) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
