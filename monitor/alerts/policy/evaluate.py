"""What a policy makes of what is decided: a pure state machine over joins, hops and findings.

The invariants: a finding is never withheld from the journal, only from sinks; whoever was told of an episode is told of
its end; an action is ordered once an episode; a suspicion and what is unverified are opened once and closed once, and
are never counted as alerts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from monitor.alerts.finding import Action as Change
from monitor.alerts.finding import Finding
from monitor.alerts.policy.handling import Requested, handling
from monitor.alerts.policy.rules import NO_SINK, ActionName, Kind, Policy, Sinks, Subject
from monitor.alerts.policy.terms import Due, Terms, terms_of
from monitor.types import ParticipantKey, Verdict

Place = tuple[str, str]
NewId = Callable[[], str]

# Verdicts come and go around the level of a suspicion: it is over when none came for so long.
CALM = timedelta(seconds=10)
# Findings are closed by whoever opened them; of one that never is, no more is remembered than of the newest of these.
MAX_OPEN_FINDINGS = 1024


@dataclass(frozen=True, slots=True)
class Ordered:
    """An action that is to be done, or asked for: of which finding, about whom."""

    id: str
    action: ActionName
    finding: str
    key: ParticipantKey
    confirm: bool
    dry_run: bool
    expires: datetime
    groups: tuple[str, ...] = ()
    drill: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an input leads to: the state after it, entries for the journal in their order, and actions."""

    state: PolicyState
    entries: tuple[Finding, ...] = ()
    orders: tuple[Ordered, ...] = ()

    def then(self, step: Callable[[PolicyState], Outcome]) -> Outcome:
        """Go on from here."""
        after = step(self.state)
        return Outcome(after.state, self.entries + after.entries, self.orders + after.orders)


@dataclass(frozen=True, slots=True)
class Episode:
    """What is known of something that is open: who was told, what was done, by which groups.

    `seen` is when it last was as it is, `waits` says that something about it is held back.
    """

    id: str
    kind: Kind
    key: ParticipantKey
    terms: Terms
    step: int = 0
    told: Sinks = NO_SINK
    by: frozenset[str] = frozenset()
    acted: frozenset[ActionName] = frozenset()
    requested: tuple[Requested, ...] = ()
    seen: datetime | None = None
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in a call; `unclear_since` is since when nothing can be said of them, None where something can."""

    key: ParticipantKey
    terms: Terms
    unclear_since: datetime | None
    verdict: str = str(Verdict.INCONCLUSIVE)
    reason: str | None = None
    suspicion: Episode | None = None
    unverified: Episode | None = None


@dataclass(frozen=True, slots=True)
class PolicyState:
    """Everybody in calls, the findings that are open, and when which group last did something about whom."""

    policy: Policy = field(default_factory=Policy)
    people: Mapping[Place, Person] = field(default_factory=dict)
    findings: Mapping[str, Episode] = field(default_factory=dict)
    done: Mapping[tuple[Place, Kind], Mapping[str, datetime]] = field(default_factory=dict)


def joined(state: PolicyState, key: ParticipantKey, tags: frozenset[str], now: datetime) -> PolicyState:
    """Take note that somebody is judged from now on."""
    terms = terms_of(state.policy, Subject(key.call, key.identity, tags))
    return replace(state, people={**state.people, (key.call, key.participant): Person(key, terms, now)})


def left(state: PolicyState, place: Place, now: datetime, reason: str, new_id: NewId) -> Outcome:
    """Take note that somebody is judged no more: what a policy has opened about them is closed."""
    person = state.people.get(place)
    if person is None:
        return Outcome(state)
    outcome = Outcome(state)
    for episode in (person.suspicion, person.unverified):
        if episode is not None:
            outcome = outcome.then(_entry(episode, "closed", now, str(Verdict.INCONCLUSIVE), reason, new_id))
    people = {other: one for other, one in outcome.state.people.items() if other != place}
    # What cooled down is forgotten with whoever it was about, once that is over.
    return replace(outcome, state=_forgetting(replace(outcome.state, people=people), now))


def hop(state: PolicyState, place: Place, verdict: str, reason: str | None, now: datetime, new_id: NewId) -> Outcome:
    """Take what a hop decided of somebody; whoever has not joined is unknown and makes nothing."""
    person = state.people.get(place)
    if person is None:
        return Outcome(state)
    is_unclear = verdict == Verdict.INCONCLUSIVE
    since = (person.unclear_since or now) if is_unclear else None
    person = replace(person, verdict=verdict, reason=reason, unclear_since=since)
    outcome = Outcome(replace(state, people={**state.people, place: person}))
    return outcome.then(lambda s: _suspicion(s, place, now, new_id)).then(lambda s: _unverified(s, place, now, new_id))


def found(state: PolicyState, finding: Finding, new_id: NewId, terms: Terms | None = None) -> Outcome:
    """Take a change of a finding: the entry is that change, with how it is handled.

    One that a policy has made before is handled as one of its kind. `terms` are those of whoever has not joined.
    """
    if state.policy.is_empty:
        return Outcome(state, (finding,))
    place, now = (finding.key.call, finding.key.participant), finding.time
    episode = state.findings.get(finding.id)
    if episode is None:
        person = state.people.get(place)
        known = person is not None and person.key == finding.key
        terms = person.terms if person is not None and known else terms or _terms(state.policy, finding.key)
        episode = Episode(finding.id, Kind(finding.kind), finding.key, terms)
    state, episode, due, orders = _weigh(state, episode, now, new_id, finding.action)
    entry = replace(finding, handling=_handling(episode, due))
    others = {name: one for name, one in state.findings.items() if name != finding.id}
    kept = others if finding.action == "closed" else {**others, finding.id: episode}
    while len(kept) > MAX_OPEN_FINDINGS:
        kept.pop(next(iter(kept)))
    return Outcome(replace(state, findings=kept), (entry,), orders)


def drill(
    policy: Policy, key: ParticipantKey, tags: frozenset[str], now: datetime, new_id: NewId
) -> tuple[tuple[Finding, Finding], tuple[Ordered, ...]]:
    """Return a finding of a drill, opened and closed, as this policy would handle one now; nothing cools down.

    Whatever is ordered is only noted down.
    """
    terms = terms_of(policy, Subject(key.call, key.identity, tags))
    episode = Episode(new_id(), Kind.FINDING, key, terms)
    _, episode, due, orders = _weigh(PolicyState(policy), episode, now, new_id, "opened", is_drill=True)
    told = _handling(episode, due, is_drill=True)
    opened = Finding(episode.id, 0, "opened", key, now, str(Verdict.ALERT), "drill", handling=told)
    closed = replace(opened, step=1, action="closed", verdict=str(Verdict.INCONCLUSIVE))
    return (opened, closed), orders


def _suspicion(state: PolicyState, place: Place, now: datetime, new_id: NewId) -> Outcome:
    person = state.people[place]
    episode, verdict, reason = person.suspicion, person.verdict, person.reason
    if episode is None:
        if verdict != Verdict.SUSPECT or not person.terms.concerns(Kind.SUSPICION):
            return Outcome(state)
        return _entry(_new(person, Kind.SUSPICION, now, new_id), "opened", now, verdict, reason, new_id)(state)
    if verdict == Verdict.SUSPECT:
        return _still(state, replace(episode, seen=now), now, verdict, reason, new_id)
    if verdict == Verdict.ALERT or now - (episode.seen or now) >= CALM:
        return _entry(episode, "closed", now, verdict, reason, new_id)(state)
    return Outcome(state)


def _unverified(state: PolicyState, place: Place, now: datetime, new_id: NewId) -> Outcome:
    person = state.people[place]
    episode, after = person.unverified, person.terms.unverified_after_seconds
    if person.unclear_since is None:
        if episode is None:
            return Outcome(state)
        return _entry(episode, "closed", now, person.verdict, person.reason, new_id)(state)
    if episode is not None:
        return _still(state, episode, now, person.verdict, person.reason, new_id)
    if after is None or person.key.identity is None or now - person.unclear_since < timedelta(seconds=after):
        return Outcome(state)
    episode = _new(person, Kind.UNVERIFIED, now, new_id)
    return _entry(episode, "opened", now, person.verdict, person.reason, new_id)(state)


def _still(
    state: PolicyState, episode: Episode, now: datetime, verdict: str, reason: str | None, new_id: NewId
) -> Outcome:
    """Go on with an episode that is as it was: it is told of where something was held back and is no longer."""
    if episode.waits:
        due = episode.terms.due(episode.kind, now, _cooling(state, episode))
        acts = any(order.action not in episode.acted for order in due.orders)
        if acts or not episode.told.covers(due.notify):
            return _entry(episode, "updated", now, verdict, reason, new_id)(state)
    return Outcome(_kept(state, episode))


def _new(person: Person, kind: Kind, now: datetime, new_id: NewId) -> Episode:
    return Episode(new_id(), kind, person.key, person.terms, seen=now)


def _entry(
    episode: Episode, change: Change, now: datetime, verdict: str, reason: str | None, new_id: NewId
) -> Callable[[PolicyState], Outcome]:
    """Return the step that opens, updates or closes an episode of a policy's own."""

    def step(state: PolicyState) -> Outcome:
        after, weighed, due, orders = _weigh(state, episode, now, new_id, change)
        told = _handling(weighed, due)
        entry = Finding(weighed.id, weighed.step, change, weighed.key, now, verdict, reason, handling=told)
        return Outcome(_kept(after, replace(weighed, step=weighed.step + 1), change == "closed"), (entry,), orders)

    return step


def _kept(state: PolicyState, episode: Episode, is_over: bool = False) -> PolicyState:
    place = (episode.key.call, episode.key.participant)
    kept = None if is_over else episode
    person = state.people[place]
    person = replace(person, suspicion=kept) if episode.kind is Kind.SUSPICION else replace(person, unverified=kept)
    return replace(state, people={**state.people, place: person})


def _weigh(
    state: PolicyState, episode: Episode, now: datetime, new_id: NewId, change: Change, is_drill: bool = False
) -> tuple[PolicyState, Episode, Due, tuple[Ordered, ...]]:
    """Say what is due about an episode now, and note it down; whoever leaves or is cleared has nothing done to them."""
    if change == "closed":
        return state, replace(episode, waits=False), Due(by=tuple(sorted(episode.by))), ()
    due = episode.terms.due(episode.kind, now, _cooling(state, episode))
    expires = now + timedelta(seconds=state.policy.confirm_within_seconds)
    orders = tuple(
        Ordered(
            new_id(),
            order.action,
            episode.id,
            episode.key,
            order.confirm,
            order.dry_run or is_drill,
            expires,
            due.by,
            is_drill,
        )
        for order in due.orders
        if order.action not in episode.acted
    )
    place = (episode.key.call, episode.key.participant)
    beginning = dict.fromkeys((name for name in due.by if name not in episode.by), now)
    before = state.done.get((place, episode.kind), {})
    weighed = replace(
        episode,
        told=episode.told | due.notify,
        by=episode.by | set(due.by),
        acted=episode.acted | {order.action for order in orders},
        requested=episode.requested + tuple(_request(order, state.policy) for order in orders),
        waits=bool(due.held),
    )
    if beginning:
        state = replace(state, done={**state.done, (place, episode.kind): {**before, **beginning}})
    return state, weighed, due, orders


def _request(order: Ordered, policy: Policy) -> Requested:
    link = None if policy.link_base is None else f"{policy.link_base}/action#{order.finding}/{order.id}"
    expires = order.expires if order.confirm else None
    return Requested(str(order.action), order.id, order.confirm, order.dry_run, expires, link)


def _handling(episode: Episode, due: Due, is_drill: bool = False) -> Mapping[str, object]:
    return handling(episode.kind, episode.told, due, episode.requested, episode.terms.names, is_drill)


def _cooling(state: PolicyState, episode: Episode) -> Mapping[str, datetime]:
    """When groups last did something about such an episode of somebody, but for those that did about this one."""
    done = state.done.get(((episode.key.call, episode.key.participant), episode.kind), {})
    return {name: at for name, at in done.items() if name not in episode.by}


def _forgetting(state: PolicyState, now: datetime) -> PolicyState:
    limit = timedelta(seconds=max((group.cool_down_seconds for group in state.policy.every_group), default=0.0))
    done = {key: {name: at for name, at in by.items() if now - at < limit} for key, by in state.done.items()}
    return replace(state, done={key: by for key, by in done.items() if by})


def _terms(policy: Policy, key: ParticipantKey) -> Terms:
    return terms_of(policy, Subject(key.call, key.identity))
