"""`sidewitness identities`: who is enrolled, since when and under which consent; approve, erase, rotate."""

from __future__ import annotations

import contextlib
import getpass
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from monitor.config import Settings
    from monitor.identity.vault.records import Receipt
    from monitor.identity.vault.vault import Vault

app = typer.Typer(
    help="List, approve and erase enrolled identities; rotate the master key.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

CURRENT_KEY_ALREADY = "everything was wrapped with the current master key already"

Config = Annotated[Path | None, typer.Option(help="The YAML file that `serve` would be given.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Whom participants claim to be.")]
Actor = Annotated[
    str | None, typer.Option(metavar="WHO", help="Who does this, for the audit log (default: this user).")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command("list")
def list_identities(config: Config = None, as_json: AsJson = False) -> None:
    """List who is enrolled.

    \b
    Example:
      sidewitness identities list --json
    """  # noqa: D301
    with _open_vault(config) as (_settings, vault):
        rows = [info.as_json() for info in vault.list()]
    if as_json:
        typer.echo(json.dumps({"identities": rows}))
    else:
        print_table(
            "Identities", ("name", "state", "version", "enrolled", "by", "consent ends", "note"), map(_list_row, rows)
        )


@app.command("show")
def show(name: Name, config: Config = None, as_json: AsJson = False) -> None:
    """Show an identity as it stands.

    \b
    Example:
      sidewitness identities show "Jane Doe"
    """  # noqa: D301
    from monitor.identity.vault.errors import NotEnrolled

    with _open_vault(config) as (_settings, vault):
        info = vault.show(name)
    if info is None:
        raise NotEnrolled
    if as_json:
        typer.echo(json.dumps(info.as_json()))
        return
    row, version = info.as_json(), info.version.as_json()
    consent = {f"consent {key}": value for key, value in version.pop("consent").items()}
    print_table("Identity", ("", ""), {**row, **version, "state": info.state, **consent}.items())


@app.command("history")
def history(name: Name, config: Config = None, as_json: AsJson = False) -> None:
    """Show every enrolment of an identity, newest first.

    \b
    Example:
      sidewitness identities history "Jane Doe"
    """  # noqa: D301
    with _open_vault(config) as (_settings, vault):
        rows = [version.as_json() for version in vault.history(name)]
    if as_json:
        typer.echo(json.dumps({"versions": rows}))
        return
    headings = ("version", "state", "enrolled", "by", "approved", "by", "consent by", "ends", "bytes")
    keys = ("version", "state", "enrolled", "enrolled_by", "approved", "approved_by")
    cells = (
        (*(row[key] for key in keys), row["consent"]["by"], row["consent"]["expires"], row["bytes"]) for row in rows
    )
    print_table("Enrolments", headings, cells)


@app.command("approve")
def approve(name: Name, actor: Actor = None, config: Config = None, as_json: AsJson = False) -> None:
    """Make an enrolment active that waits for a second person.

    Whoever enrolled cannot approve. See the setting `second_approver`.

    \b
    Example:
      sidewitness identities approve "Jane Doe" --actor "Security desk"
    """  # noqa: D301
    with _open_vault(config) as (_settings, vault):
        enrolled = vault.approve(name, actor or current_user())
    _print_result(
        as_json, {"version": enrolled.version, "state": enrolled.state}, f"version {enrolled.version} is active"
    )


@app.command("reject")
def reject(name: Name, actor: Actor = None, config: Config = None, as_json: AsJson = False) -> None:
    """Destroy an enrolment that waits for approval.

    \b
    Example:
      sidewitness identities reject "Jane Doe"
    """  # noqa: D301
    with _open_vault(config) as (_settings, vault):
        enrolled = vault.reject(name, actor or current_user())
    _print_result(
        as_json, {"version": enrolled.version, "state": enrolled.state}, f"version {enrolled.version} is destroyed"
    )


@app.command("erase")
def erase(
    name: Name,
    actor: Actor = None,
    yes: Yes = False,
    receipt: Annotated[
        Path | None,
        typer.Option("--receipt", metavar="FILE", help="Erase their findings, too, and write a new file of it all."),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Destroy everything that is enrolled of an identity, and print a receipt.

    The data keys, the references, the consents and the name go; a receipt and a line of the audit log without a name
    stay. Backups are yours: `identities rotate-key` makes those unreadable that were made before it.

    With --receipt the findings go as well in which somebody claimed to be them, or took part under their name, with
    cases and labels, whether they are enrolled or not; the file lists what sinks had accepted by then.

    \b
    Example:
      sidewitness identities erase "Jane Doe" --receipt erased.json --yes
    """  # noqa: D301
    from monitor.cli.erasures import erase_all, new_private, print_erasure

    with _open_vault(config) as (settings, vault), contextlib.ExitStack() as stack:
        file = None if receipt is None else stack.enter_context(new_private(receipt))
        if not yes:
            typer.confirm("This cannot be undone. Erase?", abort=True, err=True)
        if file is None or receipt is None:
            erased = vault.erase(name, actor or current_user())
        else:
            made = erase_all(settings, vault, name, actor or current_user())
            file.write(json.dumps(made, indent=2) + "\n")
    if receipt is not None:
        print_erasure(made, made["findings"], receipt, as_json)
    elif as_json:
        typer.echo(json.dumps(erased.as_json()))
    else:
        _print_receipt(erased)


@app.command("receipts")
def receipts(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Of this name only.")] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show the receipts of what was erased; they hold no names, but can be asked for by name.

    \b
    Example:
      sidewitness identities receipts "Jane Doe"
    """  # noqa: D301
    with _open_vault(config) as (_settings, vault):
        rows = [receipt.as_json() for receipt in vault.receipts(name)]
    if as_json:
        typer.echo(json.dumps({"receipts": rows}))
        return
    keys = ("id", "erased", "erased_by", "cause", "versions", "destroyed", "audit", "cleaned")
    print_table("Receipts", keys, (tuple(row[key] for key in keys) for row in rows))


@app.command("audit")
def audit(
    after: Annotated[int, typer.Option(min=0, help="Lines with numbers above this.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=10000, help="At most so many.")] = 1000,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Print the audit log, oldest first; `sidewitness doctor --audit` verifies it.

    \b
    Example:
      sidewitness identities audit --json
    """  # noqa: D301
    with _open_vault(config) as (_settings, vault):
        rows = [entry.as_json() for entry in vault.audit(after, limit)]
    if as_json:
        typer.echo(json.dumps({"audit": rows}))
        return
    keys = ("seq", "time", "action", "identity", "actor", "detail")
    print_table("Audit log", keys, (tuple(row[key] for key in keys) for row in rows))


@app.command("export")
def export(
    name: Name,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write there, readable by its owner only (default: print).")
    ] = None,
    config: Config = None,
) -> None:
    """Give everything that is held of one person, as JSON: what they may ask for.

    Enrolments and consents, audit lines, findings in which somebody claimed to be them or took part under their name,
    what was done about these, and which sinks were sent them. Of the reference its size, not its content.

    \b
    Example:
      sidewitness identities export "Jane Doe" --out jane.json
    """  # noqa: D301
    from monitor.alerts.casework.store import Casework
    from monitor.alerts.journal import Journal
    from monitor.alerts.privacy.person import held

    with _open_vault(config) as (settings, vault):
        journal = Journal(settings.journal_url, settings.findings_kept, vault.sign_finding)
        try:
            journal.open()
            text = json.dumps(held(name, journal, Casework(journal, vault.sign_finding), vault), indent=2)
        finally:
            journal.close()
    if out is None:
        typer.echo(text)
        return
    from monitor.cli.erasures import new_private

    with new_private(out) as file:
        file.write(text + "\n")
    typer.echo(f"written: {out}", err=True)


@app.command("sweep")
def sweep(config: Config = None, as_json: AsJson = False) -> None:
    """Destroy what has no consent any more, now; `serve` does it by itself.

    \b
    Example:
      sidewitness identities sweep
    """  # noqa: D301
    with _open_vault(config) as (_settings, vault):
        count = vault.sweep()
    _print_result(as_json, {"destroyed": count}, f"enrolments without consent that are destroyed: {count}")


@app.command("rotate-key")
def rotate_key(actor: Actor = None, config: Config = None, as_json: AsJson = False) -> None:
    """Wrap every key with a new master key and let the old one go.

    The key file gets a new key. Keys of the environment: put the new one before the old one in SIDEWITNESS_VAULT_KEY,
    with a comma between, run this, and take the old one out. A key service: what it calls the current key. A rotation
    that was stopped goes on when this is run again. A server may run meanwhile where the key is in a file.

    \b
    Example:
      sidewitness identities rotate-key
    """  # noqa: D301
    from monitor.identity.vault.open import rotate

    with _open_vault(config) as (settings, vault):
        count = rotate(settings, vault, actor or current_user())
    _print_result(
        as_json, {"wrapped": count}, f"keys wrapped with the new master key: {count}" if count else CURRENT_KEY_ALREADY
    )


@contextlib.contextmanager
def _open_vault(config: Path | None) -> Iterator[tuple[Settings, Vault]]:
    from monitor.identity.vault.open import open_vault
    from monitor.storage.tenancy.command import load

    settings = load(config)
    vault = open_vault(settings)
    try:
        yield settings, vault
    finally:
        vault.close()


def current_user() -> str:
    """Return the name of the user who runs this command, for the audit log."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run as a number that has no name.
        return "unknown user"


def _print_result(as_json: bool, values: dict[str, Any], text: str) -> None:
    typer.echo(json.dumps(values) if as_json else text)


def _print_receipt(receipt: Receipt) -> None:
    print_table("Receipt", ("", ""), receipt.as_json().items())
    if not receipt.cleaned:
        typer.echo(
            "note: another process is reading the database: freed bytes go from its files at the next sweep", err=True
        )


def _list_row(row: dict[str, Any]) -> Sequence[Any]:
    version = row["version"]
    note = f"version {row['pending']} waits for approval" if row["pending"] else ""
    consent = version["consent"]["expires"]
    return (row["name"], row["state"], version["version"], version["enrolled"], version["enrolled_by"], consent, note)


def print_table(title: str, headings: Sequence[str], rows: Any) -> None:
    """Print rows under their headings."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, title=title, title_justify="left", padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    Console().print(table)


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {part}" for key, part in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
