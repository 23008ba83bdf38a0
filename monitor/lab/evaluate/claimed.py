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
import sys
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from monitor.decision.decide import DecisionConfig, Transition, advance, initial
from monitor.lab.corpus.manifest import read_manifest
from monitor.lab.evaluate.call_summary import percentile
from monitor.lab.evaluate.claimed_calls import JudgedCall, judge_people, people_of
from monitor.lab.metrics.intervals import wilson
from monitor.lab.progress import clip_progress
from monitor.session.models import load_models
from monitor.types import Reason, Score, Verdict

MINUTE_SECONDS, GENUINE_SECONDS = 60.0, 600.0
# Hops before this are of windows that fill.
FILLED_SECONDS = 6.0
ALL = "all"


def sayings(call: JudgedCall, seconds: float) -> Iterator[tuple[float, tuple[Score, ...]]]:
    """Give what was said at each hop of a call, and again of its filled windows, until `seconds`."""
    yield from ((at, scores) for at, scores in call.hops if at <= seconds)
    again = [scores for at, scores in call.hops if at >= FILLED_SECONDS]
    if len(call.hops) < 2 or not again:
        return
    hop, time = call.hops[1][0] - call.hops[0][0], call.hops[-1][0]
    for scores in cycle(again):
        time += hop
        if time > seconds:
            return
        yield time, scores


def decided(
    call: JudgedCall, seconds: float, kept: frozenset[str] | None = None, config: DecisionConfig | None = None
) -> tuple[float | None, frozenset[Reason]]:
    """Decide on a call by the detectors that are `kept`, None for all.

    Gives the seconds to the finding, None without one, and what was suspected on the way.
    """
    state, suspected = initial(config or DecisionConfig()), set[Reason]()
    for time, scores in sayings(call, seconds):
        judged = [score for score in scores if kept is None or score.detector in kept]
        state, decision = advance(state, time, judged)
        if decision.verdict in (Verdict.SUSPECT, Verdict.ALERT) and decision.reason is not None:
            suspected.add(decision.reason)
        if decision.transition is Transition.OPENED:
            return round(time, 1), frozenset(suspected)
    return None, frozenset(suspected)


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
    for call in calls:
        groups.setdefault(call.kind, []).append(call)
        if call.method:
            groups.setdefault(f"{call.kind}: {call.method}", []).append(call)
    for group, chosen in groups.items():
        seconds = GENUINE_SECONDS if chosen[0].kind == "genuine" else MINUTE_SECONDS
        found[group] = {
            name: _row([decided(call, seconds, kept, config) for call in chosen])
            for name, kept in subsets(detectors).items()
        }
        found[group]["people"] = len({call.subject for call in chosen})
        found[group]["across"] = sum(call.across for call in chosen)
        found[group]["seconds"] = seconds
    return found


def _row(outcomes: Sequence[tuple[float | None, frozenset[Reason]]]) -> dict[str, Any]:
    times = [time for time, _ in outcomes]
    alerted = sum(time is not None for time in times)
    voice = sum(Reason.VOICE_MISMATCH in suspected for _, suspected in outcomes)
    return {
        "calls": len(outcomes),
        "alerted": alerted,
        "interval": [round(bound, 4) for bound in wilson(alerted, len(outcomes))],
        "p50": percentile(times, 0.5),
        "p95": percentile(times, 0.95),
        "suspected_for_voice": voice,
        "suspected_for_voice_interval": [round(bound, 4) for bound in wilson(voice, len(outcomes))],
    }


def main(manifests: str, out: str, most: str = "") -> None:
    """Print the measures of all people of one or more manifests, or of the first so many."""
    people = [person for name in manifests.split(",") for person in people_of(read_manifest(Path(name)))]
    people = sorted(people, key=lambda person: not person.across)[: int(most) if most else None]
    with clip_progress("judging calls of people", len(people)) as tick:
        calls = judge_people(people, load_models(), Path(out) / "claimed.jsonl", tick)
    sys.stdout.write(json.dumps(summarise(calls)) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
