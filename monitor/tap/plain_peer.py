"""One participant over plain RTP or SRTP: sockets that an SDP names, with the same receiver and decoding as WebRTC."""

from __future__ import annotations

import asyncio
import contextlib
import time

from monitor.tap.media.clock import CallClock
from monitor.tap.media.config import TapConfig
from monitor.tap.media.decode import DecodeLoop
from monitor.tap.media.source import MEDIA_ENDED
from monitor.tap.pulled import Pulled
from monitor.tap.rtp.plain import PlainReceiver
from monitor.tap.rtp.plain_sdp import parse_session
from monitor.types import TrackKind

_WATCH_SECONDS = 0.25


class PlainPeer(Pulled):
    """Who sends plain RTP as a `PullSource`; made by `listen`; ends by `close` or silence of `leave_seconds`."""

    def __init__(self, sdp: str, config: TapConfig) -> None:
        self.heard = asyncio.Event()
        """A packet has come that belongs here."""
        self.was_left = False
        self.end_reason: str | None = None
        self.clock = CallClock()
        super().__init__(DecodeLoop(config, self.clock, self._on_decoder_failure))
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._tracks: dict[TrackKind, PlainReceiver] = {
            track.kind: PlainReceiver(track, config, self.clock, self._decode, self.heard.set)
            for track in parse_session(sdp, config)
        }
        self._watching: asyncio.Task[None] | None = None

    @classmethod
    async def listen(cls, sdp: str, host: str, config: TapConfig | None = None) -> PlainPeer:
        """Listen on the ports of an SDP at an address of ours; raises `SdpError`, or `OSError` for a port."""
        peer = cls(sdp, config or TapConfig())
        try:
            for track in peer._tracks.values():
                await track.begin(host)
        except BaseException:
            await peer.close()
            raise
        peer._watching = asyncio.create_task(peer._watch())
        return peer

    @property
    def heard_at(self) -> float | None:
        """When the last packet came; see `Hearing`."""
        last = max(track.receiver.heard_at for track in self._tracks.values())
        return last if last > float("-inf") else None

    @property
    def said_goodbye(self) -> bool:
        """Whether the sender has said that they leave (RTCP BYE), and has sent nothing of that track since."""
        return any(track.said_goodbye for track in self._tracks.values())

    @property
    def dropped(self) -> int:
        """Encoded frames dropped because the reader was too slow."""
        return sum(self._decode.dropped.values())

    @property
    def refused(self) -> int:
        """Packets of others, of other formats and such that did not authenticate."""
        return sum(track.refused for track in self._tracks.values())

    def report_to(self, kind: TrackKind, port: int) -> None:
        """Say which port of the sender takes our RTCP of a track, where its own does not tell it."""
        if kind in self._tracks:
            self._tracks[kind].report_to(port)

    def pause(self, paused: bool) -> None:
        """Leave media undecoded, or go on with a key frame; see `Source.pause`."""
        self._decode.pause(paused)
        for track in self._tracks.values():
            track.receiver.pause(paused)

    async def close(self) -> None:
        """End and release the ports; safe to call twice."""
        if self._watching is not None:
            self._watching.cancel()
        self._decode.close()
        for track in self._tracks.values():
            await track.close()
        self.closed.set()

    async def _watch(self) -> None:
        """End when nothing has come for so long that the sender must have gone."""
        while self.heard_at is None or time.monotonic() - self.heard_at < self._config.leave_seconds:  # noqa: ASYNC110
            await asyncio.sleep(_WATCH_SECONDS)
        self.was_left, self.end_reason, self._watching = True, MEDIA_ENDED, None
        await self.close()

    def _on_decoder_failure(self, kind: TrackKind) -> None:
        with contextlib.suppress(RuntimeError):
            # Of a loop that has ended.
            self._loop.call_soon_threadsafe(self._tracks[kind].receiver.require_key)
