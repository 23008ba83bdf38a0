"""The references that sessions compare with: from the vault, by name, and never other than what the vault holds now.

Before each use the vault is asked which enrolment is current, which opens nothing; a reference is opened again only
when that has changed. So a new enrolment is used, and an erased one is not, from the next hop on, whichever process
changed it. There is no cache: a reference is in memory as long as a session looks it up, and no longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from monitor.detectors.reference import Reference, TemplateError
from monitor.identity.vault.errors import VaultError

if TYPE_CHECKING:
    from monitor.identity.vault.records import Enrolled
    from monitor.identity.vault.vault import Vault


class Lookup:
    """The reference of one claimed identity, for one session; asks the database, so it is called off the event loop."""

    def __init__(self, vault: Vault, name: str) -> None:
        self._vault, self._name = vault, name
        self._held: tuple[Enrolled, Reference | None] | None = None

    def __call__(self) -> Reference | None:
        """Give what to compare with now; None when not enrolled, not yet approved, expired or erased.

        A vault that cannot be asked has nobody: who may have been erased is not compared.
        """
        try:
            self._held = self._refresh()
        except VaultError:
            structlog.stdlib.get_logger("identity").warning(
                "the vault cannot be asked: nobody is compared until it can"
            )
            self._held = None
        return self._held[1] if self._held else None

    def _refresh(self) -> tuple[Enrolled, Reference | None] | None:
        current = self._vault.current(self._name)
        if current is None:
            return None
        if self._held is not None and self._held[0] == current:
            return self._held
        data = self._vault.load(self._name)
        if data is None:
            return None
        try:
            return current, Reference.from_bytes(data)
        except TemplateError:
            # Held as well: one that cannot be read is not opened again at every hop.
            structlog.stdlib.get_logger("identity").warning("a reference cannot be read: enrol that person anew")
            return current, None


class Identities:
    """Who is enrolled, as sessions see it."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def lookup(self, name: str) -> Lookup:
        """Give what a session of somebody who claims to be `name` asks at every hop."""
        return Lookup(self._vault, name)

    def reference(self, name: str) -> Reference | None:
        """Give the reference that a session begun now would compare with, or None."""
        return Lookup(self._vault, name)()
