"""The audit log as a chain: each line's hash holds the one before it, so a line changed or left out shows. Pure.

The hash (SHA-256) can be checked by anyone. The signature beside it is keyed by the vault, so somebody who can write
the database but does not hold the master key cannot write another chain; the head is signed too, so cutting off the
end shows. An older copy of the whole database does not show by itself: `anchor` notes the head elsewhere for that.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from monitor.identity.vault.sealing import associated_data

Action = Literal[
    "created", "enrolled", "approved", "rejected", "consent_expired", "erased", "findings_erased", "key_rotated"
]  # fmt: skip
Sign = Callable[[bytes], bytes]

GENESIS = bytes(32)


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain: how many lines there are, and the hash of the last."""

    seq: int
    hash: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the audit log. `identity` is a random number or empty, `detail` is JSON: nobody is named.

    `sealed_actor` is what is stored and hashed; `actor` is filled in by whoever holds the master key.
    """

    seq: int
    time: str
    action: str
    identity: str
    sealed_actor: bytes
    detail: str
    previous: bytes
    hash: bytes
    signature: bytes
    actor: str = ""

    def content(self) -> bytes:
        """Return what is hashed: all of the line, and the hash of the one before."""
        fields = (self.seq, self.time, self.action, self.identity, self.sealed_actor, self.detail, self.previous)
        return associated_data("audit line", *fields)

    def as_json(self) -> dict[str, Any]:
        """Return the opened line as JSON values; `hash` in hexadecimal digits."""
        return {
            "seq": self.seq,
            "time": self.time,
            "action": self.action,
            "identity": self.identity,
            "actor": self.actor,
            "detail": json.loads(self.detail),
            "hash": self.hash.hex(),
        }


@dataclass(frozen=True, slots=True)
class AuditReport:
    """Whether the chain holds: `broken` is the first line where it does not, `why` says how; `head` is its last hash.

    `signed` is False where only the hashes could be checked, because the master key was not there.
    """

    lines: int
    head: str
    signed: bool
    broken: int | None = None
    why: str = ""


def chain_entry(
    head: Head, sign: Sign, *, time: str, action: Action, identity: str, sealed_actor: bytes, detail: str
) -> tuple[AuditEntry, Head]:
    """Return the next line after `head`, hashed and signed, and the head after it."""
    unhashed = AuditEntry(head.seq + 1, time, action, identity, sealed_actor, detail, head.hash, b"", b"")
    digest = hashlib.sha256(unhashed.content()).digest()
    entry = replace(unhashed, hash=digest, signature=sign(_signed_content(digest)))
    return entry, sign_head(entry.seq, digest, sign)


def sign_head(seq: int, digest: bytes, sign: Sign) -> Head:
    """Return the signed head of a chain of `seq` lines, the last of which hashes to `digest`."""
    return Head(seq, digest, sign(associated_data("audit head", seq, digest)))


def verify(entries: Iterable[AuditEntry], head: Head | None, sign: Sign | None) -> AuditReport:
    """Check lines in order of their numbers against the head; without `sign` the hashes only."""
    previous, seq = GENESIS, 0
    for entry in entries:
        why = _entry_fault(entry, seq, previous, sign)
        if why:
            return AuditReport(seq, previous.hex(), sign is not None, seq + 1, why)
        previous, seq = entry.hash, entry.seq
    why = _head_fault(seq, previous, head, sign)
    return AuditReport(seq, previous.hex(), sign is not None, seq + 1 if why else None, why)


def verify_next(entry: AuditEntry, seen: Head, sign: Sign | None) -> str:
    """Say why a line does not follow from the ones that end at `seen`; empty where it does."""
    return _entry_fault(entry, seen.seq, seen.hash, sign)


def verify_head(seen: Head, head: Head | None, sign: Sign | None) -> str:
    """Say why a head is not that of the lines that end at `seen`; empty where it is."""
    return _head_fault(seen.seq, seen.hash, head, sign)


def _entry_fault(entry: AuditEntry, seq: int, previous: bytes, sign: Sign | None) -> str:
    if entry.seq != seq + 1:
        return f"line {seq + 1} is missing"
    if entry.previous != previous:
        return f"line {entry.seq} does not follow from the one before"
    if hashlib.sha256(entry.content()).digest() != entry.hash:
        return f"line {entry.seq} was changed"
    if sign is not None and not hmac.compare_digest(sign(_signed_content(entry.hash)), entry.signature):
        return f"line {entry.seq} was not written by this vault"
    return ""


def _head_fault(seq: int, previous: bytes, head: Head | None, sign: Sign | None) -> str:
    if head is None:
        return "the head of the log is missing"
    if head.seq != seq:
        return f"the log should have {head.seq} lines and has {seq}"
    if head.hash != previous:
        return "the head does not belong to the last line"
    if sign is not None and sign_head(seq, previous, sign) != head:
        return "the head was not written by this vault"
    return ""


def _signed_content(digest: bytes) -> bytes:
    return associated_data("audit signature", digest)
