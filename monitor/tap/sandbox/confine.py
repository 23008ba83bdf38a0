"""A process gives up what it will not need: memory, time, files, its user, most of the kernel. There is no way back.

What the platform does not have is left out, and `Confinement` says what is in force.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from monitor.tap.sandbox import seccomp

# The user and group that own nothing.
NOBODY = 65534
# Numbers of files that may be in use at once, those that are open already among them.
MAX_FILES = 64
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SECCOMP_MODE_FILTER = 2
_CLONE_NEWNET = 0x4000_0000


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a process may take: bytes of address space, seconds of a processor."""

    memory_bytes: int
    cpu_seconds: int


@dataclass(frozen=True, slots=True)
class Confinement:
    """What is in force beside the limits on memory, time and files, which every platform has.

    `filtered`: the kernel refuses all calls but the few of `seccomp`. `locked`: no program can raise its privileges.
    `unprivileged`: it is not root. `offline`: it has a network namespace of its own, without an interface.
    """

    filtered: bool
    locked: bool
    unprivileged: bool
    offline: bool

    def as_json(self) -> dict[str, bool]:
        """Give it as JSON has it."""
        return asdict(self)


class _Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def take_off_network() -> bool:
    """Leave the network of the machine, for this process and what it forks; whether that could be done.

    It takes root; who is not has no network all the same where calls are filtered.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    return bool(_libc().unshare(_CLONE_NEWNET) == 0)


def confine(bounds: Bounds, offline: bool) -> Confinement:
    """Confine this process, which must have one thread; `offline` is what `take_off_network` said."""
    _offer_to_be_killed()
    _limit(resource.RLIMIT_AS, bounds.memory_bytes)
    # By the first it is told, and ends; the second kills.
    _limit(resource.RLIMIT_CPU, bounds.cpu_seconds, bounds.cpu_seconds + 1)
    _limit(resource.RLIMIT_NOFILE, MAX_FILES)
    for nothing in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE, resource.RLIMIT_NPROC):
        _limit(nothing, 0)
    _become_nobody()
    locked = _control(_PR_SET_NO_NEW_PRIVS, 1)
    # Giving up root has cleared it.
    _control(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # Asked first: who it is, the filter lets it ask no more.
    unprivileged = os.geteuid() != 0
    return Confinement(_filter(), locked, unprivileged, offline)


def _offer_to_be_killed() -> None:
    """Have the kernel take this process first when the machine runs out of memory (proc(5))."""
    with contextlib.suppress(OSError), Path("/proc/self/oom_score_adj").open("w") as file:
        file.write("1000")


def _limit(what: int, soft: int, hard: int | None = None) -> None:
    _, before = resource.getrlimit(what)
    hard = soft if hard is None else hard
    hard = hard if before == resource.RLIM_INFINITY else min(hard, before)
    try:
        resource.setrlimit(what, (min(soft, hard), hard))
    except ValueError:
        # macOS has no limit on address space. On Linux each of them is there, and one that is not is no worker.
        if sys.platform == "linux":
            raise


def _become_nobody() -> None:
    if os.geteuid() != 0:
        return
    # In a container root may lack the right to become somebody else.
    with contextlib.suppress(OSError):
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def _filter() -> bool:
    code = seccomp.program(os.uname().machine)
    if sys.platform != "linux" or code is None:
        return False
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    return _control(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(program))


def _control(option: int, *values: int) -> bool:
    """Call prctl(2); whether it did what was asked."""
    if sys.platform != "linux":
        return False
    arguments = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    return bool(_libc().prctl(option, *arguments) == 0)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
