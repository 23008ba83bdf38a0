"""How soon somebody else under an enrolled name is told, how often the person is accused, and what each detector adds.

    python -m monitor.lab.evaluate.claimed MANIFEST[,MANIFEST...] OUT [PEOPLE]

Everybody with recordings enough is enrolled and judged in calls replayed through the session
(`monitor.lab.evaluate.claimed_calls`): as themselves, as another person, as their pictures with another's voice, as
another's pictures with their voice, as forgeries of them. What was said at each hop is then decided on by all
detectors, by each alone, and by all but one. Calls are shorter than what they are asked for, so the hops from the
sixth second on are said again and again: what is peculiar of a recording repeats with it. One line of JSON goes to
stdout.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from engines.metrics import auc
from monitor.decision.decide import DecisionConfig, Transition, advance, initial
from monitor.lab.corpus.manifest import RESEARCH_SPLIT, CorpusError, Row, apply_split, read_manifest
from monitor.lab.evaluate.call_summary import percentile
from monitor.lab.evaluate.claimed_calls import JudgedCall, judge_people, matched_people, people_of
from monitor.lab.metrics.intervals import bootstrap_interval, resample, wilson
from monitor.lab.progress import clip_progress
from monitor.session.models import Models, load_models
from monitor.types import Reason, Score, Verdict

MINUTE_SECONDS, GENUINE_SECONDS = 60.0, 600.0
# Hops before this are of windows that fill; of a shorter call the last second is said again.
FILLED_SECONDS, SHORTEST_SECONDS = 6.0, 1.0
ALL = "all"
ROUNDS = 1000


def sayings(call: JudgedCall, seconds: float) -> Iterator[tuple[float, tuple[Score, ...]]]:
    """Give what was said at each hop of a call, and again of its filled windows, until `seconds`."""
    yield from ((at, scores) for at, scores in call.hops if at <= seconds)
    if len(call.hops) < 2:
        return
    filled = min(FILLED_SECONDS, call.hops[-1][0] - SHORTEST_SECONDS)
    again = [scores for at, scores in call.hops if at >= filled]
    hop, time = call.hops[1][0] - call.hops[0][0], call.hops[-1][0]
    for scores in cycle(again):
        time += hop
        if time > seconds:
            return
        yield time, scores


@dataclass(frozen=True, slots=True)
class Decided:
    """Seconds to a finding, None without one; what was suspected on the way; the highest log statistic of a minute."""

    time: float | None
    suspected: frozenset[Reason]
    peak: float


def decided(
    call: JudgedCall, seconds: float, kept: frozenset[str] | None = None, config: DecisionConfig | None = None
) -> Decided:
    """Decide on a call by the detectors that are `kept`, None for all, until there is a finding."""
    state, suspected, peak = initial(config or DecisionConfig()), set[Reason](), -math.inf
    for time, scores in sayings(call, seconds):
        judged = [score for score in scores if kept is None or score.detector in kept]
        state, decision = advance(state, time, judged)
        if time <= MINUTE_SECONDS and decision.statistic > 0.0:
            peak = max(peak, math.log(decision.statistic))
        if decision.verdict in (Verdict.SUSPECT, Verdict.ALERT) and decision.reason is not None:
            suspected.add(decision.reason)
        if decision.transition is Transition.OPENED:
            return Decided(round(time, 1), frozenset(suspected), math.inf if time <= MINUTE_SECONDS else peak)
    return Decided(None, frozenset(suspected), peak)


def subsets(detectors: Sequence[str]) -> dict[str, frozenset[str] | None]:
    """Name what is decided by: all, each alone, all but one."""
    every = frozenset(detectors)
    return {
        ALL: None,
        **{name: frozenset({name}) for name in detectors},
        **{f"{ALL} but {name}": every - {name} for name in detectors},
    }


def summarise(calls: Sequence[JudgedCall], config: DecisionConfig | None = None) -> dict[str, Any]:
    """Sum up by kind of call and what is decided by; forgeries by their method too. JSON values."""
    detectors = list(dict.fromkeys(score.detector for call in calls for _, scores in call.hops for score in scores))
    found: dict[str, Any] = {}
    groups: dict[str, list[JudgedCall]] = {}
    # Genuine calls first: the others' evidence is held against theirs.
    for call in sorted(calls, key=lambda one: one.kind != "genuine"):
        groups.setdefault(call.kind, []).append(call)
        if call.method:
            groups.setdefault(f"{call.kind}: {call.method}", []).append(call)
    genuine: dict[str, list[tuple[str, float]]] = {}
    for group, chosen in groups.items():
        seconds = GENUINE_SECONDS if chosen[0].kind == "genuine" else MINUTE_SECONDS
        found[group] = {}
        for name, kept in subsets(detectors).items():
            outcomes = [decided(call, seconds, kept, config) for call in chosen]
            peaks = [(call.subject, outcome.peak) for call, outcome in zip(chosen, outcomes, strict=True)]
            if chosen[0].kind == "genuine":
                genuine[name] = peaks
            found[group][name] = {**_row(outcomes), **_apart(peaks, genuine.get(name, []))}
        found[group] |= {"people": len({call.subject for call in chosen}), "seconds": seconds}
        found[group]["across"] = sum(call.across for call in chosen)
        found[group]["by_own_agreement"] = sum(map(_is_by_own, chosen))
    return found


def _is_by_own(call: JudgedCall) -> bool:
    """Whether lips and voice were judged by the claimed person's own agreement."""
    return any(score.evidence.get("judged_by") == "own" for _, scores in call.hops for score in scores)


def _row(outcomes: Sequence[Decided]) -> dict[str, Any]:
    times = [outcome.time for outcome in outcomes]
    alerted = sum(time is not None for time in times)
    voice = sum(Reason.VOICE_MISMATCH in outcome.suspected for outcome in outcomes)
    return {
        "calls": len(outcomes),
        "alerted": alerted,
        "interval": [round(bound, 4) for bound in wilson(alerted, len(outcomes))],
        "p50": percentile(times, 0.5),
        "p95": percentile(times, 0.95),
        "suspected_for_voice": voice,
        "suspected_for_voice_interval": [round(bound, 4) for bound in wilson(voice, len(outcomes))],
    }


def _apart(peaks: Sequence[tuple[str, float]], genuine: Sequence[tuple[str, float]]) -> dict[str, Any]:
    """Say how well the evidence of a minute tells calls from genuine ones: AUC, its interval by people of both.

    A call that was alerted has more than any that was not. Nothing where no genuine call is beside them.
    """
    people = sorted({subject for subject, _ in (*peaks, *genuine)})
    if not genuine:
        return {}
    of_person = [[np.array([peak for who, peak in side if who == one]) for side in (peaks, genuine)] for one in people]
    drawn = [
        auc(*(np.concatenate([of_person[n][side] for n in chosen]) for side in (0, 1)))
        for chosen in resample(len(people), ROUNDS)
    ]
    whole = auc(*(np.array([peak for _, peak in side]) for side in (peaks, genuine)))
    interval = bootstrap_interval([area for area in drawn if not np.isnan(area)])
    return {"auc": [round(value, 4) for value in (whole, *interval)]}


def judged_claims(
    manifests: Sequence[Path], pairs: Sequence[Row], models: Models, log: Path, limit: int | None = None
) -> dict[str, Any]:
    """Judge the people of manifests, and forgeries of matched `pairs` beside the genuine; at most `limit` of each.

    Those of whom another recording can be judged come first.
    What `log` holds is not judged again. Raises `CorpusError` where nobody has recordings enough.
    """
    people = [person for name in manifests for person in people_of(read_manifest(name))]
    people, matched = sorted(people, key=lambda person: not person.across)[:limit], matched_people(pairs)[:limit]
    with clip_progress("judging calls of people", len(people) + len(matched)) as tick:
        calls = judge_people(people, models, log, tick)
        forged = judge_people(matched, models, log, tick, ("genuine", "forged"))
    if not calls:
        raise CorpusError("nobody has recordings enough to be enrolled and judged: at least 16 s of one person")
    left_out = len(people) - len({call.subject for call in calls if call.kind == "genuine"})
    return {"claims": summarise(calls), "matched": summarise(forged), "left_out": left_out}


def main(manifests: str, out: str, most: str = "") -> None:
    """Print the measures of all people of one or more manifests, or of so many."""
    files = [Path(name) for name in manifests.split(",")]
    pairs = [row for file in files for row in read_manifest(file)]
    try:
        pairs = apply_split(pairs, RESEARCH_SPLIT.with_name("matched.csv"))
    except CorpusError:
        # Clips of others: none of them is in the split.
        pairs = []
    found = judged_claims(files, pairs, load_models(), Path(out) / "claimed.jsonl", int(most) if most else None)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
