"""One participant's media from LiveKit's SDK as a `Source`: decoded by libwebrtc, stamped by the room's clock."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
from livekit import rtc

from monitor.tap.kit import (
    BLOCK_SAMPLES,
    SAMPLE_RATE_HZ,
    AudioBlock,
    MediaItem,
    Reason,
    TapConfig,
    TrackFault,
    TrackKind,
    VideoFrame,
)
from plugins.protocols.livekit.clock import RoomClock, SoundClock, playout

# Decoded pictures and blocks that wait for the reader; the SDK's own queues are as short.
MAX_PICTURES, MAX_BLOCKS = 12, 100
SDK_PICTURES, SDK_BLOCKS = 4, 50
CLOSE_SECONDS = 2.0
# WebRTC's rotation is how often a picture is to be turned clockwise by a quarter; numpy turns the other way.
QUARTERS = 4
MAX_PIXELS = TapConfig().max_pixels


class LiveKitSource:
    """A participant's camera and microphone; tracks are attached and detached while it runs."""

    def __init__(self, on_pause: Callable[[], None] = lambda: None) -> None:
        self.closed = asyncio.Event()
        self.paused = False
        self._on_pause = on_pause
        self._items: deque[MediaItem] = deque()
        self._pictures = 0
        self._dropped = 0
        self._more = asyncio.Event()
        self._heard_at: float | None = None
        self._clock = RoomClock()
        self._began: float | None = None
        self._media = 0.0
        self._sound = SoundClock()
        self._tracks: dict[TrackKind, tuple[Any, asyncio.Task[None]]] = {}
        self._muted: frozenset[TrackKind] = frozenset()

    @property
    def dropped(self) -> int:
        """Items dropped because the reader was too slow."""
        return self._dropped

    @property
    def heard_at(self) -> float | None:
        """When something came last; see `Hearing`."""
        return self._heard_at

    @property
    def attached(self) -> dict[TrackKind, Any]:
        """The tracks that are read, by kind."""
        return {kind: track for kind, (track, _) in self._tracks.items()}

    def attach(self, kind: TrackKind, track: Any) -> None:
        """Read a track of the SDK from now on, in place of an earlier one of its kind."""
        self.detach(kind)
        read = self._read_pictures if kind == "video" else self._read_sound
        self._tracks[kind] = (track, asyncio.create_task(read(track)))

    def detach(self, kind: TrackKind) -> None:
        """Read a track no more."""
        if kind in self._tracks:
            # The SDK's own iteration of pictures does not end with its track.
            self._tracks.pop(kind)[1].cancel()
            self._clock = self._clock.forgotten(kind)

    def mute(self, kinds: frozenset[TrackKind]) -> None:
        """Take nothing of tracks that are muted: what the SDK goes on to give is made up."""
        self._muted = kinds

    def pause(self, paused: bool) -> None:
        """Take nothing, or go on; whoever subscribes is told, so that nothing is sent and decoded meanwhile."""
        if paused is not self.paused:
            self.paused = paused
            self._on_pause()

    async def close(self) -> None:
        """End; safe to call twice."""
        for kind in list(self._tracks):
            self.detach(kind)
        self.closed.set()
        self._more.set()

    async def __aiter__(self) -> AsyncIterator[MediaItem]:
        """Yield media until it is closed."""
        while not self.closed.is_set():
            await self._more.wait()
            self._more.clear()
            while self._items and not self.closed.is_set():
                item = self._items.popleft()
                self._pictures -= isinstance(item, VideoFrame)
                yield item

    async def read_clock(self) -> None:
        """Ask the SDK what of the sender's clock is playing now, and take note."""
        for kind, (track, _) in list(self._tracks.items()):
            for one in await track.get_stats():
                if one.HasField("inbound_rtp"):
                    self._note_playout(kind, one.inbound_rtp)

    def _note_playout(self, kind: TrackKind, stats: Any) -> None:
        # Microseconds since 1970; a little ago, on the same clock as our own.
        wall = stats.rtc.timestamp / 1e6
        monotonic = time.monotonic() - max(time.time() - wall, 0.0)
        reading = playout(stats.inbound.estimated_playout_timestamp, wall, monotonic)
        if reading is not None and kind in self._tracks:
            self._clock = self._clock.noted(kind, reading)

    async def _read_pictures(self, track: Any) -> None:
        stream = rtc.VideoStream(track, capacity=SDK_PICTURES, format=rtc.VideoBufferType.I420)
        try:
            async for event in stream:
                self._heard_at = arrival = time.monotonic()
                if not self.paused and "video" not in self._muted:
                    self._put(self._picture(event, arrival))
        finally:
            await _ended(stream)

    def _picture(self, event: Any, arrival: float) -> MediaItem:
        frame, at = event.frame, event.timestamp_us / 1e6
        if frame.width * frame.height > MAX_PIXELS or min(frame.width, frame.height) < 2:
            return TrackFault("video", Reason.FRAME_TOO_LARGE, "pictures are larger than may be judged", arrival)
        # Due now or soon, unless the SDK gives another clock's time.
        at = at if abs(at - arrival) < 1.0 else arrival
        self._began = at if self._began is None else self._began
        self._media = max(self._media, at - self._began)
        planes = (np.rot90(plane, -event.rotation % QUARTERS) for plane in _planes(frame))
        return VideoFrame(self._clock.stamp("video", self._media, at, arrival), *planes)

    async def _read_sound(self, track: Any) -> None:
        milliseconds = 1000 * BLOCK_SAMPLES // SAMPLE_RATE_HZ
        stream = rtc.AudioStream(
            track, capacity=SDK_BLOCKS, sample_rate=SAMPLE_RATE_HZ, num_channels=1, frame_size_ms=milliseconds
        )
        try:
            async for event in stream:
                self._heard_at = arrival = time.monotonic()
                samples = np.frombuffer(event.frame.data, np.int16)
                media, at, self._sound = self._sound.placed(len(samples) / SAMPLE_RATE_HZ, arrival)
                if not self.paused and "audio" not in self._muted:
                    stamp = self._clock.stamp("audio", media, at, arrival)
                    self._put(AudioBlock(stamp, samples.astype(np.float32) / np.float32(32768.0)))
        finally:
            await _ended(stream)

    def _put(self, item: MediaItem) -> None:
        if self._pictures >= MAX_PICTURES and isinstance(item, VideoFrame):
            oldest = next(one for one in self._items if isinstance(one, VideoFrame))
            self._items.remove(oldest)
            self._pictures -= 1
            self._dropped += 1
        elif len(self._items) >= MAX_PICTURES + MAX_BLOCKS:
            self._pictures -= isinstance(self._items.popleft(), VideoFrame)
            self._dropped += 1
        self._pictures += isinstance(item, VideoFrame)
        self._items.append(item)
        self._more.set()


def _planes(frame: Any) -> tuple[Any, Any, Any]:
    """Return the planes of an I420 picture without a copy; of an odd size the last row or column is left out."""
    width, height = frame.width, frame.height
    half_width, half_height = (width + 1) // 2, (height + 1) // 2
    data = np.frombuffer(frame.data, np.uint8)
    cuts = np.cumsum((width * height, half_width * half_height))
    y, u, v = np.split(data[: cuts[1] + half_width * half_height], cuts)
    chroma = (slice(height // 2), slice(width // 2))
    return (
        y.reshape(height, width)[: height & ~1, : width & ~1],
        u.reshape(half_height, half_width)[chroma],
        v.reshape(half_height, half_width)[chroma],
    )


async def _ended(stream: Any) -> None:
    """Let the SDK release a stream; it waits for a word of the track's end, which may not come."""
    with contextlib.suppress(TimeoutError, Exception):
        await asyncio.wait_for(stream.aclose(), CLOSE_SECONDS)
