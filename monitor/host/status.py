"""What is said of a participant now: their entry in `GET /v1/calls`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from monitor.alerts.finding import describe_scores
from monitor.alerts.plain import plain
from monitor.alerts.wire import Message
from monitor.decision.report import HopReport
from monitor.types import ParticipantKey, Verdict, rfc3339


@dataclass(frozen=True, slots=True)
class Status:
    """The verdict and what it rests on; `since` is when the verdict became what it is."""

    verdict: str
    reason: str | None
    since: datetime
    scores: dict[str, Any] = field(default_factory=dict)
    statistic: float | None = None
    threshold: float | None = None
    quality: dict[str, float] = field(default_factory=dict)

    def decided(self, report: HopReport, now: datetime) -> Status:
        """Return the status after a hop."""
        decision = report.decision
        verdict = str(decision.verdict)
        return Status(
            verdict,
            decision.reason and str(decision.reason),
            self._since(verdict, now),
            describe_scores(decision.scores, evidence=True),
            decision.statistic,
            decision.threshold,
            {**report.quality, "dropped": float(report.dropped)},
        )

    def inconclusive(self, reason: str, now: datetime) -> Status:
        """Return the status while nothing can be decided, or nothing any more."""
        verdict = str(Verdict.INCONCLUSIVE)
        return Status(verdict, reason, self._since(verdict, now))

    def describe(self, key: ParticipantKey) -> Message:
        """Return the participant's entry in `GET /v1/calls`."""
        message: Message = plain(
            {
                "participant": key.participant,
                "identity": key.identity,
                "verdict": self.verdict,
                "reason": self.reason,
                "since": rfc3339(self.since),
                "scores": self.scores,
                "statistic": self.statistic,
                "threshold": self.threshold,
                "quality": self.quality,
            }
        )
        return message

    def message(self, key: ParticipantKey, now: datetime) -> Message:
        """Return the status as a `state` message of `/v1/alerts`."""
        return {
            "type": "state",
            "call": key.call,
            "participant": key.participant,
            "time": rfc3339(now),
            "verdict": self.verdict,
            "reason": self.reason,
            "scores": self.scores,
            "statistic": self.statistic,
            "threshold": self.threshold,
            "quality": self.quality,
        }

    def _since(self, verdict: str, now: datetime) -> datetime:
        return self.since if self.verdict == verdict else now
