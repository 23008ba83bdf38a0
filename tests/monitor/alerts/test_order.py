"""Several processes write to one journal: whoever has read a number never misses a lower one."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import sqlalchemy as sa

from monitor.alerts.finding_row import finding_row
from monitor.alerts.journal import Journal, findings
from tests.monitor.alerts.build import finding
from tests.postgres import Server

ROOT = Path(__file__).parents[3]
WRITERS, FINDINGS = 3, 80
PATIENCE = 120.0


class Reader(threading.Thread):
    """Reads what follows the newest number that it has seen, without a pause, and remembers every hole."""

    def __init__(self, journal_url: str, last: int, page: int) -> None:
        super().__init__()
        self._journal, self._last, self._page = Journal(journal_url), last, page
        self.seen, self.pages = 0, 0
        self.holes: list[tuple[int, int]] = []
        self.stopped = threading.Event()

    def run(self) -> None:
        while self.seen < self._last and not self.stopped.is_set():
            rows = self._journal.read(self.seen, self._page)
            self.pages += bool(rows)
            for row in rows:
                if row.seq != self.seen + 1:
                    self.holes.append((self.seen, row.seq))
                self.seen = row.seq
        self._journal.close()


def test_numbers_are_seen_in_their_order_by_every_reader(journal_url: str) -> None:
    """A lower number that appears after a higher one would leave a hole in what a reader has read."""
    command = (sys.executable, "-m", "tests.monitor.alerts.committing", journal_url)
    pipe = subprocess.PIPE
    writers = [
        subprocess.Popen([*command, str(n), str(FINDINGS)], cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
        for n in range(WRITERS)
    ]
    # By single rows and by pages: the first meets every commit, the second several at once.
    readers = [Reader(journal_url, WRITERS * FINDINGS, page) for page in (1, 100)]
    try:
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        for reader in readers:
            reader.start()
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("go\n")
            writer.stdin.flush()
        told = [writer.communicate(timeout=PATIENCE)[0] for writer in writers]
    except BaseException:
        for reader in readers:
            reader.stopped.set()
        raise
    finally:
        for writer in writers:
            writer.kill()
    for reader in readers:
        reader.join(PATIENCE)
        reader.stopped.set()
    numbers = [[int(number) for number in text.split()] for text in told]
    assert [reader.holes for reader in readers] == [[], []]
    assert [reader.seen for reader in readers] == [WRITERS * FINDINGS] * 2
    assert all(own == sorted(own) for own in numbers)
    assert sorted(number for own in numbers for number in own) == list(range(1, WRITERS * FINDINGS + 1))
    # They wrote at the same time, and were read while they did; SQLite lets one of them go on for long.
    if journal_url.startswith("postgresql"):
        assert all(own[-1] - own[0] > FINDINGS for own in numbers)
    assert all(reader.pages > 3 for reader in readers)
    journal = Journal(journal_url)
    assert journal.verify().faults == ()
    journal.close()


def test_a_reader_would_see_a_number_that_is_committed_late(postgres_server: Server) -> None:
    """What a sequence in place of the lock would do: 1 is given first and committed last."""
    journal_url = postgres_server.migrated_database()
    journal, other = Journal(journal_url), Journal(journal_url)
    reader = Reader(journal_url, 2, 100)
    with journal.transaction() as early, other.transaction() as late:
        early.execute(sa.insert(findings).values(seq=1, **_row("a")))
        late.execute(sa.insert(findings).values(seq=2, **_row("b")))
        late.commit()
        reader.start()
        reader.join(PATIENCE)
    assert reader.holes == [(0, 2)]
    for one in (journal, other):
        one.close()


def _row(name: str) -> dict[str, object]:
    links = dict.fromkeys(("previous", "hash", "signature"), bytes(32))
    return {**finding_row(finding(name)), **links}
