"""Erasing a person whole: what is enrolled of them, and what was found of whoever bore their name."""

from __future__ import annotations

from typing import Any

from monitor.alerts.casework.store import Casework
from monitor.alerts.journal import Journal
from monitor.alerts.privacy.erasure import Person, erase
from monitor.identity.vault.errors import NotEnrolled
from monitor.identity.vault.vault import Vault


def erase_everything(name: str, actor: str, journal: Journal, casework: Casework, vault: Vault) -> dict[str, Any]:
    """Return as JSON values the receipts of both, null where there was nothing; neither holds the name.

    Raises `NotEnrolled` where there was neither, `JournalError` or `VaultError`.
    """
    # The findings first: should that fail, whoever asks again by the name still finds who is enrolled under it.
    found = erase(Person(name), actor, journal, casework, vault)
    try:
        enrolled = vault.erase(name, actor)
    except NotEnrolled:
        if found is None:
            raise
        return {"enrolment": None, "findings": found.as_json()}
    return {"enrolment": enrolled.as_json(), "findings": None if found is None else found.as_json()}
