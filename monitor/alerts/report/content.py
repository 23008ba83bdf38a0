"""What a report of a finding says, in words. Pure.

It claims no more than the sidecar knows: what passed which level, in what conditions, against whom it was calibrated,
what else could explain it, and what nobody looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from monitor.alerts.casework.case import Action, Case
from monitor.alerts.finding import Finding
from monitor.alerts.report.causes import explanations
from monitor.decision.lag import SHOWN as LAG
from monitor.decision.lag import words as lag_words
from monitor.decision.words import Phrase, describe
from monitor.types import Reason, Verdict

SECONDS_AN_HOUR = 3600.0
# A p-value from here on is nothing unusual.
USUAL_P = 0.1
# Measures of the media in words, with their unit and how many of it a value is.
MEASURES: Mapping[str, tuple[str, str, float]] = {
    "face_px": ("Size of the face", "pixels", 1.0),
    "fps": ("Pictures a second", "", 1.0),
    "speech_seconds": ("Speech in the window", "s", 1.0),
    "face_fraction": ("Share of the window with a face", "%", 100.0),
    "clock_uncertainty": ("Uncertainty of the clock", "ms", 1000.0),
    "clock_mapped": ("Sender's clock known (1) or estimated (0)", "", 1.0),
    "dropped": ("Media dropped for want of time, since they joined", "items", 1.0),
}
NEVER_LOOKED_AT = (
    "What was said: no words are recognised, and no media are kept to look at again.",
    "The device, the account and the network of the participant, and who else was in the room.",
    "Everything before and after the times given here, and whatever this participant sent while they were not watched.",
)
CHANNEL_STEPS = (
    "Do not use the call, its chat, or a number or link given in it.",
    "Call the person back on a number that was known before the call, or meet them.",
    "Ask for what was asked for in the call to be confirmed there, and agree on the next step in their words.",
    "Write the outcome down with the finding: label it true, false or unsure, and say who was reached and how.",
)


@dataclass(frozen=True, slots=True)
class PackNote:
    """A model pack: as it was when the finding opened, and whether it is the one that is installed now."""

    name: str
    sha256: str
    version: str = ""
    licence: str = ""
    is_installed: bool = True


@dataclass(frozen=True, slots=True)
class CalibrationNote:
    """By whose scores a detector's are judged: how many genuine people, and the version of the pack that holds them."""

    detector: str
    people: int | None
    pack: str
    version: str


@dataclass(frozen=True, slots=True)
class ChainNote:
    """A log and where it ends: the hash of its last row, and what is wrong with it, where anything is."""

    log: str
    rows: int
    head: str
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """Everything that a report is made of; `changes` are of one finding, the oldest first, and there is one.

    `tenant` is whose finding it is, None where there is one tenant alone.
    """

    changes: Sequence[Finding]
    case: Case
    detectors: Mapping[str, str]
    phrases: Mapping[Reason, Phrase]
    packs: Sequence[PackNote]
    calibrations: Sequence[CalibrationNote]
    chains: Sequence[ChainNote]
    made: datetime
    version: str
    window_seconds: float
    tampered: Sequence[int] = ()
    shows_names: bool = True
    tenant: str | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """The words of a report, section by section."""

    title: str
    claim: str
    sure: Sequence[str]
    facts: Sequence[tuple[str, str]]
    measures: Sequence[tuple[str, ...]]
    conditions: Sequence[tuple[str, ...]]
    others: Sequence[str]
    unseen: Sequence[str]
    channel: Sequence[str]
    history: Sequence[tuple[str, str, str]]
    pictures: Mapping[str, Any] = field(default_factory=dict)


def written(source: Source) -> Content:
    """Return what a report says."""
    opening, peak = source.changes[0], strongest(source.changes)
    return Content(
        _title(source, opening),
        _claim(source, opening),
        _sure(source, peak),
        _facts(source, opening),
        _measures(source, peak),
        _conditions(peak),
        explanations(opening.reason),
        [*_abstained(source, peak), *_warnings(source), *NEVER_LOOKED_AT],
        CHANNEL_STEPS,
        _history(source),
        {"conditions": peak.conditions, "evidence": peak.evidence},
    )


def strongest(changes: Sequence[Finding]) -> Finding:
    """Return the change of a finding with the most evidence; the first one where that is not known."""
    told = [change for change in changes if change.verdict == Verdict.ALERT] or [changes[0]]
    return max(told, key=lambda change: change.conditions.get("statistic") or 0.0)


def rarity(p_value: float) -> str:
    """Say how rare a p-value is among genuine people; never that somebody is genuine."""
    return "nothing unusual" if p_value >= USUAL_P else f"seen in 1 of {_round(1 / p_value)} genuine windows"


def _title(source: Source, opening: Finding) -> str:
    return describe(Verdict.ALERT, _reason(opening), dict(source.phrases)).title


def _claim(source: Source, opening: Finding) -> str:
    who, call = _names(source, opening)
    claimed = ""
    if opening.key.identity is not None:
        claimed = f", who claims to be {opening.key.identity}," if source.shows_names else ", who claims an identity,"
    words = describe(Verdict.ALERT, _reason(opening), dict(source.phrases))
    time = _time(opening.time)
    return f"On {time} the evidence against {who}{claimed} in {call} passed the alert level: {_lower(words.title)}."


def _sure(source: Source, peak: Finding) -> list[str]:
    statistic, threshold = peak.conditions.get("statistic"), peak.conditions.get("threshold")
    told = []
    if isinstance(statistic, int | float) and isinstance(threshold, int | float) and threshold > 0:
        rate = SECONDS_AN_HOUR / (source.window_seconds * threshold)
        told.append(
            f"The evidence reached {_round(statistic)}; the alert level is {_round(threshold)}, set so that a genuine "
            f"person like those of the calibration passes it at most {rate:.2g} times in an hour that is judged."
        )
    else:
        told.append("How far the evidence went was not kept with this finding.")
    told += [
        f"{lag_words(evidence[LAG])} A wireless headset does that, too, and it counted for nothing."
        for evidence in peak.evidence.values()
        if LAG in evidence
    ]
    told.append("It is a reason to check with the person another way. It is no proof, and names nobody as its author.")
    if source.case.label is not None:
        told.append(f"Whoever looked into it labelled it {source.case.label}.")
    return told


def _facts(source: Source, opening: Finding) -> list[tuple[str, str]]:
    who, call = _names(source, opening)
    last = source.changes[-1]
    facts = [("Finding", opening.id), ("Participant", who), ("Call", call)]
    if source.tenant is not None and source.shows_names:
        facts.append(("Tenant", source.tenant))
    if opening.key.identity is not None and source.shows_names:
        ground = f" ({str(opening.key.claim).replace('_', ' ')})" if opening.key.claim else ""
        facts.append(("Claims to be", opening.key.identity + ground))
    is_closed = last.action == "closed"
    facts += [("Began", _time(opening.time)), ("Ended" if is_closed else "Last change", _time(last.time))]
    return facts


def _measures(source: Source, peak: Finding) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, label in source.detectors.items():
        score = peak.scores.get(name)
        if score is not None and score.get("score") is not None:
            p_value = score.get("p_value")
            rare = rarity(p_value) if p_value else "not calibrated"
            rows.append(
                (label.capitalize(), f"{score['score']:.3g}", "" if p_value is None else f"{p_value:.2g}", rare)
            )
    return rows


def _conditions(peak: Finding) -> list[tuple[str, ...]]:
    quality, ranges = peak.conditions.get("quality", {}), peak.conditions.get("ranges", {})
    rows: list[tuple[str, ...]] = []
    for name, (label, unit, scale) in MEASURES.items():
        if isinstance(quality.get(name), int | float):
            low, high = (value * scale for value in ranges.get(name, [quality[name]] * 2))
            spread = f"{low:.4g} to {high:.4g}" if low != high else f"{low:.4g}"
            rows.append((label, f"{quality[name] * scale:.4g} {unit}".strip(), f"{spread} {unit}".strip()))
    return rows


def _abstained(source: Source, peak: Finding) -> list[str]:
    told = []
    for name, label in source.detectors.items():
        score = peak.scores.get(name)
        if score is None:
            told.append(f"{label.capitalize()}: not run.")
        elif score.get("score") is None:
            words = source.phrases.get(Reason(score["reason"])) if score.get("reason") else None
            why = (words.brief or words.title) if words is not None else "it did not say why"
            told.append(f"{label.capitalize()}: no score, {_lower(why)}.")
    return told


def _warnings(source: Source) -> list[str]:
    told = [f"Change {seq} of this finding: it was altered in the journal and is left out." for seq in source.tampered]
    if not source.changes[0].conditions.get("packs"):
        told.append("With which model packs it was judged was not kept: those listed are the ones installed now.")
    return told


def _history(source: Source) -> list[tuple[str, str, str]]:
    case = source.case
    told = [(note.time, note.actor, f"noted: {note.text}") for note in case.notes]
    told += [(one.time, "policy", f"told {one.whom} by {one.sink}") for one in case.told]
    told += [(action.time, action.actor, _done(action, source.shows_names)) for action in case.actions]
    told += [
        (one.answered or one.made, one.answered_by or one.made_by, f"verification: {one.outcome or 'asked for'}")
        for one in case.challenges
    ]
    if case.label is not None and case.labelled is not None:
        told.append((case.labelled, str(case.labelled_by), f"labelled {case.label}"))
    shown = [(time, actor, text) for time, actor, text in sorted(told) if source.shows_names or "noted" not in text]
    return [(_time(time), actor if source.shows_names else "", text) for time, actor, text in shown]


def _done(action: Action, shows_names: bool) -> str:
    by = f", confirmed by {action.confirmed_by}" if action.confirmed_by is not None and shows_names else ""
    return f"{action.action}: {action.state}{by}"


def _names(source: Source, opening: Finding) -> tuple[str, str]:
    if source.shows_names:
        return opening.key.participant, f"the call {opening.key.call}"
    return "a participant", "a call"


def _reason(opening: Finding) -> Reason | None:
    return Reason(opening.reason) if opening.reason else None


def _time(time: datetime) -> str:
    return time.strftime("%-d %B %Y, %H:%M:%S UTC")


def _lower(title: str) -> str:
    return title[:1].lower() + title[1:]


def _round(value: float) -> str:
    return f"{float(f'{value:.2g}'):,.0f}" if value < 1e6 else f"{value:.1e}"
