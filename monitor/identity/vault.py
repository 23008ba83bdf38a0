"""The vault: sealed references of enrolled people under their names, in one database. Being filled in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from monitor.identity.consent import Consent
from monitor.identity.errors import ApprovalRefused, KeysError, NotEnrolled, VaultError
from monitor.identity.keys import MasterKeys
from monitor.identity.records import Enrolled, IdentityInfo, Receipt, VersionInfo

__all__ = (
    "ApprovalRefused", "Enrolled", "IdentityInfo", "KeysError", "NotEnrolled", "Receipt", "Vault", "VaultError",
    "VersionInfo",
)  # fmt: skip


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class Vault:
    """A synchronous vault on one database, safe to use from several threads; raises `VaultError` only."""

    def __init__(
        self, url: str, keys: MasterKeys, second_approver: bool = False, now: Callable[[], datetime] = utc_now
    ) -> None:
        raise NotImplementedError

    def open(self) -> None:
        """Create or migrate the tables, and see that the master key is the right one."""
        raise NotImplementedError

    def close(self) -> None:
        """Release the connections; the vault can be used again afterwards."""
        raise NotImplementedError

    def store(self, name: str, template: bytes, consent: Consent, actor: str) -> Enrolled:
        """Seal a template as the next version of an enrolment; `pending_approval` with a second approver."""
        raise NotImplementedError

    def load(self, name: str) -> bytes | None:
        """Return the active template; None when not enrolled, waiting for approval, expired or erased."""
        raise NotImplementedError

    def current(self, name: str) -> Enrolled | None:
        """Return which enrolment `load` would give, without opening it (cheap: what a cache asks before each use)."""
        raise NotImplementedError

    def show(self, name: str) -> IdentityInfo | None:
        """Return an identity as it stands, None when not enrolled."""
        raise NotImplementedError

    def list(self) -> Sequence[IdentityInfo]:
        """Return every identity, by name."""
        raise NotImplementedError

    def history(self, name: str) -> Sequence[VersionInfo]:
        """Return every enrolment of an identity, newest first; raises `NotEnrolled`."""
        raise NotImplementedError

    def approve(self, name: str, actor: str) -> Enrolled:
        """Make the pending enrolment active; raises `NotEnrolled`, `ApprovalRefused` (same actor, nothing pending)."""
        raise NotImplementedError

    def reject(self, name: str, actor: str) -> Enrolled:
        """Destroy the pending enrolment; raises `NotEnrolled` or `ApprovalRefused`."""
        raise NotImplementedError

    def erase(self, name: str, actor: str) -> Receipt:
        """Destroy keys, ciphertext and name; raises `NotEnrolled`."""
        raise NotImplementedError

    def receipts(self) -> Sequence[Receipt]:
        """Return the receipts of what was erased, newest first."""
        raise NotImplementedError

    def sweep(self, now: datetime | None = None) -> int:
        """Destroy what has no consent any more; return how many enrolments that were."""
        raise NotImplementedError
