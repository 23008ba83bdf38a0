"""Leases: one holder at a time, freed when it lets go or dies, on both databases."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.alerts.journal import Journal
from monitor.storage.lease import Leases
from tests.postgres import Server

ROOT = Path(__file__).parents[3]
HOLDER = """
import sys
from monitor.alerts.journal import Journal
from monitor.storage.lease import Leases
print(Leases(Journal(sys.argv[1]).database).take("sink siem"), flush=True)
sys.stdin.read()
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'journal.sqlite'}"
    made: str = request.getfixturevalue("postgres_url")
    return made


@pytest.fixture
def holders(url: str) -> Iterator[tuple[Leases, Leases]]:
    """Two holders, as two processes are."""
    one, other = Leases(Journal(url).database), Leases(Journal(url).database)
    yield one, other
    one.release()
    other.release()


def test_one_holder_has_a_lease_and_the_next_gets_it(holders: tuple[Leases, Leases]) -> None:
    one, other = holders
    assert [one.take("sink siem"), one.take("sink siem"), other.take("sink siem")] == [True, True, False]
    assert other.take("sink pager")
    assert not one.take("sink pager")
    one.release()
    assert other.take("sink siem")
    assert not one.take("sink siem")


def test_a_holder_that_is_killed_leaves_it(url: str, holders: tuple[Leases, Leases]) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", HOLDER, url], cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        assert not holders[0].take("sink siem")
        holder.kill()
    assert _taken(holders[0])


def test_a_lease_that_is_lost_with_its_connection_is_not_held(postgres_server: Server, postgres_url: str) -> None:
    one, other = Leases(Journal(postgres_url).database), Leases(Journal(postgres_url).database)
    assert one.take("sink siem")
    name = postgres_url.rpartition("?")[0].rpartition("/")[2]
    ended = f"SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity WHERE datname = '{name}'"
    assert postgres_server.sql("postgres", ended) == "1"
    assert other.take("sink siem")
    # It notices that its connection has ended, and is told who has it now.
    assert not one.take("sink siem")
    other.release()
    assert _taken(one)
    one.release()


def test_nobody_has_a_lease_of_a_server_that_is_not_there(postgres_server: Server) -> None:
    leases = Leases(Journal(postgres_server.url("absent")).database)
    assert not leases.take("sink siem")
    leases.release()


def _taken(leases: Leases) -> bool:
    """Take a lease of which the holder has just died: the server finds that out in a moment."""
    return any(leases.take("sink siem") for _ in range(2000))
