"""Values for the tests of this folder."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from monitor.api.access.claims import claims_of, granted, ordered
from monitor.api.access.grant import Client
from monitor.api.access.issuer import Issuer
from monitor.api.access.keyring import KeyRing
from monitor.api.access.register import Register
from monitor.api.access.verifiers import SignedTokens
from tests.monitor.alerts.build import ready_journal

NOW = 1_770_000_000
AWAY = Client("203.0.113.7")
HERE = Client("127.0.0.1", is_local=True, lockable=False)


class Clock:
    """Seconds that the test sets."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Office:
    """What makes and what takes signed tokens, on one folder."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.journal = ready_journal(folder)
        self.keys = KeyRing(folder / "tokens.key")
        self.register = Register(self.journal)
        self.issuer = Issuer(self.keys, self.register, self.clock)
        self.signed = SignedTokens(self.keys, self.register, self.clock)

    def issue(self, role: str = "viewer", subject: str = "alice", minutes: int = 60, **seat: str) -> str:
        return self.issuer.issue(ordered(subject, role, minutes, **seat), "root")[0]

    def claims(self, token_id: str = "id-1", **changed: Any) -> dict[str, Any]:
        """Claims of a token that is in the register, with some that are not as they were made."""
        grant = granted(ordered("alice", "admin"), token_id, NOW)
        if not self.register.stands(token_id):
            self.register.add(grant, "root", NOW)
        return {**claims_of(grant, NOW), **changed}


def part(value: Any) -> str:
    """A part of a JWT, as RFC 7515 writes it."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
