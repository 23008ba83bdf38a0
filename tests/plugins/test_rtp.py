"""Plain RTP from FFmpeg and GStreamer, SRTP, strangers, senders that come again, key frames that are asked for."""

from __future__ import annotations

import asyncio
import base64
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiortc.rtp import RtcpByePacket, RtcpPacket, RtcpPsfbPacket, RtcpRrPacket, RtpPacket
from pydantic import ValidationError

from monitor.config import SourceSettings
from monitor.host.source_check import check
from monitor.host.sources import configured_sources
from monitor.types import ClockState, Reason
from plugins.base import Unavailable
from plugins.rtp import Rtp, RtpOptions
from tests.plugins.intake import Reception
from tests.plugins.supervised import reasons, supervised

BYE, LISTENS = bytes(RtcpByePacket(sources=[9])), "no packet has come yet to the ports"
KEY = base64.b64encode(bytes(range(30))).decode()
PATTERNS = ["-f", "lavfi", "-i", "testsrc=size=160x120:rate=15", "-f", "lavfi", "-i", "sine=frequency=440"]
VP8 = ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-g", "15", "-b:v", "200k", "-payload_type", "96"]
OPUS = ["-c:a", "libopus", "-b:a", "32k", "-payload_type", "111"]


def ports() -> tuple[int, int]:
    """Two even ports that are free, and those after them, as far as can be known."""
    found: list[int] = []
    while len(found) < 2:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1] & ~1
        if port > 1024 and port not in found:
            found.append(port)
    return found[0], found[1]


@asynccontextmanager
async def program(*command: str) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def ffmpeg(audio: int, video: int, secure: bool = False) -> tuple[str, ...]:
    scheme, extra = (
        ("srtp", ["-srtp_out_suite", "AES_CM_128_HMAC_SHA1_80", "-srtp_out_params", KEY]) if secure else ("rtp", [])
    )
    to = [f"{scheme}://127.0.0.1:{port}?pkt_size=1200" for port in (video, audio)]
    first = ["-map", "0:v", *VP8, "-f", "rtp", *extra, to[0]]
    return ("ffmpeg", "-loglevel", "error", "-re", *PATTERNS, *first, "-map", "1:a", *OPUS, "-f", "rtp", *extra, to[1])


def write_sdp(path: Path, audio: int, video: int) -> Path:
    crypto = f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\n"
    path.write_text(
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nt=0 0\n"
        f"m=audio {audio} RTP/SAVP 111\na=rtpmap:111 opus/48000/2\n{crypto}"
        f"m=video {video} RTP/SAVP 96\na=rtpmap:96 VP8/90000\n{crypto}"
    )
    return path


needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


@needs_ffmpeg
async def test_ffmpeg_is_judged_falls_silent_and_comes_again() -> None:
    audio, video = ports()
    options = {"audio_port": audio, "video_port": video, "participant": "Ada L", "leave_seconds": 1.0}
    async with supervised(plugin="rtp", **options) as house:
        for turn in range(2):
            await house.until(lambda: house.status()["phase"] == "waiting", "it waits for packets")
            assert reasons(house, "rtp") == ({"Ada_L": "source_lost"} if turn else {})
            async with program(*ffmpeg(audio, video)):
                await house.judged("Ada_L")
            # Restarted from other ports under other SSRCs: the same participant.
            await house.until(lambda n=turn: len(house.guests) == n + 1 and not house.here, "the silence ends them")  # type: ignore[misc]
        assert house.status()["failures"] == 0


@needs_ffmpeg
async def test_srtp_is_judged_on_the_senders_clock_and_nothing_else_gets_in(tmp_path: Path) -> None:
    audio, video = ports()
    sdp = write_sdp(tmp_path / "session.sdp", audio, video)
    async with (
        supervised(plugin="rtp", sdp=str(sdp), participant="ada") as house,
        # First, and without the key: it takes nobody's place.
        program(*ffmpeg(audio, video)),
        program(*ffmpeg(audio, video, secure=True)),
    ):
        await house.judged("ada")
        peer = house.here["ada"].source
        assert peer.refused > 0  # type: ignore[attr-defined]
        await house.until(lambda: house.here["ada"].clock is ClockState.MAPPED, "its reports have come")


@pytest.mark.skipif(shutil.which("gst-launch-1.0") is None, reason="GStreamer is not installed")
async def test_gstreamer_is_judged() -> None:
    audio, video = ports()
    pipeline = (
        "videotestsrc is-live=true ! video/x-raw,width=160,height=120,framerate=15/1 ! "
        "vp8enc deadline=1 keyframe-max-dist=15 ! "
        f"rtpvp8pay pt=96 ! udpsink host=127.0.0.1 port={video} "
        f"audiotestsrc is-live=true ! opusenc ! rtpopuspay pt=111 ! udpsink host=127.0.0.1 port={audio}"
    )
    async with (
        supervised(plugin="rtp", audio_port=audio, video_port=video, participant="ada") as house,
        program("gst-launch-1.0", "-q", *pipeline.split()),
    ):
        await house.judged("ada")


async def test_a_key_frame_is_asked_for_at_the_senders_rtcp_port_and_strangers_are_left_out() -> None:
    _, video = ports()
    loop = asyncio.get_running_loop()
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    class Ear(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            heard.put_nowait(data)

    sender, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
    stranger, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
    port = sender.get_extra_info("sockname")[1]
    ear, _ = await loop.create_datagram_endpoint(Ear, local_addr=("127.0.0.1", port + 1))
    reception = Reception()
    task = asyncio.create_task(Rtp(RtpOptions(video_port=video, participant="ada")).run(reception))
    try:
        await reception.until(lambda: reception.said, "it listens")
        # The middle of a picture, so that a key frame is needed.
        for number in range(3):
            packet = RtpPacket(payload_type=96, sequence_number=number, timestamp=3000 * number, ssrc=9, marker=1)
            packet.payload = b"\x10\x01\x02\x03"
            sender.sendto(packet.serialize(), ("127.0.0.1", video))
        await reception.until(lambda: reception.guests, "they are brought")
        kinds: set[tuple[type, int]] = set()
        async with asyncio.timeout(10):
            while {RtcpPsfbPacket, RtcpRrPacket} - {kind for kind, _ in kinds}:
                kinds |= {(type(one), getattr(one, "media_ssrc", 9)) for one in RtcpPacket.parse(await heard.get())}
        assert (RtcpPsfbPacket, 9) in kinds
        peer: Any = reception.guests[0].source
        before = peer.refused
        for data in (packet.serialize(), b"", b"\x80\xc8", 100 * b"\xff"):
            stranger.sendto(data, ("127.0.0.1", video))
            stranger.sendto(data, ("127.0.0.1", video + 1))
        await reception.until(lambda: peer.refused >= before + 6, "the stranger is refused")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for transport in (sender, stranger, ear):
            transport.close()
        await reception.close()


async def test_who_says_goodbye_has_left_and_of_who_falls_silent_nobody_knows() -> None:
    _, video = ports()
    loop, reception = asyncio.get_running_loop(), Reception(refusals=1)
    sender, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
    options = RtpOptions(video_port=video, participant="ada", leave_seconds=0.5)
    task = asyncio.create_task(Rtp(options).run(reception))

    def listed() -> list[Reason | None]:
        return [one.unwatched for one in reception.listed.get("rtp", ())]

    packet = RtpPacket(payload_type=96, sequence_number=1, timestamp=3000, ssrc=9, marker=1)
    packet.payload = b"\x10\x01\x02\x03"
    try:
        # For the first there is no room.
        lost = [Reason.SOURCE_LOST]
        for turn, (goodbye, expected) in enumerate([(b"", lost), (b"", lost), (BYE, [])]):
            await reception.until(lambda n=turn: reception.said.count(LISTENS) > n, "it listens")  # type: ignore[misc]
            sender.sendto(packet.serialize(), ("127.0.0.1", video))
            await reception.until(lambda: listed() == [None], "they are there")
            sender.sendto(goodbye, ("127.0.0.1", video + 1))
            await reception.until(lambda why=expected: listed() == why, "they are not")  # type: ignore[misc]
            assert len(reception.guests) == turn
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        sender.close()
        await reception.close()


async def test_what_cannot_be_is_a_line(tmp_path: Path) -> None:
    audio, video = ports()
    with pytest.raises(Unavailable, match=r"cannot be read \(No such file or directory\): correct sdp"):
        await Rtp(RtpOptions(sdp=tmp_path / "absent", participant="ada")).run(Reception())
    for content, said in ((b"\xff", "is no text"), (b"v=1", "the SDP is not understood")):
        (tmp_path / "odd.sdp").write_bytes(content)
        with pytest.raises(Unavailable, match=said):
            await Rtp(RtpOptions(sdp=tmp_path / "odd.sdp", participant="ada")).run(Reception())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", audio))
        with pytest.raises(Unavailable, match=r"cannot be listened on \(Address already in use\)"):
            await Rtp(RtpOptions(audio_port=audio, video_port=video, participant="ada")).run(Reception())
    settings = SourceSettings.model_validate({"plugin": "rtp", "video_port": video, "participant": "ada"})
    (source,) = configured_sources([settings])
    assert (await check(source, wait_seconds=0.1)).said == f"waiting: {LISTENS}"
    for options in ({}, {"sdp": "x", "audio_port": audio}):
        with pytest.raises(ValidationError, match="give sdp, or audio_port"):
            RtpOptions.model_validate({"participant": "ada", **options})
