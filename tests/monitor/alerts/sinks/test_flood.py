"""Findings through every sink, while receivers fail and the sidecar is killed: none lost, none twice under two ids."""

from __future__ import annotations

import asyncio
import json
import random
import re
import signal
import socket
import struct
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.monitor.alerts.build import ready_journal
from tests.monitor.alerts.sinks.certificates import Issued, issue
from tests.monitor.alerts.sinks.flood import ACTIONS, COMMITTED, MEMORY
from tests.monitor.alerts.sinks.receiver import Answer, Fault, Request, receiving
from tests.monitor.alerts.sinks.vendors import VENDORS, Numbers, Vendor

PATIENCE = 1800.0
FAULTS: tuple[Answer | Fault, ...] = (
    Answer(500), Answer(503), Answer(429, b"", {"Retry-After": "0"}), "reset", "half", "silence",
)  # fmt: skip
# How long a sink waits for an answer that does not come.
TIMEOUT_SECONDS = 1.0


class Flaky:
    """Fails in a share of the requests; `arrived` is all that it has read and may have kept, told or not."""

    def __init__(self, vendor: Vendor, share: float) -> None:
        self.vendor = vendor
        self.share = share
        self.arrived: Numbers = []
        self.faults = 0
        self._chance = random.Random(vendor.kind)

    def __call__(self, request: Request) -> Answer | Fault:
        answer: Answer | Fault = self.vendor.answer(request)
        assert isinstance(answer, Answer)
        assert answer.status < 300, answer
        if self._chance.random() < self.share:
            self.faults += 1
            answer = self._chance.choice(FAULTS)
        if answer in ("half", "silence") or (isinstance(answer, Answer) and answer.status < 300):
            self.arrived += self.vendor.numbers(request)
        return answer


class FlakyCollector:
    """Reads syslog to its end, or cuts a share of the connections; what it has read whole has arrived."""

    def __init__(self, share: float) -> None:
        self.share = share
        self.arrived: Numbers = []
        self.faults = 0
        self._chance = random.Random("syslog")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cut = self._chance.random() < self.share
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


async def run(folder: Path, count: int, kill_after: int | None) -> tuple[int, list[int]]:
    """Run the process until it ends, or until it has committed so many and is killed; its memory, early and late."""
    command = (sys.executable, "-m", "tests.monitor.alerts.sinks.flood", str(folder), str(count))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    done, memory = 0, []
    async with asyncio.timeout(PATIENCE):
        while line := (await process.stdout.readline()).decode().split():
            done += line[0] == COMMITTED
            if line[0] == MEMORY:
                memory = [int(kilobytes) for kilobytes in line[1:]]
            if done == kill_after:
                process.send_signal(signal.SIGKILL)
                break
        await process.communicate()
    assert process.returncode == (0 if kill_after is None else -signal.SIGKILL)
    return done, memory


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


def first_arrivals(numbers: Iterable[int]) -> list[int]:
    return list(dict.fromkeys(numbers))


def expected_id(number: int) -> str:
    episode, step = divmod(number - 1, len(ACTIONS))
    return f"episode-{episode}.{step}"


async def flood(folder: Path, count: int, kills: int, share: float) -> list[int]:
    ready_journal(folder).close()
    async with every_sink(folder, issue(folder), share) as flaky:
        for _ in range(kills):
            await run(folder, count, count // (kills + 1))
        _, memory = await run(folder, count, None)
    everything = list(range(1, count + 1))
    for one in flaky:
        kind = one.vendor.kind if isinstance(one, Flaky) else "syslog"
        assert first_arrivals(number for number, _ in one.arrived) == everything, kind
        ids: dict[int, set[str]] = {}
        for number, event_id in one.arrived:
            ids.setdefault(number, set()).add(event_id)
        assert {number for number, found in ids.items() if len(found) != 1} == set(), kind
        if kind not in ("slack", "teams"):
            assert all(found == {expected_id(number)} for number, found in ids.items()), kind
    lines = (folder / "findings.jsonl").read_text().splitlines()
    assert first_arrivals(json.loads(line)["seq"] for line in lines) == everything
    assert sum(one.faults for one in flaky) > 0
    return memory


async def test_receivers_fail_and_the_sidecar_is_killed(tmp_path: Path) -> None:
    await flood(tmp_path, count=60, kills=1, share=0.05)


@pytest.mark.long
async def test_ten_thousand_findings(tmp_path: Path) -> None:
    early, late = await flood(tmp_path, count=10_000, kills=9, share=0.05)
    # The last run delivers a thousand findings to eleven sinks.
    assert late - early < 30_000, (early, late)
