"""What LiveKit's SDK costs and how its clock does: `python -m tests.interop.livekit_cost [--tracks 1 4 16]`.

A process of its own serves the room, with one clip of a flash and a beep that was encoded before; this process has
joined by the plug-in and reads what comes, and nothing is judged. Cores are processor time of this process, libwebrtc's
threads included, by the time that has passed; the clock's error is how far apart flash and beep are by capture time.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from fractions import Fraction
from multiprocessing.connection import Connection
from pathlib import Path

import av

from monitor.tap.kit import AudioBlock, MediaItem, VideoFrame
from tests.interop.aiortc_client import Packets
from tests.monitor.tap.clips import SOUND_RATE, picture_frame, sound_frame
from tests.plugins.intake import Guest
from tests.plugins.livekit_server import API_KEY, API_SECRET, CAMERA, MICROPHONE, livekit_server
from tests.plugins.supervised import House, supervised

CLIP_SECONDS, FPS, BLOCK = 6, 25, 960
SETTLE_SECONDS = 8.0
LOUD, BRIGHT = 0.05, 150.0


def write(path: Path, size: tuple[int, int]) -> Path:
    """Write the clip as a call would have it: VP8 without look-ahead, a key frame every two seconds, and Opus."""
    options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
    with av.open(path, "w") as out:
        video = out.add_stream("libvpx", rate=FPS, options=options)
        video.width, video.height = size
        video.pix_fmt, video.bit_rate, video.gop_size = "yuv420p", 1_000_000, 2 * FPS
        audio = out.add_stream("libopus", rate=SOUND_RATE, layout="mono")
        for number in range(CLIP_SECONDS * FPS):
            frame = picture_frame(number / FPS, *size)
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            out.mux(video.encode(frame))
        for first in range(0, CLIP_SECONDS * SOUND_RATE, BLOCK):
            sample = sound_frame(first / SOUND_RATE, BLOCK)
            sample.pts, sample.time_base = first, Fraction(1, SOUND_RATE)
            out.mux(audio.encode(sample))
        out.mux(video.encode(None))
        out.mux(audio.encode(None))
    return path


def serve(clip: Path, tracks: int, pipe: Connection) -> None:
    """Serve the room with so many tracks until the pipe is closed: a camera, then the microphone of each."""

    async def run() -> None:
        async with livekit_server() as server:
            start = time.monotonic() + 0.5
            for number in range(tracks):
                name = f"p{number // 2}"
                kind = "video" if number % 2 == 0 else "audio"
                if kind == "video":
                    await server.join(name)
                said = CAMERA if kind == "video" else MICROPHONE
                await server.publish(name, lambda k=kind: Packets(k, clip, start), **said)  # type: ignore[misc]
            pipe.send(server.url)
            await asyncio.to_thread(pipe.recv)

    asyncio.run(run())


class Onsets:
    """When the flash and the beep began, by capture time and by how sure that is."""

    def __init__(self) -> None:
        self.at: dict[str, list[float]] = defaultdict(list)
        self.uncertainty = 0.0
        self._on: dict[str, bool] = {}

    def note(self, item: MediaItem) -> None:
        """Take an item."""
        if isinstance(item, VideoFrame):
            kind, is_on = "video", float(item.y[item.height // 2 :: 16, ::16].mean()) > BRIGHT
        elif isinstance(item, AudioBlock):
            kind, is_on = "audio", float(abs(item.samples).max(initial=0.0)) > LOUD
        else:
            return
        if is_on and self._on.get(kind) is False and item.stamp.state.value == "mapped":
            self.at[kind].append(item.stamp.capture)
            self.uncertainty = max(self.uncertainty, item.stamp.uncertainty)
        self._on[kind] = is_on

    def errors(self) -> list[float]:
        """Seconds by which each beep is after the flash that is next to it."""
        return [
            heard - seen
            for heard in self.at["audio"]
            if self.at["video"] and abs(heard - (seen := min(self.at["video"], key=lambda at: abs(at - heard)))) < 0.45
        ]


def watched(guest: Guest) -> Onsets:
    """Have what somebody sends looked at."""
    onsets, take = Onsets(), guest._take

    def both(item: MediaItem) -> None:
        onsets.note(item)
        take(item)

    guest._take = both  # type: ignore[method-assign]
    return onsets


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def measure(url: str, tracks: int, seconds: float) -> str:
    """Join and read for so long; gives a line of the table."""
    options = {"plugin": "livekit", "url": url, "api_key": API_KEY, "api_secret": API_SECRET, "room": "board"}
    async with supervised(**options) as house:
        people = (tracks + 1) // 2
        await house.until(lambda: len(house.here) == people and _all_seen(house), "everybody is there", 60.0)
        onsets = [watched(guest) for guest in house.guests]
        await asyncio.sleep(SETTLE_SECONDS)
        began, used = time.monotonic(), cpu_seconds()
        before = sum(guest.pictures for guest in house.guests)
        await asyncio.sleep(seconds)
        passed, used = time.monotonic() - began, cpu_seconds() - used
        pictures = sum(guest.pictures for guest in house.guests) - before
        errors = [1000.0 * error for one in onsets for error in one.errors()]
        claimed = 1000.0 * max(one.uncertainty for one in onsets)
        dropped = sum(guest.source.dropped for guest in house.guests)
    fps = pictures / passed / people
    cost = (
        f"{used / passed:.3f} cores, {used / passed / people:.3f} each, {1000 * used / max(pictures, 1):.2f} ms/picture"
    )
    line = f"{tracks:2d} tracks ({people} people): {cost}, {fps:.1f} pictures/s each, {dropped} dropped"
    if len(errors) > 1:
        spread = f"median {statistics.median(errors):+.0f} ms, {min(errors):+.0f} to {max(errors):+.0f}"
        line += f"; sound after picture: {spread}, n={len(errors)}, claimed within {claimed:.0f} ms"
    return line


def _all_seen(house: House) -> bool:
    return all(guest.pictures > 2 for guest in house.guests)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--size", default="1280x720")
    chosen = parser.parse_args()
    width, height = map(int, chosen.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        clip = write(Path(folder) / "clip.webm", (width, height))
        for tracks in chosen.tracks:
            ours, theirs = multiprocessing.Pipe()
            process = multiprocessing.get_context("spawn").Process(target=serve, args=(clip, tracks, theirs))
            process.start()
            try:
                line = asyncio.run(measure(ours.recv(), tracks, chosen.seconds))
                sys.stdout.write(line + "\n")
                sys.stdout.flush()
            finally:
                ours.close()
                process.terminate()
                process.join()


if __name__ == "__main__":
    main()
