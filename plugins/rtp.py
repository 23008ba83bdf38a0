"""Plain RTP and SRTP as a participant: what a server forwards (Janus, mediasoup), or GStreamer, FFmpeg, a recorder.

An SDP says what comes where. Nobody is asked for anything: the participant is there when packets come, and is judged
no more when none have come for a while. Whoever has said goodbye by then (RTCP BYE) has left; of whoever has not nobody
knows, and that is told. The first who sends what belongs there is the sender, as long as they are heard.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from pydantic import Field, model_validator

from monitor.tap.kit import PlainPeer, Reason, SdpError, TapConfig
from plugins.base import Intake, Listed, NoRoom, PluginOptions, PluginSpec, ProfileOptions, Unavailable, name_from

FULL_SECONDS = 5.0
MAX_SDP_BYTES = 32768
CLOCK_RATES = {"opus": "opus/48000/2", "VP8": "VP8/90000", "H264": "H264/90000"}


class RtpOptions(PluginOptions):
    """`sdp` is a file; without one, ports and payload types are given here, and RTCP comes to the next port of each."""

    sdp: Path | None = None
    audio_port: int | None = Field(default=None, ge=1024, le=65534)
    audio_payload: int = Field(default=111, ge=0, le=127)
    video_port: int | None = Field(default=None, ge=1024, le=65534)
    video_payload: int = Field(default=96, ge=0, le=127)
    video_codec: str = Field(default="VP8", pattern=r"^(VP8|H264)$")
    listen: str = Field(default="127.0.0.1", min_length=1, max_length=64)
    leave_seconds: float = Field(default=5.0, ge=0.5, le=3600.0)
    call: str = Field(default="rtp", min_length=1, max_length=128)
    participant: str = Field(min_length=1, max_length=128)
    identity: str | None = Field(default=None, min_length=1, max_length=128)
    profile: ProfileOptions = ProfileOptions()

    @model_validator(mode="after")
    def _something_comes(self) -> RtpOptions:
        has_ports = self.audio_port is not None or self.video_port is not None
        if (self.sdp is not None) == has_ports:
            raise ValueError("give sdp, or audio_port and video_port, and not both")
        return self

    def session(self) -> str:
        """Return the SDP; raises `Unavailable`."""
        if self.sdp is None:
            return "\r\n".join(["v=0", "o=- 0 0 IN IP4 0.0.0.0", "s=-", "t=0 0", *self._sections(), ""])
        try:
            with self.sdp.expanduser().open("rb") as file:
                return file.read(MAX_SDP_BYTES + 1).decode()
        except OSError as error:
            raise Unavailable(f"the file of the SDP cannot be read ({error.strerror}): correct sdp") from None
        except (UnicodeDecodeError, ValueError, RuntimeError):
            raise Unavailable("the file of the SDP is no text, or has no path of this machine: correct sdp") from None

    def _sections(self) -> list[str]:
        wanted = (
            ("audio", self.audio_port, self.audio_payload, "opus"),
            ("video", self.video_port, self.video_payload, self.video_codec),
        )
        return [
            line
            for kind, port, payload, codec in wanted
            if port is not None
            for line in (f"m={kind} {port} RTP/AVP {payload}", f"a=rtpmap:{payload} {CLOCK_RATES[codec]}")
        ]


class Rtp:
    """Listens for one sender, again and again."""

    def __init__(self, options: RtpOptions) -> None:
        self._options = options
        self._is_present = False

    async def run(self, intake: Intake) -> None:
        """Judge whoever sends until they are removed; raises `Unavailable` where the ports cannot be had."""
        options = self._options
        text = await asyncio.to_thread(options.session)
        while True:
            try:
                peer = await PlainPeer.listen(text, options.listen, TapConfig(leave_seconds=options.leave_seconds))
            except SdpError as error:
                raise Unavailable(f"the SDP is not understood ({error.detail}): correct it") from None
            except OSError as error:
                raise Unavailable(
                    f"the ports cannot be listened on ({error.strerror}): choose others, or correct listen"
                ) from None
            try:
                await self._hear(intake, peer)
                if not await self._judge(intake, peer):
                    return
                self._list(intake, None if peer.said_goodbye else self._who(Reason.SOURCE_LOST))
            except NoRoom as refusal:
                await intake.sleep(refusal.retry_after_seconds or FULL_SECONDS)
            finally:
                await peer.close()

    async def _hear(self, intake: Intake, peer: PlainPeer) -> None:
        """Wait until somebody sends; where one did for whom there was no room, say so when nothing more comes."""
        intake.waiting("no packet has come yet to the ports")
        if self._is_present:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(peer.heard.wait(), self._options.leave_seconds)
                return
            self._list(intake, self._who(Reason.SOURCE_LOST))
        await peer.heard.wait()

    def _list(self, intake: Intake, who: Listed | None) -> None:
        """Say who is there: the sender, or nobody."""
        self._is_present = who is not None and who.unwatched is None
        intake.roster(name_from(self._options.call), () if who is None else (who,))

    def _who(self, unwatched: Reason | None = None) -> Listed:
        options = self._options
        return Listed(name_from(options.participant), unwatched, options.profile.value(), options.identity)

    async def _judge(self, intake: Intake, peer: PlainPeer) -> bool:
        """Have the sender judged; returns whether they left by themselves."""
        options, who = self._options, self._who()
        intake.connected()
        self._list(intake, who)
        admitted = await intake.admit(name_from(options.call), who.participant, peer, who.identity, who.profile)
        try:
            await peer.closed.wait()
        finally:
            await admitted.end()
        return peer.was_left


SPEC = PluginSpec("rtp", RtpOptions, Rtp)
