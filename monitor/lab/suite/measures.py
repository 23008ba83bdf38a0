"""How each part of the suite is measured: by what the commands call, on the folder of data. No figure names anybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from monitor.decision.decide import DecisionConfig
from monitor.decision.simulate import mean_e_by_subject, simulate
from monitor.detectors.synchrony.entry import load_calibration
from monitor.lab.corpus.manifest import RESEARCH_SPLIT, CorpusError, apply_split, read_manifest
from monitor.lab.evaluate.by_source import (
    false_alerts,
    people_of,
    person_left_out,
    scan_verdict,
    separation,
    source_left_out,
    suspect_shares,
    times_to_findings,
)
from monitor.lab.evaluate.claimed import judged_claims
from monitor.lab.evaluate.hop_scores import HopJob, JudgedClip, judge_hops
from monitor.lab.evaluate.robustness import Stress
from monitor.lab.evaluate.run import MISMATCH_WINDOWS_SECONDS, ClipSet, EvaluationPlan, ExtraRuns, assess
from monitor.lab.evaluate.voice_mismatch import KINDS, OFFSET_KNOWN, mismatches
from monitor.lab.evaluate.worker_pool import encode_clips
from monitor.lab.metrics.numbers import rounded
from monitor.lab.metrics.summary import Result
from monitor.lab.progress import clip_progress
from monitor.lab.suite.depends import code
from monitor.lab.suite.parts import CLAIMING, CODE
from monitor.lab.suite.setting import HELD_OUT, Setting, source_parts

Figures = dict[str, Any]
Measure = Callable[[Setting], Figures]
SOURCE_WINDOWS_SECONDS = (2.0, 5.0)
# Wrong voices of each window: intervals are of people, and more voices narrow nothing.
VOICES_EACH = 6
SIMULATED_HOURS = 20.0
LIVE_MINUTES = 2.0
# Code that the scores of hops are made by.
JUDGING = (
    "monitor/detectors/synchrony",
    "monitor/face",
    "monitor/voice",
    "monitor/window",
    "monitor/lab/training/synchrony_background.py",
    "monitor/lab/evaluate/hop_scores.py",
)
STRESSED_CLIPS = 24
# Of both collections, and of matched pairs: replays are dear.
CLAIMED_PEOPLE = 24


def sources(setting: Setting) -> Figures:
    """Tell own voices from others' by kind of source, at 2 and 5 s, searched freely and with the offset known."""
    divided = source_parts(setting)
    groups = {row.name: row.group for row in divided.rows}
    with clip_progress("encoding clips", len(groups)) as tick:
        encoded = [encode_clips(rows, packs, setting.effort, tick) for packs, rows in divided.parts]
    columns: dict[str, list[Result]] = {}
    with clip_progress("meeting other voices", len(encoded) * len(SOURCE_WINDOWS_SECONDS)) as tick:
        for seconds in SOURCE_WINDOWS_SECONDS:
            for clips in encoded:
                found = mismatches(clips, seconds, voices_each=VOICES_EACH)
                for suffix, name in (("", "searched freely"), (OFFSET_KNOWN, "offset known")):
                    columns.setdefault(f"{seconds:g} s, {name}", []).extend(found["other" + suffix])
                tick(None)
    return {"rows": separation(columns, groups), "left_out": divided.left_out}


def scan(setting: Setting) -> Figures:
    """Count genuine recordings that are called suspect, by kind of source."""
    clips, left_out = _genuine(setting)
    config = DecisionConfig()
    figures: Figures = {"clip_p_value": config.clip_p_value, "left_out": left_out}
    for name, judge in (("source left out", source_left_out(clips)), ("person left out", person_left_out(clips))):
        figures[name] = suspect_shares([scan_verdict(clip, judge(clip), config) for clip in clips])
    return figures


def alerts(setting: Setting) -> Figures:
    """Simulate false alerts an hour and in the first ten minutes, by kind of source."""
    clips, left_out = _genuine(setting)
    config = DecisionConfig()
    figures: Figures = {"allowed": config.false_alerts_per_hour, "left_out": left_out}
    for name, judge in (("source left out", source_left_out(clips)), ("person left out", person_left_out(clips))):
        figures[name] = false_alerts(people_of(clips, judge), config)
    return figures


def dubs(setting: Setting) -> Figures:
    """Simulate the time to a finding where another person of the same packs is heard, by kind of source of the lips."""
    clips, left_out = _genuine(setting)
    jobs = []
    for packs, part in source_parts(setting).parts:
        for n, row in enumerate(part):
            others = [*part[n + 1 :], *part[:n]]
            voice = next((other for other in others if other.subject != row.subject), None)
            jobs += [HopJob(row, packs, voice)] if voice else []
    with clip_progress("judging dubs", len(jobs)) as tick:
        judged = judge_hops(jobs, setting.effort.cache, _hop_log(setting), setting.effort.workers, tick)
    config = DecisionConfig()
    rows = times_to_findings(judged, source_left_out(clips), config)
    return {"allowed": config.false_alerts_per_hour, "rows": rows, "left_out": left_out}


def voices(setting: Setting) -> Figures:
    """Tell own voices from wrong ones by window length, on the people that the shipped packs left out."""
    mismatch = _assess(setting, "voices", mismatch=True)["mismatch"]
    keys = ("auc", "auc_low", "auc_high", "real", "fake", "subjects")
    return {
        "kinds": {
            kind: {f"{s:g} s": _pick(mismatch[f"{kind} {s:g} s"], keys) for s in MISMATCH_WINDOWS_SECONDS}
            for kind in KINDS
        }
    }


def forgeries(setting: Setting) -> Figures:
    """Tell each method of forgery from genuine clips."""
    summary = _assess(setting, "forgeries", forged=True)["synchrony"]
    keys = ("auc", "auc_low", "auc_high", "real", "fake", "subjects")
    methods = {name: _pick(row, keys) for name, row in summary["methods"].items()}
    return {"all": _pick(summary, (*keys, "abstained", "reasons")), "methods": methods}


def promise(setting: Setting) -> Figures:
    """Simulate the shipped calibration on its own people, each judged by the others."""
    calibration, config = load_calibration(setting.models), DecisionConfig()
    if not calibration.tables:
        raise CorpusError("the shipped packs have no calibration: make it with `sidewitness train calibration`")
    rates = simulate(config, calibration, hours=SIMULATED_HOURS)
    tables = calibration.brief or calibration
    longest = max(length for length in tables.lengths if length <= config.window_seconds)
    mean = mean_e_by_subject(config, tables, longest, calibration.brief is not None)
    return {
        "allowed": config.false_alerts_per_hour,
        "per_hour": rounded(rates.false_alerts_per_hour),
        "low": rounded(rates.interval[0]),
        "high": rounded(rates.interval[1]),
        "people": rates.people,
        "hours": rates.hours / rates.people,
        "alerted": rounded(rates.people_alerted),
        "mean_e_value": rounded(float(mean.mean())),
    }


def live(setting: Setting) -> Figures:
    """Replay genuine calls and dubs through the real session."""
    found = _assess(setting, "live", trials=ExtraRuns(None, LIVE_MINUTES, mismatch=True))["live"]
    return {
        **{label: {k: v for k, v in found[label].items() if k != "times"} for label in ("genuine", "forged")},
        "settings": found["settings"],
    }


def robustness(setting: Setting) -> Figures:
    """Tell own voices from wrong ones under seven perturbations at five levels."""
    stress = Stress(STRESSED_CLIPS if setting.limit is None else max(2, setting.limit))
    tasks = _assess(setting, "robustness", trials=ExtraRuns(stress, None, mismatch=True))["robustness"]
    keys = ("clean", "mean", "fall_points", "fall_low", "fall_high", "real", "fake", "subjects", "strict")
    return {
        "tasks": {
            name: {**_pick(task, keys), "kinds": {kind: row["mean"] for kind, row in task["kinds"].items()}}
            for name, task in tasks.items()
        }
    }


def blends(setting: Setting) -> Figures:
    """Read what training wrote into the pack of the backbone."""
    from engines.packs import open_pack
    from monitor.detectors.packs import home

    name = "face_artefacts"
    return dict(open_pack(home(name, setting.models) / name).manifest.metrics)


def identity(setting: Setting) -> Figures:
    """Compare photos of people, the same and others."""
    from monitor.lab.evaluate.face_verification import measure

    found = measure(setting.data / "photos.csv", setting.out / "identity", "LFW", setting.models)
    return {**_pick(found, ("pairs", "every_pair", "photos", "people")), "refused": len(found["refused"])}


def matched(setting: Setting) -> Figures:
    """Compare forged clips, and other people, with the genuine recordings of whom they claim to be."""
    from monitor.lab.studies.face_population import build_from_packs
    from monitor.lab.studies.impostors import claims
    from monitor.lab.studies.paired_forgeries import compare_people, write

    rows = apply_split(read_manifest(setting.data / "clips.csv"), RESEARCH_SPLIT.with_name("matched.csv"))
    looks = setting.effort.cache.with_name("looks")
    built, clips = build_from_packs(setting.thinned(rows), setting.models, "squared", looks, setting.effort.workers)
    report = write(compare_people(clips, built), setting.out / "matched")
    return {"methods": report, "claims": dict(claims(clips, built).as_json())}


def persona(setting: Setting) -> Figures:
    """Enrol everybody whom the shipped packs have not seen, and measure everybody else and forgeries."""
    from monitor.lab.studies.persona.scores import SCORES
    from monitor.lab.studies.persona.study import Study, parts_of, run

    clips, split = setting.data / "clips.csv", RESEARCH_SPLIT.with_name("persona.csv")
    parts = tuple(
        (packs, tuple(setting.thinned(rows))) for packs, rows in parts_of(clips, split, [HELD_OUT], [setting.models])
    )
    study = Study(parts, setting.out / "persona", setting.effort.cache.parent, setting.effort.workers)
    summary, _ = run(study)
    keys = ("auc", "auc_low", "auc_high", "people", "genuine", "impostor")
    return {
        "genuine": {
            group: {
                length: {score: _pick(row[score], keys) for score in SCORES if score in row}
                for length, row in lengths.items()
            }
            for group, lengths in summary["genuine"].items()
        },
        "forged": summary.get("forged", {}),
    }


def claims(setting: Setting) -> Figures:
    """Replay calls under enrolled names, and decide by all detectors, by each alone, and by all but one."""
    from monitor.session.models import load_models

    manifests = [setting.data / name for name in ("second.csv", "clips.csv")]
    pairs = apply_split(read_manifest(setting.data / "clips.csv"), RESEARCH_SPLIT.with_name("matched.csv"))
    log, models = setting.out / f"claimed-{code(CLAIMING)[:12]}.jsonl", load_models(folder=setting.models)
    return judged_claims(manifests, pairs, models, log, min(setting.limit or CLAIMED_PEOPLE, CLAIMED_PEOPLE))


MEASURES: Mapping[str, Measure] = {
    measure.__name__: measure
    for measure in (
        sources,
        scan,
        alerts,
        dubs,
        voices,
        forgeries,
        promise,
        live,
        robustness,
        blends,
        identity,
        matched,
        persona,
        claims,
    )
}


def _genuine(setting: Setting) -> tuple[list[JudgedClip], int]:
    """Judge both collections' genuine clips hop by hop; what was judged is kept for every part that asks."""
    divided = source_parts(setting)
    jobs = [HopJob(row, packs) for packs, rows in divided.parts for row in rows]
    with clip_progress("judging clips", len(jobs)) as tick:
        judged = judge_hops(jobs, setting.effort.cache, _hop_log(setting), setting.effort.workers, tick)
    return judged, divided.left_out


def _hop_log(setting: Setting) -> Path:
    """Say where judged hops are kept: those of other code are made anew."""
    return setting.out / f"hops-{code(JUDGING)[:12]}.jsonl"


def _assess(
    setting: Setting, name: str, forged: bool = False, mismatch: bool = False, trials: ExtraRuns | None = None
) -> dict[str, Any]:
    """Run what `evaluate` runs on the research clips whose people the shipped packs left out."""
    parts = (ClipSet(setting.models, tuple(setting.research(forged))),)
    # What is kept within a part is found again by versions that people raise; other code begins anew.
    out = setting.out / f"{name}-{code(CODE)[:12]}"
    effort = replace(setting.effort, partial=setting.out / f"partial-{code(CODE)[:12]}.jsonl")
    return assess(EvaluationPlan(parts, ("synchrony",), out, effort, mismatch, None, trials or ExtraRuns()))


def _pick(row: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: row[key] for key in keys}
