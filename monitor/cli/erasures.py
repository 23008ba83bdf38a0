"""What the commands that erase have in common: everything of a person, a new file for the receipt, what is printed."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import typer

from monitor.cli.identities import print_table

if TYPE_CHECKING:
    from monitor.config import Settings
    from monitor.identity.vault.vault import Vault


def erase_all(settings: Settings, vault: Vault, name: str, actor: str) -> dict[str, Any]:
    """Erase what is enrolled and what was found of a person; raises `NotEnrolled` where there is neither."""
    from monitor.alerts.casework.store import Casework
    from monitor.alerts.journal import Journal
    from monitor.alerts.privacy.everything import erase_everything

    journal = Journal(settings.journal_url, settings.findings_kept, vault.sign_finding)
    try:
        journal.open()
        return erase_everything(name, actor, journal, Casework(journal, vault.sign_finding), vault)
    finally:
        journal.close()


def print_erasure(receipt: Mapping[str, Any], found: Mapping[str, Any] | None, path: Path, as_json: bool) -> None:
    """Print what was erased, `found` of it in findings, and where its receipt is."""
    if as_json:
        typer.echo(json.dumps(receipt))
        return
    if found is not None:
        rows = [
            ("findings", len(found["findings"])),
            ("their changes", len(found["changes"])),
            ("case events", found["events"]),
            ("labels", found["labels"]),
            ("refused by sinks", found["dead_letters"]),
            ("held by sinks, beyond recall", len(found["sent"])),
        ]
        print_table("Erased", ("", ""), rows)
    typer.echo(f"the receipt is {path}", err=True)


@contextlib.contextmanager
def new_private(path: Path) -> Iterator[TextIO]:
    """Open a new file that its owner alone can read, gone again where its writing fails; raises `ConfigError`."""
    from monitor.config import ConfigError

    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}): name a new file") from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise
