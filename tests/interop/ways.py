"""Every way into a call measured with one clip: `python -m tests.interop.ways NAME... [--seconds 60] [--clock]`.

A sidecar of its own judges somebody genuine, then the same pictures with another's voice: the share of hops that are
scored after ten seconds, findings, the time to the dub's finding, and processor time. The other sides are those of the
tests: aiortc by WHIP and WHEP, Debian's Janus, FFmpeg, and the double of Zoom. Nothing else should run meanwhile.
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
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from aiortc import RTCPeerConnection

from tests.e2e.media import marry
from tests.e2e.test_call import GENUINE, OTHER
from tests.interop import aiortc_client, janus, janus_room
from tests.interop.clip import BLOCK_SAMPLES, RATE_HZ
from tests.interop.sidecar import CALL, Sidecar, free_port, local_address, sidecar
from tests.monitor.tap.clips import write_clip
from tests.plugins import test_rtp, zoom_server
from tests.plugins.supervised import supervised
from tests.plugins.test_zoom_judged import pictures_of, sound_of
from tests.plugins.whep_server import whep_server

WARM_SECONDS = 10.0
SIDE_PX = 256
FPS = 25
JOIN_SECONDS = 60.0
LOOP_SECONDS = 10.0


@dataclass(frozen=True)
class Clip:
    """Somebody: `mp4` as it was recorded, `webm` of VP8 and Opus."""

    mp4: Path
    webm: Path


@dataclass(frozen=True)
class Measured:
    """What one way has shown; `hops` were due after the first ten seconds, `cores` are those of the whole sidecar."""

    way: str
    seconds: float
    hops: int
    scored_share: float
    findings: int
    clock_mapped: float
    dub_finding_seconds: float | None
    cores: float
    overloaded_share: float


def make(folder: Path, name: str, sound: Path, seconds: float, encoded: bool) -> Clip:
    """Put a sound to the genuine pictures, and encode both as calls do, where that is asked for."""
    clip = Clip(folder / f"{name}.mp4", folder / f"{name}.webm")
    marry(GENUINE, sound, seconds, clip.mp4)
    if not encoded:
        return clip
    with av.open(clip.mp4) as seen, av.open(clip.webm, "w") as out:
        video = out.add_stream("libvpx", rate=FPS, options={"deadline": "realtime", "cpu-used": "8", "g": "50"})
        video.width = video.height = SIDE_PX
        video.pix_fmt, video.bit_rate = "yuv420p", 800_000
        audio = out.add_stream("libopus", rate=RATE_HZ, layout="mono")
        resampler = av.AudioResampler("s16", "mono", RATE_HZ, frame_size=BLOCK_SAMPLES)
        number = 0
        for frame in seen.decode(video=0, audio=0):
            if isinstance(frame, av.VideoFrame):
                picture = frame.reformat(SIDE_PX, SIDE_PX, "yuv420p")
                picture.pts, picture.time_base = round((frame.time or 0.0) * 1000), Fraction(1, 1000)
                out.mux(video.encode(picture))
            elif isinstance(frame, av.AudioFrame):
                for piece in resampler.resample(frame):
                    piece.pts, piece.time_base = number * BLOCK_SAMPLES, Fraction(1, RATE_HZ)
                    number += 1
                    out.mux(audio.encode(piece))
        for stream in (video, audio):
            out.mux(stream.encode(None))
    return clip


Way = Callable[[Path, Clip, str], contextlib.AbstractAsyncContextManager[tuple[list[dict[str, Any]], Any]]]
# What is done once the sidecar runs.
Begin = Callable[[Sidecar | None], contextlib.AbstractAsyncContextManager[None]]


@contextlib.asynccontextmanager
async def _nothing(_house: Sidecar | None) -> AsyncIterator[None]:
    yield


@contextlib.asynccontextmanager
async def whip(_folder: Path, clip: Clip, name: str) -> AsyncIterator[tuple[list[dict[str, Any]], Begin]]:
    @contextlib.asynccontextmanager
    async def begin(house: Sidecar | None) -> AsyncIterator[None]:
        assert house is not None
        async with aiortc_client.publishing(house.endpoint(name), clip.webm):
            yield

    yield [], begin


@contextlib.asynccontextmanager
async def whep(_folder: Path, clip: Clip, name: str) -> AsyncIterator[tuple[list[dict[str, Any]], Begin]]:
    def peer() -> RTCPeerConnection:
        return aiortc_client.peer(clip.webm)

    async with whep_server(peer=peer) as server:
        yield [{"plugin": "whep", "url": server.url, "participant": name, "call": CALL}], _nothing


@contextlib.asynccontextmanager
async def room(folder: Path, clip: Clip, name: str) -> AsyncIterator[tuple[list[dict[str, Any]], Begin]]:
    async with janus.janus(folder) as address:
        await janus_room.make_room(address)
        source = {"plugin": "janus", "url": address, "room": janus.ROOM, "call": CALL}

        @contextlib.asynccontextmanager
        async def begin(_house: Sidecar | None) -> AsyncIterator[None]:
            async with janus_room.publishing(address, name, make=lambda: aiortc_client.peer(clip.webm)):
                yield

        yield [source], begin


@contextlib.asynccontextmanager
async def rtp(_folder: Path, clip: Clip, name: str) -> AsyncIterator[tuple[list[dict[str, Any]], Begin]]:
    audio, video = test_rtp.ports()
    source = {"plugin": "rtp", "audio_port": audio, "video_port": video, "participant": name, "call": CALL}

    @contextlib.asynccontextmanager
    async def begin(_house: Sidecar | None) -> AsyncIterator[None]:
        to = [f"rtp://127.0.0.1:{port}?pkt_size=1200" for port in (video, audio)]
        sent = ["-map", "0:v", "-c", "copy", "-payload_type", "96", "-f", "rtp", to[0]]
        heard = ["-map", "0:a", "-c", "copy", "-payload_type", "111", "-f", "rtp", to[1]]
        command = ["ffmpeg", "-loglevel", "error", "-re", "-i", str(clip.webm), *sent, *heard]
        async with test_rtp.program(*command):
            yield

    yield [source], begin


@contextlib.asynccontextmanager
async def rtms(folder: Path, clip: Clip, name: str) -> AsyncIterator[tuple[list[dict[str, Any]], Begin]]:
    # Encoded by the double of Zoom, and repeated.
    frames = pictures_of(clip.mp4, LOOP_SECONDS)
    period = int(len(frames) / FPS / 0.02) * 0.02
    heard = sound_of(clip.mp4)[: round(period * zoom_server.SOUND_RATE) * 2]
    heard += bytes(max(0, round(period * zoom_server.SOUND_RATE) * 2 - len(heard)))
    person = zoom_server.Person(5, name, zoom_server.encode(frames, FPS), heard, period)
    async with zoom_server.zoom(folder, person) as server:
        port = free_port()
        source = {"plugin": "zoom_rtms", "client_id": zoom_server.CLIENT_ID, "port": port, "call": CALL}
        source |= {"client_secret": zoom_server.CLIENT_SECRET, "webhook_secret": zoom_server.WEBHOOK_SECRET}

        @contextlib.asynccontextmanager
        async def begin(_house: Sidecar | None) -> AsyncIterator[None]:
            (await zoom_server.post(port, zoom_server.started(server.url))).raise_for_status()
            yield

        yield [source | {"ca_file": str(server.issued.ca)}], begin


WAYS: dict[str, Way] = {"whip": whip, "whep": whep, "janus": room, "rtp": rtp, "rtms": rtms}


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _is_scored(state: dict[str, Any]) -> bool:
    return any(score["score"] is not None for score in state["scores"].values())


@contextlib.asynccontextmanager
async def _judged(way: str, folder: Path, clip: Clip) -> AsyncIterator[Sidecar]:
    name = "guest"
    await asyncio.to_thread(folder.mkdir)
    async with WAYS[way](folder, clip, name) as (sources, begin):
        networks = json.dumps([f"{local_address()}/32"])
        settings = {"sources": json.dumps(sources), "allowed_networks": networks}
        async with sidecar(folder / "state", **settings) as house, begin(house):
            await house.until(lambda: bool(house.states[name]), JOIN_SECONDS, "they are there")
            yield house


async def genuine(way: str, folder: Path, clip: Clip, seconds: float) -> tuple[list[dict[str, Any]], int, float]:
    """Judge somebody genuine; gives the states after the first ten seconds, findings, and cores."""
    async with _judged(way, folder, clip) as house:
        await asyncio.sleep(WARM_SECONDS)
        before, began, spent = len(house.states["guest"]), time.monotonic(), _cpu_seconds(house.process.pid)
        await asyncio.sleep(seconds)
        cores = (_cpu_seconds(house.process.pid) - spent) / (time.monotonic() - began)
        return house.states["guest"][before:], len(house.findings), cores


async def dubbed(way: str, folder: Path, clip: Clip, seconds: float) -> float | None:
    """Judge a dub; gives the seconds from the first state to the finding, None where there is none in time."""
    async with _judged(way, folder, clip) as house:
        began = time.monotonic()
        with contextlib.suppress(AssertionError):
            await house.until(lambda: bool(house.findings), seconds, "a finding")
            return round(time.monotonic() - began, 1)
    return None


async def measure(way: str, folder: Path, seconds: float) -> Measured:
    """Measure one way."""
    length = seconds + WARM_SECONDS + 30.0
    own = make(folder, "own", GENUINE, length, way != "rtms")
    other = make(folder, "other", OTHER, length, way != "rtms")
    states, findings, cores = await genuine(way, folder / f"{way}-own", own, seconds)
    dub = await dubbed(way, folder / f"{way}-other", other, length)
    shares = [np.mean([test(state) for state in states]) if states else 0.0 for test in (_is_scored, _is_overloaded)]
    mapped = np.mean([state["quality"].get("clock_mapped", 0.0) for state in states]) if states else 0.0
    return Measured(
        way,
        seconds,
        len(states),
        round(float(shares[0]), 3),
        findings,
        round(float(mapped), 3),
        dub,
        round(cores, 3),
        round(float(shares[1]), 3),
    )


def _is_overloaded(state: dict[str, Any]) -> bool:
    return bool(state["reason"] == "overloaded" or state["quality"].get("dropped"))


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
        else:
            clip = write_clip(folder / "flashes.mkv", seconds=40.0, video="libvpx", audio="libopus", size=(160, 120))
            async with rtp(folder, Clip(clip, clip), "guest") as ((source,), begin):
                await sending.enter_async_context(begin(None))
                yield source


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
    for way in chosen.ways:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            measured = clock_error(way, folder) if chosen.clock else _described(way, folder, chosen.seconds)
            print(json.dumps(asyncio.run(measured)), flush=True)  # noqa: T201


async def _described(way: str, folder: Path, seconds: float) -> dict[str, Any]:
    return asdict(await measure(way, folder, seconds))


if __name__ == "__main__":
    main()
