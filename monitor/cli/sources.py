"""`sidewitness sources`: list the ways into calls of a running server, try those of a configuration, watch both."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from engines.errors import SidewitnessError
from monitor.cli.identities import AsJson, Config, print_table

if TYPE_CHECKING:
    from monitor.host.source_check import CheckResult
    from monitor.host.sources import ConfiguredSource

app = typer.Typer(
    help="Ways into calls: list, try and watch them.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

TIMEOUT_SECONDS = 10.0
WATCH_SECONDS = 1.0
MAX_ANSWER_BYTES = 1 << 20
NO_HOSTS = "there is no such host: see `sidewitness hosts list`, and the setting processes"
COLUMNS = ("source", "plugin", "phase", "seconds", "failures", "participants", "why")

Url = Annotated[str | None, typer.Option(metavar="URL", help="The server (default: that of the settings).")]


class NoAnswerError(SidewitnessError):
    """The running server cannot be asked; the message is one line that says what to do."""


@app.command("list")
def list_sources(
    url: Url = None,
    plugins: Annotated[bool, typer.Option("--plugins", help="List the plug-ins there are instead.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """List the sources of a running server and how they are doing. Takes SIDEWITNESS_TOKEN, or the token in its file.

    \b
    Example:
      sidewitness sources list
    """  # noqa: D301
    if plugins:
        _list_plugins(as_json)
        return
    rows = Server.of(config, url).sources()
    if as_json:
        typer.echo(json.dumps({"sources": rows}))
        return
    print_table("Sources", COLUMNS, (tuple(row[key] for key in COLUMNS) for row in rows))


@app.command("check")
def check(
    config: Config = None,
    seconds: Annotated[float, typer.Option(min=0.1, max=600.0, help="How long each may take to join.")] = 15.0,
    as_json: AsJson = False,
) -> None:
    """Join the other side of every source that is configured and leave it again: one line each.

    Nobody is judged and no server needs to run. Exit status 1 where one is not well.

    \b
    Example:
      sidewitness sources check --config sidewitness.yaml
    """  # noqa: D301
    from monitor.config import ConfigError, load
    from monitor.host.sources import configured_sources

    sources = configured_sources(load(config).sources)
    if not sources:
        raise ConfigError("no source is configured: see the setting 'sources' in docs/plugins.md")
    results = asyncio.run(_check_all(sources, seconds))
    for result in results:
        if as_json:
            shown = {"source": result.number, "plugin": result.plugin, "ok": result.is_well, "says": result.said}
            typer.echo(json.dumps(shown))
        else:
            typer.echo(f"{'ok  ' if result.is_well else 'FAIL'} {result.number} {result.plugin}: {result.said}")
    if not all(result.is_well for result in results):
        raise typer.Exit(1)


@app.command("watch")
def watch(
    url: Url = None,
    config: Config = None,
    as_json: AsJson = False,
    times: Annotated[int | None, typer.Option(min=1, help="Ask so many times and end (default: for good).")] = None,
) -> None:
    """Follow the sources of a running server: a line whenever one changes, until Ctrl-C.

    \b
    Example:
      sidewitness sources watch --json
    """  # noqa: D301
    follow(Server.of(config, url).sources, _print_change(as_json), time.sleep, times)


@app.command("explain")
def explain(
    call: Annotated[str, typer.Argument(metavar="CALL", help="The call, as `sidewitness sources` brought it.")],
    participant: Annotated[str, typer.Argument(metavar="PARTICIPANT", help="Who is judged in it now.")],
    url: Url = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Say whom a participant is taken to claim to be, by what, and what else was weighed.

    \b
    Example:
      sidewitness sources explain board user-17
    """  # noqa: D301
    told = Server.of(config, url).explain(call, participant)
    if as_json:
        typer.echo(json.dumps(told))
        return
    for line in explained(told):
        typer.echo(line)


def explained(told: dict[str, Any]) -> Iterator[str]:
    """Give an explanation in lines."""
    from monitor.decision.words import CLAIMS

    if told["identity"] is None:
        yield "claims to be nobody who could be compared with"
    else:
        yield f"claims to be {told['identity']}: {CLAIMS[told['claim']]}"
    if told["in_doubt"]:
        yield f"may be {' or '.join(told['in_doubt'])}: compared with none of them for it, a rule would settle it"
    if told["resembles"] is not None:
        yield f"has a name like that of {told['resembles']}"
    for one in told["considered"]:
        match = {"full": ", the name in full", "part": ", the name in part"}.get(one["match"], "")
        letters = " by letters that look alike" if one["lookalike"] else ""
        enrolled = "enrolled" if one["enrolled"] else "not enrolled"
        yield f"  weighed: {one['identity']} ({one['claim']}{match}{letters}; {enrolled})"


def follow(
    ask: Callable[[], Sequence[dict[str, Any]]],
    tell: Callable[[dict[str, Any]], None],
    pause: Callable[[float], None],
    times: int | None = None,
) -> None:
    """Ask every `WATCH_SECONDS`, so many times or for good, and tell what is new or changed, or gone."""
    seen: dict[int, tuple[Any, ...]] = {}
    for turn in _turns(times):
        if turn:
            pause(WATCH_SECONDS)
        rows = {row["source"]: row for row in ask()}
        for number, row in rows.items():
            shown = tuple(row[key] for key in COLUMNS if key != "seconds")
            if seen.get(number) != shown:
                tell(row)
            seen[number] = shown
        for number in [number for number in seen if number not in rows]:
            del seen[number]
            tell({"source": number, "phase": "removed"})


def _turns(times: int | None) -> Iterator[int]:
    turn = 0
    while times is None or turn < times:
        yield turn
        turn += 1


class Server:
    """A running server, asked over HTTP."""

    def __init__(self, base: str, token: str) -> None:
        self._base, self._token = base.rstrip("/"), token

    @classmethod
    def of(cls, config: Path | None, url: str | None) -> Server:
        """Return the server of the settings, or at `url`; raises `ConfigError` or `NoAnswerError`."""
        from monitor.config import load

        settings = load(config)
        if url is None:
            host = f"[{settings.host}]" if ":" in settings.host else settings.host
            url = f"http://{host}:{settings.port}{settings.root_path}"
        if not url.startswith(("http://", "https://")):
            raise NoAnswerError("the address of a server begins with http:// or https://: correct --url")
        if settings.token is not None:
            return cls(url, settings.token.get_secret_value())
        try:
            return cls(url, (settings.state_dir / "token").read_text().strip())
        except OSError:
            raise NoAnswerError("there is no token: set SIDEWITNESS_TOKEN, or run this where the server does") from None

    def sources(self) -> list[dict[str, Any]]:
        """Return the sources as `GET /v1/sources` describes them; raises `NoAnswerError`."""
        found: list[dict[str, Any]] = self._get("/v1/sources", "sources")
        return found

    def explain(self, call: str, participant: str) -> dict[str, Any]:
        """Return by what a participant is taken to claim an identity; raises `NoAnswerError`."""
        parts = (quote(name, safe="") for name in (call, participant))
        found: dict[str, Any] = self._get("/v1/calls/{}/participants/{}/claim".format(*parts))
        return found

    def policy(self, call: str, participant: str) -> dict[str, Any]:
        """Return what the policy makes of a participant; raises `NoAnswerError`."""
        parts = (quote(name, safe="") for name in (call, participant))
        found: dict[str, Any] = self._get("/v1/calls/{}/participants/{}/policy".format(*parts))
        return found

    def begin_drill(self, order: dict[str, str]) -> dict[str, Any]:
        """Begin a drill and return it; raises `NoAnswerError`."""
        found: dict[str, Any] = self._get("/v1/drills", order=order)
        return found

    def drill(self, drill_id: str) -> dict[str, Any]:
        """Return how far a drill has come; raises `NoAnswerError`."""
        found: dict[str, Any] = self._get(f"/v1/drills/{drill_id}")
        return found

    def hosts(self) -> dict[str, Any]:
        """Return the hosts as `GET /v1/hosts` describes them; raises `NoAnswerError`."""
        found: dict[str, Any] = self._get("/v1/hosts", absent=NO_HOSTS)
        return found

    def renew_hosts(self, host: int | None) -> dict[str, Any]:
        """Have a host, or all of them, let go and begun anew; raises `NoAnswerError`."""
        path = "/v1/hosts/roll" if host is None else f"/v1/hosts/{host}/drain"
        found: dict[str, Any] = self._get(path, order={}, absent=NO_HOSTS)
        return found

    def _get(
        self,
        path: str,
        field: str | None = None,
        order: dict[str, str] | None = None,
        absent: str = "nobody is judged under this name in this call now",
    ) -> Any:
        """Return an answer, or a field of it; with an `order` it is posted. `absent` is what a 404 says."""
        import urllib.error
        import urllib.request

        request = urllib.request.Request(  # noqa: S310 - http and https only, see `of`
            f"{self._base}{path}",
            data=None if order is None else json.dumps(order).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        # No proxy of the environment: it would be shown the token.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                body = json.loads(answer.read(MAX_ANSWER_BYTES))
                return body if field is None else body[field]
        except urllib.error.HTTPError as error:
            why = {
                401: "the token is not right",
                403: "the token's role may not do this: use an admin's",
                404: absent,
                422: "a name cannot be one: see `--help`",
            }
            raise NoAnswerError(f"the server answered {error.code}: {why.get(error.code, 'see its log')}") from None
        except OSError:
            raise NoAnswerError(
                "no server answers there: start it (`sidewitness serve`), or name it with --url"
            ) from None
        except (ValueError, KeyError, TypeError):
            raise NoAnswerError("what answers there is no sidewitness of this version: see --url") from None


async def _check_all(sources: Sequence[ConfiguredSource], seconds: float) -> list[CheckResult]:
    from monitor.host.source_check import check as check_one

    return list(await asyncio.gather(*(check_one(source, seconds) for source in sources)))


def _print_change(as_json: bool) -> Callable[[dict[str, Any]], None]:
    def tell(row: dict[str, Any]) -> None:
        if as_json:
            typer.echo(json.dumps(row))
            return
        texts = [str(row["source"]), row.get("plugin", ""), row["phase"], row.get("why") or ""]
        people = f"{row['participants']} participants" if "participants" in row else ""
        typer.echo(" ".join(text for text in (*texts[:3], people, texts[3]) if text))

    return tell


def _list_plugins(as_json: bool) -> None:
    from plugins.base import PluginError
    from plugins.registry import available, load

    rows: list[dict[str, Any]] = []
    for name, entry in sorted(available().items()):
        row: dict[str, Any] = {"plugin": name, "package": entry.dist.name if entry.dist else "sidewitness"}
        try:
            row["options"] = sorted(load(entry).options.model_fields)
        except PluginError as error:
            row |= {"options": [], "why": str(error)}
        rows.append(row)
    if as_json:
        typer.echo(json.dumps({"plugins": rows}))
        return
    cells = ((row["plugin"], row["package"], row.get("why") or ", ".join(row["options"])) for row in rows)
    print_table("Plug-ins", ("plugin", "package", "options"), cells)
