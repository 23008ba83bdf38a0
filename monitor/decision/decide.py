"""The verdict on a participant at every hop, and when a finding opens, is updated and closes.

A pure state machine: `advance(state, time, scores)` gives the next state and a `Decision`. The invariants: an
inconclusive verdict always has a reason; one-sided detectors alone never give `bona_fide`, and nothing does while a
picture stands; a finding opens once, may be updated, and closes once; the only number that decides when one opens is
`false_alerts_per_hour`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from monitor.decision import edetector
from monitor.decision.contrast import SHOWN, Latest, contrast_of, remember, shown
from monitor.decision.edetector import EDetector
from monitor.decision.evidence import Evidence
from monitor.decision.turns import Turns, follow, with_turns
from monitor.decision.weigh import Bet, weigh
from monitor.types import Aspect, Reason, Score, Verdict

# The statistic is capped at this multiple of the threshold: larger values carry no further information.
HEADROOM = 1e6

# In order of usefulness: what somebody must repair, then what is in the picture, then what resolves by itself.
REASON_PRIORITY = (
    Reason.UNSUPPORTED_CODEC,
    Reason.FRAME_TOO_LARGE,
    Reason.DECODER_FAILED,
    Reason.KEYFRAME_MISSING,
    Reason.PICTURE_DAMAGED,
    Reason.AUDIO_LOSS,
    Reason.MEDIA_STALLED,
    Reason.OVERLOADED,
    Reason.NO_VIDEO,
    Reason.NO_AUDIO,
    Reason.PICTURE_FROZEN,
    Reason.SEVERAL_FACES,
    Reason.NO_FACE,
    Reason.STILL_MOUTH,
    Reason.LOW_FRAME_RATE,
    Reason.LOW_QUALITY,
    Reason.CLOCK_UNKNOWN,
    Reason.SEVERAL_VOICES,
    Reason.UNUSUAL_SOUND,
    Reason.NO_SPEECH,
    Reason.SILENCE,
    Reason.TOO_LITTLE_SPEECH,
    Reason.REJOINING,
    Reason.WARMING_UP,
    Reason.NOT_CALIBRATED,
    Reason.REFERENCE_OUTDATED,
    Reason.NOT_ENROLLED,
)

# Independent of the window: a detector that abstains for these is left out of the combination.
STATIC_REASONS = frozenset({Reason.NOT_ENROLLED, Reason.NOT_CALIBRATED, Reason.REFERENCE_OUTDATED})

# What leaving and joining again explains: a window that fills anew, and too little that was judged.
EXPLAINED_BY_REJOINING = frozenset({Reason.WARMING_UP, Reason.NOT_ENROLLED})

# While a detector abstains for one of these nobody is cleared: what is shown may be a picture of somebody.
UNCLEARED_REASONS = frozenset({Reason.PICTURE_FROZEN, Reason.STILL_MOUTH})


# Of the p-values of a whole recording, fixed beforehand: so much that the least p-value which a table of sixty people
# can give of a voice, and one of eighty of a face, is enough by itself where all four are judged. Others weigh 1/4.
CLIP_WEIGHTS = {Aspect.FACE: 0.3, Aspect.VOICE: 0.34, Aspect.LIPS: 0.26, Aspect.MOVEMENT: 0.1}


class Transition(StrEnum):
    """What happened to the participant's finding at this hop."""

    OPENED = "opened"
    UPDATED = "updated"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class DecisionConfig:
    """How to decide. Operators set `false_alerts_per_hour`, of judged media, while the person is genuine.

    `kappa` shapes the bet of the e-values of whole windows; those of `brief_seconds` have a shape of their own
    (`evalues.shaped`). A finding is updated, at a hop that was judged, every `update_seconds` or
    when its evidence has grown `update_factor` times; it closes after `calm_seconds` below the suspect level, or
    after `abstain_seconds` without any score. `clip_p_value` is the share of genuine recorded clips that may be
    called suspect on their clip-level score alone. In a participant's first `first_seconds` of judged media a finding
    opens only where two phases half a window apart have both crossed the threshold: little is known of the person then,
    and one peculiar stretch must not speak for them. Nobody is called `bona_fide` while a detector that compares them
    with their reference finds them as unusual as `bona_fide_p_value`, or more. `detectors` are those that count, None
    for all; what another one says is shown with the scores and changes nothing.
    """

    false_alerts_per_hour: float = 0.1
    window_seconds: float = 5.0
    hop_seconds: float = 0.5
    brief_seconds: float = 2.0
    kappa: float = 0.5
    update_seconds: float = 30.0
    update_factor: float = 10.0
    calm_seconds: float = 10.0
    abstain_seconds: float = 60.0
    first_seconds: float = 60.0
    clip_p_value: float = 0.05
    bona_fide_p_value: float = 0.1
    detectors: frozenset[str] | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.hop_seconds <= self.window_seconds:
            raise ValueError(f"hop_seconds must lie in (0, {self.window_seconds}], not {self.hop_seconds}")
        if not 0.0 < self.kappa < 1.0:
            raise ValueError(f"kappa must lie in (0, 1), not {self.kappa}")
        if not self.false_alerts_per_hour > 0.0 or self.threshold <= 1.0:
            max_rate = edetector.threshold(1.0, self.window_seconds)
            raise ValueError(f"false_alerts_per_hour must lie in (0, {max_rate:g}), not {self.false_alerts_per_hour}")

    def counting(self, scores: Sequence[Score]) -> list[Score]:
        """Return the scores of the detectors that count."""
        return [s for s in scores if self.detectors is None or s.detector in self.detectors]

    @property
    def threshold(self) -> float:
        """Level of the statistic at which a finding opens."""
        return edetector.threshold(self.false_alerts_per_hour, self.window_seconds)

    @property
    def suspect_level(self) -> float:
        """Half of the way to the threshold as evidence is counted (its square root).

        By the same bound a genuine person crosses it at most once in sqrt(threshold) windows of judged media: 7
        minutes at the default settings.
        """
        return float(self.threshold**0.5)


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision at one hop.

    `reason` says why a verdict is inconclusive, or what a suspicion rests on. `scores` are those given, p-values
    included. `transition` is set at the hops where a finding opens, is updated or closes; `finding_reason` then says
    what it rests on, and `evidence` maps each detector that scored to its evidence. A finding that closes for want of
    media keeps the missing thing in `reason`.
    """

    verdict: Verdict
    reason: Reason | None
    scores: tuple[Score, ...]
    statistic: float
    threshold: float
    transition: Transition | None = None
    finding_reason: Reason | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DecisionState:
    """The state between hops; `recovery` exists while a finding is open.

    `running` is the evidence of every detector, `unclaimed` that of those which compare with no reference: it is what
    remains where the participant claims to be somebody else; `entered` are the detectors that have ever scored.
    `reported_statistic` is the statistic when the finding was last opened or updated, `since_report` the time since;
    `judged` is all the media that was judged since the participant first came. Until `settled_at` of it somebody who
    comes and goes is `rejoining`. `latest` is what was last said of each aspect, and `turns`
    what changed in mid-call.

    Durations are seconds of stream, counted hop by hop, so a step of the clock cannot stretch them.
    """

    config: DecisionConfig
    running: Evidence
    unclaimed: Evidence
    recovery: Evidence | None = None
    entered: frozenset[str] = frozenset()
    time: float | None = None
    blame: Reason | None = None
    unclaimed_blame: Reason | None = None
    reported_statistic: float = 0.0
    since_report: float = 0.0
    calm: float = 0.0
    abstained: float = 0.0
    judged: float = 0.0
    settled_at: float = 0.0
    latest: Latest = field(default_factory=dict)
    turns: Turns = field(default_factory=Turns)


def initial(config: DecisionConfig) -> DecisionState:
    """Make the state before any evidence."""
    cap = config.threshold * HEADROOM
    whole, brief = (
        EDetector.start(length, config.hop_seconds, cap) for length in (config.window_seconds, config.brief_seconds)
    )
    nothing = Evidence(whole, brief)
    return DecisionState(config, nothing, nothing)


def advance(state: DecisionState, time: float, scores: Sequence[Score]) -> tuple[DecisionState, Decision]:
    """Take the scores of the window that ends at `time` (seconds of stream) and decide.

    A score counts when it has a p-value; without one the detector abstained. Detectors that abstain for what was known
    before the window (`STATIC_REASONS`), and those that have never scored, take no part; any other abstention is a
    neutral bet beside the detectors that scored. Detectors with brief windows bet by these only.
    """
    given, scores = scores, state.config.counting(scores)
    state = _elapse(state, time, judged=any(s.p_value is not None for s in scores))
    state = replace(state, entered=state.entered | {s.detector for s in scores if s.p_value is not None})
    bet = _bet(state, scores)
    if bet.made:
        state = _accumulate(state, time, bet)
    bet = _bet(state, [s for s in scores if not s.needs_identity])
    if bet.made:
        unclaimed = state.unclaimed.advance(time, bet.windows, bet.brief)
        state = replace(state, unclaimed=unclaimed, unclaimed_blame=bet.blame or state.unclaimed_blame)
    state, transition = _transit(state)
    verdict, reason = _verdict(state, scores, closed=transition is Transition.CLOSED)
    latest, turns = remember(state.latest, time, given), follow(state.turns, time, given)
    state = replace(state, latest=latest, turns=turns)
    given = with_turns(shown(given, contrast_of(verdict, latest)), turns)
    decision = Decision(
        verdict,
        reason,
        given,
        state.running.statistic,
        state.config.threshold,
        transition,
        state.blame if transition else None,
        _evidence(given) if transition else {},
    )
    return (_restart(state) if transition is Transition.CLOSED else state), decision


def _evidence(scores: Sequence[Score]) -> dict[str, Any]:
    """Give the evidence of each detector that scored, and of one that is contrasted with another."""
    return {s.detector: dict(s.evidence) for s in scores if s.p_value is not None or SHOWN in s.evidence}


def judge_clip(config: DecisionConfig, scores: Sequence[Score], worst: Verdict) -> tuple[Verdict, Reason | None]:
    """Give one verdict on a recorded clip, from its clip-level scores and the worst verdict reached along the way.

    Alert when the sequential detector crossed its threshold; suspect when it reached the suspect level or a
    clip-level p-value, divided by its detector's share of the weight of those that scored (a weighted Bonferroni
    correction), is at most `clip_p_value`; else as for a live hop.
    """
    scores = config.counting(scores)
    scored = [s for s in scores if s.p_value is not None]
    total = sum(_clip_weight(s) for s in scored)
    weighted = [((s.p_value or 0.0) * total / _clip_weight(s), s.cause) for s in scored]
    lowest, blame = min(weighted, key=lambda pair: pair[0], default=(1.0, None))
    if worst in (Verdict.ALERT, Verdict.SUSPECT):
        return worst, blame
    if lowest <= config.clip_p_value:
        return Verdict.SUSPECT, blame
    return _unsuspicious(config, scores)


def _clip_weight(score: Score) -> float:
    return CLIP_WEIGHTS.get(score.aspect, 0.25) if score.aspect is not None else 0.25


def most_useful(reasons: Iterable[Reason | None]) -> Reason:
    """Pick the reason to show by `REASON_PRIORITY`, else any that is given; `warming_up` when none is."""
    given = [reason for reason in reasons if reason is not None]
    return next((reason for reason in (*REASON_PRIORITY, *given) if reason in given), Reason.WARMING_UP)


def _elapse(state: DecisionState, time: float, judged: bool) -> DecisionState:
    previous_time = time if state.time is None else state.time
    step = min(max(0.0, time - previous_time), state.config.window_seconds)
    below = state.recovery is not None and state.recovery.statistic < state.config.suspect_level
    return replace(
        state,
        time=time,
        since_report=state.since_report + step,
        calm=state.calm + step if below and judged else state.calm,
        abstained=0.0 if judged else state.abstained + step,
        judged=state.judged + step if judged else state.judged,
    )


def _bet(state: DecisionState, scores: Sequence[Score]) -> Bet:
    """Weigh the scores of those that take part."""
    taking_part = [
        s for s in scores if s.p_value is not None or (s.detector in state.entered and s.reason not in STATIC_REASONS)
    ]
    return weigh(taking_part, state.config.kappa)


def _accumulate(state: DecisionState, time: float, bet: Bet) -> DecisionState:
    running = state.running.advance(time, bet.windows, bet.brief, bet.alone)
    state = replace(state, running=running, blame=bet.blame or state.blame)
    if state.recovery is None:
        return state
    recovery = state.recovery.advance(time, bet.windows, bet.brief, bet.alone)
    calm = state.calm if recovery.statistic < state.config.suspect_level else 0.0
    return replace(state, recovery=recovery, calm=calm)


def _transit(state: DecisionState) -> tuple[DecisionState, Transition | None]:
    config, statistic = state.config, state.running.statistic
    if state.recovery is None:
        early = state.judged < config.first_seconds
        # Evidence from before may be over the threshold already; a finding opens on what can be shown with it.
        if state.abstained or min(statistic, state.running.agreed if early else statistic) < config.threshold:
            return state, None
        state = replace(state, recovery=_copy(state), reported_statistic=statistic, since_report=0.0, calm=0.0)
        return state, Transition.OPENED
    if state.calm >= config.calm_seconds or state.abstained >= config.abstain_seconds:
        return replace(state, recovery=None), Transition.CLOSED
    due = statistic >= state.reported_statistic * config.update_factor or state.since_report >= config.update_seconds
    if due and not state.abstained:
        return replace(state, reported_statistic=statistic, since_report=0.0), Transition.UPDATED
    return state, None


def _copy(state: DecisionState) -> Evidence:
    # Capped between the two levels, it decays at the same speed however strong the evidence was.
    cap = (state.config.threshold * state.config.suspect_level) ** 0.5
    return state.running.capped(cap)


def _verdict(state: DecisionState, scores: Sequence[Score], closed: bool) -> tuple[Verdict, Reason | None]:
    if state.recovery is not None:
        return Verdict.ALERT, state.blame
    lapsed = state.abstained >= state.config.abstain_seconds
    if not closed and not lapsed and state.running.statistic >= state.config.suspect_level:
        return Verdict.SUSPECT, state.blame
    verdict, reason = _unsuspicious(state.config, scores)
    rejoining = state.judged < state.settled_at and reason in EXPLAINED_BY_REJOINING
    return verdict, Reason.REJOINING if rejoining else reason


def _unsuspicious(config: DecisionConfig, scores: Sequence[Score]) -> tuple[Verdict, Reason | None]:
    scored = [s for s in scores if s.p_value is not None]
    if not scores and config.detectors is not None:
        return Verdict.INCONCLUSIVE, Reason.NOT_CALIBRATED
    if not scored:
        return Verdict.INCONCLUSIVE, most_useful(s.reason for s in scores)
    clearing = [s for s in scored if not s.one_sided]
    if clearing:
        lowest = min((s for s in scored if not s.one_sided or s.withholds), key=lambda s: s.p_value or 0.0)
        if (lowest.p_value or 0.0) > config.bona_fide_p_value:
            standing = [s.reason for s in scores if s.reason in UNCLEARED_REASONS]
            return (Verdict.INCONCLUSIVE, most_useful(standing)) if standing else (Verdict.BONA_FIDE, None)
        # Too weak to suspect, too strong to clear: the reason names the unusual detector.
        return Verdict.INCONCLUSIVE, lowest.cause or Reason(f"{lowest.detector}_unusual")
    waiting = [s.reason for s in scores if s.p_value is None and not s.one_sided]
    return Verdict.INCONCLUSIVE, most_useful(waiting) if waiting else Reason.NOT_ENROLLED


def _restart(state: DecisionState) -> DecisionState:
    return replace(
        initial(state.config),
        time=state.time,
        abstained=state.abstained,
        judged=state.judged,
        settled_at=state.settled_at,
        entered=state.entered,
    )
