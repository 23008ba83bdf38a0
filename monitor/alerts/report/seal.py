"""The signature of a report: its last line, over every byte before it. Pure.

In HTML the line is a comment, in PDF a comment after the end of the file, which readers pass over. It holds where the
finding stands in the chains of its logs, too, so that whoever has the logs can see that it is of them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from engines.errors import SidewitnessError

Kind = Literal["html", "pdf"]

DOMAIN = b"sidewitness report 1\0"
MARK = "sidewitness-signature "
FRAMES: Mapping[Kind, tuple[str, str]] = {"html": ("<!-- ", " -->\n"), "pdf": ("% ", "\n")}
MAX_LINE_BYTES = 4096
MAX_REPORT_BYTES = 32 << 20


class SealError(SidewitnessError):
    """A file is no report, or not as it was signed; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Seal:
    """What the last line of a report says; `place` is the finding and where it stands in the logs."""

    content: bytes
    place: Mapping[str, Any]
    public: bytes

    @property
    def key(self) -> str:
        """The fingerprint of the key that signed."""
        return fingerprint(self.public)


def fingerprint(public: bytes) -> str:
    """Return the SHA-256 of a public key in groups of four, to be compared by people."""
    digest = hashlib.sha256(public).hexdigest()[:32]
    return "-".join(digest[n : n + 4] for n in range(0, len(digest), 4))


def sealed(content: bytes, kind: Kind, place: Mapping[str, Any], key: Ed25519PrivateKey) -> bytes:
    """Return a report with its signature; `content` ends with a newline, or is given one."""
    if not content.endswith(b"\n"):
        content += b"\n"
    public = key.public_key().public_bytes_raw()
    said = {"place": dict(place), "key": _text(public)}
    signature = key.sign(_signed(content, said))
    before, after = FRAMES[kind]
    line = json.dumps({**said, "signature": _text(signature)}, separators=(",", ":"), sort_keys=True)
    # Two hyphens would end a comment of HTML.
    return content + (before + MARK + line.replace("--", "-\\u002d") + after).encode()


def opened(report: bytes) -> Seal:
    """Return what a report says of itself once its signature holds; raises `SealError`."""
    if len(report) > MAX_REPORT_BYTES:
        raise SealError("this file is too large to be a report of a finding")
    head, newline, _ = report[:-1].rpartition(b"\n")
    content, line = head + newline, report[len(head) + len(newline) :]
    said = _parsed(line)
    try:
        public, signature = _bytes(said["key"]), _bytes(said["signature"])
        Ed25519PublicKey.from_public_bytes(public).verify(
            signature, _signed(content, {"place": said["place"], "key": said["key"]})
        )
        return Seal(content, dict(said["place"]), public)
    except InvalidSignature:
        raise SealError("the signature does not hold: the report was changed after it was signed") from None
    except (KeyError, TypeError, ValueError, RecursionError, binascii.Error):
        raise SealError("the signature cannot be read: the report was changed, or cut off") from None


def _parsed(line: bytes) -> dict[str, Any]:
    for before, after in FRAMES.values():
        begin, end = (before + MARK).encode(), after.encode()
        if len(line) <= MAX_LINE_BYTES and line.startswith(begin) and line.endswith(end):
            try:
                said = json.loads(line[len(begin) : len(line) - len(end)])
            except (ValueError, RecursionError):
                break
            if isinstance(said, dict):
                return said
    raise SealError("this is no report of a finding: its last line is no signature")


def _signed(content: bytes, said: Mapping[str, Any]) -> bytes:
    canonical = json.dumps(said, separators=(",", ":"), sort_keys=True).encode()
    return DOMAIN + hashlib.sha256(content).digest() + hashlib.sha256(canonical).digest()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
