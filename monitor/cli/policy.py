"""`sidewitness policy`: check a policy, say what it would do about somebody and why, play a journal against it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engines.errors import SidewitnessError
from monitor.cli.identities import AsJson, Config, print_table
from monitor.cli.sources import Server, Url

if TYPE_CHECKING:
    from monitor.alerts.finding import Finding
    from monitor.alerts.policy.rules import Policy
    from monitor.alerts.policy.simulate import Played, Tags
    from monitor.config import Settings

app = typer.Typer(
    help="Check policies, explain what they would do, and try them on what was found.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

COLUMNS = ("time", "call", "participant", "kind", "action", "groups", "told", "actions", "held")
PAGE_FINDINGS = 500
MAX_LINE_BYTES = 1 << 20

File = Annotated[Path, typer.Argument(metavar="FILE", help="A policy file.")]
Database = Annotated[
    Path | None,
    typer.Option("--journal", metavar="DB", help="Another journal, an SQLite file (default: the settings')."),
]


class FindingsError(SidewitnessError):
    """A file of findings cannot be read; the message is one line that says what to do."""


@app.command("check")
def check(file: File, config: Config = None, as_json: AsJson = False) -> None:
    """Check a policy file: a line for each fault, with what to do. Exit status 1 where there is one.

    The sinks that it names are looked up where a settings file is named.

    \b
    Example:
      sidewitness policy check policy.yaml --config sidewitness.yaml
    """  # noqa: D301
    from monitor.alerts.policy.document import read, unknown
    from monitor.detectors.registry import infos
    from monitor.storage.tenancy.command import load

    policy, faults = read(file)
    if policy is not None:
        sinks = None if config is None else _sinks(load(config))
        faults = list(unknown(policy, sinks, [info.name for info in infos()]))
    if as_json:
        typer.echo(json.dumps({"ok": not faults, "faults": faults}))
    else:
        for fault in faults or [_summary(policy)]:
            typer.echo(fault)
    if faults:
        raise typer.Exit(1)


@app.command("simulate")
def simulate(
    file: File,
    findings: Annotated[
        Path | None, typer.Argument(metavar="[FINDINGS]", help="Findings as the sink jsonl writes them.")
    ] = None,
    journal: Database = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Play what was found against a policy: who would have been told of what, when, and what would have been done.

    Takes the journal of the settings, another one, or a file of findings. Only what was found then is played: what
    other detectors or another rate of false alerts would have found is not in a journal.

    \b
    Example:
      sidewitness policy simulate policy.yaml findings.jsonl
    """  # noqa: D301
    from monitor.alerts.policy.simulate import simulate as play
    from monitor.config import ConfigError
    from monitor.storage.tenancy.command import load

    if findings is not None and journal is not None:
        raise ConfigError("give a file of findings or --journal, not both")
    settings, policy = load(config), _read(file)
    found = _from_lines(findings) if findings is not None else _from_journal(settings, journal)
    played = list(play(policy, found, _tags(settings, policy)))
    if as_json:
        for one in played:
            typer.echo(json.dumps(one.as_json()))
        return
    print_table("What would have happened", COLUMNS, map(_row, played))
    for line in counted(played):
        typer.echo(line)


@app.command("explain")
def explain(
    call: Annotated[str, typer.Argument(metavar="CALL", help="The call.")],
    participant: Annotated[str, typer.Argument(metavar="PARTICIPANT", help="Who is judged in it now.")],
    url: Url = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Say which groups of the policy a participant is in, why, and what would be done about them now.

    \b
    Example:
      sidewitness policy explain board user-17
    """  # noqa: D301
    told = Server.of(config, url).policy(call, participant)
    for line in [json.dumps(told)] if as_json else explained(told):
        typer.echo(line)


def counted(played: Iterable[Played]) -> Iterator[str]:
    """Give how many episodes each sink would have been told of, and how many actions would have been ordered."""
    told, actions = Counter[str](), Counter[str]()
    episodes: set[tuple[str, str]] = set()
    for one in played:
        for sink in ("every sink",) if one.told is None else one.told:
            if (sink, one.finding.id) not in episodes:
                episodes.add((sink, one.finding.id))
                told[sink] += 1
        actions.update(one.actions)
    yield from (f"{sink}: told of {number} episodes" for sink, number in sorted(told.items()))
    yield from (f"{action}: ordered {number} times" for action, number in sorted(actions.items()))


def _row(one: Played) -> tuple[str, ...]:
    row = one.as_json()
    told = "every sink" if row["told"] is None else ", ".join(row["told"]) or "nobody"
    held = ", ".join(f"{group}: {why.replace('_', ' ')}" for group, why in row["held"].items())
    groups = ", ".join(row["groups"]) + (" (dry run)" if row["dry_run"] else "")
    shown = (row["time"], row["call"], row["participant"], row["kind"], row["action"], groups, told)
    return (*shown, ", ".join(row["actions"]), held)


def _read(file: Path) -> Policy:
    from monitor.alerts.policy.document import read
    from monitor.config import ConfigError

    policy, faults = read(file)
    if policy is None:
        raise ConfigError(f"{file}: {faults[0]}: see `sidewitness policy check`")
    return policy


def _summary(policy: Policy | None) -> str:
    groups = 0 if policy is None else len(policy.groups)
    default = policy is not None and policy.default is not None
    return f"the policy can be used: {groups} groups{', and what holds for everybody else' if default else ''}"


def _sinks(settings: Settings) -> list[str]:
    return [sink.name or sink.kind for sink in settings.sinks]


def _tags(settings: Settings, policy: Policy) -> Tags:
    """Return what says how somebody is tagged; the vault is asked only where the policy asks for tags."""
    if not any(group.tags for group in policy.every_group):
        return lambda _name: frozenset()
    from monitor.identity.vault.open import open_vault

    with closing(open_vault(settings)) as vault:
        known = {info.name: frozenset(info.version.tags) for info in vault.list()}
    return lambda name: known.get(name, frozenset())


def _from_journal(settings: Settings, database: Path | None) -> Iterator[Finding]:
    from monitor.alerts.journal import Entry, Journal, JournalError

    if database is not None and not database.is_file():
        raise JournalError(f"there is no journal at {database}: name the file journal.sqlite of a state directory")
    with closing(Journal(settings.journal_url if database is None else f"sqlite:///{database}")) as journal:
        after, head = 0, journal.head().seq
        while after < head and (rows := journal.read(after, PAGE_FINDINGS)):
            yield from (row.finding for row in rows if isinstance(row, Entry))
            after = rows[-1].seq


def _from_lines(file: Path) -> Iterator[Finding]:
    from monitor.alerts.policy.message import NotAFindingError, parse_finding

    with file.open("rb") as lines:
        number = 0
        while line := lines.readline(MAX_LINE_BYTES):
            number += 1
            try:
                finding = parse_finding(line)
            except NotAFindingError:
                raise FindingsError(f"{file}, line {number}: no message of the sink jsonl, take it out") from None
            if finding is not None:
                yield finding


def explained(told: dict[str, Any]) -> Iterator[str]:
    """Give an explanation in lines."""
    who = told["identity"] or "nobody who could be compared with"
    yield f"{told['participant']} in {told['call']} claims to be {who}; now {told['now']['verdict']}"
    for group in told["groups"]:
        yield f"  in the group {group['name']}: {', '.join(group['because'])}"
    if not told["groups"]:
        yield "  in no group: every sink is told of an alert, and nothing else is done"
    for name, said in told["settings"].items():
        if said is not None:
            yield f"  {name.replace('_', ' ')}: {said['value']} (by {', '.join(said['from'])})"
    for would in told["would"]:
        yield f"  at {would['at']}: {_would(would)}"
    for episode in told["open"]:
        yield f"  open: {episode['kind']} {episode['id']}"


def _would(would: dict[str, Any]) -> str:
    sinks = "every sink is told" if would["notify"] is None else ", ".join(would["notify"]) + " told"
    parts = [sinks if would["notify"] != [] else "nobody is told"]
    for action in would["actions"]:
        how = "dry run" if action["dry_run"] else "after confirmation" if action["confirm"] else "at once"
        parts.append(f"{action['action'].replace('_', ' ')} ({how})")
    parts += [f"{group} holds back: {why.replace('_', ' ')}" for group, why in would["held"].items()]
    return "; ".join(parts)
