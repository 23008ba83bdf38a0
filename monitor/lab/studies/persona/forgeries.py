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
from monitor.lab.studies.persona.scores import DISTANCE, SCORES, Cohort, Scorer
from monitor.lab.studies.persona.verification_trials import CONFOUNDS, Confounds

ALL = (*SCORES, *CONFOUNDS)


def probes_of(cohort: Cohort, confounds: Confounds) -> Iterator[Probe]:
    """Score every genuine probe, and every forged clip, of people of whom there are both: a mean over each clip."""
    for result, measurer in cohort.faced:
        if not result.forged:
            continue
        score = Scorer(cohort, result, measurer, confounds)
        for label, scored_parts in (("real", result.genuine), ("fake", result.forged)):
            for scored in scored_parts:
                if len(scored.values):
                    row, scores = scored.part.footage.row, score([(scored.part, values) for values in scored.values])
                    yield Probe(
                        row.name, label, method_of(row.method), result.person, result.trial.number, "", scores, None
                    )


def report(probes: Sequence[Probe]) -> dict[str, Any]:
    """Compute paired wins and AUC of every score, for each method and all of them, with intervals over people too."""
    summary_by_method = {}
    for method in ("all", *sorted({p.method for p in probes if p.label == "fake"})):
        forged_probes = [p for p in probes if p.label == "fake" and method in ("all", p.method)]
        people = {p.person for p in forged_probes}
        genuine_probes = [p for p in probes if p.label == "real" and p.person in people]
        summary_by_method[method] = {name: _summary_of([*forged_probes, *genuine_probes], name) for name in ALL}
    return summary_by_method


def _summary_of(probes: Sequence[Probe], name: str) -> dict[str, Any]:
    people = sorted({p.person for p in probes})
    wins = [paired([p for p in probes if p.person == person], name) for person in people]
    low, high = mean_interval([sum(clip_wins) / len(clip_wins) for clip_wins in wins if clip_wins], MEAN_ROUNDS)
    return summary(probes, name) | {"people_low": rounded(low), "people_high": rounded(high)}


def markdown(summary: dict[str, Any]) -> str:
    """Lay a report out as a table: paired wins with n clips of n people, the detector's with its interval."""
    head = "| method | forged clips / people | " + " | ".join(ALL) + " |"
    lines = [head, "|---" * (len(ALL) + 2) + "|"]
    for method, scores in summary.items():
        cells = []
        for name in ALL:
            values = scores[name]
            wins = "-" if values["wins"] is None else f"{values['wins']:.2f}"
            cells.append(wins + (f" [{values['wins_low']:.2f}-{values['wins_high']:.2f}]" if name == DISTANCE else ""))
        count = f"{scores[DISTANCE]['forged_clips']} / {scores[DISTANCE]['people']}"
        lines.append(f"| {method} | {count} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
