"""The filter of system calls, run by an interpreter of what the kernel would run."""

from __future__ import annotations

import struct

import pytest

from monitor.tap.sandbox.seccomp import program

ALLOWED, REFUSED = 0x7FFF_0000, 0x0005_0001
X86_64, AARCH64 = 0xC000_003E, 0xC000_00B7


def decided(machine: str, architecture: int, number: int, third: int = 0) -> int:
    """What the filter says of a call: classic BPF over `struct seccomp_data`."""
    code = program(machine)
    assert code is not None
    steps = list(struct.iter_unpack("=HBBI", code))
    data, register, at = {0: number, 4: architecture, 32: third}, 0, 0
    while True:
        kind, if_true, if_false, value = steps[at]
        at += 1
        if kind == 0x06:
            return int(value)
        if kind == 0x20:
            register = data[value]
        else:
            holds = register == value if kind == 0x15 else bool(register & value)
            at += if_true if holds else if_false


@pytest.mark.parametrize(
    ("machine", "architecture", "allowed", "refused"),
    [
        # read, write, brk, exit_group, getrandom, rseq; open, openat, socket, connect, clone, execve, kill, ptrace.
        ("x86_64", X86_64, (0, 1, 12, 231, 318, 334), (2, 257, 41, 42, 56, 59, 62, 101, 435, 0x4000_0000)),
        ("aarch64", AARCH64, (63, 64, 214, 94, 278, 293), (56, 198, 203, 220, 221, 129, 117, 435, 1039)),
    ],
)
def test_it_may_compute_and_talk_and_nothing_else(
    machine: str, architecture: int, allowed: tuple[int, ...], refused: tuple[int, ...]
) -> None:
    assert {decided(machine, architecture, number) for number in allowed} == {ALLOWED}
    assert {decided(machine, architecture, number) for number in refused} == {REFUSED}


@pytest.mark.parametrize(
    ("machine", "architecture", "calls"), [("x86_64", X86_64, (9, 10)), ("aarch64", AARCH64, (222, 226))]
)
def test_memory_may_be_had_and_not_executed(machine: str, architecture: int, calls: tuple[int, ...]) -> None:
    for call in calls:
        assert decided(machine, architecture, call, third=3) == ALLOWED
        assert decided(machine, architecture, call, third=7) == REFUSED


def test_calls_of_another_architecture_are_refused() -> None:
    # On x86_64 programs of 32 bits have other numbers: 3 is read there and close here.
    assert decided("x86_64", 0x4000_0003, 3) == REFUSED


def test_a_machine_that_is_not_known_has_no_filter() -> None:
    assert program("riscv64") is None
