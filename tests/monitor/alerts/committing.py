"""A process that commits findings as fast as it can: python -m tests.monitor.alerts.committing URL NAME COUNT.

It says that it is ready, begins when a line comes in, and then says the numbers that its findings were given.
"""

from __future__ import annotations

import sys

from monitor.alerts.journal import Journal, JournalError
from tests.monitor.alerts.build import finding


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(url: str, name: str, count: int) -> None:
    journal, numbers = Journal(url), list[int]()
    journal.head()
    say("ready")
    sys.stdin.readline()
    for n in range(count):
        while True:
            try:
                numbers.append(journal.append(finding(f"{name}-{n}")))
                break
            except JournalError:
                # SQLite lets a writer wait for so long; whoever writes tries again.
                continue
    say(" ".join(map(str, numbers)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
