"""How a host is begun: a process of this machine here. Whoever begins one elsewhere keeps to `Launch`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from monitor.host.cluster.channel import Channel, StreamChannel

END_SECONDS = 3.0


class Running(Protocol):
    """A host that runs, or did."""

    @property
    def channel(self) -> Channel:
        """What it is spoken to over."""
        ...

    @property
    def pid(self) -> int | None:
        """The number of its process; None where that is not on this machine."""
        ...

    @property
    def node(self) -> str | None:
        """The machine that it is on, as the cluster calls it; None for this one."""
        ...

    async def end(self, seconds: float = 0.0) -> None:
        """Wait so long for it to have ended, and kill it then; returns when it is gone. Safe to call twice."""
        ...


# Begins the host of a number; raises `OSError`.
Launch = Callable[[int], Awaitable[Running]]


@dataclass(frozen=True, slots=True)
class LocalHost:
    """A host in a process of this machine."""

    channel: Channel
    process: Process

    @property
    def pid(self) -> int | None:
        """The number of its process."""
        return self.process.pid

    @property
    def node(self) -> str | None:
        """None: it is on this machine."""
        return None

    async def end(self, seconds: float = 0.0) -> None:
        """Wait for the process, and kill it."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.process.wait(), seconds)
            return
        # Not process.kill(): it would reap a child that has just ended, behind the back of asyncio's watcher.
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)
        await self.process.wait()


def local_processes(factory: str, environ: Mapping[str, str]) -> Launch:
    """Return what begins hosts as processes of this machine; `factory` names what judges in them, by its path.

    The end of the socket is the only thing that a host inherits, besides the log.
    """

    async def launch(_number: int) -> LocalHost:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "monitor.host.cluster.host_process",
                *(str(theirs.fileno()), str(os.getpid()), factory),
                stdin=DEVNULL,
                stdout=DEVNULL,
                env=dict(environ),
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return LocalHost(await StreamChannel.over(ours), process)

    return launch
