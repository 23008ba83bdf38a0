"""Writing and checking evidence reports, for `sidewitness findings` and its short form `sidewitness report`."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engines.errors import SidewitnessError
from monitor.cli.identities import AsJson, Config

if TYPE_CHECKING:
    from monitor.alerts.report.check import Checked
    from monitor.cli.findings import Opened

app = typer.Typer(
    help="Verify evidence reports; `sidewitness findings report` makes them.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
PRINT_SECONDS = 60.0
SUFFIXES = {".html": "html", ".htm": "html", ".pdf": "pdf"}


class ReportError(SidewitnessError):
    """A report cannot be written or read; the message is one line that says what to do."""


class ReportUsageError(SidewitnessError):
    """A report of another kind is asked for than there is."""

    exit_status = 2


def write_report(opened: Opened, finding: str, out: Path, shows_names: bool) -> str:
    """Write a signed report of a finding; returns the fingerprint of the key. Raises `ReportError` and others."""
    from datetime import UTC, datetime
    from importlib.metadata import version

    from engines.base import MODELS
    from monitor.alerts.report.collect import Wanted, collect
    from monitor.alerts.report.key import load_or_make
    from monitor.alerts.report.page import render
    from monitor.alerts.report.seal import fingerprint, sealed
    from monitor.storage.tenancy.command import one_of_several

    kind = SUFFIXES.get(out.suffix.lower())
    if kind is None:
        raise ReportUsageError(f"{out}: name a file that ends in .html or .pdf")
    settings = opened.settings
    now, tenant = datetime.now(UTC), one_of_several(settings)
    wanted = Wanted(finding, now, version("sidewitness"), settings.window_seconds, shows_names, tenant)
    made = collect(wanted, opened.journal, opened.casework, settings.packs or MODELS, opened.audit)
    page = render(made.source, made.data)
    key = load_or_make(settings.state_dir)
    content = page.encode() if kind == "html" else printed(page)
    report = sealed(content, "html" if kind == "html" else "pdf", made.place, key)
    try:
        out.write_bytes(report)
    except OSError as error:
        raise ReportError(f"{out} cannot be written ({error.strerror}): name another place") from None
    return fingerprint(key.public_key().public_bytes_raw())


def printed(page: str) -> bytes:
    """Return an HTML page as PDF, printed by the browser that is installed; raises `ReportError`."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise ReportError("PDF needs a browser (chromium): install one, or write report.html and print that")
    with tempfile.TemporaryDirectory(prefix="sidewitness-report-") as folder:
        source, target = Path(folder) / "report.html", Path(folder) / "report.pdf"
        source.write_text(page, encoding="utf-8")
        # Its own profile, nothing fetched: the page's policy forbids that, too.
        command = [
            browser,
            "--headless",
            "--disable-gpu",
            "--no-pdf-header-footer",
            f"--user-data-dir={folder}/profile",
        ]
        # As root it has no sandbox to run in; the page is our own, and nothing in it runs.
        command += ["--no-sandbox"] if os.geteuid() == 0 else []
        command += [f"--print-to-pdf={target}", source.as_uri()]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=PRINT_SECONDS)  # noqa: S603 - a fixed command
            return target.read_bytes()
        except (subprocess.SubprocessError, OSError):
            raise ReportError(f"{browser} made no PDF: write report.html and print that") from None


@app.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A report, HTML or PDF.")],
    key: Annotated[str | None, typer.Option("--key", metavar="FINGERPRINT", help="Whose key must have signed.")] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Check a report: the same as `sidewitness findings verify`.

    \b
    Example:
      sidewitness report verify report.html
    """  # noqa: D301
    from monitor.cli import findings

    findings.verify(file, key, config, as_json)


def verify_report(config: Path | None, file: Path, key: str | None) -> tuple[Checked, str, list[str]]:
    """Return what a check of a report found, whose key signed it in words, and what is wrong.

    Makes nothing: neither a key nor a journal. Raises `ReportError`, or `SealError` where the signature does not hold.
    """
    from monitor.alerts.journal import Journal
    from monitor.alerts.report.check import check
    from monitor.alerts.report.key import load
    from monitor.alerts.report.seal import fingerprint
    from monitor.config import load as load_settings

    settings = load_settings(config)
    try:
        report = file.read_bytes()
    except OSError as error:
        raise ReportError(f"{file} cannot be read ({error.strerror})") from None
    with ExitStack() as stack:
        journal: Journal | None = stack.enter_context(closing(Journal(settings.journal_url, settings.findings_kept)))
        if journal is not None and journal.file is not None and not journal.file.exists():
            journal = None
        checked = check(report, journal)
    own = load(settings.state_dir)
    ours = fingerprint(own.public_key().public_bytes_raw()) if own is not None else None
    faults = list(checked.faults)
    if key is not None and checked.key != key.strip().lower():
        faults.append(f"it is signed by another key, {checked.key}")
    if key is None and checked.key != ours:
        faults.append(
            f"it is signed by the key {checked.key}, which is not of this installation: ask who sent it for the "
            "fingerprint of theirs on another way, and give it with --key"
        )
    whose = "this installation" if checked.key == ours else f"the key {checked.key}"
    return checked, whose, faults
