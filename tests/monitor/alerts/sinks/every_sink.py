"""Receivers of every kind that fail now and then, a sidecar's part that may be killed, and what arrived."""

from __future__ import annotations

import asyncio
import json
import random
import re
import signal
import socket
import struct
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.monitor.alerts.build import ready_journal
from tests.monitor.alerts.sinks.certificates import Issued, issue
from tests.monitor.alerts.sinks.flood import ACTIONS, COMMITTED, DELAYS, MEMORY
from tests.monitor.alerts.sinks.receiver import Answer, Fault, Request, receiving
from tests.monitor.alerts.sinks.vendors import VENDORS, Numbers, Vendor

PATIENCE = 1800.0
FAULTS: tuple[Answer | Fault, ...] = (
    Answer(500), Answer(503), Answer(429, b"", {"Retry-After": "0"}), "reset", "half", "silence",
)  # fmt: skip
# How long a sink waits for an answer that does not come.
TIMEOUT_SECONDS = 1.0
# What people read has the id of the episode and no number of the change.
WITHOUT_STEP = ("slack", "teams")


class Flaky:
    """Fails in a share of the requests; `arrived` is all that it has read and may have kept, told or not."""

    def __init__(self, vendor: Vendor, share: float) -> None:
        self.kind = vendor.kind
        self.share = share
        self.arrived: Numbers = []
        self.requests = self.faults = 0
        self._vendor = vendor
        self._chance = random.Random(vendor.kind)

    def __call__(self, request: Request) -> Answer | Fault:
        answer: Answer | Fault = self._vendor.answer(request)
        assert isinstance(answer, Answer)
        assert answer.status < 300, answer
        self.requests += 1
        if self._chance.random() < self.share:
            self.faults += 1
            answer = self._chance.choice(FAULTS)
        if answer in ("half", "silence") or (isinstance(answer, Answer) and answer.status < 300):
            self.arrived += self._vendor.numbers(request)
        return answer


class FlakyCollector:
    """Reads syslog to its end, or cuts a share of the connections; what it has read whole has arrived."""

    kind = "syslog"

    def __init__(self, share: float) -> None:
        self.share = share
        self.arrived: Numbers = []
        self.requests = self.faults = 0
        self._chance = random.Random("syslog")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cut = self._chance.random() < self.share
        self.requests += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError, OSError):
            while length := (await reader.readuntil(b" ")).strip():
                message = (await reader.readexactly(int(length))).decode()
                number, event_id = re.search(r" cn1=(\d+) cs1Label=event_id cs1=(\S+) ", message).groups()  # type: ignore[union-attr]
                self.arrived.append((int(number), event_id))
                if cut:
                    self.faults += 1
                    # A reset, not an end.
                    linger = struct.pack("ii", 1, 0)
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    break
        writer.transport.abort()


@dataclass(frozen=True)
class Ran:
    """One run of the process: how many findings it committed, its memory early and late, its delays by sink."""

    committed: int
    memory_kb: Sequence[int] = ()
    delays: dict[str, list[float]] | None = None


async def run(folder: Path, count: int, kill_after: int | None = None, per_second: float = 0.0) -> Ran:
    """Run the process until it ends, or until it has committed so many and is killed."""
    command = (sys.executable, "-m", "tests.monitor.alerts.sinks.flood", str(folder), str(count), str(per_second))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, limit=1 << 24)
    assert process.stdout is not None
    done, memory, delays = 0, list[int](), None
    async with asyncio.timeout(PATIENCE):
        while line := (await process.stdout.readline()).decode().split(maxsplit=1):
            done += line[0] == COMMITTED
            if line[0] == MEMORY:
                memory = [int(kilobytes) for kilobytes in line[1].split()]
            if line[0] == DELAYS:
                delays = json.loads(line[1])
            if done == kill_after:
                process.send_signal(signal.SIGKILL)
                break
        await process.communicate()
    assert process.returncode == (0 if kill_after is None else -signal.SIGKILL)
    return Ran(done, memory, delays)


@asynccontextmanager
async def every_sink(folder: Path, issued: Issued, share: float) -> AsyncIterator[list[Flaky | FlakyCollector]]:
    """Receivers of every kind, and the settings that send to them."""
    common = {"allow_private": True, "start": "beginning", "timeout_seconds": TIMEOUT_SECONDS}
    sinks: list[dict[str, Any]] = [{"kind": "jsonl", "path": str(folder / "findings.jsonl"), "start": "beginning"}]
    async with AsyncExitStack() as stack:
        flaky: list[Flaky | FlakyCollector] = []
        for vendor in VENDORS:
            one = Flaky(vendor, share)
            receiver = await stack.enter_async_context(receiving(one))
            sinks.append({"kind": vendor.kind, **common, **vendor.options(receiver.url)})
            flaky.append(one)
        collector = FlakyCollector(share)
        server = await asyncio.start_server(collector.serve, "127.0.0.1", 0, ssl=issued.server)
        port = server.sockets[0].getsockname()[1]
        sinks.append({"kind": "syslog", "host": "localhost", "port": port, "ca_file": str(issued.ca), **common})
        flaky.append(collector)
        # JSON is YAML.
        settings = {"state_dir": str(folder), "sinks": sinks}
        (folder / "sidewitness.yaml").write_text(json.dumps(settings))
        yield flaky
        server.close()
        await server.wait_closed()


@dataclass(frozen=True)
class Flooded:
    """What a flood came to: requests, injected faults and repeated findings of all receivers together."""

    findings: int
    sinks: int
    kills: int
    requests: int
    faults: int
    repeated: int
    early_kb: int
    late_kb: int


async def flood(folder: Path, count: int, kills: int, share: float) -> Flooded:
    """Commit so many findings, killing the process in between; fails where one is lost, out of order, or renamed."""
    ready_journal(folder).close()
    async with every_sink(folder, issue(folder), share) as flaky:
        for _ in range(kills):
            await run(folder, count, kill_after=count // (kills + 1))
        early, late = (await run(folder, count)).memory_kb
    for one in flaky:
        check(one, count)
    written = [json.loads(line)["seq"] for line in (folder / "findings.jsonl").read_text().splitlines()]
    assert first_arrivals(written) == list(range(1, count + 1))
    repeated = sum(len(one.arrived) - count for one in flaky) + len(written) - count
    requests, faults = sum(one.requests for one in flaky), sum(one.faults for one in flaky)
    assert faults > 0
    return Flooded(count, len(flaky) + 1, kills, requests, faults, repeated, early, late)


def check(one: Flaky | FlakyCollector, count: int) -> None:
    """Fail unless every finding has arrived, in order, under one id."""
    assert first_arrivals(number for number, _ in one.arrived) == list(range(1, count + 1)), one.kind
    ids: dict[int, set[str]] = {}
    for number, event_id in one.arrived:
        ids.setdefault(number, set()).add(event_id)
    assert {number for number, found in ids.items() if len(found) != 1} == set(), one.kind
    if one.kind not in WITHOUT_STEP:
        assert all(found == {expected_id(number)} for number, found in ids.items()), one.kind


def first_arrivals(numbers: Iterable[int]) -> list[int]:
    """Numbers without their repetitions."""
    return list(dict.fromkeys(numbers))


def expected_id(number: int) -> str:
    """The id of a change by its number."""
    episode, step = divmod(number - 1, len(ACTIONS))
    return f"episode-{episode}.{step}"
