"""Who of several gateways has whom, and what they say together of a call. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from monitor.alerts.wire import Message
from monitor.host.cluster.ledger import Lost, Place

SUMS = ("listed", "watched", "seconds", "watched_seconds")


def heir(place: Place, gateways: Iterable[str]) -> str:
    """Return which gateway goes on with what is known of somebody: all that ask of the same ones find the same.

    Rendezvous hashing (Thaler and Ravishankar, 1998): when one is gone, nobody moves but those whom it had.
    """
    return max(gateways, key=lambda gateway: hashlib.sha256("\0".join((gateway, *place)).encode()).digest())


def opens(way: str, configured: Mapping[str, frozenset[str]], claimed: Mapping[str, frozenset[str]]) -> str | None:
    """Return which gateway opens a way into calls that the settings of several name; None where none does.

    Whoever has it open keeps it, and of several that have it one does.
    """
    have = [gateway for gateway, ways in claimed.items() if way in ways]
    among = have or [gateway for gateway, ways in configured.items() if way in ways]
    return heir(("", way), among) if among else None


def place_of(lost: Lost) -> Place | None:
    """Return under which name somebody was judged; None where nothing is known of anybody."""
    if lost.seat is not None:
        return lost.seat.claimed.key.call, lost.seat.claimed.key.participant
    return None if lost.known is None else (lost.known.key.call, lost.known.key.participant)


def call_of(op: str, body: Any) -> str | None:
    """Return of which call a gateway says something; None for what is of none."""
    match op:
        case "state" | "notice":
            return str(body["message"]["call"])
        case "seat":
            return str(body.claimed.key.call)
        case "claimed" | "kept":
            return str(body.key.call)
        case "finding":
            return str(body["finding"].key.call)
        case "checkpoint":
            return str(body["known"].key.call)
        case "let_go":
            return str(body.call)
        case "ended":
            return str(body[0])
        case _:
            return None


def came_later(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether somebody was published by `one` after they were by the other: since when, and at which gateway.

    By two at once it is the same one for both.
    """
    return one > other


def together(told: Sequence[Sequence[Message]]) -> list[Message]:
    """Return what several gateways say of calls, each call once, by name.

    Of somebody whom several have, the word of one that watches them counts, else the first one's.
    """
    made: dict[str, Message] = {}
    for calls in told:
        for call in calls:
            known = made.get(call["call"])
            made[call["call"]] = call if known is None else _both(known, call)
    return [made[name] for name in sorted(made)]


def _both(one: Message, other: Message) -> Message:
    everybody = sorted((*other["participants"], *one["participants"]), key=lambda who: who["coverage"]["watched"])
    people = {person["participant"]: person for person in everybody}
    coverage = _added(one["coverage"], other["coverage"])
    return {**one, "participants": [people[name] for name in sorted(people)], "coverage": coverage}


def _added(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    reasons = {**one["unwatched_seconds"]}
    for reason, seconds in other["unwatched_seconds"].items():
        reasons[reason] = round(reasons.get(reason, 0.0) + seconds, 3)
    sums = {name: round(one[name] + other[name], 3) for name in SUMS}
    return {**one, **sums, "unwatched_seconds": reasons}
