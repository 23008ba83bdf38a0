"""Who claims to be whom: a participant's profile, held against rules and the names of who is enrolled. Pure.

What is said outright holds, where it names somebody enrolled; then what a rule says of an id that the platform vouches
for; then the name that the participant bears. Where one and the same ground names several people, none of them is
taken: it is said who they are, and nobody is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from monitor.config import ClaimRule, ClaimSettings
from monitor.identity.lookalike import find
from monitor.identity.names import Likeness, Match, Name, compare, read
from monitor.types import Claim, ParticipantKey, Profile

# What a rule holds of each ground, and what a profile does. Addresses are compared without regard to case.
GROUNDS: Mapping[Claim, tuple[Callable[[ClaimRule], Sequence[str]], Callable[[Profile], str | None]]] = {
    Claim.PLATFORM_ID: (lambda rule: rule.platform_ids, lambda profile: profile.platform_id),
    Claim.VERIFIED_EMAIL: (
        lambda rule: [email.casefold() for email in rule.emails],
        lambda profile: profile.verified_email and profile.verified_email.casefold(),
    ),
    Claim.ACCOUNT: (lambda rule: rule.accounts, lambda profile: profile.account),
}


@dataclass(frozen=True, slots=True)
class Considered:
    """One identity that a participant may claim, by what, and whether it can be compared with.

    `likeness` says how much of its name theirs is; None where no name was looked at.
    """

    claim: Claim
    identity: str
    enrolled: bool
    likeness: Likeness | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """Whom a participant is taken to claim to be, in `key`; everything about names is for whoever may read them.

    `doubt` names those of whom one may be meant, `resembles` somebody enrolled whose name theirs is taken for, and
    `considered` all that was weighed, the decisive first.
    """

    key: ParticipantKey
    name: str | None = None
    doubt: tuple[str, ...] = ()
    resembles: str | None = None
    considered: tuple[Considered, ...] = ()

    def describe(self) -> dict[str, Any]:
        """Return what it adds to the participant's entry in `GET /v1/calls`."""
        claim = self.key.claim and str(self.key.claim)
        return {"name": self.name, "claim": claim, "in_doubt": list(self.doubt), "resembles": self.resembles}

    def explain(self) -> dict[str, Any]:
        """Return the answer of `GET /v1/calls/{call}/participants/{participant}/claim`."""
        considered = [
            {
                "claim": str(one.claim),
                "identity": one.identity,
                "enrolled": one.enrolled,
                "match": one.likeness and one.likeness.match.name.lower(),
                "lookalike": one.likeness is not None and one.likeness.lookalike,
            }
            for one in self.considered
        ]
        place = {"call": self.key.call, "participant": self.key.participant, "identity": self.key.identity}
        return {**place, **self.describe(), "considered": considered}


def stated(key: ParticipantKey, profile: Profile | None = None) -> Claimed:
    """Return what is claimed where only what is said outright counts."""
    claim = Claim.STATED if key.identity is not None else None
    return Claimed(replace(key, claim=claim), profile.display_name if profile else None)


def resolve(key: ParticipantKey, profile: Profile, settings: ClaimSettings, enrolled: Collection[str]) -> Claimed:
    """Say whom a participant claims to be; `enrolled` are the names of those who can be compared with now."""
    rules = [rule for rule in settings.rules if rule.plugin in (None, profile.plugin)]
    known = {name: read(name) for name in enrolled}
    considered = _stated(key, enrolled)
    # A stated claim of nobody shields nobody: the rest is asked as well.
    if not any(one.enrolled for one in considered):
        considered = [*_by_rules(profile, rules, enrolled), *considered]
        if settings.by_name != "none" and not any(one.claim in GROUNDS for one in considered):
            considered = [*_by_name(key, profile, rules, known), *considered]
    taken, doubt = _decide(considered, settings)
    claimed = replace(key, identity=taken.identity if taken else None, claim=taken.claim if taken else None)
    names = [read(name) for name in (profile.display_name, key.participant) if name]
    others = {name: one for name, one in known.items() if name != claimed.identity and name not in doubt}
    return Claimed(claimed, profile.display_name, doubt, _resembled(names, taken, others), _sorted(considered, taken))


def _stated(key: ParticipantKey, enrolled: Collection[str]) -> list[Considered]:
    if key.identity is None:
        return []
    if key.identity in enrolled:
        return [Considered(Claim.STATED, key.identity, True)]
    # It is compared with whoever it looks like.
    is_alike = find(key.identity, enrolled) is not None
    return [Considered(Claim.STATED, key.identity, is_alike, Likeness(Match.FULL, True) if is_alike else None)]


def _by_rules(profile: Profile, rules: Sequence[ClaimRule], enrolled: Collection[str]) -> list[Considered]:
    """Give whom the surest ground names of those that say anything."""
    for claim, (held, given) in GROUNDS.items():
        value = given(profile)
        identities = {rule.identity for rule in rules if value and value in held(rule)}
        if identities:
            return [Considered(claim, name, name in enrolled) for name in sorted(identities)]
    return []


def _by_name(
    key: ParticipantKey, profile: Profile, rules: Sequence[ClaimRule], known: Mapping[str, Name]
) -> list[Considered]:
    """Give whose name the participant bears: in full if there is anybody, else in part."""
    # Where the platform says no name, others read the participant's own.
    shown = read(profile.display_name or key.participant)
    found: dict[str, Likeness] = {}
    for identity, name in _names(rules, known):
        likeness, before = compare(shown, name), found.get(identity, Likeness(Match.NONE))
        if (likeness.match, before.lookalike) > (before.match, likeness.lookalike):
            found[identity] = likeness
    best = max((likeness.match for likeness in found.values()), default=Match.NONE)
    return [
        Considered(Claim.DISPLAY_NAME, identity, True, likeness)
        for identity, likeness in sorted(found.items())
        if likeness.match is best
    ]


def _names(rules: Sequence[ClaimRule], known: Mapping[str, Name]) -> Iterator[tuple[str, Name]]:
    yield from known.items()
    yield from ((rule.identity, read(name)) for rule in rules if rule.identity in known for name in rule.names)


def _decide(considered: Sequence[Considered], settings: ClaimSettings) -> tuple[Considered | None, tuple[str, ...]]:
    """Take the first who is named alone; those of whom several are, or one in part, are in doubt."""
    doubt: tuple[str, ...] = ()
    for claim in dict.fromkeys(one.claim for one in considered):
        named = [one for one in considered if one.claim is claim]
        is_sure = claim is not Claim.DISPLAY_NAME or _is_enough(named[0], settings)
        if len(named) == 1 and is_sure:
            return named[0], doubt
        doubt = (*doubt, *(one.identity for one in named))
    return None, doubt


def _is_enough(one: Considered, settings: ClaimSettings) -> bool:
    return settings.by_name == "part" or (one.likeness is not None and one.likeness.match is Match.FULL)


def _resembled(names: Sequence[Name], taken: Considered | None, others: Mapping[str, Name]) -> str | None:
    """Say who is enrolled whose name is taken for the claim or the participant's; `others` are not claimed."""
    if taken is not None and taken.likeness is not None and taken.likeness.lookalike:
        return find(taken.identity, others) if taken.claim is Claim.STATED else taken.identity
    # Whoever claims to be somebody may be called like them.
    alike = (who for name in names for who in sorted(others) if compare(name, others[who]).match is Match.FULL)
    return next(alike, None)


def _sorted(considered: Sequence[Considered], taken: Considered | None) -> tuple[Considered, ...]:
    return tuple(sorted(considered, key=lambda one: one is not taken))
