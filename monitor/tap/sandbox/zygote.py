"""The process that workers are forked from: it has imported what they need, does nothing else and has one thread.

For each piece of work it forks a keeper, and the keeper a worker. The keeper kills the worker when who asked for it
hangs up, and tells them how it ended; nobody kills by a number that may have become another process's.

`python -c ... main(SOCKET, MODULE)`: `MODULE` has `warm_up()`, and `work(connection, files, offline)` for the worker.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any

from monitor.tap.sandbox.confine import take_off_network

# Answers to a request: a keeper was forked, or could not be.
STARTED, REFUSED = b"+", b"-"
# Beside the connection and the line to the keeper.
MAX_FILES = 4
# What a keeper says at the end: the status of waitpid(2), the most memory that was resident, in bytes, and the seconds
# that were computed.
ENDING = struct.Struct("=iQd")

Work = Callable[[socket.socket, Sequence[int], bool], None]


def main(control_fd: int, module: str) -> None:
    """Fork a keeper for each request of the control socket, until it is closed."""
    target: Any = import_module(module)
    target.warm_up()
    offline = take_off_network()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Keepers are nobody's: the kernel buries them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # What was made so far stays shared: collecting garbage would touch, and so copy, every page of it.
    gc.collect()
    gc.freeze()
    control = socket.socket(fileno=control_fd)
    while True:
        message, files, *_ = socket.recv_fds(control, 1, MAX_FILES + 2)
        if not message:
            return
        try:
            forked = os.fork()
        except OSError:
            forked = -1
        if forked == 0:
            _in_child(partial(_keep, control, files, target.work, offline))
        for fd in files:
            os.close(fd)
        control.send(REFUSED if forked < 0 else STARTED)


def _in_child(task: Callable[[], None]) -> None:
    """Do the one thing that this process was forked for, and end."""
    try:
        task()
        os._exit(0)
    except BaseException:
        os._exit(1)


def _keep(control: socket.socket, files: Sequence[int], work: Work, offline: bool) -> None:
    control.close()
    connection, line, *clips = files
    heard, told = socket.socketpair()
    told.setblocking(False)
    signal.set_wakeup_fd(told.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    worker = os.fork()
    if worker == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for fd in (heard.detach(), told.detach(), line):
            os.close(fd)
        _in_child(partial(_work, work, connection, clips, offline))
    for fd in (connection, *clips):
        os.close(fd)
    hung_up, _, _ = select.select([line, heard.fileno()], [], [])
    if line in hung_up:
        os.kill(worker, signal.SIGKILL)
    _, status, usage = os.wait4(worker, 0)
    resident = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    os.write(line, ENDING.pack(status, resident, usage.ru_utime + usage.ru_stime))


def _work(work: Work, connection: int, clips: Sequence[int], offline: bool) -> None:
    work(socket.socket(fileno=connection), clips, offline)
