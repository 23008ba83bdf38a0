"""What gateways that know each other cost, and how fast one goes on: python -m tests.gateway_cost CLIP [--kills N].

Two sidecars with all their models, in processes of their own, and a PostgreSQL. A way into calls that both have in
their settings brings one recorded person; the sidecar that judges them is killed and begun again, time after time.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import secrets
import shutil
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from tests import postgres
from tests.monitor.host.peers.relay import relay
from tests.monitor.host.peers.site import BEARER, SECRET, Gateway, free_port

PATIENCE = 180.0
MEASURED_SECONDS = 20.0
# By then everything has begun that is told of a participant.
SETTLED_STATES = 20
PERSON = "somebody"


class Sidecars:
    """Both of them, and a wire between each and whoever hears it."""

    def __init__(self, folder: Path, common: dict[str, str]) -> None:
        self._folder, self._common = folder, common
        self._ports = [(free_port(), free_port()) for _ in range(2)]
        self.changed = asyncio.Event()
        self.running: list[Gateway] = []
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def peer_ports(self) -> list[int]:
        return [peer for _, peer in self._ports]

    async def begin(self, number: int) -> Gateway:
        """Begin one, whose subscriber reads from then on."""
        own, (http, peer) = self._folder / str(number), self._ports[number]
        place = {"STATE_DIR": str(own), "PORT": str(http), "PEER_PORT": str(peer), "ADMIN_PORT": str(free_port())}
        given = {f"SIDEWITNESS_{name}": value for name, value in {**self._common, **place}.items()}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SIDEWITNESS_")}
        command = (sys.executable, "-m", "monitor.cli", "serve")
        process = await asyncio.create_subprocess_exec(*command, env={**kept, **given}, stdout=DEVNULL)
        made = Gateway(process, f"http://127.0.0.1:{http}", "")
        self._tasks.append(asyncio.create_task(self._follow(made)))
        return made

    async def _follow(self, gateway: Gateway) -> None:
        while gateway.process.returncode is None:
            await gateway.follow(self.changed)
            await asyncio.sleep(0.2)

    async def until(self, condition: Callable[[], object]) -> float:
        """Wait until something is told; returns the seconds."""
        began_at = time.perf_counter()
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self.changed.clear()
                await self.changed.wait()
        return time.perf_counter() - began_at

    async def close(self) -> None:
        for one in self.running:
            one.process.terminate()
            await one.process.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def scored(gateway: Gateway) -> list[dict[str, Any]]:
    """What was said of the person that has evidence."""
    return [one for one in gateway.kinds("state", PERSON) if one["statistic"] is not None]


async def judge(sidecars: Sidecars) -> int:
    """Return the number of the sidecar that has the way in open."""
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {BEARER}"}) as client:
        answers = [await client.get(f"{one.base}/v1/sources") for one in sidecars.running]
    return [answer.json()["sources"][0]["why"] for answer in answers].index(None)


async def measure(clip: Path, kills: int) -> dict[str, Any]:
    """Measure both."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(postgres.server("fsync = on"))
        (folder / "clips").mkdir()
        shutil.copy(clip, folder / "clips" / f"{PERSON}{clip.suffix}")
        way = {"plugin": "folder", "path": str(folder / "clips"), "call": "board", "loop": True}
        common = {
            "DATABASE_URL": server.migrated_database(),
            "TOKEN": BEARER,
            "TOKEN_KEY_FILE": str(folder / "tokens.key"),
            "VAULT_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
            "PEER_SECRET": SECRET,
            "SOURCES": json.dumps([way]),
            "LOG_LEVEL": "error",
        }
        sidecars = Sidecars(folder, common)
        stack.push_async_callback(sidecars.close)
        wires = [await stack.enter_async_context(relay(port)) for port in sidecars.peer_ports]
        common["PEERS"] = json.dumps([f"127.0.0.1:{wire.port}" for wire in wires])
        sidecars.running = [await sidecars.begin(number) for number in range(2)]
        await sidecars.until(lambda: any(len(scored(one)) > SETTLED_STATES for one in sidecars.running))
        number = await judge(sidecars)
        before = wires[number].carried_bytes
        await asyncio.sleep(MEASURED_SECONDS)
        rate = (wires[number].carried_bytes - before) / MEASURED_SECONDS
        told, scores = [], []
        for _ in range(kills):
            number = await judge(sidecars)
            other = sidecars.running[1 - number]
            seen, known = len(scored(other)), len(other.kinds("unmonitored", PERSON))
            sidecars.running[number].process.kill()
            told.append(await sidecars.until(lambda o=other, n=known: len(o.kinds("unmonitored", PERSON)) > n))  # type: ignore[misc]
            again = await sidecars.until(lambda o=other, n=seen: len(scored(o)) > n)  # type: ignore[misc]
            scores.append(told[-1] + again)
            await sidecars.running[number].process.wait()
            sidecars.running[number] = await sidecars.begin(number)
            back = sidecars.running[number]
            await sidecars.until(lambda o=back: len(scored(o)) > 0)  # type: ignore[misc]
        return {
            "bytes_a_second": round(rate),
            "kills": kills,
            "told_seconds": {"median": round(median(told), 2), "longest": round(max(told), 2)},
            "scored_again_seconds": {"median": round(median(scores), 2), "longest": round(max(scores), 2)},
        }


def main() -> None:
    """Measure, and print JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.gateway_cost")
    parser.add_argument("clip", type=Path)
    parser.add_argument("--kills", type=int, default=5)
    options = parser.parse_args()
    sys.stdout.write(json.dumps(asyncio.run(measure(options.clip, options.kills)), indent=2) + "\n")


if __name__ == "__main__":
    main()
