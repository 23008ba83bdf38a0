"""Every part of a place is brought to this version, as `serve` would when it starts; nothing is made but tables."""

from __future__ import annotations

from contextlib import ExitStack, closing

from monitor.alerts.journal import Journal
from monitor.cli.databases.places import PARTS, Opened, Place
from monitor.config import Settings, prepare_state_dir
from monitor.identity.vault.anchor import open_anchors
from monitor.identity.vault.open import existing_vault


def upgrade(settings: Settings, place: Place, databases: Opened) -> None:
    """Bring every part up to date; findings of before the chain are chained, with the master key where there is one."""
    prepare_state_dir(settings.state_dir)
    # The vault first: the journal is chained with its key.
    for part in sorted(PARTS, key=lambda part: not part.is_vault):
        databases.of(part).migrate(part.migrations)
    with ExitStack() as stack:
        existing, sign = existing_vault(settings, place.vault_url), None
        if existing is not None:
            vault = stack.enter_context(existing)
            vault.unlock()
            sign = vault.sign_finding
        folder = settings.anchor_dir or settings.state_dir
        anchors = open_anchors(settings.anchors, folder, "journal")
        journal = stack.enter_context(
            closing(Journal(place.journal_url, settings.findings_kept, sign=sign, anchors=anchors))
        )
        journal.open()
