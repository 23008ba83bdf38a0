"""Every way into a call measured with one clip: `python -m tests.interop.ways NAME... [--seconds 60] [--clock]`.

A sidecar of its own judges somebody genuine: the share of hops that are scored after ten seconds, findings, and
processor time of the sidecar's process. Then the other end is killed and started again: whether subscribers are told
that nobody is watched, and how soon they are judged again. Then come the same pictures with another's voice: the time
to a finding, and, when they leave and come again, whether it goes on under its id. The other ends are in
`tests.interop.far_ends`. Nothing else should run meanwhile.
With `--clock` flashes and beeps of one moment are sent instead: by how much they are apart is the clock's error.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.e2e.test_call import GENUINE, OTHER
from tests.interop import janus, janus_room
from tests.interop.far_ends import WAYS, Clip, Far, make, rtp
from tests.interop.sidecar import Sidecar, free_port, local_address, sidecar
from tests.monitor.tap.clips import write_clip
from tests.plugins import livekit_server, zoom_server
from tests.plugins.supervised import supervised
from tests.plugins.test_livekit import come
from tests.plugins.whep_server import whep_server

WARM_SECONDS = 10.0
JOIN_SECONDS = 60.0
AGAIN_SECONDS = 60.0
NAME = "guest"


@dataclass(frozen=True)
class Again:
    """After the other end was killed: what subscribers were told, and seconds from its new start to `resumed`."""

    told: list[str]
    joined_seconds: float | None


@dataclass(frozen=True)
class Dub:
    """Seconds from the first hop to the finding; whether it went on under its id when they left and came again."""

    finding_seconds: float | None
    goes_on: bool | None = None


@dataclass(frozen=True)
class Measured:
    """What one way has shown; `hops` were due after the first ten seconds, `cores` are those of the whole sidecar."""

    way: str
    seconds: float
    hops: int
    scored_share: float
    findings: int
    clock_mapped: float
    cores: float
    overloaded_share: float
    again: Again | None
    dub: Dub


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _is_scored(state: dict[str, Any]) -> bool:
    return any(score["score"] is not None for score in state["scores"].values())


def _is_overloaded(state: dict[str, Any]) -> bool:
    return bool(state["reason"] == "overloaded" or state["quality"].get("dropped"))


@contextlib.asynccontextmanager
async def _watching(folder: Path, far: Far) -> AsyncIterator[Sidecar]:
    settings = {"sources": json.dumps(far.sources), "allowed_networks": json.dumps([f"{local_address()}/32"])}
    async with sidecar(folder / "state", **settings) as house:
        yield house


async def _judged(house: Sidecar, seconds: float = JOIN_SECONDS) -> None:
    before = len(house.states[NAME])
    await house.until(lambda: len(house.states[NAME]) > before, seconds, "they are judged")


async def _again(house: Sidecar, far: Far) -> Again:
    """Start the other end again, which was killed, and publish; gives what became of it."""
    with contextlib.suppress(AssertionError):
        await house.until(lambda: _told(house, "began"), AGAIN_SECONDS, "it is told that nobody watches them")
    async with far.serve(), far.publish(house):
        began, joined = time.monotonic(), None
        with contextlib.suppress(AssertionError):
            # Not their next hop: who is not missed for long has them all the time.
            await house.until(lambda: _told(house, "resumed"), AGAIN_SECONDS, "it is told that they are watched")
            joined = round(time.monotonic() - began, 1)
    return Again([f"{one['action']} {one['reason'] or ''}".strip() for one in house.unmonitored], joined)


def _told(house: Sidecar, action: str) -> bool:
    return bool(house.unmonitored) and house.unmonitored[-1]["action"] == action


async def genuine(far: Far, folder: Path, seconds: float) -> tuple[list[dict[str, Any]], int, float, Again | None]:
    """Judge somebody genuine; gives the states after the first ten seconds, findings, cores, and what a break did."""
    async with _watching(folder, far) as house:
        async with far.serve(), far.publish(house):
            await _judged(house)
            await asyncio.sleep(WARM_SECONDS)
            before, began, spent = len(house.states[NAME]), time.monotonic(), _cpu_seconds(house.process.pid)
            await asyncio.sleep(seconds)
            cores = (_cpu_seconds(house.process.pid) - spent) / (time.monotonic() - began)
            states, findings = house.states[NAME][before:], len(house.findings)
            house.unmonitored.clear()
            if far.restarts:
                await far.kill()
        again = await _again(house, far) if far.restarts else None
        return states, findings, cores, again


async def dubbed(far: Far, folder: Path, seconds: float) -> Dub:
    """Judge a dub, and have it leave and come again."""
    async with far.serve(), _watching(folder, far) as house:
        async with far.publish(house):
            await _judged(house)
            began = time.monotonic()
            with contextlib.suppress(AssertionError):
                await house.until(lambda: bool(house.findings), seconds, "a finding")
            if not house.findings:
                return Dub(None)
            took = round(time.monotonic() - began, 1)
        # Whoever is back sooner than they were missed has not left.
        with contextlib.suppress(AssertionError):
            await house.until(lambda: _waits(house.findings), AGAIN_SECONDS, "they have left")
        async with far.publish(house):
            with contextlib.suppress(AssertionError):
                await house.until(lambda: _goes_on(house.findings), AGAIN_SECONDS, "the finding goes on")
            ids = {one["id"] for one in house.findings}
            return Dub(took, _goes_on(house.findings) and len(ids) == 1)


def _waits(findings: list[dict[str, Any]]) -> bool:
    return any(one["verdict"] == "inconclusive" for one in findings)


def _goes_on(findings: list[dict[str, Any]]) -> bool:
    """Whether a finding waited while they were gone, and went on."""
    verdicts = [one["verdict"] for one in findings]
    return _waits(findings) and "alert" in verdicts[verdicts.index("inconclusive") :]


async def measure(way: str, folder: Path, clips: tuple[Clip, Clip], seconds: float) -> Measured:
    """Measure one way with somebody genuine and a dub."""
    fars = []
    for name, clip in zip(("own", "other"), clips, strict=True):
        place = folder / f"{way}-{name}"
        place.mkdir()
        fars.append((WAYS[way](place, clip, NAME), place))
    (own, own_place), (other, other_place) = fars
    states, findings, cores, again = await genuine(own, own_place, seconds)
    dub = await dubbed(other, other_place, seconds + WARM_SECONDS + 30.0)
    shares = [np.mean([test(state) for state in states]) if states else 0.0 for test in (_is_scored, _is_overloaded)]
    mapped = np.mean([state["quality"].get("clock_mapped", 0.0) for state in states]) if states else 0.0
    scored, overloaded, is_mapped = (round(float(share), 3) for share in (*shares, mapped))
    return Measured(way, seconds, len(states), scored, findings, is_mapped, round(cores, 3), overloaded, again, dub)


PAIRS = 10


@contextlib.asynccontextmanager
async def _flashing(way: str, folder: Path) -> AsyncIterator[dict[str, Any]]:
    """Send flashes and beeps by a way; gives the source that takes them."""
    async with contextlib.AsyncExitStack() as sending:
        if way == "whep":
            server = await sending.enter_async_context(whep_server())
            yield {"plugin": "whep", "url": server.url, "participant": "guest"}
        elif way == "janus":
            address = await sending.enter_async_context(janus.janus(folder))
            await janus_room.make_room(address)
            await sending.enter_async_context(janus_room.publishing(address, "guest"))
            yield {"plugin": "janus", "url": address, "room": janus.ROOM}
        elif way == "livekit":
            livekit = await sending.enter_async_context(livekit_server.livekit_server())
            await come(livekit, "guest")
            key = {"api_key": livekit_server.API_KEY, "api_secret": livekit_server.API_SECRET}
            yield {"plugin": "livekit", "url": livekit.url, "room": livekit.room.name, **key}
        else:
            clip = write_clip(folder / "flashes.mkv", seconds=40.0, video="libvpx", audio="libopus", size=(160, 120))
            far = rtp(folder, Clip(clip, clip), "guest")
            await sending.enter_async_context(far.publish(None))
            yield far.sources[0]


async def clock_error(way: str, folder: Path) -> dict[str, Any]:
    """Give by how many milliseconds beeps come after their flashes: the median, and the farthest, of `PAIRS`."""
    if way == "rtms":
        gaps = await _rtms_gaps(folder)
    else:
        async with _flashing(way, folder) as source, supervised(**source) as house:
            await house.until(lambda: len(house.guests) and len(house.guests[0].gaps) > PAIRS, "pairs", 60.0)
            gaps = house.guests[0].gaps
    error = 1000.0 * np.array(gaps[1 : PAIRS + 1])
    farthest = error[np.argmax(np.abs(error))]
    return {
        "way": way,
        "pairs": len(error),
        "median_ms": round(float(np.median(error)), 1),
        "farthest_ms": round(float(farthest), 1),
    }


async def _rtms_gaps(folder: Path) -> list[float]:
    port = free_port()
    async with zoom_server.zoom(folder, zoom_server.made_person(5, "guest", fps=25)) as server:
        source = {"plugin": "zoom_rtms", "client_id": zoom_server.CLIENT_ID, "port": port}
        source |= {"client_secret": zoom_server.CLIENT_SECRET, "webhook_secret": zoom_server.WEBHOOK_SECRET}
        async with supervised(**source, ca_file=str(server.issued.ca)) as house:
            await house.until(lambda: house.status()["phase"] == "waiting", "it listens")
            (await zoom_server.post(port, zoom_server.started(server.url))).raise_for_status()
            await house.until(lambda: len(house.guests) and len(house.guests[0].gaps) > PAIRS, "pairs", 60.0)
            return house.guests[0].gaps


def main() -> None:
    """Measure the ways that are named and print a line of JSON each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ways", nargs="+", choices=sorted(WAYS))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--clock", action="store_true")
    chosen = parser.parse_args()
    if not GENUINE.exists() and not chosen.clock:
        sys.exit("the research clips are absent: set SIDEWITNESS_DATA to their folder")
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory() as name:
        folder, length = Path(name), chosen.seconds + WARM_SECONDS + 60.0
        clips = None
        if not chosen.clock:
            clips = make(folder, "own", GENUINE, length), make(folder, "other", OTHER, length)
        for way in chosen.ways:
            told = asyncio.run(_described(way, folder, clips, chosen.seconds))
            print(json.dumps(told), flush=True)  # noqa: T201


async def _described(way: str, folder: Path, clips: tuple[Clip, Clip] | None, seconds: float) -> dict[str, Any]:
    if clips is None:
        return await clock_error(way, folder)
    return asdict(await measure(way, folder, clips, seconds))


if __name__ == "__main__":
    main()
