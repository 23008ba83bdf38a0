"""`sidewitness findings`: list, show and label findings, export labels, make and verify evidence reports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.erasures import new_private, print_erasure
from monitor.cli.identities import (
    Actor,
    AsJson,
    Config,
    Yes,
    current_user,
    print_table,
)

if TYPE_CHECKING:
    from monitor.alerts.casework.store import Casework
    from monitor.alerts.journal import Journal
    from monitor.alerts.report.content import ChainNote
    from monitor.config import Settings
    from monitor.identity.vault.vault import Vault

app = typer.Typer(
    help="List, show and label findings; export labels; make and verify evidence reports.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

Finding = Annotated[str, typer.Argument(metavar="ID", help="The finding's id, or the beginning of it.")]
Report = Annotated[Path, typer.Argument(metavar="FILE", help="A report, HTML or PDF.")]
Key = Annotated[
    str | None, typer.Option("--key", metavar="FINGERPRINT", help="Whose key must have signed (default: this one's).")
]


@dataclass(frozen=True, slots=True)
class Opened:
    """What the commands work on."""

    settings: Settings
    journal: Journal
    casework: Casework
    audit: tuple[ChainNote, ...] = ()
    vault: Vault | None = None


@app.command("list")
def list_findings(
    call: Annotated[str | None, typer.Option(help="Only of this call.")] = None,
    participant: Annotated[str | None, typer.Option(help="Only of this participant.")] = None,
    state: Annotated[str | None, typer.Option(help="Only open, acknowledged or closed ones.")] = None,
    label: Annotated[str | None, typer.Option(help="Only those labelled true, false, unsure, or none.")] = None,
    drills: Annotated[bool, typer.Option("--drills", help="Those of drills, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 100,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """List findings, the newest first, with where their cases stand.

    \b
    Example:
      sidewitness findings list --label none
    """  # noqa: D301
    from monitor.alerts.casework.search import Query, find
    from monitor.alerts.journal import Entry
    from monitor.types import rfc3339

    with _open(config) as opened:
        opened.casework.cases(())
        found = find(opened.journal, Query(call, participant, label=label, state=state, drills=drills), limit)
        cases = opened.casework.cases(one.id for one in found)
        firsts = {row.seq: row for row in opened.journal.at([one.first for one in found])}
        rows = []
        for one in found:
            row, case = firsts.get(one.first), cases[one.id]
            if isinstance(row, Entry):
                key, told = row.finding.key, {"state": str(case.state), "label": case.label and str(case.label)}
                who = {"call": key.call, "participant": key.participant, "identity": key.identity}
                opening = {"id": one.id, "opened": rfc3339(row.finding.time), "reason": row.finding.reason}
                rows.append({**opening, **who, **told, "assignee": case.assignee, "changes": one.changes})
    if as_json:
        typer.echo(json.dumps({"findings": rows}))
        return
    keys = ("id", "opened", "reason", "call", "participant", "identity", "state", "label", "assignee")
    print_table("Findings", keys, (tuple(row[key] for key in keys) for row in rows))


@app.command("show")
def show(finding: Finding, config: Config = None, as_json: AsJson = False) -> None:
    """Show a finding: its changes, its case, and everything that was done about it.

    \b
    Example:
      sidewitness findings show 5f0c1e6a --json
    """  # noqa: D301
    from monitor.alerts.casework.case import case_json
    from monitor.alerts.casework.events import event_json
    from monitor.alerts.journal import Entry
    from monitor.alerts.wire import finding_message
    from monitor.types import rfc3339

    with _open(config) as opened:
        known = _known(opened, finding)
        rows, log = opened.journal.changes(known), opened.casework.of(known)
    changes = [finding_message(row.seq, row.finding) for row in rows if isinstance(row, Entry)]
    events = [event_json(event, rfc3339(event.time)) for event in log.events]
    case = case_json(log.case)
    if as_json:
        typer.echo(json.dumps({"id": known, "changes": changes, "case": case, "events": events}))
        return
    facts = [("id", known), *((name, case[name]) for name in ("state", "label", "labelled_by", "assignee"))]
    print_table("Finding", ("", ""), facts)
    keys = ("time", "action", "verdict", "reason", "call", "participant", "identity")
    print_table("Changes", keys, (tuple(change[key] for key in keys) for change in changes))
    print_table(
        "Events",
        ("time", "actor", "event", "details"),
        ((e["time"], e["actor"], e["event"], e["details"]) for e in events),
    )


@app.command("label")
def label(
    finding: Finding,
    label: Annotated[str, typer.Argument(metavar="true|false|unsure", help="What it was.")],
    note: Annotated[str | None, typer.Option(help="How that is known.")] = None,
    by: Annotated[str | None, typer.Option(metavar="WHO", help="Who says so (default: this user).")] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Label a finding: true (a fraud), false (a false alert) or unsure. The last label counts.

    \b
    Example:
      sidewitness findings label 5f0c1e6a false --note "called back: it was her"
    """  # noqa: D301
    from monitor.alerts.casework.case import case_json
    from monitor.alerts.casework.events import CaseworkError, EventKind, NewEvent
    from monitor.alerts.journal import Entry

    with _open(config) as opened:
        details = {"label": label, **({"text": note} if note else {})}
        event = NewEvent(_known(opened, finding), EventKind.LABELLED, by or current_user(), details)
        if any(isinstance(row, Entry) and row.finding.drill for row in opened.journal.changes(event.finding, 1)):
            raise CaseworkError("this is a drill: it says nothing of anybody, and takes no label")
        recorded = opened.casework.append(event)
    if as_json:
        typer.echo(json.dumps({"id": recorded.case.finding, "case": case_json(recorded.case)}))
    else:
        typer.echo(f"finding {recorded.case.finding} is labelled {label}")


@app.command("export")
def export(
    labels: Annotated[Path, typer.Option("--labels", metavar="FILE", help="Where the labels go, as CSV.")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Write every label for calibration: a line a finding, and nobody's name. `evaluate --labels` reads it.

    \b
    Example:
      sidewitness findings export --labels labels.csv
    """  # noqa: D301
    from monitor.alerts.casework.labels import label_row, write_labels
    from monitor.alerts.journal import Entry
    from monitor.detectors.registry import by_reason

    with _open(config) as opened:
        rows, gone, detectors = [], 0, by_reason()
        for finding, case in opened.casework.labelled().items():
            changes = [row.finding for row in opened.journal.changes(finding, 1) if isinstance(row, Entry)]
            gone += not changes
            rows += [label_row(opening, case, detectors) for opening in changes if not opening.drill]
        labels.write_text(write_labels(rows), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps({"labels": len(rows), "no_longer_kept": gone, "file": str(labels)}))
    else:
        more = f"; {gone} more are of findings that are no longer kept" if gone else ""
        typer.echo(f"{len(rows)} labels are in {labels}{more}")


@app.command("erase")
def erase(
    call: Annotated[str, typer.Option(help="The call.")],
    participant: Annotated[str, typer.Option(help="Whose findings in it.")],
    receipt: Annotated[Path, typer.Option("--receipt", metavar="FILE", help="Where the receipt goes: a new file.")],
    actor: Actor = None,
    yes: Yes = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Erase what is kept of a participant: findings, cases, labels, and what waits for sinks or was refused by them.

    The receipt lists what sinks had accepted by then: it cannot be recalled. The journal's chain still verifies. Who is
    in the call goes on being judged. `identities erase --receipt` does the same for a person, by name.

    \b
    Example:
      sidewitness findings erase --call board --participant alice --receipt erased.json --yes
    """  # noqa: D301
    from monitor.alerts.journal import JournalError
    from monitor.alerts.privacy.erasure import Participant
    from monitor.alerts.privacy.erasure import erase as erase_findings

    with _open(config) as opened, new_private(receipt) as file:
        if not yes:
            typer.confirm("This cannot be undone. Erase?", abort=True, err=True)
        whom = Participant(call, participant)
        made = erase_findings(whom, actor or current_user(), opened.journal, opened.casework, opened.vault)
        if made is None:
            raise JournalError("no findings are kept of this participant: see `sidewitness findings list`")
        file.write(json.dumps(made.as_json(), indent=2) + "\n")
    print_erasure(made.as_json(), made.as_json(), receipt, as_json)


@app.command("erasures")
def erasures(config: Config = None, as_json: AsJson = False) -> None:
    """List what was erased: when, by whom and how much, and the digests by which receipts are recognised. No names.

    \b
    Example:
      sidewitness findings erasures
    """  # noqa: D301
    from monitor.alerts.privacy.erasure import remembered

    with _open(config) as opened:
        rows = remembered(opened.journal)
    if as_json:
        typer.echo(json.dumps({"erasures": rows}))
        return
    keys = ("id", "erased", "actor", "cause", "findings", "changes", "events", "labels", "letters", "sent", "cleaned")
    print_table("Erasures", keys, (tuple(row[key] for key in keys) for row in rows))


@app.command("report")
def report(
    finding: Finding,
    out: Annotated[Path, typer.Option(metavar="FILE", help="report.html, or report.pdf by the installed browser.")],
    without_names: Annotated[
        bool, typer.Option("--without-names", help="Leave out who and in which call, and what people wrote.")
    ] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Write the evidence report of a finding, signed with this installation's key.

    \b
    Example:
      sidewitness findings report 5f0c1e6a --out report.html
    """  # noqa: D301
    from monitor.cli.reports import write_report

    with _open(config) as opened:
        fingerprint = write_report(opened, _known(opened, finding), out, not without_names)
    if as_json:
        typer.echo(json.dumps({"file": str(out), "key": fingerprint}))
    else:
        typer.echo(f"{out} is signed by the key {fingerprint}: tell it to whoever checks it")


@app.command("verify")
def verify(file: Report, key: Key = None, config: Config = None, as_json: AsJson = False) -> None:
    """Check a report: its signature, the chain of its rows, and the journal, where it is here.

    Elsewhere say with --key by whose key it must be signed, as you were told on another way. Exit status 1 where
    anything does not hold.

    \b
    Example:
      sidewitness findings verify report.html --key 0123-4567-89ab-cdef-0123-4567-89ab-cdef
    """  # noqa: D301
    from monitor.cli.reports import verify_report

    checked, whose, faults = verify_report(config, file, key)
    if as_json:
        told = {"finding": checked.finding, "key": checked.key, "rows": checked.rows, "faults": faults}
        typer.echo(json.dumps({"ok": not faults, **told, "in_journal": checked.is_in_journal}))
    elif not faults:
        where = {None: "", True: ", and the journal here holds the same"}[checked.is_in_journal]
        rows = f"; {checked.rows} rows follow from each other" if checked.rows else ""
        typer.echo(f"the report of finding {checked.finding} holds, signed by {whose}{rows}{where}")
    if faults:
        if not as_json:
            typer.echo(f"error: {'; '.join(faults)}", err=True)
        raise typer.Exit(1)


def _known(opened: Opened, finding: str) -> str:
    """Return the id of the finding that begins like this; raises `JournalError` where there is none, or several."""
    from monitor.alerts.casework.search import ids_like
    from monitor.alerts.journal import JournalError

    found = ids_like(opened.journal, finding)
    if finding in found or len(found) == 1:
        return finding if finding in found else found[0]
    raise JournalError(
        "several findings begin like this: give more of the id"
        if found
        else "there is no such finding, or it is no longer kept: see `sidewitness findings list`"
    )


@contextmanager
def _open(config: Path | None) -> Iterator[Opened]:
    from monitor.alerts.casework.store import Casework
    from monitor.alerts.journal import Journal
    from monitor.alerts.report.content import ChainNote
    from monitor.config import prepare_state_dir
    from monitor.identity.vault.anchor import open_anchors
    from monitor.identity.vault.open import existing_vault
    from monitor.storage.tenancy.command import load

    settings = load(config)
    prepare_state_dir(settings.state_dir)
    folder = settings.anchor_dir or settings.state_dir
    with ExitStack() as stack:
        found, vault, sign = existing_vault(settings), None, None
        audit: tuple[ChainNote, ...] = ()
        if found is not None:
            vault = stack.enter_context(found)
            # Without its key nobody can tell what was changed, or write what is believed.
            vault.unlock()
            told = vault.verify_audit()
            sign, audit = vault.sign_finding, (ChainNote("audit log", told.lines, told.head, _faults(told)),)
        kept = Journal(
            settings.journal_url, settings.findings_kept, sign, open_anchors(settings.anchors, folder, "journal")
        )
        journal = stack.enter_context(closing(kept))
        journal.open()
        casework = Casework(journal, sign, open_anchors(settings.anchors, folder, "casework"))
        yield Opened(settings, journal, casework, audit, vault)


def _faults(audit: Any) -> tuple[str, ...]:
    return () if audit.broken is None else (f"breaks at line {audit.broken}: {audit.why}",)
