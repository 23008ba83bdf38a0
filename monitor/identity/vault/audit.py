"""The audit log as a chain: each line's hash holds the one before it, so a line changed or left out shows. Pure.

The hash (SHA-256) can be checked by anyone. The signature beside it is keyed by the vault, so whoever can write the
database but does not hold the master key cannot write a chain of their own; the head is signed too, so cutting off the
end shows. An older copy of the whole database does not show by itself: note the head elsewhere to see that.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from monitor.identity.vault.sealing import associated

Action = Literal["created", "enrolled", "approved", "rejected", "consent_expired", "erased", "key_rotated"]
Sign = Callable[[bytes], bytes]

GENESIS = bytes(32)


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain: how many lines there are, and the hash of the last."""

    seq: int
    hash: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `identity` is a random number or empty, `actor` is sealed, `detail` is JSON: nobody is named."""

    seq: int
    time: str
    action: str
    identity: str
    actor: bytes
    detail: str
    previous: bytes
    hash: bytes
    signature: bytes

    def content(self) -> bytes:
        """Return what is hashed: all of the line, and the hash of the one before."""
        fields = (self.seq, self.time, self.action, self.identity, self.actor, self.detail, self.previous)
        return associated("audit line", *fields)


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


def write(
    head: Head, sign: Sign, *, time: str, action: Action, identity: str, actor: bytes, detail: str
) -> tuple[Line, Head]:
    """Return the next line, and the head after it."""
    bare = Line(head.seq + 1, time, action, identity, actor, detail, head.hash, b"", b"")
    digest = hashlib.sha256(bare.content()).digest()
    line = Line(bare.seq, time, action, identity, actor, detail, head.hash, digest, sign(_line_mark(digest)))
    return line, head_of(bare.seq, digest, sign)


def head_of(seq: int, digest: bytes, sign: Sign) -> Head:
    """Return the signed head."""
    return Head(seq, digest, sign(associated("audit head", seq, digest)))


def verify(lines: Iterable[Line], head: Head | None, sign: Sign | None) -> AuditReport:
    """Check lines in order of their numbers against the head; without `sign` the hashes only."""
    previous, seq = GENESIS, 0
    for line in lines:
        why = _fault(line, seq, previous, sign)
        if why:
            return AuditReport(seq, previous.hex(), sign is not None, seq + 1, why)
        previous, seq = line.hash, line.seq
    why = _end(seq, previous, head, sign)
    return AuditReport(seq, previous.hex(), sign is not None, seq + 1 if why else None, why)


def _fault(line: Line, seq: int, previous: bytes, sign: Sign | None) -> str:
    if line.seq != seq + 1:
        return f"line {seq + 1} is missing"
    if line.previous != previous:
        return f"line {line.seq} does not follow from the one before"
    if hashlib.sha256(line.content()).digest() != line.hash:
        return f"line {line.seq} was changed"
    if sign is not None and not hmac.compare_digest(sign(_line_mark(line.hash)), line.signature):
        return f"line {line.seq} was not written by this vault"
    return ""


def _end(seq: int, previous: bytes, head: Head | None, sign: Sign | None) -> str:
    if head is None:
        return "the head of the log is missing"
    if head.seq != seq:
        return f"the log should have {head.seq} lines and has {seq}"
    if head.hash != previous:
        return "the head does not belong to the last line"
    if sign is not None and head_of(seq, previous, sign) != head:
        return "the head was not written by this vault"
    return ""


def _line_mark(digest: bytes) -> bytes:
    return associated("audit signature", digest)
