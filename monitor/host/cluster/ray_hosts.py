"""Hosts as actors of a Ray cluster: begun wherever there is room, and spoken to by calls that carry frames.

Ray places them and says when one has died; what they are, and what is said to them, is the same as for a process of
this machine. Needs the extra `cluster`.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayError

from monitor.host.cluster.channel import Channel
from monitor.host.cluster.host_process import HostProcess
from monitor.host.cluster.launch import Launch

NAMESPACE = "sidewitness"
# An actor for which there is no room waits; after so long it is asked for anew.
BEGIN_SECONDS = 60.0
MAX_WAITING_FRAMES = 256
KNOCK_SECONDS = 5.0
_JOINING = threading.Lock()


class ActorChannel:
    """The host's end, in the actor: frames come and go by calls of its methods."""

    def __init__(self) -> None:
        self._coming: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_WAITING_FRAMES)
        self._going: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_WAITING_FRAMES)
        self._closed = False

    async def send(self, frame: bytes) -> None:
        """Have a frame wait to be collected; raises `OSError` once this end is closed."""
        if self._closed:
            raise OSError("the link is closed")
        await self._going.put(frame)

    async def receive(self) -> bytes | None:
        """Wait for a frame that is delivered."""
        return None if self._closed else await self._coming.get()

    async def close(self) -> None:
        """Deliver nothing any more; what waits to be collected is, then None."""
        if not self._closed:
            self._closed = True
            for queue in (self._coming, self._going):
                if not queue.full():
                    queue.put_nowait(None)

    async def deliver(self, frame: bytes) -> None:
        """Take a frame of the gateway."""
        if not self._closed:
            await self._coming.put(frame)

    async def collect(self) -> list[bytes] | None:
        """Wait for frames for the gateway and give all there are; None when there will be none."""
        frames = [await self._going.get()]
        while not self._going.empty():
            frames.append(self._going.get_nowait())
        found = [frame for frame in frames if frame is not None]
        return found or None


class CallHost:
    """A host in a Ray worker; `factory` names what judges in it, by its path."""

    def __init__(self, factory: str) -> None:
        from engines.registry import resolve

        self._channel = ActorChannel()
        self._factory = resolve(factory)
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> str:
        """Begin to serve; returns the node that it is on."""
        self._task = asyncio.create_task(HostProcess(self._channel, self._factory).run())
        return str(ray.get_runtime_context().get_node_id())

    async def deliver(self, frame: bytes) -> None:
        """Take a frame of the gateway."""
        await self._channel.deliver(frame)

    async def collect(self) -> list[bytes] | None:
        """Wait for frames for the gateway; None when there will be none."""
        return await self._channel.collect()


class FarChannel:
    """The gateway's end: a `Channel` over the methods of an actor."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self._frames: deque[bytes] = deque()
        self._closed = asyncio.Event()

    async def send(self, frame: bytes) -> None:
        """Deliver a frame; raises `OSError` where the actor is gone."""
        if self._closed.is_set():
            raise OSError("the link is closed")
        try:
            await self._actor.deliver.remote(frame)
        except RayError as error:
            raise OSError(f"the host is gone ({type(error).__name__})") from None

    async def receive(self) -> bytes | None:
        """Wait for the next frame; None where the actor is gone, or this end was closed."""
        while not self._frames:
            if self._closed.is_set():
                return None
            collecting = asyncio.ensure_future(self._collect())
            closing = asyncio.ensure_future(self._closed.wait())
            await asyncio.wait([collecting, closing], return_when=asyncio.FIRST_COMPLETED)
            closing.cancel()
            if not collecting.done():
                collecting.cancel()
                return None
            frames = collecting.result()
            if frames is None:
                return None
            self._frames.extend(frames)
        return self._frames.popleft()

    async def close(self) -> None:
        """Take nothing any more."""
        self._closed.set()

    async def _collect(self) -> list[bytes] | None:
        try:
            frames: list[bytes] | None = await self._actor.collect.remote()
        except RayError:
            return None
        return frames


@dataclass(frozen=True, slots=True)
class RayHost:
    """A host in an actor, on the node of this id."""

    channel: Channel
    actor: Any = field(repr=False)
    node: str

    @property
    def pid(self) -> int | None:
        """None: it may be on another machine."""
        return None

    async def end(self, seconds: float = 0.0) -> None:
        """Kill the actor, and take nothing of it any more; whoever was let go in order has said all by then."""
        await self.channel.close()
        ray.kill(self.actor)


def ray_actors(address: str, factory: str, env: Mapping[str, str], cores: float = 1.0) -> Launch:
    """Return what begins hosts as actors of the cluster at `address`, each on so many cores."""

    async def launch(_number: int) -> RayHost:
        await asyncio.to_thread(connect, address)
        options = {
            "num_cpus": cores,
            "max_restarts": 0,
            "max_concurrency": 64,
            "scheduling_strategy": "SPREAD",
            "runtime_env": {"env_vars": dict(env)},
        }
        remote: Any = ray.remote(CallHost)
        actor = remote.options(**options).remote(factory)
        try:
            async with asyncio.timeout(BEGIN_SECONDS):
                node = await actor.begin.remote()
        except (RayError, TimeoutError) as error:
            ray.kill(actor)
            raise OSError(None, f"Ray has no room for it ({type(error).__name__})") from None
        return RayHost(FarChannel(actor), actor, node)

    return launch


def connect(address: str) -> None:
    """Join the cluster, unless that is done; blocks. Raises `OSError` where there is none."""
    try:
        # Every host is begun at the same time.
        with _JOINING:
            if not ray.is_initialized():
                _knock(address)
                ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, configure_logging=False)
    except (OSError, RuntimeError, ValueError) as error:
        why = f"there is no Ray cluster at {address} ({type(error).__name__}): start one with `ray start --head`"
        raise OSError(None, why) from None


def cores_of_cluster() -> float:
    """Return the cores of all nodes of the cluster that was joined."""
    api: Any = ray
    return float(api.cluster_resources().get("CPU", 0.0))


def _knock(address: str) -> None:
    """Connect to an address and hang up: Ray itself tries for minutes where nobody listens. Raises `OSError`."""
    host, _, port = address.rpartition(":")
    if host and "://" not in address and port.isdecimal():
        socket.create_connection((host, int(port)), KNOCK_SECONDS).close()
