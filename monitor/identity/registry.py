"""The references that sessions compare with: from the vault, by name, never older than what the vault holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.identity.reference import Reference
    from monitor.identity.vault import Vault


class Identities:
    """Thread-safe; reads the vault where the caller is, so call it off the event loop."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def reference(self, name: str) -> Reference | None:
        """Give the newest reference of a person, or None: not enrolled, consent expired, erased, not yet approved."""
        raise NotImplementedError

    def forget(self, name: str) -> None:
        """Drop what is held in memory of a person, at once."""
        raise NotImplementedError
