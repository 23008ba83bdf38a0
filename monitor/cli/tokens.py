"""`sidewitness tokens`: make, list and revoke tokens for one purpose and a while; rotate the key that signs them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.identities import AsJson, Config, current_user, print_table

if TYPE_CHECKING:
    from monitor.api.access.issuer import Issuer

app = typer.Typer(
    help="Make, list and revoke tokens; rotate the key that signs them.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

# As in `monitor.api.access.claims`, which is not imported for a line of help.
DEFAULT_MINUTES = 60
ROLES = "publisher, viewer, analyst, enroller, approver, admin or subject"


@app.command("create")
def create(
    role: Annotated[str, typer.Option(metavar="ROLE", help=f"What it is for: {ROLES}.")],
    subject: Annotated[str, typer.Option(metavar="NAME", help="Who it is for, for the audit log: an account name.")],
    minutes: Annotated[int, typer.Option(help="How long it lasts.")] = DEFAULT_MINUTES,
    call: Annotated[str | None, typer.Option(metavar="CALL", help="Of a publisher: the call.")] = None,
    participant: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of a publisher: the participant; may hold one *.")
    ] = None,
    identity: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Of a publisher: whom they claim to be (default: nobody). Of a subject: their enrolled name.",
        ),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and print it: this once, since it is kept nowhere. A running server takes it at once.

    \b
    Example:
      sidewitness tokens create --role publisher --subject alice --call board --participant alice --minutes 120
    """  # noqa: D301
    from monitor.api.access.claims import ordered

    order = ordered(subject, role, minutes, call, participant, identity)
    with _open_issuer(config) as issuer:
        text, issued = issuer.issue(order, current_user())
        described = issuer.describe(issued)
    if as_json:
        typer.echo(json.dumps({"token": text, **described}))
    else:
        typer.echo(text)
        typer.echo(f"id {described['id']}, valid until {described['expires']}", err=True)


@app.command("list")
def list_tokens(config: Config = None, as_json: AsJson = False) -> None:
    """List the tokens that were made, those that ended in the last week included; never their text.

    \b
    Example:
      sidewitness tokens list --json
    """  # noqa: D301
    with _open_issuer(config) as issuer:
        rows = issuer.list()
    if as_json:
        typer.echo(json.dumps({"tokens": rows}))
        return
    keys = ("id", "subject", "role", "call", "participant", "identity", "state", "expires", "issued_by", "revoked_by")
    print_table("Tokens", keys, (tuple(row[key] for key in keys) for row in rows))


@app.command("revoke")
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="The id that `tokens list` shows.")],
    config: Config = None,
) -> None:
    """Put a token out of force, on a running server too.

    \b
    Example:
      sidewitness tokens revoke 5f0c1e6a9b3d47e2a1c8d905
    """  # noqa: D301
    from monitor.api.access.issuer import NoSuchToken

    with _open_issuer(config) as issuer:
        if not issuer.revoke(token_id, current_user()):
            raise NoSuchToken
    typer.echo(f"token {token_id} is revoked")


@app.command("rotate-key")
def rotate_key(
    drop_old: Annotated[
        bool, typer.Option("--drop-old", help="Take the old keys out: every token that they signed is refused.")
    ] = False,
    config: Config = None,
) -> None:
    """Sign with a new key from now on. Tokens of the old one go on until they expire, or until --drop-old.

    \b
    Example:
      sidewitness tokens rotate-key
    """  # noqa: D301
    from monitor.api.access.keyring import key_ring
    from monitor.config import prepare_state_dir
    from monitor.storage.tenancy.command import load

    settings = load(config)
    prepare_state_dir(settings.state_dir)
    keys = key_ring(settings)
    if drop_old:
        typer.echo(f"old keys taken out: {keys.drop_old()}")
    else:
        typer.echo(f"keys that verify tokens now, the new one included: {keys.rotate()}")


@contextmanager
def _open_issuer(config: Path | None) -> Iterator[Issuer]:
    from monitor.alerts.journal import Journal
    from monitor.api.access.issuer import Issuer
    from monitor.api.access.keyring import key_ring
    from monitor.api.access.register import Register
    from monitor.config import prepare_state_dir
    from monitor.storage.tenancy.command import chosen, load

    settings = load(config)
    prepare_state_dir(settings.state_dir)
    journal = Journal(settings.journal_url, settings.findings_kept)
    try:
        journal.open()
        yield Issuer(key_ring(settings), Register(journal), tenant=chosen.get())
    finally:
        journal.close()
