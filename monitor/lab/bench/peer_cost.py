"""What SpeechForensics' way costs on one core, stage by stage, in a process of its own that may use no other.

python -m monitor.lab.bench.peer_cost STREAM FRAMES
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from numpy.typing import NDArray

from monitor.lab.bench import scan_speed
from monitor.lab.bench.child import BenchError, die_with_parent, environment, last_line, spawn, stop
from monitor.lab.bench.peer import PeerComparison, PeerCost, PeerStage
from monitor.lab.bench.processes import BenchSetup, Progress
from monitor.tap.media.source import SourceError
from monitor.types import SAMPLE_RATE_HZ, FloatArray
from monitor.voice.fronts import Fbank104

if TYPE_CHECKING:
    from engines.nets.speechforensics import SpeechForensics

FPS = 25
# What its authors look for faces in: 16 : 9 as the stream is.
WIDTH, HEIGHT = 854, 480
# A face and its landmarks take a second or two of processor time, and each frame as long as the next.
FRAMES = 10
MEDIA_SECONDS = 4.0

Picture = NDArray[np.uint8]


async def measure(
    stream: Path, setup: BenchSetup, frames: int, progress: Progress = lambda _part, _done: None
) -> PeerComparison:
    """Measure its way and then our scans of the same stream, one after the other; raises `BenchError`."""
    load = os.getloadavg()[0]
    progress("SpeechForensics' way", 0.0)
    errors = setup.folder / "peer.log"
    child = await spawn("monitor.lab.bench.peer_cost", str(stream), str(frames), errors=errors, env=environment())
    try:
        output, _ = await child.communicate()
    finally:
        await stop(child)
    if child.returncode != 0:
        raise BenchError(f"SpeechForensics' way failed: {last_line(errors)}")
    progress("scanning the same", 0.7)
    alone = await scan_speed.measure(stream, replace(setup, identity=None))
    every = await scan_speed.measure(stream, setup) if setup.identity is not None else None
    return PeerComparison(PeerCost.from_json(json.loads(output)), alone, every, round(load, 2))


@dataclass(slots=True)
class StageClock:
    """Adds up the processor time of stages."""

    stages: list[PeerStage] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str, frames: int, batch: int = 1) -> Iterator[None]:
        """Time what is done to so many frames, `batch` at a time."""
        began = time.process_time()
        yield
        self.stages.append(PeerStage(name, frames, batch, time.process_time() - began, frames / FPS))


def measure_here(stream: Path, frames: int, make: Callable[[], SpeechForensics] | None = None) -> PeerCost:
    """Measure on one of the cores that this process may use from now on; raises `SourceError`."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    clock, count = StageClock(), round(MEDIA_SECONDS * FPS)
    began = time.process_time()
    shown, samples = pictures(stream, count), sound(stream, count)
    if len(shown) < frames or len(samples) < SAMPLE_RATE_HZ:
        raise SourceError(f"{stream.name} has too little in it: give a longer --clip")
    decoding = time.process_time() - began
    clock.stages.append(PeerStage("decoding and scaling", len(shown), 1, decoding, len(shown) / FPS))
    # Only now: torch counts its cores when it is loaded.
    from engines.nets.speechforensics import SpeechForensics, agreement

    loading = time.perf_counter()
    nets = (make or SpeechForensics)()
    load_seconds = time.perf_counter() - loading
    # The first pass of a net chooses its kernels.
    nets.find(shown[0])
    nets.align(shown[0])
    with clock.stage("faces by RetinaFace with ResNet-50", frames):
        for picture in shown[:frames]:
            nets.find(picture)
    with clock.stage("landmarks by 2D-FAN-4", frames):
        for picture in shown[:frames]:
            nets.align(picture)
    with clock.stage("mouths", len(shown)):
        mouths = np.stack([nets.mouth(picture) for picture in shown])
    with clock.stage("filterbank", len(shown)):
        front = Fbank104()
        rows = front(samples)
        steps = front.steps(rows[: len(rows) // 4 * 4].reshape(-1, 4, rows.shape[1]))
    nets.see(mouths[:FPS])
    with clock.stage("lips by AV-HuBERT large", len(mouths), len(mouths)):
        seen = nets.see(mouths)
    with clock.stage("voice by AV-HuBERT large", len(steps), len(steps)):
        heard = nets.hear(steps)
    with clock.stage("agreement at 31 offsets", len(seen), len(seen)):
        agreement(seen, heard)
    return PeerCost(tuple(clock.stages), load_seconds, nets.parameters(), scan_speed.peak_mb(), nets.threads)


def pictures(stream: Path, count: int) -> list[Picture]:
    """Decode the first pictures at 25 a second, each the newest one shown then: RGB, 854 x 480."""
    found: list[Picture] = []
    with av.open(str(stream)) as file:
        video = file.streams.video[0]
        video.codec_context.thread_count = 1
        for frame in file.decode(video):
            if frame.time is not None and frame.time + 1e-6 >= len(found) / FPS:
                found.append(np.asarray(frame.reformat(WIDTH, HEIGHT, "rgb24").to_ndarray(), np.uint8))
            if len(found) == count:
                break
    return found


def sound(stream: Path, count: int) -> FloatArray:
    """Decode the sound of the first `count` frames of 25 a second: 16 kHz, one channel."""
    blocks: list[FloatArray] = []
    size = count * SAMPLE_RATE_HZ // FPS
    resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE_HZ)
    with av.open(str(stream)) as file:
        for frame in file.decode(audio=0):
            blocks += [made.to_ndarray()[0] for made in resampler.resample(frame)]
            if sum(map(len, blocks)) >= size:
                break
    return np.concatenate(blocks)[:size] if blocks else np.zeros(0, np.float32)


def main() -> int:
    """Measure as the arguments say."""
    die_with_parent()
    stream, frames = sys.argv[1:]
    try:
        cost = measure_here(Path(stream), int(frames))
    except (SourceError, av.FFmpegError) as error:
        raise SystemExit(f"error: {error}") from None
    sys.stdout.write(json.dumps(asdict(cost)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
