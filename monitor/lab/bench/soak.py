"""Whether memory grows: hours of one participant in virtual time, through the real session, in a process of its own.

    python -m monitor.lab.bench.soak STREAM MINUTES ENGINE [IDENTITY]

A few seconds of the stream are decoded once and fed round and round with stamps that go on; what the session says is
made into messages and findings as it is live. The tap is not in it: a long live run is (`--seconds`).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from engines.base import EngineError
from monitor.lab.bench.child import BenchError, die_with_parent, environment, last_line, spawn, stop
from monitor.lab.bench.enrolment import enrolled, state_of
from monitor.lab.bench.process_usage import rss_bytes
from monitor.lab.bench.processes import BenchSetup, Progress
from monitor.lab.bench.subscriber import percentile, slopes

if TYPE_CHECKING:
    from engines.registry import EngineName
    from monitor.lab.bench.clip import Stream
    from monitor.session.session import Session
    from monitor.types import AudioBlock, VideoFrame

# Longer loops only take memory: a decoded second of 720p is 41 MB.
LOOP_SECONDS = 6.0
READ_SECONDS = 10.0
# Windows, memories and the pools of the runtimes fill first.
WARM_SHARE = 0.25
MIN_READINGS = 8
# Arenas of the allocator grow for some minutes, more and more slowly, and then no longer.
MIN_MINUTES = 10.0
# Less than one picture in an hour is called nothing.
STEADY_MB_PER_HOUR = 1.0
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class MemoryReading:
    """A reading: virtual seconds so far and the resident bytes."""

    seconds: float
    bytes: int


@dataclass(frozen=True, slots=True)
class Soak:
    """What was read, how often each detector scored (share of hops), and how much faster than life it went."""

    points: tuple[MemoryReading, ...]
    scored: dict[str, float]
    verdicts: dict[str, int]
    times_real: float

    @property
    def minutes(self) -> float:
        """Virtual minutes."""
        return self.points[-1].seconds / 60 if self.points else 0.0

    @property
    def steady(self) -> tuple[MemoryReading, ...]:
        """The readings after everything that fills has filled."""
        return self.points[int(WARM_SHARE * len(self.points)) :]

    @property
    def slope(self) -> tuple[float, float, float] | None:
        """Megabytes an hour: 5th percentile, median, 95th percentile of the slopes between far readings.

        None for too few minutes or readings.
        """
        if len(self.steady) < MIN_READINGS or self.minutes < MIN_MINUTES:
            return None
        slopes_mb_per_hour = slopes([(point.seconds, point.bytes) for point in self.steady])
        return (
            percentile(slopes_mb_per_hour, 0.05) or 0.0,
            median(slopes_mb_per_hour),
            percentile(slopes_mb_per_hour, 0.95) or 0.0,
        )

    @property
    def verdict(self) -> str:
        """What that means, in a line."""
        if self.slope is None:
            return f"too short to say: ask for {2 * MIN_MINUTES:.0f} minutes or more"
        low, middle, high = self.slope
        rates = f"{middle:.2f} MB/h (between {low:.2f} and {high:.2f})"
        if abs(middle) <= STEADY_MB_PER_HOUR:
            return f"memory does not grow: {rates}"
        if low > 0:
            return f"memory GROWS: {rates}"
        return f"memory falls: {rates}" if high < 0 else f"not sure, it goes up and down: {rates}; ask for more minutes"

    def as_json(self) -> dict[str, object]:
        """Return it for programs."""
        return {**asdict(self), "slope_mb_per_hour": self.slope, "minutes": self.minutes, "verdict": self.verdict}


async def measure(
    stream: Path, setup: BenchSetup, minutes: float, progress: Progress = lambda _part, _done: None
) -> Soak:
    """Let a session live through so many virtual minutes in a child; raises `BenchError`."""
    errors = setup.folder / "soak.log"
    env = environment(SIDEWITNESS_STATE_DIR=str(state_of(setup.folder)))
    claimed = [setup.identity] if setup.identity else []
    child = await spawn(
        "monitor.lab.bench.soak", str(stream), str(minutes), setup.engine, *claimed, errors=errors, env=env
    )
    points: list[MemoryReading] = []
    ended: dict[str, object] = {}
    try:
        while child.stdout is not None and (line := await child.stdout.readline()):
            event = json.loads(line)
            if "bytes" in event:
                points.append(MemoryReading(**event))
                progress("a soak in virtual time", points[-1].seconds / (60 * minutes))
            else:
                ended = event
        await child.wait()
    finally:
        await stop(child)
    if child.returncode != 0 or not ended:
        raise BenchError(f"the soak failed: {last_line(errors)}")
    return Soak(tuple(points), **ended)  # type: ignore[arg-type]


def rounds(items: Sequence[VideoFrame | AudioBlock], loop: float, seconds: float) -> Iterator[VideoFrame | AudioBlock]:
    """Yield the items of a loop of `loop` seconds again and again, stamps going on, up to `seconds`."""
    turn = 0
    while True:
        for item in items:
            at = turn * loop
            if item.stamp.media + at >= seconds:
                return
            stamp = item.stamp
            moved = replace(stamp, media=stamp.media + at, capture=stamp.capture + at, arrival=stamp.arrival + at)
            yield replace(item, stamp=moved)
        turn += 1


def first_seconds(stream: Stream, seconds: float) -> Stream:
    """Cut a stream to so many seconds at most, in whole tenths, so that its tracks end together."""
    tenths = int(min(stream.seconds, seconds) * 10 + 1e-6)
    return replace(stream, video=stream.video[: 3 * tenths], audio=stream.audio[: 5 * tenths])


def live_through(session: Session, items: Iterable[VideoFrame | AudioBlock]) -> Iterator[tuple[float, str, list[str]]]:
    """Let a session take items; yields a hop: its time, its word, and the detectors that scored.

    What it says becomes findings and messages, as it does for a participant of a call.
    """
    from monitor.alerts.finding import FindingTracker
    from monitor.alerts.wire import state_message

    tracker = FindingTracker(session.key)
    for item in items:
        now = item.stamp.arrival
        report = session.tick(now)
        if report is not None:
            moment = _EPOCH + timedelta(seconds=now)
            tracker.advance(report.decision, moment)
            message = state_message(report, moment)
            scored = [name for name, score in message["scores"].items() if score["score"] is not None]
            yield now, "/".join(filter(None, (message["verdict"], message["reason"]))), scored
        session.push(item)


def soak_here(stream: Path, minutes: float, engine: EngineName, identity: str | None) -> Iterator[dict[str, object]]:
    """Live through the minutes in this process; yields readings, then the summary."""
    from collections import Counter
    from functools import partial

    from engines.load import load_engine
    from monitor.lab.bench.clip import load
    from monitor.lab.bench.pairwise_cost import items
    from monitor.session.models import load_models
    from monitor.session.session import Session
    from monitor.types import ParticipantKey

    short = first_seconds(load(stream), LOOP_SECONDS)
    models = load_models(engine, load=partial(load_engine, wait=True))
    session = Session(ParticipantKey("bench", "1", identity), models, reference=enrolled(identity))
    decoded = sorted(items(short, 1), key=lambda item: item.stamp.arrival)
    words, by, due, began = Counter[str](), Counter[str](), 0.0, time.perf_counter()
    for now, word, scored in live_through(session, rounds(decoded, short.seconds, 60 * minutes)):
        words[word] += 1
        by.update(scored)
        if now >= due:
            due += READ_SECONDS
            yield {"seconds": now, "bytes": rss_bytes(os.getpid())}
    hops = max(words.total(), 1)
    took = time.perf_counter() - began
    shares = {name: count / hops for name, count in sorted(by.items())}
    yield {"scored": shares, "verdicts": dict(words), "times_real": 60 * minutes / took}


def main() -> int:
    """Soak as the arguments say."""
    die_with_parent()
    parser = argparse.ArgumentParser()
    parser.add_argument("stream", type=Path)
    parser.add_argument("minutes", type=float)
    parser.add_argument("engine")
    parser.add_argument("identity", nargs="?")
    asked = parser.parse_args()
    try:
        for event in soak_here(asked.stream, asked.minutes, asked.engine, asked.identity):
            sys.stdout.write(json.dumps(event) + "\n")
            sys.stdout.flush()
    except EngineError as error:
        raise SystemExit(f"error: {error}") from None
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
