"""Work in a process of its own, seen from the process that wants it done: begun, listened to, ended.

One zygote is kept for each module and process. It is started at the first work, or by `prepare` while something else is
loaded, and ends with this process.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engines.errors import SidewitnessError
from monitor.tap.sandbox.zygote import ENDING, STARTED

# From which a starting zygote is given up.
START_SECONDS = 60.0
# In which a keeper that was hung up on says how its worker ended.
END_SECONDS = 5.0
_CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[3]);"
    "from monitor.tap.sandbox.zygote import main; main(int(sys.argv[1]), sys.argv[2])"
)
# It computes with one thread, and a process of one thread is what can be forked. Of this process's environment it gets
# where libraries lie, and none of the secrets.
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_HANDED_DOWN = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE")


class WorkerError(SidewitnessError):
    """No process can be had for the work; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a worker ended: the signal that killed it, 0 for none, the most memory that it held, and what it computed."""

    signal: int
    resident_bytes: int
    cpu_seconds: float


class Worker:
    """One piece of work; `connection` is the line to it. Closing ends it, wherever it is."""

    def __init__(self, connection: socket.socket, line: socket.socket) -> None:
        self.connection = connection
        self._line = line
        self._ending: Ending | None = None

    def end(self) -> Ending:
        """Say how the worker ended; one that does not end when nobody listens to it is killed."""
        if self._ending is None:
            self.connection.close()
            self._line.settimeout(END_SECONDS)
            told = b""
            with contextlib.suppress(OSError):
                told = self._line.recv(ENDING.size)
            self.close()
            if len(told) < ENDING.size:
                self._ending = Ending(signal.SIGKILL, 0, 0.0)
            else:
                status, resident, computed = ENDING.unpack(told)
                self._ending = Ending(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, resident, computed)
        return self._ending

    def close(self) -> None:
        """Hang up, which kills the worker; safe to call twice."""
        self.connection.close()
        self._line.close()


class Workers:
    """Begins work of one module, whose path is given so that it is imported in the zygote only."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._lock = threading.Lock()
        self._zygote: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        os.register_at_fork(after_in_child=self._forget)

    def prepare(self) -> None:
        """Start the zygote, unless it is there; does not wait for it. Raises `WorkerError`."""
        with self._lock:
            self._started()

    def begin(self, files: Sequence[int]) -> Worker:
        """Begin work with these open files, which stay the caller's; raises `WorkerError`."""
        with self._lock:
            for last in (False, True):
                worker = self._begin(self._started(), files)
                if worker is not None:
                    return worker
                self._stop()
                if last:
                    break
        raise WorkerError("no process can be started for decoding: see how many this user and container may have")

    def _begin(self, control: socket.socket, files: Sequence[int]) -> Worker | None:
        """Ask the zygote; None where it does not do it."""
        ours, theirs = socket.socketpair()
        line, keeper = socket.socketpair()
        with theirs, keeper:
            try:
                socket.send_fds(control, [b"?"], [theirs.fileno(), keeper.fileno(), *files])
                answer = control.recv(1)
            except OSError:
                answer = b""
        worker = Worker(ours, line)
        if answer == STARTED:
            return worker
        worker.close()
        return None

    def _started(self) -> socket.socket:
        if self._control is not None and self._zygote is not None and self._zygote.poll() is None:
            return self._control
        self._stop()
        ours, theirs = socket.socketpair()
        with theirs:
            fd = theirs.fileno()
            places = json.dumps([str(Path(place).absolute()) for place in sys.path])
            arguments = [sys.executable, "-I", "-c", _CODE, str(fd), self._module, places]
            try:
                self._zygote = subprocess.Popen(  # noqa: S603 - this interpreter
                    arguments,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=[fd],
                    start_new_session=True,
                    env={name: os.environ[name] for name in _HANDED_DOWN if name in os.environ} | _ENVIRONMENT,
                    cwd="/",
                )
            except OSError:
                ours.close()
                raise WorkerError("no process can be started for decoding: see how many may run here") from None
        ours.settimeout(START_SECONDS)
        self._control = ours
        return ours

    def _forget(self) -> None:
        """After a fork the zygote is that of the process before, and so may the lock be."""
        if self._control is not None:
            self._control.close()
        self._lock = threading.Lock()
        self._zygote, self._control = None, None

    def _stop(self) -> None:
        """Let go of the zygote, which ends when nobody holds its socket."""
        if self._control is not None:
            self._control.close()
        if self._zygote is not None:
            self._zygote.kill()
            self._zygote.wait()
        self._zygote, self._control = None, None
