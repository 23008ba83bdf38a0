"""Figures by kind of source: what the promise is worth on people from where no calibration has been.

Between-person variation is the largest source of error, and people of one source are alike. So everybody is judged by a
calibration without the source that they are from (leave one source out), next to one without them alone. Pure: judged
hops and scored windows in, figures out. No figure names anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.decision.calibration import BRIEF_SHARE, MIN_SUBJECTS, Calibration, Doubles
from monitor.decision.decide import DecisionConfig
from monitor.decision.edetector import SECONDS_PER_HOUR
from monitor.decision.simulate import Runs, run
from monitor.detectors.synchrony.clip import clip_value
from monitor.lab.corpus.manifest import CorpusError
from monitor.lab.evaluate.call_summary import percentile
from monitor.lab.evaluate.hop_scores import JudgedClip
from monitor.lab.metrics.intervals import mean_interval, wilson
from monitor.lab.metrics.numbers import rounded
from monitor.lab.metrics.summary import Result, summarise
from monitor.lab.training.synchrony_background import ByLength, tabulate

EVERYBODY = "everybody"
# People who were chosen without and with a look at a detector's score are reported apart: the rates of the second kind
# flatter, or, of the doubtful ones, do the opposite.
CHOSEN_BLIND = frozenset({"vlog", "panel_show", "studio"})
CHOSEN_BY_LOOK = frozenset({"testimonial", "trial", "public_figure", "doubtful"})
TEN_MINUTES = 600.0
MINUTE = 60.0
BOOTSTRAP_ROUNDS = 2000
# Calls of an hour that each person is simulated in, and seconds that a dub is looped for.
CALLS_EACH = 20
DUB_SECONDS = 300.0

Judge = Callable[[JudgedClip], Calibration]


def sets_of(groups: Iterable[str]) -> dict[str, frozenset[str]]:
    """Name the sets of people that figures are given for: everybody, the two kinds of choice, and each group."""
    present = frozenset(groups)
    named = {
        EVERYBODY: present,
        "chosen without a look at scores": present & CHOSEN_BLIND,
        "chosen with one, and the doubtful": present & CHOSEN_BY_LOOK,
        **{group: frozenset({group}) for group in sorted(present)},
    }
    return {name: members for name, members in named.items() if members}


def separation(results: Mapping[str, Sequence[Result]], groups: Mapping[str, str]) -> list[dict[str, Any]]:
    """Tell own voices from others' by set of people: AUC with its 95 % interval by person, for each kind of knowledge.

    `results` are windows by column of the table, `groups` names the group of each clip.
    """
    rows = []
    for name, members in sets_of(groups[r.clip] for found in results.values() for r in found).items():
        row: dict[str, Any] = {"people": name}
        for column, found in results.items():
            chosen = [r for r in found if groups[r.clip] in members]
            summary = summarise(chosen)
            ends = ("auc_low", "auc_high")
            row[column] = {
                "auc": summary["auc"],
                # One person has no interval by person.
                **{key: summary[key] if summary["subjects"] > 1 else None for key in ends},
                "windows": summary["real"],
                "clips": len({r.clip for r in chosen}),
                "n": summary["subjects"],
            }
        rows.append(row)
    return rows


def calibration_of(clips: Iterable[JudgedClip]) -> Calibration:
    """Build a calibration from judged clips; raises `CorpusError` where they are of too few people."""
    whole: ByLength = {}
    brief: ByLength = {}
    for clip in clips:
        for hop in clip.hops:
            tabulate(hop, clip.subject, whole, brief)
        for hop in clip.skewed:
            tabulate(hop, clip.subject, {}, brief)
    tables, brief_tables = _enough(whole), _enough(brief)
    # Without brief windows of anybody there are none to be judged by; of too few people they must not be left away.
    if not tables or (brief and not brief_tables):
        raise CorpusError(f"too few people to calibrate by: at least {MIN_SUBJECTS} of another source must be judged")
    return Calibration.build(tables, brief=Calibration.build(brief_tables, BRIEF_SHARE) if brief_tables else None)


def _enough(scores: ByLength) -> dict[float, tuple[list[float], list[str]]]:
    """Keep the lengths of which there are enough people, as a calibration is built from them."""
    tables = {length: ([value for value, _ in found], [who for _, who in found]) for length, found in scores.items()}
    return {length: found for length, found in tables.items() if len(set(found[1])) >= MIN_SUBJECTS}


def source_left_out(clips: Sequence[JudgedClip]) -> Judge:
    """Judge each clip by the people of all other groups."""
    built = {group: calibration_of(c for c in clips if c.group != group) for group in {clip.group for clip in clips}}
    return lambda clip: built[clip.group]


def person_left_out(clips: Sequence[JudgedClip]) -> Judge:
    """Judge each clip by everybody else."""
    built = {who: calibration_of(c for c in clips if c.subject != who) for who in {clip.subject for clip in clips}}
    return lambda clip: built[clip.subject]


def hop_p_values(clip: JudgedClip, calibration: Calibration, early: bool = False) -> Doubles:
    """P-values of the hops with enough speech for a calibration, in their order: of brief windows, if it has them.

    As in a call (`monitor.decision.decide`), a detector with brief windows bets by these only. With `early` they are
    those of a call that began with the clip, else of one that has lasted.
    """
    tables = calibration.brief or calibration
    briefs = [hop.early if early and hop.early.fused else hop.brief for hop in clip.hops]
    whole = [(hop.value, hop.speech) for hop in clip.hops]
    words = whole if calibration.brief is None else [(brief.value, brief.seconds) for brief in briefs]
    return np.array(
        [tables.p_value(v, seconds) for v, seconds in words if v is not None and seconds + 1e-6 >= tables.lengths[0]]
    )


@dataclass(frozen=True, slots=True)
class ScannedClip:
    """What `scan` says of a clip; `verdict` is None where nothing could be judged."""

    group: str
    subject: str
    verdict: str | None


def scan_verdict(clip: JudgedClip, calibration: Calibration, config: DecisionConfig) -> ScannedClip:
    """Judge a recorded clip as `monitor.decision.decide.judge_clip` does, by synchrony alone."""
    p_values = hop_p_values(clip, calibration, early=True)
    if not any(hop.speech + 1e-6 >= calibration.lengths[0] for hop in clip.hops):
        return ScannedClip(clip.group, clip.subject, None)
    value, speech, _ = clip_value([(hop.whole, hop.whole_speech) for hop in clip.hops], calibration.lengths)
    runs = run(config, p_values[None, :], calibration.brief is not None)
    if np.isfinite(runs.first_alert[0]):
        return ScannedClip(clip.group, clip.subject, "alert")
    suspicious = calibration.p_value(value, speech, once=True) <= config.clip_p_value
    return ScannedClip(clip.group, clip.subject, "suspect" if suspicious or np.isfinite(runs.first_suspect[0]) else "")


def suspect_shares(scanned: Sequence[ScannedClip]) -> list[dict[str, Any]]:
    """Count genuine clips called suspect or alert among those judged, by set of people, with Wilson's interval."""
    rows = []
    for name, members in sets_of(clip.group for clip in scanned).items():
        chosen = [clip for clip in scanned if clip.group in members]
        judged = [clip for clip in chosen if clip.verdict is not None]
        called = sum(bool(clip.verdict) for clip in judged)
        low, high = wilson(called, len(judged))
        rows.append(
            {
                "people": name,
                "n": len({clip.subject for clip in chosen}),
                "clips": len(chosen),
                "judged": len(judged),
                "suspect": called,
                "alert": sum(clip.verdict == "alert" for clip in judged),
                "share": rounded(called / len(judged)) if judged else None,
                "low": rounded(low),
                "high": rounded(high),
            }
        )
    return rows


@dataclass(frozen=True, slots=True, eq=False)
class PersonStreams:
    """One person's p-values, all their clips in a row, of brief windows or of whole ones, and their kind of source.

    `early` are those with which a call begins, one for each of their clips.
    """

    group: str
    p_values: Doubles
    brief: bool
    early: tuple[Doubles, ...] = ()


def people_of(clips: Sequence[JudgedClip], judge: Judge) -> list[PersonStreams]:
    """Put the judged hops of each person in a row, by group; whoever has none is left out."""
    found: dict[tuple[str, str, bool], list[tuple[Doubles, Doubles]]] = {}
    for clip in clips:
        calibration = judge(clip)
        p_values = hop_p_values(clip, calibration)
        if len(p_values):
            both = p_values, hop_p_values(clip, calibration, early=True)
            found.setdefault((clip.subject, clip.group, calibration.brief is not None), []).append(both)
    return [
        PersonStreams(group, np.concatenate([late for late, _ in parts]), brief, tuple(early for _, early in parts))
        for (_, group, brief), parts in found.items()
    ]


def _brief(kinds: Iterable[bool]) -> bool:
    """Say whether streams are of brief windows; raises `CorpusError` where some are and some are not."""
    found = set(kinds)
    if len(found) != 1:
        raise CorpusError("some people can be judged by brief windows and some cannot: give clips of more people")
    return found.pop()


def false_alerts(
    people: Sequence[PersonStreams], config: DecisionConfig, calls_each: int = CALLS_EACH, seed: int = 0
) -> list[dict[str, Any]]:
    """Simulate genuine calls: false alerts an hour, and the share of people alerted in their first ten minutes.

    Each person is in `calls_each` calls of an hour, which begin as one of their clips does and go on with their own
    windows in blocks of one window's length drawn at random. Rates are means over people with a 95 % interval by
    resampling them; the share is the mean over people of their calls, with Wilson's interval for as many people.
    """
    random = np.random.default_rng(seed)
    hops = round(SECONDS_PER_HOUR / config.hop_seconds)
    brief = _brief(person.brief for person in people)
    seconds = config.brief_seconds if brief else config.window_seconds
    block = max(1, round(seconds / config.hop_seconds))
    streams = [_stream(p, n, hops, block, random) for p in people for n in range(calls_each)]
    calls = run(config, np.stack(streams), brief)
    opened = calls.opened.reshape(len(people), calls_each).mean(axis=1)
    alerted = (calls.first_alert < TEN_MINUTES).reshape(len(people), calls_each).mean(axis=1)
    rows = []
    for name, members in sets_of(person.group for person in people).items():
        chosen = np.array([person.group in members for person in people])
        low, high = mean_interval(opened[chosen], BOOTSTRAP_ROUNDS)
        share = float(alerted[chosen].mean())
        share_low, share_high = wilson(share * chosen.sum(), int(chosen.sum()))
        rows.append(
            {
                "people": name,
                "n": int(chosen.sum()),
                "hours": calls_each * int(chosen.sum()),
                "per_hour": rounded(float(opened[chosen].mean())),
                "low": rounded(low),
                "high": rounded(high),
                "alerted": int((alerted[chosen] > 0).sum()),
                "share": rounded(share),
                "share_low": rounded(share_low),
                "share_high": rounded(share_high),
            }
        )
    return rows


def times_to_findings(dubs: Sequence[JudgedClip], judge: Judge, config: DecisionConfig) -> list[dict[str, Any]]:
    """Loop dubs and give the seconds to `suspect` and to the alert, by set of people whose lips are seen."""
    judged = [(clip, p_values) for clip in dubs if len(p_values := hop_p_values(clip, judge(clip)))]
    first = [hop_p_values(clip, judge(clip), early=True) for clip, _ in judged]
    if not judged:
        raise CorpusError("no dub could be judged: clips of two people with five seconds of speech each are needed")
    hops = round(DUB_SECONDS / config.hop_seconds)
    brief = _brief(judge(clip).brief is not None for clip, _ in judged)
    loops = [_begun(early, np.resize(p_values, hops)) for early, (_, p_values) in zip(first, judged, strict=True)]
    runs: Runs = run(config, np.stack(loops), brief)
    rows = []
    for name, members in sets_of(clip.group for clip, _ in judged).items():
        chosen = np.array([clip.group in members for clip, _ in judged])
        alerts, count = runs.first_alert[chosen], int(chosen.sum())
        early = int((alerts <= MINUTE).sum())
        low, high = wilson(early, count)
        rows.append(
            {
                "people": name,
                "dubs": count,
                "n": len({clip.subject for clip, _ in judged if clip.group in members}),
                "suspect_p50": percentile(_seconds(runs.first_suspect[chosen]), 0.5),
                "alert_p50": percentile(_seconds(alerts), 0.5),
                "in_a_minute": rounded(early / count),
                "low": rounded(low),
                "high": rounded(high),
            }
        )
    return rows


def _seconds(times: Doubles) -> list[float | None]:
    return [None if np.isnan(at) else float(at) for at in times]


def _stream(person: PersonStreams, call: int, hops: int, block: int, random: np.random.Generator) -> Doubles:
    """Begin a call as one of the person's clips does, and draw blocks of their windows, in their order."""
    starts: NDArray[np.int64] = random.integers(0, len(person.p_values), -(-hops // block))
    columns = (starts[:, None] + np.arange(block)).reshape(-1)[:hops] % len(person.p_values)
    drawn = np.asarray(person.p_values[columns], np.float64)
    return _begun(person.early[call % len(person.early)], drawn) if person.early else drawn


def _begun(early: Doubles, later: Doubles) -> Doubles:
    """Let a stream begin with what is judged before its past is known."""
    return np.concatenate([early[: len(later)], later[len(early) :]])
