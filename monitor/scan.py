"""A recorded clip, judged by the very session that judges live calls, and then once more as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from monitor.alerts.finding import describe_scores
from monitor.decision.decide import judge_clip, most_useful
from monitor.models import Models
from monitor.report import HopReport, ParticipantKey
from monitor.session import Session, SessionConfig
from monitor.tap.replay import read_clip
from monitor.types import Reason, Score, TrackFault, Verdict

Progress = Callable[[float], None]
_RANK = (Verdict.INCONCLUSIVE, Verdict.BONA_FIDE, Verdict.SUSPECT, Verdict.ALERT)


@dataclass(frozen=True, slots=True)
class ClipVerdict:
    """What is said of one participant of a clip; `faults` are one-line notes of what was wrong with the file."""

    clip: str
    participant: str
    seconds: float
    verdict: Verdict
    reason: Reason | None
    scores: tuple[Score, ...]
    faults: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Give the object that `sidewitness scan --json` prints."""
        return {
            "clip": self.clip,
            "participant": self.participant,
            "seconds": round(self.seconds, 3),
            "verdict": self.verdict.value,
            "reason": self.reason.value if self.reason else None,
            "scores": describe_scores(self.scores, evidence=True),
        }


def scan(
    clip: Path,
    models: Models,
    config: SessionConfig | None = None,
    progress: Progress | None = None,
    identity: str | None = None,
) -> ClipVerdict:
    """Judge the participant of a clip; raises `SourceError` when the file cannot be read.

    `progress` is called with the seconds of media read so far; `identity` is whom the participant claims to be.
    """
    config = config or SessionConfig()
    session = Session(ParticipantKey("scan", "1", identity), models, config)
    reports: list[HopReport] = []
    faults: list[str] = []
    start = end = None
    for item in read_clip(clip):
        now = item.arrival if isinstance(item, TrackFault) else item.stamp.arrival
        if isinstance(item, TrackFault):
            faults.append(item.detail)
        start, end = (now if start is None else start), max(now, end or now)
        report = session.tick(now)
        if report is not None:
            reports.append(report)
            if progress:
                progress(end - start)
        session.push(item)
    final = session.finish(end or 0.0)
    reports += [final] if final is not None else []
    seconds = (end or 0.0) - (start or 0.0)
    worst = max((r.decision.verdict for r in reports), key=_RANK.index, default=Verdict.INCONCLUSIVE)
    scores = tuple(_whole(name, reports, models) for name in ("synchrony",))
    verdict, reason = judge_clip(config.decision, scores, worst)
    return ClipVerdict(str(clip), "1", seconds, verdict, reason, scores, tuple(faults))


def _whole(detector: str, reports: list[HopReport], models: Models) -> Score:
    """One score for the clip: the mean of what had accumulated at its hops, those with the most speech behind them."""
    hops = [s for r in reports for s in r.decision.scores if s.detector == detector]
    scored = [s for s in hops if s.value is not None]
    if not scored:
        return Score(detector, None, most_useful(s.reason for s in hops), one_sided=True)
    piles = [s.evidence["accumulated"] for s in scored]
    found = [(-float(pile["agreement"]), float(pile["speech_seconds"])) for pile in piles]
    value, speech, count = clip_value(found, models.calibration.lengths)
    middle, _ = min(zip(scored, found, strict=True), key=lambda pair: abs(pair[1][0] - value))
    score = replace(middle, value=value, p_value=None, evidence={**middle.evidence, "windows": count})
    return models.calibration.apply(score, speech, once=True)


def clip_value(windows: Sequence[tuple[float, float]], lengths: Sequence[float]) -> tuple[float, float, int]:
    """One value for a clip from its hops' (score, usable speech seconds): the mean of those with the most speech.

    Gives that mean, the least speech behind it, and how many hops it is over; hops are told apart by which of the
    calibrated `lengths` they fill.
    """
    filled = [sum(length <= speech + 1e-6 for length in lengths) for _, speech in windows]
    chosen = [window for window, n in zip(windows, filled, strict=True) if n == max(filled)]
    return float(np.mean([v for v, _ in chosen])), min(speech for _, speech in chosen), len(chosen)
