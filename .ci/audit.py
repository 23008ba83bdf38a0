"""`make audit`: whether a pinned version has a known vulnerability, as the index's advisories (pip-audit) know it.

Fails where something that is shipped has one; what only tests and maintainers install is told. Where the service cannot
be asked, or does not know a version, that is told in a line and nothing fails: no answer is not "nothing known".
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TIMEOUT_SECONDS = 15
# What pip-audit ends with where no advisory could be fetched, as opposed to a mistake of ours.
UNREACHABLE = re.compile(r"Connection|Timeout|timed out|Max retries|ServiceError|HTTPError|resolve|SSLError|ProxyError")


class AuditError(Exception):
    """A vulnerability in what is shipped, or an audit that cannot run; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service said: how many versions it knows, the names that it does not, and the advisories by name."""

    known: int
    unknown: tuple[str, ...]
    advisories: dict[str, tuple[str, ...]]


def names_in(pins: Path) -> set[str]:
    """List the distributions that a file of pins names."""
    return {line.partition("==")[0] for line in pins.read_text().splitlines() if re.match(r"[\w.-]+==", line)}


def ask(pins: Path) -> str | None:
    """Return pip-audit's JSON for a file of pins, None where its service cannot be reached; raises `AuditError`."""
    options = ["--no-deps", "--disable-pip", "--format=json", "--progress-spinner=off", f"--timeout={TIMEOUT_SECONDS}"]
    command = [sys.executable, "-m", "pip_audit", "-r", str(pins), *options]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.stdout.lstrip().startswith("{"):
        return done.stdout
    if UNREACHABLE.search(done.stderr):
        return None
    last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    raise AuditError(f"pip-audit cannot run: {last}")


def read(text: str) -> Answer:
    """Read pip-audit's JSON. What it skips it does not know: it counts that as no vulnerability, we do not."""
    dependencies: list[dict[str, Any]] = json.loads(text)["dependencies"]
    unknown = tuple(sorted(entry["name"] for entry in dependencies if "skip_reason" in entry))
    found = {entry["name"]: tuple(v["id"] for v in entry["vulns"]) for entry in dependencies if entry.get("vulns")}
    return Answer(len(dependencies) - len(unknown), unknown, found)


def judge(answer: Answer | None, shipped: set[str]) -> list[str]:
    """Return what to print; raises `AuditError` for an advisory about what is shipped."""
    if answer is None or not answer.known:
        return ["NOT AUDITED: the service with the advisories cannot be reached from here, so nothing is known"]
    told = {name: ids for name, ids in answer.advisories.items() if name in shipped}
    if told:
        which = ", ".join(f"{name} ({' '.join(ids)})" for name, ids in sorted(told.items()))
        raise AuditError(f"known vulnerabilities in what is shipped: {which}; make constraints UPGRADE=--upgrade")
    lines = [f"no known vulnerability in what is shipped ({answer.known} versions asked for)"]
    if answer.advisories:
        lines.append(f"note: known ones in what tests and maintainers install: {', '.join(sorted(answer.advisories))}")
    if answer.unknown:
        lines.append(f"note: NOT AUDITED, since the service does not know them: {', '.join(answer.unknown)}")
    return lines


def main() -> int:
    """Ask about every pinned version."""
    shipped = names_in(HERE / "runtime.txt") | names_in(HERE / "models.txt")
    try:
        text = ask(HERE / "constraints.txt")
        print(*judge(None if text is None else read(text), shipped), sep="\n")
    except AuditError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
