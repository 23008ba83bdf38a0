"""One participant in this process, stage by stage: the real session on the live stream's packets, timed by wrappers.

The wrappers are put around the session's parts from outside and count processor time, as the budgets do; what a part
spends in another that is timed too is taken off.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from monitor.lab.bench.clip import FPS, HEIGHT, OPUS_FRAMES_PER_SECOND, WIDTH, Stream
from monitor.session.models import Models
from monitor.session.session import Session
from monitor.tap.media.decode import EncodedFrame, make_decoder
from monitor.tap.media.formats import AudioCutter, to_video_frame
from monitor.types import AudioBlock, ClockState, MediaItem, ParticipantKey, Stamp

HEAD_SECONDS = 1.0


@dataclass(slots=True)
class Timer:
    """Seconds of each call by `clock`; none is noted while `on` is false."""

    on: bool = True
    samples: list[float] = field(default_factory=list)
    clock: Callable[[], float] = time.thread_time

    def __call__(self, work: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a callable."""

        def timed(*args: Any, **named: Any) -> Any:
            began = self.clock()
            try:
                return work(*args, **named)
            finally:
                if self.on:
                    self.samples.append(self.clock() - began)

        return timed

    @property
    def total(self) -> float:
        """Seconds of all calls."""
        return sum(self.samples)


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: milliseconds per frame of video (all stages add up), per call and the 95th percentile of a call."""

    name: str
    per_frame: float
    per_call: float | None
    per_call_p95: float | None
    calls_per_second: float


NAMES = (
    "decode video", "decode audio", "detector", "landmarks", "track", "picture", "lips", "front", "voice",
    "tick", "window", "decide", "detect",
)  # fmt: skip


def measure(stream: Stream, models: Models, progress: Callable[[float], None] = lambda _: None) -> list[Stage]:
    """Push the stream twice through one session; the first second is not counted."""
    timers = {name: Timer(on=False) for name in NAMES}
    session = Session(ParticipantKey("bench", "1"), models)
    attach(session, timers)
    tick = timers["tick"](session.tick)
    length, hops = 2 * stream.seconds, 0
    for item in decoded(stream, 2, timers):
        now = item.stamp.arrival
        if now >= HEAD_SECONDS and not timers["track"].on:
            for timer in timers.values():
                timer.on = True
        report = tick(now)
        hops += report is not None
        session.push(item)
        progress(now / length)
    return summarize(timers, length - HEAD_SECONDS)


def attach(session: Session, timers: dict[str, Timer]) -> None:
    """Wrap the parts of a session."""
    watch(session, "_decide", timers["decide"])
    parts: Any = session
    for _, live in parts._detectors:
        if live is not None:
            watch(live, "score", timers["detect"])
    watch(parts._window, "window", timers["window"])
    side = parts._picture
    watch(side, "push", timers["picture"])
    watch(side._track, "_detect", timers["detector"])
    watch(side._track, "_landmarks", timers["landmarks"])
    watch(side._track, "push", timers["track"])
    watch(side._encode, "push", timers["lips"])
    watch(parts._sound._stream, "take", timers["front"])
    watch(parts._sound._encode, "push", timers["voice"])


def watch(owner: object, name: str, timer: Timer) -> None:
    """Time the callable attribute `name` of an object from now on; raises `AttributeError` when it has none."""
    setattr(owner, name, timer(getattr(owner, name)))


def decoded(stream: Stream, rounds: int, timers: dict[str, Timer]) -> Iterator[Any]:
    """Frames and blocks of the stream in capture order, decoded as the live path does."""
    pictures, sounds, cutter = make_decoder("VP8", WIDTH * HEIGHT), make_decoder("opus", 0), AudioCutter()

    def see(packet: EncodedFrame) -> list[MediaItem]:
        return [to_video_frame(frame, _stamp(packet.media)) for frame in pictures.decode(packet)]  # type: ignore[arg-type]

    def hear(packet: EncodedFrame) -> list[MediaItem]:
        frames: Any = sounds.decode(packet)
        return [AudioBlock(_stamp(at), samples) for frame in frames for at, samples in cutter.push(frame)]

    watch_video, watch_audio = timers["decode video"](see), timers["decode audio"](hear)
    for packet in packets(stream, rounds):
        yield from watch_video(packet) if packet.kind == "video" else watch_audio(packet)


def packets(stream: Stream, rounds: int) -> Iterator[EncodedFrame]:
    """Yield the encoded frames of both tracks in capture order, `rounds` times over."""
    frames, blocks = len(stream.video), len(stream.audio)
    due = [(number / FPS, 1, number) for number in range(rounds * frames)]
    due += [(number / OPUS_FRAMES_PER_SECOND, 0, number) for number in range(rounds * blocks)]
    for at, is_video, number in sorted(due):
        if is_video:
            yield EncodedFrame("video", "VP8", stream.video[number % frames], at, at)
        else:
            yield EncodedFrame("audio", "opus", stream.audio[number % blocks], at, at)


def _stamp(at: float) -> Stamp:
    return Stamp(at, at, 0.001, ClockState.MAPPED, at)


def summarize(timers: dict[str, Timer], seconds: float) -> list[Stage]:
    """Make disjoint stages out of nested timers, over `seconds` of media."""
    frames = max(len(timers["track"].samples), 1)

    def stage(name: str, timer: str, less: tuple[str, ...] = (), calls: str | None = None) -> Stage:
        own_seconds = timers[timer].total - sum(timers[other].total for other in less)
        samples = timers[calls or timer].samples
        count = len(samples)
        # A percentile of what is left over would mix calls: it is given only where nothing is taken off.
        tail = 1e3 * float(np.percentile(samples, 95)) if count and not less else None
        return Stage(
            name, 1e3 * own_seconds / frames, 1e3 * own_seconds / count if count else None, tail, count / seconds
        )

    return [
        stage("decode video", "decode video"),
        stage("decode audio", "decode audio"),
        stage("face detector", "detector"),
        stage("landmarks", "landmarks"),
        stage("crops, pose, quality", "track", less=("detector", "landmarks")),
        stage("lip encoder", "lips"),
        stage("resampling, book-keeping", "picture", less=("track", "lips")),
        stage("voice front end", "front"),
        stage("voice encoder", "voice"),
        stage("window", "window"),
        stage("detect (synchrony)", "detect"),
        stage("calibrate, decide", "decide", less=("detect",)),
        stage("report", "tick", less=("window", "decide"), calls="window"),
    ]


def face_milliseconds(stages: list[Stage]) -> float | None:
    """Add up landmarks and crops of a frame, without finding faces; None when no face was followed."""
    if not any(stage.name == "landmarks" and stage.per_call is not None for stage in stages):
        return None
    return sum(stage.per_frame for stage in stages if stage.name in ("landmarks", "crops, pose, quality"))
