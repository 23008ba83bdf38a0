"""One participant whose media come as messages of a platform, each a whole frame with the time of its server.

There are no packets: nothing is lost or out of order on the way, and no key frame can be asked for here. Whoever
receives the messages puts them in, and ends the participant when the platform says that they have left.
"""

from __future__ import annotations

import asyncio
import contextlib
import time

from monitor.tap.delivery import Delivery, describe
from monitor.tap.media.config import TapConfig
from monitor.tap.media.decode import DecodeLoop, EncodedFrame
from monitor.tap.media.entry_point import Admitted, EntryPoint
from monitor.tap.media.parameter_sets import ParameterSets
from monitor.tap.media.platform_clock import PlatformClock
from monitor.tap.pulled import Pulled
from monitor.types import Reason, TrackFault, TrackKind

_WATCH_SECONDS = 0.25


class StampedPeer(Pulled):
    """A `PullSource` that is filled by `put`, on the event loop; it ends by `close`.

    `uncertainty_seconds` is how far the server's time of a picture or sound may be from when it was captured, but for
    what is the same for both. Sound that does not come is silence: platforms send none of whoever is muted.
    """

    def __init__(self, uncertainty_seconds: float, config: TapConfig | None = None) -> None:
        self._config = config or TapConfig()
        self.clock = PlatformClock(uncertainty_seconds)
        super().__init__(DecodeLoop(self._config, self.clock, self._on_decoder_failure))
        self._loop = asyncio.get_running_loop()
        self._entry = EntryPoint(self._config.conceal_seconds)
        self._began = time.monotonic()
        self._heard: dict[TrackKind, float] = {}
        self._causes: dict[TrackKind, Reason | None] = {}
        self._paused = False
        self._watching = asyncio.create_task(self._watch())

    @property
    def heard_at(self) -> float | None:
        """When something came last; see `Hearing`."""
        return max(self._heard.values(), default=None)

    @property
    def needs_key(self) -> bool:
        """Whether pictures come and wait for one that can be decoded by itself."""
        return "video" in self._heard and self._entry.waiting

    @property
    def dropped(self) -> int:
        """Encoded frames dropped because the reader was too slow."""
        return sum(self._decode.dropped.values())

    def put(self, kind: TrackKind, codec: str, data: bytes, seconds: float) -> None:
        """Take a frame: `codec` as `make_decoder` knows it, `seconds` of the server's clock."""
        now = time.monotonic()
        self._heard[kind] = now
        if self._paused or self.closed.is_set() or not data:
            return
        admitted: Admitted | None = Admitted(data, damaged=False)
        if kind == "video":
            admitted = self._entry.admit(codec, data, ParameterSets(), now)
        if admitted is None:
            return
        media = self.clock.place(kind, seconds, now)
        frame = EncodedFrame(kind, codec, admitted.data, media, now, admitted.damaged, follows=True)
        if not self._decode.submit(frame):
            self._entry.lose(now)

    def pause(self, paused: bool) -> None:
        """Leave media undecoded, or go on with the next key frame; see `Source.pause`."""
        self._paused = paused
        self._decode.pause(paused)
        if not paused:
            self._began = time.monotonic()
            self._entry.lose(self._began)

    async def close(self) -> None:
        """End; safe to call twice."""
        self._watching.cancel()
        self._decode.close()
        self.closed.set()

    async def _watch(self) -> None:
        """Tell why nothing is decoded of a track, when that begins and when it changes."""
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            if not self._paused:
                self._check(time.monotonic())

    def _check(self, now: float) -> None:
        for kind in ("audio", "video"):
            heard = self._heard.get(kind, self._began)
            delivery = Delivery(
                decoded_age=now - max(self._decode.newest.get(kind, self._began), self._began),
                heard_age=now - max(heard, self._began),
                unknown_age=float("inf"),
                decoder_fault=self._decode.fault(kind),
                needs_key=kind == "video" and self._entry.waiting,
                is_silent=kind == "audio",
            )
            cause, before = delivery.cause(self._config.stall_seconds), self._causes.get(kind)
            self._causes[kind] = cause
            # What the decoder finds it tells itself.
            if cause is not None and cause is not before and cause is not delivery.decoder_fault:
                self._decode.report(TrackFault(kind, cause, describe(kind, cause, self._config.stall_seconds), now))

    def _on_decoder_failure(self, kind: TrackKind) -> None:
        if kind == "video":
            with contextlib.suppress(RuntimeError):
                # Of a loop that has ended.
                self._loop.call_soon_threadsafe(self._entry.lose, time.monotonic())
