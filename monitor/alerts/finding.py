"""A finding is one suspicious episode of one participant: opened once, updated any number of times, closed once.

The tracker is pure. Whatever order of transitions it is fed, what it gives for one id is always `opened`,
`updated`*, `closed`, with steps counted from 0, so that (id, step) names a change for ever and a retried write
can be recognised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import uuid4

from monitor.alerts.plain import plain
from monitor.decision.decide import Decision
from monitor.types import ParticipantKey, Score, Verdict

Action = Literal["opened", "updated", "closed"]

# Evidence that outlines faces.
FACE_OUTLINES = ("worst_pair",)
FINDING = "finding"


@dataclass(frozen=True, slots=True)
class Finding:
    """One change of an episode, as it is stored and sent; `time` is wall-clock UTC, the mappings hold JSON values.

    `handling` says what a policy makes of it (`monitor.alerts.policy.handling`), None without one. `conditions`
    (`monitor.alerts.conditions`, and with which model packs) is stored and not sent.
    """

    id: str
    step: int
    action: Action
    key: ParticipantKey
    time: datetime
    verdict: str
    reason: str | None
    scores: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)
    handling: Mapping[str, Any] | None = None
    conditions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """What the entry is about: a `finding`, or a `suspicion` or `unverified` person that a policy tells of."""
        return str(self.handling["kind"]) if self.handling is not None else FINDING

    @property
    def drill(self) -> bool:
        """Whether it is of a drill: it says nothing of anybody and is never counted."""
        return self.handling is not None and bool(self.handling["drill"])


@dataclass(frozen=True, slots=True)
class OpenFinding:
    """An episode that waits for its participant to join again; `step` is that of its next change."""

    id: str
    step: int


class FindingTracker:
    """Turns the transitions of one participant's decisions into findings; `finding` goes on under its id."""

    def __init__(
        self,
        key: ParticipantKey,
        new_id: Callable[[], str] = lambda: str(uuid4()),
        finding: OpenFinding | None = None,
    ) -> None:
        self._key = key
        self._new_id = new_id
        self._id = finding.id if finding is not None else None
        self._step = finding.step if finding is not None else 0

    @property
    def open(self) -> bool:
        """Whether an episode is open."""
        return self._id is not None

    @property
    def finding(self) -> OpenFinding | None:
        """The episode that is open, or None."""
        return OpenFinding(self._id, self._step) if self._id is not None else None

    def advance(
        self, decision: Decision, time: datetime, conditions: Callable[[bool], Mapping[str, Any]] = lambda _opens: {}
    ) -> Finding | None:
        """Return what the decision changes, or None; `conditions` is asked where it does, and told whether it opens.

        An update without an episode opens one (a suspicion is never lost), an opening within one updates it, a
        closing without one is nothing.
        """
        if decision.transition is None or (decision.transition == "closed" and not self.open):
            return None
        action: Action = "closed" if decision.transition == "closed" else "updated" if self.open else "opened"
        reason = decision.finding_reason or decision.reason
        scores = describe_scores(decision.scores)
        return self._change(
            action,
            time,
            str(decision.verdict),
            reason and str(reason),
            scores,
            decision.evidence,
            conditions(not self.open),
        )

    def end(self, time: datetime, reason: str, stays_open: bool = False) -> Finding | None:
        """Close the open episode, if any, because the participant left or can no longer be judged.

        One that `stays_open` is updated with the reason: the participant may come back.
        """
        if not self.open:
            return None
        return self._change("updated" if stays_open else "closed", time, str(Verdict.INCONCLUSIVE), reason, {}, {})

    def _change(
        self,
        action: Action,
        time: datetime,
        verdict: str,
        reason: str | None,
        scores: Mapping[str, Mapping[str, Any]],
        evidence: Mapping[str, Any],
        conditions: Mapping[str, Any] | None = None,
    ) -> Finding:
        if self._id is None:
            self._id, self._step = self._new_id(), 0
        # What is sent live must equal what is read back later: JSON values, and milliseconds as `rfc3339` writes them.
        stored_time = time.replace(microsecond=time.microsecond // 1000 * 1000)
        finding = Finding(
            self._id,
            self._step,
            action,
            self._key,
            stored_time,
            verdict,
            reason,
            plain(scores),
            plain(without_outlines(evidence)),
            conditions=plain(conditions or {}),
        )
        self._step += 1
        if action == "closed":
            self._id = None
        return finding


def without_outlines(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Return the evidence that may be stored: outlines of faces are shown live and never written down.

    A finding outlives an erased identity, and outlines of its reference come from what was erased.
    """
    return {
        detector: {key: value for key, value in parts.items() if key not in FACE_OUTLINES}
        for detector, parts in evidence.items()
    }


def describe_scores(scores: Iterable[Score], evidence: bool = False) -> dict[str, dict[str, Any]]:
    """Return `{detector: {"score", "p_value", "reason"}}`, with each detector's evidence where it is asked for."""
    described: dict[str, dict[str, Any]] = {}
    for score in scores:
        described[score.detector] = {
            "score": score.value,
            "p_value": score.p_value,
            "reason": score.reason and str(score.reason),
        }
        if evidence:
            described[score.detector]["evidence"] = dict(score.evidence)
    return described
