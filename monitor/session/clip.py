"""A recorded clip, judged by the very session that judges live calls, and then once more as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from monitor.alerts.finding import describe_scores
from monitor.decision.decide import judge_clip, most_useful
from monitor.decision.report import HopReport
from monitor.detectors.pairwise.detector import counted_of
from monitor.detectors.pairwise.live import Watch
from monitor.detectors.pairwise.population import COMPONENTS, Population
from monitor.detectors.persona import detector as persona
from monitor.detectors.persona.detector import PersonaPeople
from monitor.session.models import Models
from monitor.session.session import Session, SessionConfig
from monitor.tap.replay import read_clip
from monitor.types import MediaItem, ParticipantKey, Reason, Score, TrackFault, Verdict
from monitor.window.window import Stretch

if TYPE_CHECKING:
    from monitor.detectors.reference import Reference

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


class ClipJudge:
    """A session over the items of one clip; `judge` says what they come to, once all were pushed.

    `watch` sees every frame with the participant's face; hop by hop `progress` is told the seconds of media read so far
    and `movement` how the participant moved and spoke.
    """

    def __init__(
        self,
        models: Models,
        config: SessionConfig | None = None,
        identity: str | None = None,
        reference: Reference | None = None,
        watch: Watch | None = None,
        progress: Progress | None = None,
        movement: Callable[[Stretch], None] | None = None,
    ) -> None:
        self._models, self._config, self._progress = models, config or SessionConfig(), progress
        key = ParticipantKey("scan", "1", identity)
        self._session = Session(key, models, self._config, reference, watch, movement)
        self._reports: list[HopReport] = []
        self._faults: list[str] = []
        self._start: float | None = None
        self._end = 0.0

    @property
    def seconds(self) -> float:
        """Length of what was pushed."""
        return self._end - (self._start or 0.0)

    def push(self, item: MediaItem) -> None:
        """Take one item, in the order of `read_clip`."""
        now = item.arrival if isinstance(item, TrackFault) else item.stamp.arrival
        if isinstance(item, TrackFault):
            self._faults.append(item.detail)
        self._start = now if self._start is None else self._start
        self._end = max(now, self._end)
        report = self._session.tick(now)
        if report is not None:
            self._reports.append(report)
            if self._progress:
                self._progress(self.seconds)
        self._session.push(item)

    def judge(self, clip: Path) -> ClipVerdict:
        """Say one thing of the clip; call once."""
        final = self._session.finish(self._end)
        reports = [*self._reports, *([final] if final is not None else [])]
        worst = max((r.decision.verdict for r in reports), key=_RANK.index, default=Verdict.INCONCLUSIVE)
        scores = (_lips(reports, self._models), _faces(reports, self._models.population), self._movement(reports))
        verdict, reason = judge_clip(self._config.decision, scores, worst)
        return ClipVerdict(str(clip), "1", self.seconds, verdict, reason, scores, tuple(self._faults))

    def _movement(self, reports: Sequence[HopReport]) -> Score:
        decision = self._config.decision
        return whole_clip(reports, self._models.people, decision.hop_seconds / decision.window_seconds)


def scan(
    clip: Path,
    models: Models,
    config: SessionConfig | None = None,
    progress: Progress | None = None,
    identity: str | None = None,
    reference: Reference | None = None,
) -> ClipVerdict:
    """Judge the participant of a clip; raises `SourceError` when the file cannot be read.

    `progress` is called with the seconds of media read so far; `identity` is whom the participant claims to be and
    `reference` what that person is compared with, None when not enrolled.
    """
    judge = ClipJudge(models, config, identity, reference, progress=progress)
    for item in read_clip(clip):
        judge.push(item)
    return judge.judge(clip)


def _lips(reports: Sequence[HopReport], models: Models) -> Score:
    """One score of lips and voice: the mean of what had accumulated at the hops with the most speech behind them."""
    scored, reason = _scored("synchrony", reports)
    if not scored:
        return Score("synchrony", None, reason, one_sided=True)
    piles = [s.evidence["accumulated"] for s in scored]
    found = [(-float(pile["agreement"]), float(pile["speech_seconds"])) for pile in piles]
    value, speech, count = clip_value(found, models.calibration.lengths)
    middle, _ = min(zip(scored, found, strict=True), key=lambda pair: abs(pair[1][0] - value))
    score = replace(middle, value=value, p_value=None, evidence={**middle.evidence, "windows": count})
    return models.calibration.apply(score, speech, once=True)


def _faces(reports: Sequence[HopReport], population: Population | None) -> Score:
    """One score of the face: the median over the hops of each kind of evidence, and what they come to together."""
    scored, reason = _scored("pairwise", reports)
    if not scored or population is None:
        return Score("pairwise", None, reason)
    kinds = [[(s.evidence[name] or {}).get("value") for s in scored] for name in COMPONENTS]
    medians = [float(np.median(known)) if (known := [v for v in kind if v is not None]) else np.nan for kind in kinds]
    parts = np.array(medians, np.float64)
    counted = counted_of(parts)
    value, p_value = population.value(parts, counted), population.p_value(parts, counted, once=True)
    middle = min(scored, key=lambda s: abs((s.value or 0.0) - value))
    unknown = None if p_value is not None else Reason.NOT_CALIBRATED
    return replace(
        middle, value=value, reason=unknown, p_value=p_value, evidence={**middle.evidence, "windows": len(scored)}
    )


def whole_clip(reports: Sequence[HopReport], people: PersonaPeople | None, fresh: float) -> Score:
    """One score of how somebody moved: the mean of all moments that were measured, on all the speech behind them.

    `fresh` is the share of a window that each hop brings anew.
    """
    scored, reason = _scored(persona.NAME, reports)
    if not scored or people is None:
        return Score(persona.NAME, None, reason, one_sided=True)
    spoken = [float(s.evidence["speech_seconds"]) for s in scored]
    speech = max(max(spoken), spoken[0] + fresh * sum(spoken[1:]))
    moments = {moment["at"]: moment for s in scored for moment in s.evidence["timeline"]}
    kinds = [[s.evidence[name]["value"] for s in scored] for name in persona.MEASURES]
    parts = np.array([np.mean(known) if (known := [v for v in kind if v is not None]) else np.nan for kind in kinds])
    return persona.PersonaDetector(people).word(parts, parts, list(moments.values()), speech, once=True)


def _scored(detector: str, reports: Sequence[HopReport]) -> tuple[list[Score], Reason]:
    """Give a detector's scores at the hops, and the most useful reason of those where it abstained."""
    hops = [s for r in reports for s in r.decision.scores if s.detector == detector]
    return [s for s in hops if s.value is not None], most_useful(s.reason for s in hops)


def clip_value(windows: Sequence[tuple[float, float]], lengths: Sequence[float]) -> tuple[float, float, int]:
    """One value for a clip from its hops' (score, usable speech seconds): the mean of those with the most speech.

    Gives that mean, the least speech behind it, and how many hops it is over; hops are told apart by which of the
    calibrated `lengths` they fill.
    """
    filled = [sum(length <= speech + 1e-6 for length in lengths) for _, speech in windows]
    chosen = [window for window, n in zip(windows, filled, strict=True) if n == max(filled)]
    return float(np.mean([v for v, _ in chosen])), min(speech for _, speech in chosen), len(chosen)
