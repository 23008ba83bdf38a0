"""`sidewitness doctor`: what is here, what is missing, and how to get it; it changes nothing on the machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.checks import gateways, installation, machine, processes, vault
from monitor.detectors.check import Check

if TYPE_CHECKING:
    from monitor.config import Settings

SETTING_CHECKS: tuple[Callable[[Settings], Check], ...] = (
    machine.variables,
    machine.state_dir,
    vault.vault,
    machine.disk,
    machine.port,
    processes.processes,
    gateways.gateways,
)


def command(
    config: Annotated[Path | None, typer.Option(help="The YAML file that `serve` would be given.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    audit: Annotated[
        bool, typer.Option("--audit", help="Verify the vault's audit log and the journal, and nothing else.")
    ] = False,
) -> None:
    """Say what is missing and how to get it.

    Changes nothing. Exit status 1 when something that is needed is missing, or audit log or findings do not hold.

    \b
    Example:
      sidewitness doctor
    """  # noqa: D301
    checks = [vault.audit_log(config), vault.findings(config)] if audit else list(examine(config))
    sound = all(check.state != "failed" for check in checks)
    if as_json:
        typer.echo(json.dumps({"ok": sound, "checks": [asdict(check) for check in checks]}))
    else:
        _print(checks)
    if not sound:
        raise typer.Exit(1)


def examine(config: Path | None) -> Iterator[Check]:
    """Yield every check, those that need the settings last."""
    from monitor.config import ConfigError, load

    yield installation.python(sys.version_info[:2])
    yield installation.packages(installation.requirements())
    yield from installation.packs()
    yield installation.speech()
    yield from installation.detectors()
    yield from installation.engines()
    yield installation.decoders()
    yield installation.clip_decoding()
    try:
        settings = load(config)
    except ConfigError as error:
        yield Check("settings", "failed", str(error), "correct that setting")
    else:
        yield from (check(settings) for check in SETTING_CHECKS)
    yield installation.browser()
    yield installation.data()
    yield from installation.extras()


def _print(checks: list[Check]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, title="sidewitness doctor", title_justify="left", padding=(0, 2, 0, 0))
    for heading in ("", "check", "found", "to do"):
        table.add_column(heading, overflow="fold")
    marks = {"ok": "[green]ok[/]", "failed": "[bold red]FAILED[/]", "optional": "[yellow]optional[/]"}
    for check in checks:
        table.add_row(marks[check.state], check.name, Text(check.detail), Text(check.remedy))
    Console().print(table)
