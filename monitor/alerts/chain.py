"""The chain of findings: each row's hash holds the one before it, so a row that is changed or taken away shows. Pure.

Built as that of the audit log (`monitor.identity.vault.audit`): SHA-256 that anybody can check, and beside it a
signature keyed by the vault, so that whoever can write the database but does not hold the master key cannot write
another row. What is pruned leaves the hash of its last row in the head, where the chain begins then. Other logs of the
same database are chained in the same way, each of a `Kind` of its own.

What is erased leaves its link: the hashes, and a mark that says when it was erased and is signed as rows are, so that
nobody else can pass off as erased what they took away.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

Sign = Callable[[bytes], bytes]

GENESIS = bytes(32)
DOMAIN = b"sidewitness finding 1\0"
HEAD_DOMAIN = b"sidewitness findings head 1\0"
ERASED_DOMAIN = b"erased 1\0"
FIELDS = (
    "id", "step", "action", "call", "participant", "identity", "time", "verdict", "reason", "scores", "evidence",
)  # fmt: skip
# What rows of earlier versions do not have: in the hash only where it is there.
LATER_FIELDS = ("claim", "handling", "conditions")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a chain is made of: what a row is called, the domains of its hashes, and which fields they hold."""

    noun: str
    domain: bytes
    head_domain: bytes
    fields: tuple[str, ...]
    later_fields: tuple[str, ...] = ()


FINDINGS = Kind("finding", DOMAIN, HEAD_DOMAIN, FIELDS, LATER_FIELDS)


@dataclass(frozen=True, slots=True)
class Link:
    """What makes a row part of the chain."""

    previous: bytes
    hash: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The end of the chain, and where it begins: `pruned` is the last number that is no longer kept."""

    seq: int
    pruned: int
    hash: bytes = GENESIS
    pruned_hash: bytes = GENESIS
    signature: bytes = b""


@dataclass(frozen=True, slots=True)
class ChainReport:
    """How many rows there are, and what is wrong with the chain, in words; `head` is the hash of its last row."""

    rows: int
    head: str
    faults: tuple[str, ...] = ()


def link(seq: int, row: Mapping[str, Any], previous: bytes, sign: Sign | None, kind: Kind = FINDINGS) -> Link:
    """Return what chains a row to the one that hashes to `previous`; without `sign` it has no signature."""
    digest = _digest(seq, row, previous, kind)
    return Link(previous, digest, sign(kind.domain + digest) if sign is not None else b"")


def is_intact(seq: int, row: Mapping[str, Any], sign: Sign | None, kind: Kind = FINDINGS) -> bool:
    """Whether a row of the database, with its link, is as it was written; without `sign` by its hash alone."""
    try:
        digest = _digest(seq, row, row["previous"], kind)
        if not hmac.compare_digest(digest, row["hash"]):
            return False
        return sign is None or hmac.compare_digest(sign(kind.domain + digest), row["signature"])
    except (TypeError, ValueError, LookupError, RecursionError):
        # Whoever writes the database, or signs a report with a key of their own, may write anything into it.
        return False


def erase_mark(seq: int, link: Link, erased: str, sign: Sign | None, kind: Kind = FINDINGS) -> bytes:
    """Return what says that a row was erased, at a time (RFC 3339), whose link it leaves."""
    content = json.dumps([seq, link.previous.hex(), link.hash.hex(), erased]).encode()
    digest = hashlib.sha256(kind.domain + ERASED_DOMAIN + content).digest()
    return sign(kind.domain + ERASED_DOMAIN + digest) if sign is not None else digest


def is_erased(seq: int, row: Mapping[str, Any], sign: Sign | None, kind: Kind = FINDINGS) -> bool:
    """Whether the link of the database is what was left of a row when it was erased."""
    try:
        left = Link(bytes(row["previous"]), bytes(row["hash"]), bytes(row["signature"] or b""))
        if not hmac.compare_digest(erase_mark(seq, left, row["erased"], sign, kind), bytes(row["mark"])):
            return False
        return sign is None or hmac.compare_digest(sign(kind.domain + left.hash), left.signature)
    except (TypeError, ValueError):
        return False


def sign_head(head: ChainHead, sign: Sign | None, kind: Kind = FINDINGS) -> ChainHead:
    """Return a head with its signature, empty without `sign`."""
    content = json.dumps([head.seq, head.pruned, head.hash.hex(), head.pruned_hash.hex()]).encode()
    return replace(head, signature=sign(kind.head_domain + content) if sign is not None else b"")


def verify(
    rows: Iterable[tuple[int, Mapping[str, Any]]], head: ChainHead, sign: Sign | None, kind: Kind = FINDINGS
) -> ChainReport:
    """Check rows in order of their numbers against the head; every fault is told, not the first only.

    A row with a `mark` is what was left of an erased one.
    """
    faults: list[str] = []
    seq, previous, count = head.pruned, head.pruned_hash, 0
    for number, row in rows:
        count += 1
        if number > seq + 1:
            faults.append(_missing(kind, seq + 1, number - 1))
        if "mark" in row and not is_erased(number, row, sign, kind):
            faults.append(f"{kind.noun} {number} was taken away, and not erased by this sidecar")
        elif "mark" not in row and not is_intact(number, row, sign, kind):
            faults.append(f"{kind.noun} {number} was changed")
        elif number == seq + 1 and row["previous"] != previous:
            faults.append(f"{kind.noun} {number} does not follow from the one before")
        seq, previous = number, row["hash"]
    if seq < head.seq:
        faults.append(_missing(kind, seq + 1, head.seq))
    elif seq > head.seq or previous != head.hash:
        faults.append(f"the head does not belong to the last {kind.noun}")
    if sign is not None and sign_head(head, sign, kind) != head:
        faults.append("the head was not written by this sidecar")
    return ChainReport(count, head.hash.hex(), tuple(faults))


def _missing(kind: Kind, first: int, last: int) -> str:
    if first == last:
        return f"{kind.noun} {first} is missing"
    return f"{kind.noun}s {first} to {last} are missing"


def _digest(seq: int, row: Mapping[str, Any], previous: bytes, kind: Kind) -> bytes:
    later = {name: row[name] for name in kind.later_fields if row.get(name) is not None}
    values = [seq, *(row[name] for name in kind.fields), bytes(previous).hex(), *([later] if later else [])]
    content = json.dumps(values, allow_nan=False)
    return hashlib.sha256(kind.domain + content.encode()).digest()
