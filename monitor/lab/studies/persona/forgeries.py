"""The same person forged: whether a forged clip lies farther from the person than their genuine one does.

Paired within one enrolment (`monitor.lab.studies.paired_forgeries`), by method, beside what the confounds alone
would have said: the level of a score differs more between sources than a forgery moves it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from monitor.lab.metrics.intervals import mean_interval
from monitor.lab.metrics.numbers import rounded
from monitor.lab.studies.paired_forgeries import Probe, method_of, paired, summary
from monitor.lab.studies.persona.report import MEAN_ROUNDS
from monitor.lab.studies.persona.scores import DISTANCE, SCORES, Crowd, Scorer
from monitor.lab.studies.persona.verification_trials import CONFOUNDS, Confounds

ALL = (*SCORES, *CONFOUNDS)


def probes_of(crowd: Crowd, confounds: Confounds) -> Iterator[Probe]:
    """Score every genuine probe, and every forged clip, of people of whom there are both: a mean over each clip."""
    for faced, measurer in crowd.faced:
        if not faced.forged:
            continue
        score = Scorer(crowd, faced, measurer, confounds)
        for label, seen in (("real", faced.own), ("fake", faced.forged)):
            for each in seen:
                if len(each.values):
                    row, scores = each.part.footage.row, score([(each.part, values) for values in each.values])
                    yield Probe(
                        row.name, label, method_of(row.method), faced.person, faced.trial.number, "", scores, None
                    )


def report(probes: Sequence[Probe]) -> dict[str, Any]:
    """Tell paired wins and AUC of every score, for each method and all of them; with the interval over people too."""
    told = {}
    for method in ("all", *sorted({p.method for p in probes if p.label == "fake"})):
        own = [p for p in probes if p.label == "fake" and method in ("all", p.method)]
        people = {p.person for p in own}
        real = [p for p in probes if p.label == "real" and p.person in people]
        told[method] = {name: _told([*own, *real], name) for name in ALL}
    return told


def _told(probes: Sequence[Probe], name: str) -> dict[str, Any]:
    people = sorted({p.person for p in probes})
    wins = [paired([p for p in probes if p.person == person], name) for person in people]
    low, high = mean_interval([sum(own) / len(own) for own in wins if own], MEAN_ROUNDS)
    return summary(probes, name) | {"people_low": rounded(low), "people_high": rounded(high)}


def markdown(told: dict[str, Any]) -> str:
    """Lay a report out as a table: paired wins with n clips of n people, the detector's with its interval."""
    head = "| method | forged clips / people | " + " | ".join(ALL) + " |"
    lines = [head, "|---" * (len(ALL) + 2) + "|"]
    for method, own in told.items():
        cells = []
        for name in ALL:
            one = own[name]
            wins = "-" if one["wins"] is None else f"{one['wins']:.2f}"
            cells.append(wins + (f" [{one['wins_low']:.2f}-{one['wins_high']:.2f}]" if name == DISTANCE else ""))
        count = f"{own[DISTANCE]['forged_clips']} / {own[DISTANCE]['people']}"
        lines.append(f"| {method} | {count} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
