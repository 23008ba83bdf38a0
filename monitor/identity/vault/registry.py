"""The references that sessions compare with: from the vault, by name, and always those that the vault holds now.

Before each use the vault is asked which enrolment is current, which opens nothing; a reference is opened again only
when that has changed. So a new enrolment is used, and an erased one is not, from the next hop on, whichever process
changed it. There is no cache: a reference is in memory as long as a session looks it up, and no longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from monitor.config import ClaimSettings
from monitor.detectors.reference import Reference, TemplateError
from monitor.identity.claimed import Claimed, resolve
from monitor.identity.lookalike import find
from monitor.identity.vault.errors import VaultError
from monitor.types import ParticipantKey, Profile

if TYPE_CHECKING:
    from monitor.identity.vault.records import Enrolled
    from monitor.identity.vault.vault import Vault


class Lookup:
    """The reference of one claimed identity, for one session; asks the database, so it is called off the event loop."""

    def __init__(self, vault: Vault, name: str) -> None:
        self._vault, self._name = vault, name
        self._current: tuple[Enrolled, Reference | None] | None = None

    def __call__(self) -> Reference | None:
        """Return the reference to compare with now; None when not enrolled, not yet approved, expired or erased.

        Where the vault cannot be read there is none: somebody who may have been erased is not compared.
        """
        try:
            self._current = self._refresh()
        except VaultError:
            structlog.stdlib.get_logger("identity").warning(
                "the vault cannot be asked: nobody is compared until it can"
            )
            self._current = None
        return self._current[1] if self._current else None

    def _refresh(self) -> tuple[Enrolled, Reference | None] | None:
        current = self._vault.current(self._name)
        if current is None:
            return None
        if self._current is not None and self._current[0] == current:
            return self._current
        data = self._vault.load(self._name)
        if data is None:
            return None
        try:
            return current, Reference.from_bytes(data)
        except TemplateError:
            # Remembered as well, so that an unreadable one is not opened again at every hop.
            structlog.stdlib.get_logger("identity").warning("a reference cannot be read: enrol that person anew")
            return current, None


class Identities:
    """The enrolled identities, as sessions look them up, and who is taken to claim them."""

    def __init__(self, vault: Vault, claims: ClaimSettings | None = None) -> None:
        self._vault = vault
        self._claims = claims or ClaimSettings()

    def lookup(self, name: str) -> Lookup:
        """Return the lookup that a session of somebody who claims to be `name` calls at every hop.

        A claim that only looks like the name of somebody enrolled is compared with that person.
        """
        return Lookup(self._vault, self.resembled(name) or name)

    def resembled(self, name: str, claimed: str | None = None) -> str | None:
        """Say who is enrolled and whose name `name` is taken for, who is not `claimed`; None where there is nobody.

        That is nobody for a name that is enrolled itself, and where the vault cannot be asked.
        """
        enrolled = self._enrolled()
        return None if name in enrolled else find(name, (other for other in enrolled if other != claimed))

    def claimed(self, key: ParticipantKey, profile: Profile) -> Claimed:
        """Say whom a participant who joins claims to be; where the vault cannot be asked nobody is enrolled."""
        return resolve(key, profile, self._claims, self._enrolled())

    def _enrolled(self) -> list[str]:
        try:
            return [info.name for info in self._vault.list() if info.state == "active"]
        except VaultError:
            return []

    def reference(self, name: str) -> Reference | None:
        """Return the reference that a session begun now would compare with, or None."""
        return Lookup(self._vault, name)()
