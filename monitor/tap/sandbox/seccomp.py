"""Which system calls a confined process may make, as a classic BPF program of the kernel's seccomp filter. Pure.

It may compute, ask for memory, read and write what is open already, and end. Whatever else is asked of the kernel (to
open a file, make a socket, start a program or a thread, look at another process) fails with EPERM, and so does memory
that can be executed. See seccomp(2) and `linux/seccomp.h`.
"""

from __future__ import annotations

import struct

_ERRNO, _ALLOW = 0x0005_0000, 0x7FFF_0000
_EPERM = 1
_LOAD, _JUMP_EQUAL, _JUMP_SET, _RETURN = 0x20, 0x15, 0x45, 0x06
# Of `struct seccomp_data`: the number of the call, the architecture, and the low half of the third argument.
_NUMBER, _ARCHITECTURE, _THIRD_ARGUMENT = 0, 4, 32
_PROT_EXEC = 4

# `AUDIT_ARCH_*` of `linux/audit.h`, by what `os.uname` calls the machine.
_ARCHITECTURES = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
# Numbers of `asm/unistd_64.h` and `asm-generic/unistd.h`; None where there is no such call.
_CALLS: dict[str, tuple[int | None, int | None]] = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "fstat": (5, 80),
    "poll": (7, None),
    "lseek": (8, 62),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "pread64": (17, 67),
    "readv": (19, 65),
    "writev": (20, 66),
    "sched_yield": (24, 124),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "dup": (32, 23),
    "nanosleep": (35, 101),
    "getpid": (39, 172),
    "sendto": (44, 206),
    "recvfrom": (45, 207),
    "sendmsg": (46, 211),
    "recvmsg": (47, 212),
    "exit": (60, 93),
    "fcntl": (72, 25),
    "getrusage": (98, 165),
    "sysinfo": (99, 179),
    "sigaltstack": (131, 132),
    "gettid": (186, 178),
    "futex": (202, 98),
    "sched_getaffinity": (204, 123),
    "restart_syscall": (219, 128),
    "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115),
    "exit_group": (231, 94),
    # What newer C libraries make of fstat.
    "newfstatat": (262, 79),
    "ppoll": (271, 73),
    "getrandom": (318, 278),
    "rseq": (334, 293),
}
# May be made, but not for memory that can be executed.
_MAPPING = {"mmap": (9, 222), "mprotect": (10, 226)}


def program(machine: str) -> bytes | None:
    """Return the filter for a machine as `os.uname` names it, None for one whose calls are not known here."""
    architecture = _ARCHITECTURES.get(machine)
    if architecture is None:
        return None
    column = list(_ARCHITECTURES).index(machine)
    numbers = [pair[column] for pair in _CALLS.values()]
    allowed = sorted(number for number in numbers if number is not None)
    code = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_JUMP_EQUAL, architecture, 1, 0),
        _step(_RETURN, _ERRNO | _EPERM),
        _step(_LOAD, _NUMBER),
    ]
    for position, number in enumerate(allowed):
        code.append(_step(_JUMP_EQUAL, number, len(allowed) - position + len(_MAPPING), 0))
    for position, pair in enumerate(_MAPPING.values()):
        code.append(_step(_JUMP_EQUAL, pair[column], len(_MAPPING) - position + 1, 0))
    code += [
        _step(_RETURN, _ERRNO | _EPERM),
        _step(_RETURN, _ALLOW),
        _step(_LOAD, _THIRD_ARGUMENT),
        _step(_JUMP_SET, _PROT_EXEC, 0, 1),
        _step(_RETURN, _ERRNO | _EPERM),
        _step(_RETURN, _ALLOW),
    ]
    return b"".join(code)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One instruction, `struct sock_filter`; jumps are relative to the next one."""
    return struct.pack("=HBBI", code, if_true, if_false, value)
