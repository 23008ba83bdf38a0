"""A real PostgreSQL for tests: Debian's, or whichever is on the path, in a folder of its own that nobody else uses.

It is reached through a socket in that folder and listens on no port. What it writes need not survive a power cut, and
is not waited for; what it promises when its processes are killed it promises all the same.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from monitor.alerts.casework.store import Casework
from monitor.alerts.journal import Journal
from monitor.api.access.register import Register

USER = "sidewitness"
SETTINGS = """
listen_addresses = ''
unix_socket_directories = '{folder}'
fsync = off
full_page_writes = off
max_connections = 60
shared_buffers = 16MB
autovacuum = off
log_min_messages = fatal
"""
START_SECONDS = 60
LANGUAGE, LANGUAGE_SINCE = ("LOCALE_PROVIDER icu", "ICU_LOCALE 'en-US'"), 15


class Server:
    """A cluster in a folder; `owner` runs it, who is not root."""

    def __init__(self, programs: Path, folder: Path, owner: str | None) -> None:
        self._programs, self.folder, self._owner = programs, folder, owner
        self._numbers = itertools.count()
        self._migrated: str | None = None

    def create(self, *settings: str) -> None:
        """Make the cluster, with settings that come after ours."""
        self._run("initdb", "-A", "trust", "-U", USER, "-E", "UTF8", "--locale=C", "-N", "-D", self._data)
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            file.write(SETTINGS.format(folder=self.folder) + "\n".join(settings) + "\n")

    def follow(self, primary: Server) -> None:
        """Make the cluster a standby of another one, which has to be running."""
        source = ("-h", str(primary.folder), "-U", USER)
        self._run("pg_basebackup", *source, "-D", self._data, "-R", "-X", "stream", "-c", "fast")
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            file.write(f"unix_socket_directories = '{self.folder}'\n")

    def promote(self) -> None:
        """Make a standby the primary, and wait until it is."""
        self._run("pg_ctl", "-D", self._data, "-w", "-t", str(START_SECONDS), "-s", "promote")

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", self._data, "-l", log, "-w", "-t", str(START_SECONDS), "-s", "start")

    def stop(self) -> None:
        """End it, and every connection with it."""
        self._run("pg_ctl", "-D", self._data, "-w", "-s", "-m", "immediate", "stop")

    def kill(self) -> None:
        """Kill every process of it at once, as a machine that fails does."""
        processes = self._processes()
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, START_SECONDS)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Have it say nothing for a while, and end no connection."""
        processes = self._processes()
        for process in processes:
            process.suspend()
        try:
            yield
        finally:
            for process in processes:
                process.resume()

    def _processes(self) -> list[psutil.Process]:
        main = psutil.Process(int((self.folder / "data" / "postmaster.pid").read_text().split()[0]))
        return [main, *main.children(recursive=True)]

    def new_database(self, *options: str, template: str = "template0") -> str:
        """Make an empty database and return its address."""
        name = f"test_{next(self._numbers)}"
        self.sql("postgres", f"CREATE DATABASE {name} TEMPLATE {template} {' '.join(options)}")
        return self.url(name)

    def migrated_database(self) -> str:
        """Make a database with the tables of journal, casework and tokens: to migrate takes longer than most tests."""
        if self._migrated is None:
            # Texts in the order of a language, as many servers have it, and not of their bytes.
            url = self.new_database(*LANGUAGE if self.major >= LANGUAGE_SINCE else ())
            journal = Journal(url)
            journal.open()
            Casework(journal).cases(())
            Register(journal).migrate()
            journal.close()
            self._migrated = str(sa.make_url(url).database)
        return self.new_database(template=self._migrated)

    def url(self, database: str) -> str:
        """The address of a database."""
        return f"postgresql+psycopg://{USER}@/{database}?host={self.folder}"

    def sql(self, database: str, statement: str) -> str:
        """Have psql do something; returns what it prints."""
        return self.program("psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statement)

    def program(self, name: str, *arguments: str) -> str:
        """Run a program that connects to the server; returns what it prints."""
        return self._run(name, "-h", str(self.folder), "-U", USER, *arguments)

    @property
    def major(self) -> int:
        """Its version."""
        return int(self.sql("postgres", "SHOW server_version_num")) // 10_000

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def _run(self, name: str, *arguments: str) -> str:
        owner = None if self._owner is None else pwd.getpwnam(self._owner)
        # Not a pipe: the server that is started would keep it open.
        with tempfile.TemporaryFile() as out:
            done = subprocess.run(
                [self._programs / name, *arguments],
                user=owner and owner.pw_uid,
                group=owner and owner.pw_gid,
                extra_groups=None if owner is None else [],
                cwd=self.folder,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                timeout=2 * START_SECONDS,
            )
            out.seek(0)
            text = out.read().decode()
        assert done.returncode == 0, f"{name}: {text}"
        return text.strip()


@functools.cache
def programs() -> Path | None:
    """Where the newest PostgreSQL's programs are, None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3].split(".")[0]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@contextlib.contextmanager
def standby(primary: Server) -> Iterator[Server]:
    """Start a standby of a server."""
    with _cluster() as running:
        running.follow(primary)
        running.start()
        yield running


@contextlib.contextmanager
def server(*settings: str) -> Iterator[Server]:
    """Start a server of one's own, with settings of one's own; the test is skipped where there is none."""
    with _cluster() as running:
        running.create(*settings)
        running.start()
        yield running


@contextlib.contextmanager
def _cluster() -> Iterator[Server]:
    """Give a folder for a cluster, and end and remove it afterwards."""
    pytest.importorskip("psycopg", reason="PostgreSQL needs psycopg: install the extra `postgres`")
    found = programs()
    if found is None:
        pytest.skip("no PostgreSQL is installed here: apt-get install postgresql")
    owner = None if os.geteuid() != 0 else next(filter(_is_user, ("postgres", "nobody")), None)
    if os.geteuid() == 0 and owner is None:
        pytest.skip("PostgreSQL does not run as root, and here is no other user: useradd postgres")
    # A path of a socket has to be short, and another user must reach it.
    folder = Path(tempfile.mkdtemp(prefix="sidewitness-postgres-"))
    running = Server(found, folder, owner)
    try:
        if owner is not None:
            shutil.chown(folder, owner)
        yield running
    finally:
        with contextlib.suppress(AssertionError):
            running.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _is_user(name: str) -> bool:
    with contextlib.suppress(KeyError):
        pwd.getpwnam(name)
        return True
    return False
