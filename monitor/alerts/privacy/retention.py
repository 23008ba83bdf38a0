"""Times to live of what is kept of findings: what is older goes, from the beginning of its chain on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from monitor.alerts.casework.store import Casework
from monitor.alerts.journal import Journal
from monitor.alerts.privacy.erasure import sweep
from monitor.identity.vault.sweeper import Sweep


def of_erasures(journal: Journal) -> Sweep:
    """Return the sweep of what erasures could not take out of the files at once."""
    return Sweep(lambda: sweep(journal), "erased findings are gone", "erased findings are still in a file")


def sweeps(
    journal: Journal,
    casework: Casework,
    findings_days: int | None,
    cases_days: int | None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> list[Sweep]:
    """Return what is to be swept; nothing of what has no time to live."""

    def older(forget: Callable[[datetime], int], days: int) -> Callable[[], int]:
        return lambda: forget(clock() - timedelta(days=days))

    made = []
    if findings_days is not None:
        run = older(journal.forget_before, findings_days)
        made.append(Sweep(run, "findings had their time and are gone", "findings were not swept"))
    if cases_days is not None:
        run = older(casework.forget_before, cases_days)
        made.append(Sweep(run, "case events had their time and are gone", "case events were not swept"))
    return made
