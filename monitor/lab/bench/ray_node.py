"""A Ray cluster of one node on this machine, for as long as the benchmark wants it.

    python -m monitor.lab.bench.ray_node CORES

A process of its own: what Ray starts is then below it, and its processor time and memory can be read.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from monitor.lab.bench.child import BenchError, die_with_parent, environment, keep_to_cores, last_line, on, spawn, stop
from monitor.lab.bench.processes import BenchSetup

START_SECONDS = 120.0
_READY = "ready "
OBJECT_STORE_BYTES = 100 << 20


@dataclass(frozen=True, slots=True)
class RayNode:
    """A node that runs: what a sidecar needs in its environment to use its cluster, and the process above all of Ray's.

    A token of its own is in it: whoever reaches Ray's ports without it runs nothing there.
    """

    settings: Mapping[str, str] = field(repr=False)
    pid: int


@asynccontextmanager
async def ray_node(setup: BenchSetup, cores: int) -> AsyncIterator[RayNode]:
    """Run a node with room for so many hosts; raises `BenchError` where it does not start."""
    errors = setup.folder / "ray.log"
    access = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    env = environment(**on(setup.cores), **access)
    process = await spawn("monitor.lab.bench.ray_node", str(cores), errors=errors, env=env, stdin=True)
    try:
        try:
            async with asyncio.timeout(START_SECONDS):
                address = await _address(process)
        except TimeoutError:
            raise BenchError(f"Ray was not ready within {START_SECONDS:g} s") from None
        if not address:
            raise BenchError(f"Ray did not start: {last_line(errors)}")
        yield RayNode({"SIDEWITNESS_CLUSTER": address, **access}, process.pid)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        await stop(process)


async def _address(process: Process) -> str:
    """Read the address that the node says, among what Ray itself says; empty where it ends without one."""
    while process.stdout is not None and (line := (await process.stdout.readline()).decode()):
        if line.startswith(_READY):
            return line.removeprefix(_READY).strip()
    return ""


def main() -> int:
    """Run a node until standard input ends."""
    die_with_parent()
    keep_to_cores()
    import ray

    untyped: Any = ray
    untyped.init(
        address="local",
        num_cpus=int(sys.argv[1]),
        include_dashboard=False,
        object_store_memory=OBJECT_STORE_BYTES,
        log_to_driver=False,
        configure_logging=False,
    )
    sys.stdout.write(f"{_READY}{untyped.get_runtime_context().gcs_address}\n")
    sys.stdout.flush()
    sys.stdin.read()
    untyped.shutdown()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
