"""FFmpeg's `-f whip`, which PyAV brings: it answers no ICE consent checks, and names its repair flow in a group."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import av
import pytest
from aiortc.rtcdtlstransport import generate_certificate
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from monitor.tap.media.config import TapConfig
from monitor.tap.rtp.guards import is_media
from monitor.tap.webrtc import WebRtcPeer
from monitor.types import AudioBlock, MediaItem, ParticipantKey, VideoFrame
from tests.monitor.api.server import TOKEN, WHIP, serving
from tests.monitor.rig import ScriptedSession
from tests.monitor.tap.publisher import LOCAL

PATIENCE_SECONDS = 30
LOSS = 0.05

pytestmark = pytest.mark.skipif("whip" not in av.formats_available, reason="this FFmpeg has no WHIP muxer")


class Counting(ScriptedSession):
    """Says when so many pictures have come, and so many blocks of sound."""

    enough: Callable[[], object]
    frames, blocks = 0, 0

    def push(self, item: MediaItem) -> None:
        self.frames += isinstance(item, VideoFrame)
        self.blocks += isinstance(item, AudioBlock)
        if self.frames >= 150 and self.blocks >= 200:
            self.enough()


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate and its key, P-256 as FFmpeg makes them where it was built with OpenSSL."""
    key = ec.generate_private_key(ec.SECP256R1())
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(generate_certificate(key).public_bytes(Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths


@asynccontextmanager
async def published(
    folder: Path, config: TapConfig, prepare: Callable[[WebRtcPeer], None] = lambda peer: None
) -> AsyncIterator[WebRtcPeer]:
    """Run a sidecar and FFmpeg until six seconds of its media have been pushed to a session."""
    peers: list[WebRtcPeer] = []
    enough, loop = asyncio.Event(), asyncio.get_running_loop()

    def factory(key: ParticipantKey) -> Counting:
        session = Counting(key)
        session.enough = partial(loop.call_soon_threadsafe, enough.set)
        return session

    async def answer(offer: str) -> tuple[WebRtcPeer, str]:
        peer, text = await WebRtcPeer.answer(offer, config)
        prepare(peer)
        peers.append(peer)
        return peer, text

    async with serving(folder, sessions=factory, answer=answer) as site:
        module, files = "tests.monitor.api.ffmpeg_publisher", write_certificate(folder)
        arguments = [sys.executable, "-m", module, site.base + WHIP, TOKEN, *map(str, files)]
        publisher = await asyncio.create_subprocess_exec(*arguments, cwd=Path(__file__).parents[3])
        try:
            await asyncio.wait_for(enough.wait(), PATIENCE_SECONDS)
            yield peers[0]
        finally:
            if publisher.returncode is None:
                publisher.kill()
            await publisher.wait()


async def test_ffmpeg_stays_though_it_answers_no_consent_check(tmp_path: Path) -> None:
    """Six seconds, where consent lasts for two without an answer; its handshake takes one."""
    async with published(tmp_path, replace(LOCAL, consent_seconds=2.0)) as peer:
        assert peer.connected
        [video] = [section for section in peer._described.sections if section.kind == "video"]
        # As libx264 makes it where nobody asks for less.
        assert "profile-level-id=64" in video.codecs[0].parameters


async def test_ffmpegs_picture_survives_loss(tmp_path: Path) -> None:
    """One packet in twenty is lost. There is one key frame, at the start: whatever is not repaired ends the picture."""
    chance, lost = random.Random(7), 0

    def losing(peer: WebRtcPeer) -> None:
        for protocol in peer._pc.getReceivers()[0].transport.transport._connection._protocols:
            vars(protocol)["datagram_received"] = partial(lossy, protocol.datagram_received)

    def lossy(receive: Callable[..., Any], data: bytes, addr: tuple[Any, ...]) -> None:
        nonlocal lost
        if is_media(data) and chance.random() < LOSS:
            lost += 1
        else:
            receive(data, addr)

    async with published(tmp_path, LOCAL, losing) as peer:
        stats = peer._receivers["video"].stats
    assert lost > 10
    assert stats.nacks > 0
    assert stats.given_up == 0
