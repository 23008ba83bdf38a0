"""`sidewitness doctor`: what is here, what is missing, and how to get it.

Each check is a function that returns its `Check` and raises nothing; the command changes nothing on the machine.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.detectors.check import Check, check_of

if TYPE_CHECKING:
    from monitor.config import Settings

FREE_BYTES = 1 << 30
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def command(
    config: Annotated[Path | None, typer.Option(help="The YAML file that `serve` would be given.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    audit: Annotated[
        bool, typer.Option("--audit", help="Verify the audit log of the vault, and nothing else.")
    ] = False,
) -> None:
    """Say what is missing and how to get it.

    Changes nothing. Exit status 1 when something that is needed is missing, or the audit log does not hold.

    \b
    Example:
      sidewitness doctor
    """  # noqa: D301
    checks = [audit_log(config)] if audit else list(examine(config))
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

    yield python(sys.version_info[:2])
    yield packages(requirements())
    yield from packs()
    yield from detectors()
    yield from engines()
    yield decoders()
    try:
        settings = load(config)
    except ConfigError as error:
        yield Check("settings", "failed", str(error), "correct that setting")
    else:
        yield from (check(settings) for check in SETTING_CHECKS)
    yield browser()
    yield data()
    yield from extras()


def python(version: tuple[int, int]) -> Check:
    """Check for Python 3.11 to 3.13."""
    text = ".".join(map(str, version))
    if (3, 11) <= version <= (3, 13):
        return Check("python", "ok", text)
    return Check("python", "failed", f"{text}, not 3.11 to 3.13", "make an environment with Python 3.11, 3.12 or 3.13")


def requirements() -> list[str] | None:
    """Return what the installed distribution says it needs, None when it is not installed."""
    try:
        return importlib.metadata.requires("sidewitness") or []
    except importlib.metadata.PackageNotFoundError:
        return None


def packages(required: list[str] | None) -> Check:
    """Check that every requirement without a marker is there, in the pinned version where one is pinned."""
    if required is None:
        return Check("packages", "failed", "sidewitness itself is not installed", "python -m pip install -e .")
    wrong = []
    needed = [line for line in required if ";" not in line]
    for line in needed:
        name = re.match(r"[\w.-]+", line)
        pin = re.search(r"==([\w.]+)$", line)
        try:
            found = importlib.metadata.version(name.group() if name else line)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{line} is missing")
            continue
        if pin and found != pin.group(1):
            wrong.append(f"{line} is {found}")
    if wrong:
        return Check("packages", "failed", "; ".join(wrong), "python -m pip install --force-reinstall sidewitness")
    return Check("packages", "ok", f"{len(needed)} requirements installed")


def packs() -> Iterator[Check]:
    """Check that every model pack of a session is there, whole, and calibrated."""
    from engines.base import MODELS, EngineError, load_pack
    from monitor.session.models import PACKS

    for name in PACKS:
        try:
            manifest = load_pack(MODELS / name).manifest
        except EngineError as error:
            yield check_of(f"model pack {name}", error)
        else:
            yield Check(
                f"model pack {name}", "ok", f"{manifest.version}, sha256 {manifest.sha256[:12]}, as in its manifest"
            )


def detectors() -> Iterator[Check]:
    """Check every detector that is installed."""
    from engines.base import MODELS
    from engines.errors import SidewitnessError
    from monitor.detectors import registry

    try:
        found = registry.detectors()
    except SidewitnessError as error:
        yield check_of("detectors", error)
        return
    for detector in found:
        yield Check(f"detector {detector.info.name}", "ok", detector.info.question)
        yield from detector.check(MODELS)


def engines() -> Iterator[Check]:
    """Check every engine there is, those of other packages too."""
    from engines.registry import engine_names

    for name in engine_names():
        yield engine(name)


def engine(name: str) -> Check:
    """Check that an engine can run; one that every installation has must."""
    from engines.base import EngineError
    from engines.load import probe_engine
    from engines.registry import find_engine

    check, required = f"engine {name}", False
    try:
        spec = find_engine(name)
        required = spec.required
        return Check(check, "ok", probe_engine(spec))
    except EngineError as error:
        if required:
            return Check(check, "failed", str(error), "reinstall sidewitness on a 64-bit Linux with AVX2")
        detail, _, remedy = str(error).rpartition(": ")
        return Check(check, "optional", f"{detail}; only this engine uses it", remedy)


def decoders() -> Check:
    """Check that the media library reads what browsers send."""
    try:
        import av

        for codec in ("vp8", "h264", "opus"):
            av.Codec(codec, "r")
    except (ImportError, ValueError) as error:
        return Check("decoders", "failed", f"{error}", "python -m pip install --force-reinstall av")
    return Check("decoders", "ok", f"vp8, h264, opus (PyAV {av.__version__})")


def variables(settings: Settings) -> Check:
    """Check that no variable with our prefix is misspelt."""
    from monitor.config import unknown_variables

    unknown = unknown_variables(os.environ)
    if unknown:
        return Check(
            "settings", "optional", f"these variables set nothing: {', '.join(unknown)}", "correct or unset them"
        )
    return Check("settings", "ok", f"listening on {settings.host}:{settings.port}, engine {settings.engine}")


def state_dir(settings: Settings) -> Check:
    """Check that the state directory can be written, or made."""
    place = _existing(settings.state_dir)
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        remedy = "make it writable for this user, or set SIDEWITNESS_STATE_DIR"
        return Check("state directory", "failed", f"{place} cannot be written ({error.strerror})", remedy)
    return Check("state directory", "ok", f"{settings.state_dir} is writable")


def disk(settings: Settings) -> Check:
    """Check that there is room for the journal."""
    place = _existing(settings.state_dir)
    free = shutil.disk_usage(place).free
    if free < FREE_BYTES:
        remedy = "free 1 GiB there, or set SIDEWITNESS_STATE_DIR to a larger disk"
        return Check("disk space", "failed", f"{free / 1e6:.0f} MB free at {place}", remedy)
    return Check("disk space", "ok", f"{free / 1e9:.1f} GB free at {place}")


def port(settings: Settings) -> Check:
    """Check that the port can be listened on."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[
            0
        ]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        remedy = "stop what listens there, or choose another with SIDEWITNESS_PORT or SIDEWITNESS_HOST"
        return Check("port", "failed", f"{settings.host}:{settings.port} cannot be used ({error.strerror})", remedy)
    return Check("port", "ok", f"{settings.host}:{settings.port} is free")


def vault(settings: Settings) -> Check:
    """Check that the vault can be opened with the master key that is set, where there is one already."""
    from monitor.identity.vault.errors import VaultError
    from monitor.identity.vault.open import existing_vault

    try:
        found = existing_vault(settings)
        if found is None:
            return Check("vault", "ok", "nobody was enrolled here yet")
        with found as opened:
            opened.unlock()
    except VaultError as error:
        return check_of("vault", error)
    return Check("vault", "ok", "opens with the master key")


def audit_log(config: Path | None) -> Check:
    """Verify the chain of the audit log, and with the master key who wrote it."""
    from monitor.config import load
    from monitor.identity.vault.errors import KeysError, VaultError
    from monitor.identity.vault.open import existing_vault

    locked = ""
    try:
        found = existing_vault(load(config))
        if found is None:
            return Check("audit log", "ok", "no vault, no lines")
        with found as opened:
            try:
                opened.unlock()
            except KeysError as error:
                # The hashes can be checked all the same.
                locked = str(error)
            report = opened.verify_audit()
    except VaultError as error:
        return check_of("audit log", error)
    if report.broken is not None:
        remedy = "compare with a backup, and find out who could write the database"
        return Check("audit log", "failed", f"breaks at line {report.broken}: {report.why}", remedy)
    if locked:
        detail, _, remedy = locked.rpartition(": ")
        return Check("audit log", "failed", f"{report.lines} lines follow, but who wrote them: {detail}", remedy)
    return Check("audit log", "ok", f"{report.lines} lines hold, head {report.head}")


def browser() -> Check:
    """Look for a browser, which the end-to-end tests use."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found:
        return Check("chromium", "ok", found)
    return Check("chromium", "optional", "not found; only the end-to-end tests use it", "apt-get install chromium")


def data() -> Check:
    """Look for the research clips, which training and some tests use."""
    folder = os.environ.get("SIDEWITNESS_DATA")
    if folder and (Path(folder) / "clips.csv").is_file():
        return Check("research data", "ok", folder)
    detail = f"no clips.csv in {folder}" if folder else "SIDEWITNESS_DATA is not set"
    return Check(
        "research data",
        "optional",
        f"{detail}; only training and some tests use it",
        "set it to the folder of clips.csv",
    )


def extras() -> Iterator[Check]:
    """Say of every extra whether its packages are installed."""
    from engines.extras import EXTRAS, install, missing, package

    for name, extra in EXTRAS.items():
        absent = ", ".join(map(package, missing(*extra.modules)))
        if absent:
            yield Check(f"extra {name}", "optional", f"{absent} missing; only for {extra.users}", install(name))
        else:
            yield Check(f"extra {name}", "ok", f"installed, for {extra.users}")


SETTING_CHECKS: tuple[Callable[[Settings], Check], ...] = (variables, state_dir, vault, disk, port)


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.exists())


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
