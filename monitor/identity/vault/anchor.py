"""Where the head of a log is noted outside its database, so that a log whose end was cut off is found out.

The head in the database cannot tell: whoever puts an older copy of the whole database back puts its head back too. The
file is read again at every start; the system log and standard error are for whoever collects them elsewhere.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import syslog
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from engines.errors import SidewitnessError

AnchorKind = Literal["file", "syslog", "stderr"]


class AnchorError(SidewitnessError):
    """The note of a log's head cannot be read or written."""


@dataclass(frozen=True, slots=True)
class Noted:
    """A head as it was noted: the number of the last line, and what it hashes to."""

    seq: int
    hash: bytes


class Anchor(Protocol):
    """Where heads of one log are noted."""

    @property
    def place(self) -> str:
        """Where, in words."""
        ...

    def read(self) -> Noted | None:
        """Return the newest head that was noted, None where none was, or where it cannot be read back.

        Raises `AnchorError`.
        """
        ...

    def note(self, head: Noted) -> None:
        """Note a head; raises `AnchorError`."""
        ...


class FileAnchor:
    """A file of its owner (mode 0600) that holds the newest head."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def place(self) -> str:
        """The path."""
        return str(self._path)

    def read(self) -> Noted | None:
        """See `Anchor.read`."""
        try:
            raw = json.loads(self._path.read_bytes())
            return Noted(int(raw["seq"]), bytes.fromhex(raw["hash"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            raise AnchorError(f"{self._path} cannot be read as the head of a log: restore it from a backup") from None

    def note(self, head: Noted) -> None:
        """Note a head unless a newer one of this log stands there: another process may have been faster."""
        try:
            with self._locked():
                noted = self.read()
                if noted is None or noted.seq < head.seq:
                    self._write(json.dumps({"seq": head.seq, "hash": head.hash.hex()}) + "\n")
        except OSError as error:
            raise AnchorError(
                f"{self._path} cannot be written ({error.strerror}): free the disk, or set SIDEWITNESS_ANCHOR_DIR"
            ) from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self._path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write(self, text: str) -> None:
        # Beside its place and moved into it, so that a crash leaves the old note or the new one; mkstemp makes it 0600.
        descriptor, name = tempfile.mkstemp(prefix=self._path.name + ".", dir=self._path.parent)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        Path(name).replace(self._path)


class SyslogAnchor:
    """The system's log (auth, notice): a head a line, for whoever forwards it to another machine."""

    place = "the system log"

    def __init__(self, log: str) -> None:
        self._log = log

    def read(self) -> Noted | None:
        """Nothing: it is compared elsewhere."""
        return None

    def note(self, head: Noted) -> None:
        """Write a line."""
        syslog.syslog(syslog.LOG_AUTH | syslog.LOG_NOTICE, _line(self._log, head))


class PrintAnchor:
    """Standard error: a head a line, for whoever collects what the process prints."""

    place = "standard error"

    def __init__(self, log: str) -> None:
        self._log = log

    def read(self) -> Noted | None:
        """Nothing: it is compared elsewhere."""
        return None

    def note(self, head: Noted) -> None:
        """Write a line."""
        print(_line(self._log, head), file=sys.stderr, flush=True)  # noqa: T201 - what it is for


def _line(log: str, head: Noted) -> str:
    return f"sidewitness {log} head {head.seq} {head.hash.hex()}"


def open_anchors(kinds: Sequence[AnchorKind], folder: Path, log: str) -> tuple[Anchor, ...]:
    """Return the anchors that the settings name for the log of this name; files lie in `folder`."""
    made: dict[AnchorKind, Anchor] = {
        "file": FileAnchor(folder / f"{log}.anchor"),
        "syslog": SyslogAnchor(log),
        "stderr": PrintAnchor(log),
    }
    return tuple(made[kind] for kind in dict.fromkeys(kinds))
